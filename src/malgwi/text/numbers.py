"""Digits as a Korean speaker reads them: 2019년 → 이천십구년, 3시 30분 → 세시 삼십분.

Korean has two series. *Sino-Korean* (일 이 삼) reads dates, money, minutes, floors, measures and
bare numbers; *native* numbers (한 두 세) count things, people, hours and ages. The word after the
number decides, so the heart of this file is the table of counters that take native numbers;
whatever is not in it is read Sino-Korean.

Spacing. A word of the author stays where it stood (3시 → 세시, 3 시 → 세 시). What this file adds
follows the orthography: numbers break at 만, 억, 조 (만 오천), a decimal point and the written-out
unit stand apart (삼 점 오 퍼센트), and so does 번째 (첫 번째). Dates without words are 이천십구년
삼월 일일, times 세 시 삼십 분.

Choices where speakers differ, or only the situation tells:

- Native numbers go to 99. From 101 to 999 only a remainder that is not a round ten is native
  (백스물한 명, but 백오십 명); from 1,000 only a remainder below ten (천한 명).
- 시 is native to 12 (열네 시 is not said: 십사시); 시간 to 20, so 24시간 is 이십사시간.
- 번 means "times" (세번) to 20, but a number before 버스, 출구, 문제, "press" and the like
  (삼번 버스) and above 20 (이백칠번).
- 대 counts machines (세대), but 20대 is the decade of an age and 19대 대통령 an ordinal.
- 분 is the minute (삼분), never the honorific person (세 분).
- 3~4명 is 서너명, 2~3일 is 이삼일; a wider native range repeats the counter (세명에서 다섯명).
- 0 is 영; in telephone numbers and after a leading zero 공. 112, 114, 119 alone are 일일이 ….
- a/b is a date where it can be one and b is above 10 or not above a (12/25, 3/1), else a fraction.
- Digits beside Latin letters are read like others; the English reading of MP3 or A4 is not known.

Source: 한글 맞춤법 제43항, 제44항 (spacing); 표준국어대사전 for 유월, 시월, 서너, 대여섯.
"""

import re
from collections.abc import Callable

_DIGITS = "영일이삼사오육칠팔구"
_BIG_UNITS = ("", "만", "억", "조", "경", "해", "자", "양")
_ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")

_COUNTED = (  # counters of the native series without a limit of their own
    "명 사람 식구 살 개 마리 그루 송이 포기 다발 묶음 알 방울 조각 토막 덩어리 모금 발 컷 근 "
    "잔 병 캔 컵 그릇 접시 숟가락 봉지 상자 박스 갑 팩 통 판 세트 벌 켤레 쌍 대 채 척 줄 칸 "
    "권 장 편 곡 글자 단어 문장 문제 과목 마디 표 건 팀 골 경기 가지 종류 군데 곳 자리 나라 회사 "
    "가구 남자 여자 달 밤 끼 배 바퀴 걸음 차례"
)
#: counter → the highest number that is read natively before it (0: no limit of its own)
_NATIVE = dict.fromkeys(_COUNTED.split(), 0) | {"시": 12, "시간": 20, "번": 20, "번째": 0, "째": 0}
#: Words that begin like a native counter and are none, and the Sino counters that need a rule.
_SINO = (
    "년 월 일 분 초 주 호 동 층 도 회 학년 개월 개국 개년 개사 개소 번지 번길 번가 번호 병동 대대 "
    "대학 대강 대문 대보험 대양 시대 시점 시즌 시리즈 권역 달러 배속 건물 팀장 편성 명령 장관 통신"
)
#: Written-out units; they take Sino numbers and stand apart.
_UNITS = {
    "km/h": "킬로미터", "km": "킬로미터", "cm": "센티미터", "mm": "밀리미터", "m": "미터",
    "km2": "제곱킬로미터", "m2": "제곱미터", "m3": "세제곱미터", "km²": "제곱킬로미터",
    "m²": "제곱미터", "m³": "세제곱미터", "㎡": "제곱미터", "㎞": "킬로미터", "㎝": "센티미터",
    "㎜": "밀리미터", "㎏": "킬로그램", "ha": "헥타르", "kg": "킬로그램", "mg": "밀리그램",
    "g": "그램", "t": "톤", "ml": "밀리리터", "mL": "밀리리터", "㎖": "밀리리터", "l": "리터",
    "L": "리터", "ℓ": "리터", "kcal": "킬로칼로리", "cal": "칼로리", "KB": "킬로바이트",
    "MB": "메가바이트", "GB": "기가바이트", "TB": "테라바이트", "Hz": "헤르츠",
    "kHz": "킬로헤르츠", "MHz": "메가헤르츠", "GHz": "기가헤르츠", "W": "와트", "kW": "킬로와트",
    "V": "볼트", "dB": "데시벨", "%": "퍼센트", "%p": "퍼센트포인트", "℃": "도", "°C": "도",
    "°": "도", "$": "달러", "€": "유로", "£": "파운드", "¥": "엔", "₩": "원",
}  # fmt: skip
#: Two neighbouring small numbers as one word.
_NATIVE_PAIRS = ("한두", "두세", "서너", "네다섯", "대여섯", "예닐곱", "일고여덟", "여덟아홉")
_SINO_PAIRS = ("일이", "이삼", "삼사", "사오", "오륙", "육칠", "칠팔", "팔구")
_NUMBER_BEFORE_BEON = re.compile(r"(?:반|버스|번호) ?$")
_NUMBER_AFTER_BEON = re.compile(
    r"[을를]? ?(?:(?:마을)?버스|출구|문제|타자|국도|선수|채널|창구|게이트|트랙|항목|질문|보기|"
    r"누르|눌러|누른)"
)
_ORDINAL_AFTER_DAE = re.compile(r" ?(?:대통령|대선|총선|국회|회장|총장|왕|총재)")
_AFTER_SPACED_COUNTER = re.compile(r"[^가-힣]|[이가은는을를의에도로만과와나씩쯤째당이입인정]|$")
_EMERGENCY = ("112", "114", "119")
_AFTER_EMERGENCY = re.compile(r"$|[^가-힣]|에|로|은|는|을|를|이|가|신고|구급|상황실")


