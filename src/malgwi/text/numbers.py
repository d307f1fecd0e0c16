"""Digits as a Korean speaker reads them: 2019년 → 이천십구년, 3시 30분 → 세시 삼십분.

Korean has two series. *Sino-Korean* (일 이 삼) reads dates, money, minutes, floors, measures and
bare numbers; *native* numbers (한 두 세) count things, people, hours and ages. The word after the
number decides, so the heart of the matter is the table of counters that take native numbers
(``counters``); whatever is not in it is read Sino-Korean.

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
- Round numbers from 30 on are as often Sino-Korean before 개, 명 (삼십개); here they are native.
- 대 counts machines (세대), but 20대 is the decade of an age, 19대 대통령 an ordinal, and 4대 보험
  are the four great ones.
- 분 is the minute (삼분), never the honorific person (세 분).
- 3~4명 is 서너명, 2~3일 is 이삼일; a wider native range repeats the counter (세명에서 다섯명).
- 0 is 영; in telephone numbers and after a leading zero 공. 112, 114, 119 alone are 일일이 ….
- 6.25 before 전쟁, 혁명, 때 and the like is a day (육이오), as is 3.1절; else it is a decimal.
- a/b is a date where it can be one and b is above 10 or not above a (12/25, 3/1), else a fraction.
- Digits beside Latin letters are read like others; ``names`` knows MP3 and A4.

Source: 한글 맞춤법 제43항, 제44항 (spacing); 표준국어대사전 for 유월, 시월, 서너, 대여섯.
"""

import re
from collections.abc import Callable

from malgwi.text.counters import NATIVE, SINO, UNITS
from malgwi.text.numerals import digit_by_digit, native, sino

__all__ = ["digit_by_digit", "native", "read_numbers", "sino"]

#: Two neighbouring small numbers as one word.
_NATIVE_PAIRS = ("한두", "두세", "서너", "네다섯", "대여섯", "예닐곱", "일고여덟", "여덟아홉")
_SINO_PAIRS = ("일이", "이삼", "삼사", "사오", "오륙", "육칠", "칠팔", "팔구")
_NUMBER_BEFORE_BEON = re.compile(r"(?:반|버스|번호|(?:채널|티비|티브이|TV)[은는을를]?) ?$")
_NUMBER_AFTER_BEON = re.compile(
    r"[을를]? ?(?:(?:마을)?버스|출구|문제|타자|국도|선수|채널|창구|게이트|트랙|항목|질문|보기|"
    r"플랫폼|승강장|방(?!문|송|향)|홈(?!페|쇼|런|피|스|경|팀)|레인|좌석|아이언|누르|눌러|누른)"
)
#: Behind 대 it is no machine: an ordinal (19대 국회), one of the great (4대 보험), a generation.
_SINO_AFTER_DAE = re.compile(
    r"주(?![가-힣])|[륙양강째]|에 걸[쳐친]| ?(?:대통령|대선|총선|국회|회장|총장|왕|총재|보험|요소|"
    r"영양소|불가사의|광역시|은행|기업|그룹|과제|강국|도시|명절|명산|의무|원칙|종교|문명|성인|"
    r"뉴스|리그|악(?:[을은이법]|$)|증권사|기획사|통신사|천왕)"
)
_AFTER_SPACED_COUNTER = re.compile(r"[^가-힣]|[이가은는을를의에도로만과와나씩쯤째당이입인정]|$")
#: Behind month.day it is the day of an event (6.25 전쟁), not a decimal.
_EVENT = (
    r" ?(?:운동|만세|독립|광복|전쟁|남침|휴전|참전|혁명|항쟁|의거|민주|사건|사태|사변|참변|학살|"
    r"테러|군사|쿠데타|정변|선언|공동(?:선언|성명)|남북|부정선거|총선|대선|지방선거|재보[궐선]|유공자)"
)
#: Behind the days that all know these too are enough; 4.5세대 is a decimal.
_KNOWN_DAYS = r"(?:4\.19|5\.18|6\.25|8\.15)(?= ?(?:때|당시|세대))"
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


def _cardinal(digits: str) -> str:
    """A written integer: digit by digit after a leading zero or past all units, else Sino."""
    plain = digits.replace(",", "")
    if (plain[0] == "0" and len(plain) > 1) or len(plain) > 32:
        return digit_by_digit(plain)
    return sino(int(plain))


def _counted(number: int, counter: str, before: str, after: str) -> str:
    """``number`` as read before ``counter``, given the text on both sides of the two."""
    limit = NATIVE.get(counter)
    if limit is None or number == 0 or (limit and number > limit):
        return sino(number)
    if re.search(r"(?<![가-힣])[제초중고]$", before):  # 제3장, 중2병: an ordinal
        return sino(number)
    if counter == "번" and (_NUMBER_BEFORE_BEON.search(before) or _NUMBER_AFTER_BEON.match(after)):
        return sino(number)
    if counter == "대" and (number % 10 == 0 or _SINO_AFTER_DAE.match(after)):
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
        pairs = _NATIVE_PAIRS if counter in NATIVE else _SINO_PAIRS
        return pairs[low - 1] + gap + counter
    if counter == "번" or (counter not in NATIVE and counter != "월"):
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
    """3·1절 → 삼일절, 6.25 전쟁 → 육이오 전쟁, 12·12 → 십이십이; also lists such as 1·2학년."""
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
    if gap and len(word) == 1 and word in NATIVE and not _AFTER_SPACED_COUNTER.match(after):
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
    return word in ("년", "월", "일", "시", "분", "초") or word in UNITS


def _tail(gap: str, word: str) -> str:
    if word in UNITS:
        return " " + UNITS[word]
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
_COUNTER = _alternatives([*NATIVE, *SINO])
_UNIT = f"(?:{_alternatives(list(UNITS))})(?![A-Za-z0-9])"
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
    (
        re.compile(
            rf"(?<![0-9.,])(?:3\.1(?= ?절)|{_KNOWN_DAYS}|"
            rf"(?:1[0-2]|[1-9])\.(?:3[01]|[12][0-9]|[1-9])(?={_EVENT}))"
        ),
        _read_day_name,
    ),
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
