"""When a Korean numeral before a counter is surely a number, and when it may be another word.

이 년 is two years or "this woman", 사원 four won or an employee, 만원 10,000 won or a full bus, 네
시간 four hours or "your time". Which it is stands in the words around it. For Sino-Korean numerals
a table says of each counter which one-syllable numerals are safe before it, which need a word of
duration after it (이년 전), and which of 백, 천, 만 are safe alone (백 번 is an idiom). For native
ones, lists of words say what is counted in words (두 사람) and what is another word (세대, 두통).

These are judgements, made for precision: what is missing here stays in words.
"""

import re
from dataclasses import dataclass
from typing import Literal

from malgwi.text.counters import NATIVE, SYMBOLS
from malgwi.text.numerals import native_value, sino_value

#: What a number is about.
Kind = Literal[
    "dates", "times", "money", "phones", "percent", "measures", "counters", "ordinals", "fractions",
    "bare",
]  # fmt: skip
_ALL = "일이삼사오육칠팔구"
_ROUND = "백천만"


@dataclass(frozen=True, kw_only=True)
class SinoCounter:
    """When a Sino-Korean numeral before a counter is surely a number.

    Args:
        kind: What it counts.
        singles: One-syllable numerals from 일 to 구 that are safe right before it.
        doubtful: Of the other ones, those that are safe if a word of duration follows.
        rounds: Which of 백, 천, 만 are safe alone.
        least: The smallest safe value of any longer numeral.
    """

    kind: Kind
    singles: str = ""
    doubtful: str = ""
    rounds: str = ""
    least: int = 10


_ROWS: tuple[tuple[str, SinoCounter], ...] = (
    ("년", SinoCounter(kind="dates", singles="일삼사오육칠팔구", doubtful="이", rounds="백")),
    (
        "개월 년대 년도 년차 주년 학년도 년생 분기",
        SinoCounter(kind="dates", singles=_ALL, rounds=_ROUND),
    ),
    ("주", SinoCounter(kind="dates", doubtful=_ALL)),
    ("일", SinoCounter(kind="dates", doubtful="이삼사오육칠팔구", rounds="백천")),
    ("세기", SinoCounter(kind="dates")),
    ("분", SinoCounter(kind="times", singles="일삼사오육칠팔", doubtful="이구")),
    ("초", SinoCounter(kind="times", singles="일이삼오육칠팔구", rounds="백")),
    ("시간", SinoCounter(kind="times", rounds=_ROUND, least=11)),
    ("원", SinoCounter(kind="money", rounds=_ROUND)),
    ("달러", SinoCounter(kind="money", singles=_ALL, rounds=_ROUND)),
    ("유로 위안 루블 페소 바트", SinoCounter(kind="money", rounds=_ROUND)),
    ("불 엔", SinoCounter(kind="money", rounds="백만", least=20)),
    ("퍼센트 퍼센트포인트", SinoCounter(kind="percent", singles=_ALL, rounds=_ROUND)),
    ("프로", SinoCounter(kind="percent", singles="일삼사오육칠팔구", rounds="백천")),
    (
        " ".join(word for word in SYMBOLS if word not in ("퍼센트", "퍼센트포인트", "시시", "씨씨"))
        + " 킬로 키로 센치 센티 마일 인치 이닝",
        SinoCounter(kind="measures", singles=_ALL, rounds=_ROUND),
    ),
    ("시시 씨씨", SinoCounter(kind="measures", rounds=_ROUND)),
    ("톤", SinoCounter(kind="measures", singles="일삼오육칠팔구", rounds=_ROUND)),
    ("평", SinoCounter(kind="measures", rounds=_ROUND)),
    ("도", SinoCounter(kind="measures")),
    (
        "인분 학년 학기 교시 호선 호차 호점 호기 차선 차원 번지 번길 번가 개국 개국어 개년 개사 "
        "개소 인당 인용 인실 인승 인석 인칭 인조 인가구 주차 회차 단계 순위 지망 성급 부작 호봉 "
        "배속 페이지",
        SinoCounter(kind="counters", singles=_ALL, rounds=_ROUND),
    ),
    ("층", SinoCounter(kind="counters", singles=_ALL, rounds="백")),
    ("번", SinoCounter(kind="counters", singles="일삼오육칠팔구", doubtful="이사")),
    ("등", SinoCounter(kind="counters", singles=_ALL)),
    ("위", SinoCounter(kind="counters", singles="일삼오육칠팔구", doubtful="이사", rounds="백")),
    ("박", SinoCounter(kind="counters", singles="일이삼")),
    ("회", SinoCounter(kind="counters", singles="일삼오칠팔구")),
    ("명", SinoCounter(kind="counters", rounds=_ROUND)),
    ("개", SinoCounter(kind="counters", rounds="백천")),
    ("세", SinoCounter(kind="counters", doubtful=_ALL, rounds="백")),
    ("살 점 쪽", SinoCounter(kind="counters", rounds="백")),
    (
        "호 화 부 대 장 권 마리 병 잔 그루 송이 건 편 팀 곡 곳 가지 가구 세대 배 번째 줄 칸 "
        "켤레 박스 상자 글자",
        SinoCounter(kind="counters"),
    ),
)
#: counter → when a Sino-Korean numeral before it is written in figures.
SINO_COUNTERS = {counter: rule for counters, rule in _ROWS for counter in counters.split()}