def read_numbers(text: str) -> str:
    """Write every ASCII digit of ``text`` as it is read; nothing else changes but signs and units.

    The result holds no digit, so reading it again changes nothing.

    >>> read_numbers("2019년 3시 30분에 15,000원, 12살 두 명은 3.5%")
    '이천십구년 세시 삼십분에 만 오천원, 열두살 두 명은 삼 점 오 퍼센트'
    >>> read_numbers("010-1234-5678")
    '공일공 일이삼사 오육칠팔'
    """
    for pattern, read in _RULES:
        text = pattern.sub(read, text)
    return text


def sino(number: int) -> str:
    """A number of the Sino-Korean series, with a space after 만, 억, 조 and so on.

    A leading 일 is left out before 십, 백, 천 and before a first 만: 11,000 is 만 천.

    Raises:
        ValueError: ``number`` is negative or 10³² and more, for which no unit is in use.

    >>> sino(15_000), sino(123_456_789), sino(0)
    ('만 오천', '일억 이천삼백사십오만 육천칠백팔십구', '영')
    """
    if not 0 <= number < 10**32:
        raise ValueError(f"{number} is outside 0 … 10^32 − 1")
    groups: list[str] = []
    rest, unit = number, 0
    while rest:
        rest, group = divmod(rest, 10_000)
        if group:
            first_man = unit == 1 and group == 1 and not rest
            groups.append(("" if first_man else _below_10000(group)) + _BIG_UNITS[unit])
        unit += 1
    return " ".join(reversed(groups)) or "영"


def native(number: int) -> str:
    """A number as it stands before a native counter: 한, 스무, 스물한, 백스물한.

    >>> [native(number) for number in (1, 12, 20, 21, 100, 121, 150, 1001)]
    ['한', '열두', '스무', '스물한', '백', '백스물한', '백오십', '천한']
    """
    rest, tail = divmod(number, 100)
    if not tail or (rest and not (tail < 10 or (number < 1000 and tail % 10))):
        return sino(number)
    tens, ones = divmod(tail, 10)
    word = "스무" if tail == 20 else _TENS[tens] + _ONES[ones]
    return (sino(rest * 100) if rest else "") + word


def digit_by_digit(digits: str, *, zero: str = "공") -> str:
    """Digits one after the other, as in a telephone number.

    >>> digit_by_digit("0102"), digit_by_digit("05", zero="영")
    ('공일공이', '영오')
    """
    return "".join(zero if digit == "0" else _DIGITS[int(digit)] for digit in digits)


def _below_10000(number: int) -> str:
    out = ""
    for digit, place in zip(f"{number:04d}", ("천", "백", "십", ""), strict=True):
        if digit != "0":
            out += ("" if digit == "1" and place else _DIGITS[int(digit)]) + place
    return out


def _cardinal(digits: str) -> str:
    """A written integer: digit by digit after a leading zero or past all units, else Sino."""
    plain = digits.replace(",", "")
    if (plain[0] == "0" and len(plain) > 1) or len(plain) > 32:
        return digit_by_digit(plain)
    return sino(int(plain))


def _counted(number: int, counter: str, before: str, after: str) -> str:
    """``number`` as read before ``counter``, given the text on both sides of the two."""
    limit = _NATIVE.get(counter)
    if limit is None or number == 0 or (limit and number > limit):
        return sino(number)
    if re.search(r"(?<![가-힣])[제초중고]$", before):  # 제3장, 중2병: an ordinal
        return sino(number)
    if counter == "번" and (_NUMBER_BEFORE_BEON.search(before) or _NUMBER_AFTER_BEON.match(after)):
        return sino(number)
    if counter == "대" and (number % 10 == 0 or _ORDINAL_AFTER_DAE.match(after)):
        return sino(number)
    if number == 1 and counter in ("번째", "째"):
        return "첫"
    if counter == "째" and number < 5:
        return ("둘", "셋", "넷")[number - 2]
    return native(number)


def _month(number: int) -> str:
    return {6: "유", 10: "시"}.get(number) or sino(number)


def _read_date(match: re.Match[str]) -> str:
    year, month, day = (int(match[name]) for name in ("year", "month", "day"))
    return f"{sino(year)}년 {_month(month)}월 {sino(day)}일"


def _read_time(match: re.Match[str]) -> str:
    hour, minute, second = (int(match[index] or 0) for index in (1, 2, 3))
    words = [_counted(hour, "시", "", "") + " 시"]
    words += [f"{sino(minute)} 분"] if minute or second else []
    words += [f"{sino(second)} 초"] if second else []
    return " ".join(words)


def _read_groups(match: re.Match[str]) -> str:
    """Telephone, card and account numbers; two short groups are left to the later rules."""
    groups = re.findall("[0-9]+", match[0])
    if len(groups) == 2:
        if all(re.fullmatch("1[89]..|20..", group) for group in groups):
            return f"{sino(int(groups[0]))}에서 {sino(int(groups[1]))}"
        if len(groups[1]) < 4 and groups[0][0] != "0":
            return match[0]
    plus = "플러스 " if match[0][0] == "+" else ""
    return plus + " ".join(digit_by_digit(group) for group in groups)


def _read_range(match: re.Match[str]) -> str:
    """Two numbers before one counter: 서너명, 이삼일, 세시에서 다섯시, 십이 다시 삼번지."""
    low, high, counter = int(match["low"]), int(match["high"]), match["after"]
    gap, dash = match["gap"], match["dash"] is not None
    if dash and counter in ("번지", "호", "동", "번", "번길"):
        return f"{sino(low)} 다시 {sino(high)}{gap}{counter}"
    if dash and low >= high:
        return f"{sino(low)} {sino(high)}{gap}{counter}"
    if 0 < low == high - 1 and high < 10 and counter not in ("시", "월"):
        pairs = _NATIVE_PAIRS if counter in _NATIVE else _SINO_PAIRS
        return pairs[low - 1] + gap + counter
    if counter == "번" or (counter not in _NATIVE and counter != "월"):
        return f"{sino(low)}에서 {sino(high)}{gap}{counter}"
    text, end = match.string, match.end()
    words = [
        _month(number) if counter == "월" else _counted(number, counter, "", text[end:])
        for number in (low, high)
    ]
    return f"{words[0]}{gap}{counter}에서 {words[1]}{gap}{counter}"


def _read_fraction(match: re.Match[str]) -> str:
    above, below = int(match[1]), int(match[2])
    if 1 <= above <= 12 and 1 <= below <= 31 and (above >= below or below > 10):
        return f"{_month(above)}월 {sino(below)}일"
    return f"{_cardinal(match[2])}분의 {_cardinal(match[1])}"


def _read_day_name(match: re.Match[str]) -> str:
    """3·1절 → 삼일절, 6·25 → 육이오, 12·12 → 십이십이; also lists such as 1·2학년."""
    first, *others = re.findall("[0-9]+", match[0])
    return _cardinal(first) + "".join(
        _cardinal(group) if group == "12" or group.endswith("0") else digit_by_digit(group)
        for group in others
    )


def _read_dotted(match: re.Match[str]) -> str:
    return " 점 ".join(_cardinal(group) for group in match[0].split("."))