def _set(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


#: After these no word "this" is thinkable: 이 퍼센트 is 2 %.
_NEVER_THIS = _set(
    "개월 퍼센트 미터 킬로미터 센티미터 밀리미터 제곱미터 킬로그램 그램 밀리그램 리터 밀리리터",
    "제곱킬로미터 세제곱미터 헥타르 킬로칼로리 킬로바이트 메가바이트 기가바이트 테라바이트",
    "헤르츠 킬로헤르츠 메가헤르츠 기가헤르츠 킬로와트 데시벨 퍼센트포인트",
    "인분 달러 주년 이닝",
)
#: Before these a numeral may end in 억, 조, 경: 구조, 일경, 사조 are words.
_AFTER_TRILLIONS = _set("원 달러 유로 엔 불 위안 명 톤 년 개 배 킬로미터")
#: counter, or numeral with counter → what follows when it is no number.
_ANOTHER_WORD = {
    "십분": r" ?(?:이해|활용|발휘|공감|감안|고려|살려|살리|반영|참작|만족)",
    "분": "들",
    "만원": (r" ?(?:버스|지하철|전철|열차|관객|관중|사례|엘리베이터|이네|이라|이어|이었|이에)"),
    "이층": r" ?(?:버스|침대|집|양옥|구조|침상|석)",
    "도": r" ?(?:안|못|채|되지|아니) ",
    "개": r"인(?!데|가|지)",
    "살": r"인(?!데|가|지)",
    "위": " ?일체",
    "오만가지": "",
    "백사장": "",
    "백일장": "",
    "천사도": "",
    "이만화": "",
    "회": "의",
    "주": "의",
}
_DURATION = re.compile(
    r"[가이은도]? ?(?:동안|전|후|뒤|만에|만이|째|간|정도|이내|안에|안으로|이상|넘|걸려|걸리|걸렸|"
    r"남았|남은|쯤|반|마다|씩|연속|지났|지나|차|내내|내로|가량|남짓|됐|되었|됩니다|다 ?되)"
)
#: What shows that 이번, 사번 are number two and four, not "this time" or "staff number".
_NUMBERED = re.compile(
    r"[을를]? ?(?:출구|게이트|창구|아이언|누르|눌러|눌렀|채널|트랙|국도|플랫폼|레인)"
)
_RANKED = re.compile(r"까지|권")
_AGED = re.compile(r" ?(?:때|이상|이하|미만|까지|부터|아이|아동|유아|전후)|의 왕")
_SHOWN = {"번": _NUMBERED, "위": _RANKED, "세": _AGED}


def surely_sino(words: str, number: int, counter: str, *, gap: bool, left: str, right: str) -> bool:
    """Whether a Sino-Korean numeral before a counter can only be a number.

    Args:
        words: The numeral.
        number: Its value.
        counter: One of ``SINO_COUNTERS``.
        gap: Whether a space stands between them.
        left: The text before the numeral.
        right: The text after the counter.

    >>> surely_sino("이", 2, "년", gap=True, left="", right=" 전에")
    True
    >>> surely_sino("이", 2, "년", gap=True, left="", right="이 왔어")
    False
    """
    for key in (words + counter, counter):
        if key in _ANOTHER_WORD and re.match(_ANOTHER_WORD[key], right):
            return False
    if words[-1] in "억조경" and counter not in _AFTER_TRILLIONS:
        return False
    if number < 10:
        return _surely_single(words, counter, gap, left, right)
    if counter == "일":
        return _surely_days(words, number, right)
    if counter == "주":
        return bool(_DURATION.match(right))
    rule = SINO_COUNTERS[counter]
    return words in rule.rounds if words in _ROUND else number >= rule.least


def _surely_single(words: str, counter: str, gap: bool, left: str, right: str) -> bool:
    rule = SINO_COUNTERS[counter]
    if counter == "도":
        return bool(re.search(r"(?:영하|섭씨|기온) ?$", left))
    if words in rule.singles:
        return words != "이" or not gap or counter in _NEVER_THIS
    shown = _SHOWN.get(counter, _DURATION)
    return words in rule.doubtful and bool(shown.match(right))


def _surely_days(words: str, number: int, right: str) -> bool:
    """십오일 is the 15th or 15 days; 이십일 may be 21, and 백일, 천일 are more than days."""
    if _DURATION.match(right):
        return True
    if words in _ROUND or number > 31:
        return False
    return bool(number % 10 or re.match(r"에|까지|부터|날|자| ?(?:오전|오후|저녁|새벽)", right))


#: Nouns that are counted in words as long as there are few: 두 사람, 세 가지, 한 번.
_FEW_IN_WORDS = _set(
    "사람 식구 남자 여자 나라 회사 문장 문제 단어 글자 경기 팀 자리 곳 군데 차례 걸음 바퀴 마디 달",
    "밤 끼 배 가지 종류 번 편 발 모금 방울 토막 조각 다발 묶음 덩어리 곡 골 표 컷 근 과목 정거장",
)
_AFTER_ONE = _set("시간 명 개 살 마리 권 켤레")
_AFTER_YOUR = _set("명 살 마리 개 권 장 대 병 잔 켤레 그루 송이 그릇 컵 건 박스 캔")
#: Joined to their counter, words of their own.
_OWN_WORDS = _set(
    "두통 두판 두장 두건 세대 세척 세장 세판 세통 세권 열병 열대 열통 열판 열쌍 열알 쉰병"
)


def surely_native(
    words: str, number: int, counter: str, *, gap: bool, left: str, right: str
) -> bool:
    """Whether a native numeral before a counter is a number that is written in figures.

    Args:
        words: The numeral.
        number: Its value.
        counter: A counter of ``counters.NATIVE``, 시 and ordinals aside.
        gap: Whether a space stands between them.
        left: The text before the numeral.
        right: The text after the counter.

    >>> surely_native("두", 2, "명", gap=True, left="", right="이")
    True
    >>> surely_native("네", 4, "시간", gap=True, left="", right=" 괜찮아")
    False
    """
    if NATIVE[counter] and number > NATIVE[counter]:
        return False
    if counter in _ANOTHER_WORD and re.match(_ANOTHER_WORD[counter], right):
        return False
    if (not gap and words + counter in _OWN_WORDS) or (number < 5 and counter in _FEW_IN_WORDS):
        return False
    if counter == "대" and number % 10 == 0:
        return False  # 20대 would be people in their twenties
    if number == 1:
        each = right.lstrip().startswith("한") or left.endswith((f"한 {counter} ", f"한{counter} "))
        return counter in _AFTER_ONE and not each  # 한 명 한 명
    if words == "네" and gap:
        return bool(_DURATION.match(right)) if counter == "시간" else counter in _AFTER_YOUR
    return True


# --- where a numeral may begin, and how its word may end --------------------------------------

#: Where a numeral may begin: a word, not after 몇, 수, 여러 (몇 백 명) nor after a figure.
START = (
    r"(?<![가-힣A-Za-z0-9])(?<!몇 )(?<!수 )(?<!여러 )(?<![0-9] )"
    r"(?P<before>오전|오후|새벽|아침|저녁|밤|낮|약|총|최대|최소|최장|영하|영상|시속|무려|평균)?"
)


def about(left: str, value: int) -> bool:
    """Whether the word before makes the numeral one of several: 두 세 명, 이 삼일, 팔십 팔년.

    >>> about("한 ", 2), about("오후 ", 2)
    (True, False)
    """
    word = re.search(r"(?:^|\s)(\S+) $", left)
    if word is None:
        return False
    low = native_value(word[1]) or sino_value(word[1])
    if low is None or (low >= 10 and word[1][-1] in "만억조"):
        return False
    lead = int(str(value)[0]) if set(str(value)[1:]) <= {"0"} else value
    return low in (lead - 1, value - 1) or (low >= 20 and low % 10 == 0 and value < 10)


_PARTICLES = (
    "에서는 에서도 에서부터 까지만 까지는 까지도 부터는 이라도 에게는 으로는 으로도 정도면 정도는 "
    "만에 에서 에게 에는 에도 에만 에선 으로 로는 이나 이랑 하고 까지 부터 마다 밖에 보다 처럼 "
    "만큼 정도 짜리 가량 이상 이하 이내 이후 이전 미만 초과 조차 라도 은 는 이 가 을 를 의 에 엔 "
    "로 과 와 나 랑 도 만 씩 요 니 뿐 께 든"
)
_SUFFIXES = "어치 남짓 간격 내외 쯤 째 당 반 여 대 들 중 차 형 실 권"
_TIME_SUFFIXES = "동안 안에 내내 간 경 후 뒤 전 내 안 날 달 자 말 초"
_COPULA = (
    "입니다 입니까 이에 예요 에요 이었 였 이다 이란 이라 이고 이며 이면 이지 이죠 이네 이니 이야 "
    "이요 이든 이거 인데 인지 인가 인걸 이구 이래 일까 일걸 죠 네요 니까 지만 거든 던데 이세 이시 "
    "인 란 라 면 야 임"
)
_AFTER_CONSONANT = re.compile(r"은|을|과|으로|이(?![가-힣])|이랑")
_AFTER_VOWEL = re.compile(r"는|가(?!량)|를|와|랑|로|면|란|라|야|예|였|죠|네요|니|나(?!머)")
_TIME_SUFFIX = re.compile("|".join(_TIME_SUFFIXES.split()))


def ends_well(word: str, right: str, *, is_time: bool) -> bool:
    """Whether what is joined to a word can be its ending: 명이, 개가; not 명랑, 장면, 대전.

    Particles agree with the sound before them (은/는, 이랑/랑); 전, 후, 내, 자 only follow time.

    >>> ends_well("명", "이랑", is_time=False), ends_well("명", "랑", is_time=False)
    (True, False)
    """
    if _TIME_SUFFIX.match(right) and not is_time:
        return False
    final = (ord(word[-1]) - 0xAC00) % 28
    if _AFTER_VOWEL.match(right):
        return not final or (final == 8 and right.startswith("로"))
    return bool(final) or not _AFTER_CONSONANT.match(right)


def alternatives(words: list[str] | tuple[str, ...]) -> str:
    """A pattern for any of the words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _end_of_word(particles: str) -> str:
    joined = f"(?:{alternatives(particles.split())})"
    copula = f"(?:{alternatives(_COPULA.split())})"
    return rf"(?=$|[^가-힣]|{joined}{{1,2}}(?![가-힣])|{joined}{{0,2}}{copula})"


#: After a counter, and after a number without one; ``ends_well`` has the last word.
FOLLOW = _end_of_word(f"{_PARTICLES} {_SUFFIXES} {_TIME_SUFFIXES}")
FOLLOW_BARE = _end_of_word(_PARTICLES)