def _read_number(match: re.Match[str]) -> str:
    """A single number with what may stand around it: sign, decimals, 만, counter or unit."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    whole, fraction, big = match["whole"], match["fraction"], match["big"] or ""
    gap, word = match["gap"] or "", match["after"] or ""
    if gap and len(word) == 1 and word in _NATIVE and not _AFTER_SPACED_COUNTER.match(after):
        gap, word, after = "", "", gap + word + after
        tail = match["gap"] + match["after"]
    else:
        tail = _tail(gap, word)
    if fraction:
        number = f"{_cardinal(whole)} 점 {digit_by_digit(fraction, zero='영')}{big}"
    elif big:
        number = ("" if whole == "1" and big[0] in "십백천만" else _cardinal(whole)) + big
        tail += " " if big[-1] in "만억조경" and not tail and after[:1].isdigit() else ""
    else:
        number = _read_integer(whole, word, before, after)
    if word == "km/h" and not before.endswith("시속 "):
        number = "시속 " + number
    return _sign(match["sign"], word, before) + number + tail


def _read_integer(whole: str, word: str, before: str, after: str) -> str:
    plain = whole.replace(",", "")
    if not word and whole in _EMERGENCY and _AFTER_EMERGENCY.match(after):
        return digit_by_digit(whole)
    if len(plain) > 32 or (plain[0] == "0" and len(plain) > 1 and not _drops_zeros(word)):
        return digit_by_digit(plain)
    return _month(int(plain)) if word == "월" else _counted(int(plain), word, before, after)


def _drops_zeros(word: str) -> bool:
    """Whether 05 before ``word`` is just 5: dates, times and measures pad with zeros."""
    return word in ("년", "월", "일", "시", "분", "초") or word in _UNITS


def _tail(gap: str, word: str) -> str:
    if word in _UNITS:
        return " " + _UNITS[word]
    return " " + word if word == "번째" else gap + word


def _sign(sign: str | None, word: str, before: str) -> str:
    if not sign:
        return ""
    if sign == "+":
        return "플러스 "
    if word not in ("도", "℃", "°C", "°"):
        return "마이너스 "
    return "" if before.endswith("영하 ") else "영하 "


def _alternatives(words: list[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_N = r"(?<![0-9])[0-9]+"
_COUNTER = _alternatives([*_NATIVE, *_SINO.split()])
_UNIT = f"(?:{_alternatives(list(_UNITS))})(?![A-Za-z0-9])"
_WHOLE = r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+"
_BIG = "[십백천]?(?:만(?!큼)|억|조(?!각)|경(?!기))|[십백천]"
_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(
            r"(?<![0-9.])(?P<year>[12][0-9]{3})(?P<sep>[-/]|\. ?)(?P<month>0?[1-9]|1[0-2])(?P=sep)"
            r"(?P<day>3[01]|[12][0-9]|0?[1-9])(?![0-9])"
        ),
        _read_date,
    ),
    (re.compile(r"(?<![0-9])0[0-9]{1,2}[-). ] ?[0-9]{3,4}[-. ][0-9]{4}(?![0-9])"), _read_groups),
    (re.compile(r"(?:(?<![^\s(])\+)?" + _N + r"(?:-[0-9]+)+"), _read_groups),
    (
        re.compile(
            r"(?<![0-9.,:-])(?P<low>[0-9]{1,2})(?: ?~ ?|(?P<dash>-))(?P<high>[0-9]{1,2})"
            rf"(?P<gap> ?)(?P<after>{_COUNTER}|{_BIG})"
        ),
        _read_range,
    ),
    (re.compile(r"([0-9](?: ?(?:[가-힣]{1,3}|[A-Za-z%℃]{1,2}))?) ?~ ?(?=[0-9])"), r"\1에서 "),
    (re.compile(r"(?<=[0-9])\+(?=[0-9])"), " 플러스 "),
    (
        re.compile(r"(?<![0-9:])([01]?[0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]))?(?![0-9:])"),
        _read_time,
    ),
    (re.compile(rf"({_N}):(?=[0-9])"), r"\1 대 "),
    (re.compile(rf"(?<![/.])({_N})/([0-9]+)(?![0-9/])"), _read_fraction),
    (re.compile(rf"{_N}(?:·[0-9]+)+"), _read_day_name),
    (re.compile(r"(?<![0-9.])[0-9]+(?:\.[0-9]+){2,}"), _read_dotted),
    (
        re.compile(rf"({_N})( ?대 ?[0-9]+)(?=$|[^가-힣0-9]|로|의|이)"),
        lambda match: _cardinal(match[1]) + match[2],
    ),
    (re.compile(rf"([$€£¥₩]) ?((?:{_WHOLE})(?:\.[0-9]+)?(?:{_BIG})?)"), r"\2 \1"),
    (
        re.compile(
            rf"(?P<sign>(?<![^\s(])[-−+])?(?P<whole>{_WHOLE})(?:\.(?P<fraction>[0-9]+))?"
            rf"(?P<big>{_BIG})?(?:(?P<gap> ?)(?P<after>{_UNIT}|{_COUNTER}))?"
        ),
        _read_number,
    ),
)
