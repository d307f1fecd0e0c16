"""Korean numerals and their values, both ways: 15,000 ↔ 만 오천, 21 ↔ 스물한, 010 ↔ 공일공.

Only numerals stand here, never the word that is counted: which series a number takes and whether
이 is 2 or "this" is decided in ``numbers`` (reading) and ``written_numbers`` (writing).

``sino_value`` and ``native_value`` accept exactly what ``sino`` and ``native`` can say, give or
take spaces and an 일 that speakers may add (일만, 일백): what cannot be said again is no numeral,
so 이삼 and 오십삼백 have no value.

Source: 한글 맞춤법 제44항 (numbers break at 만, 억, 조).
"""

import re

DIGITS = "영일이삼사오육칠팔구"
BIG_UNITS = ("", "만", "억", "조", "경", "해", "자", "양")
_ONES = ("", "한", "두", "세", "네", "다섯", "여섯", "일곱", "여덟", "아홉")
_TENS = ("", "열", "스물", "서른", "마흔", "쉰", "예순", "일흔", "여든", "아흔")
_PLACES = {"십": 10, "백": 100, "천": 1000}
_SPOKEN_DIGITS = {"공": "0", **{name: str(value) for value, name in enumerate(DIGITS)}}
#: 일 that may be said and is not needed: 일십, 일백, 일천, and 일만 at the start or after 억.
_SPARE_ONE = re.compile("일(?=[십백천])|(?:^|(?<=[억조경해자양]))일(?=만)")


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
            groups.append(("" if first_man else _below_10000(group)) + BIG_UNITS[unit])
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
    return "".join(zero if digit == "0" else DIGITS[int(digit)] for digit in digits)


def sino_value(words: str) -> int | None:
    """The value of a Sino-Korean numeral; None if it is none.

    >>> sino_value("만 오천"), sino_value("일억 만"), sino_value("일백이십"), sino_value("이삼")
    (15000, 100010000, 120, None)
    """
    plain = words.replace(" ", "")
    total, group, digit = 0, 0, 0
    for ch in plain:
        if ch in _PLACES:
            group, digit = group + (digit or 1) * _PLACES[ch], 0
        elif ch in BIG_UNITS:
            total, group, digit = (
                total + (group + digit or 1) * 10_000 ** BIG_UNITS.index(ch),
                0,
                0,
            )
        elif ch in DIGITS:
            digit = DIGITS.index(ch)
        else:
            return None
    number = total + group + digit
    if number >= 10**32:
        return None
    said, canonical = (_SPARE_ONE.sub("", one) for one in (plain, sino(number).replace(" ", "")))
    return number if said == canonical else None


def native_value(word: str) -> int | None:
    """The value of a numeral as ``native`` says it before a counter; None if it is none.

    >>> native_value("스물한"), native_value("백한"), native_value("서너"), native_value("백")
    (21, 101, None, None)
    """
    tail = _NATIVE_TAIL.search(word)
    if not tail:
        return None
    head = sino_value(word[: tail.start()]) if tail.start() else 0
    if head is None:
        return None
    number = head + NATIVE_VALUES[tail[0]]
    return number if native(number) == word else None


def spoken_digits(words: str) -> str:
    """The figures of numerals said one by one, whatever stands between them.

    >>> spoken_digits("공일공에 일이삼사")
    '0101234'
    """
    plain = words.replace("하나", "일").replace("둘", "이")
    return "".join(_SPOKEN_DIGITS.get(ch, "") for ch in plain)


def _below_10000(number: int) -> str:
    out = ""
    for digit, place in zip(f"{number:04d}", ("천", "백", "십", ""), strict=True):
        if digit != "0":
            out += ("" if digit == "1" and place else DIGITS[int(digit)]) + place
    return out


#: 한 → 1 … 아흔아홉 → 99.
NATIVE_VALUES = {native(number): number for number in range(1, 100)}
_NATIVE_WORDS = "|".join(sorted(NATIVE_VALUES, key=len, reverse=True))
_NATIVE_TAIL = re.compile(f"(?:{_NATIVE_WORDS})$")

# Patterns for what may be a numeral; ``sino_value`` and ``native_value`` say whether it is one.
D = f"[{DIGITS[1:]}]"
D0 = f"[공{DIGITS}]"
DIGIT_SAID = f"(?:하나|둘|{D0})"  # in telephone numbers, lest 일 and 이 be misheard
_PLACE_OR_DIGIT = f"[{DIGITS[1:]}십백천]"
#: Spaces may stand after 만, 억, 조, also before a 만 that goes on (일억 만 이천); after 천 and 백
#: before a further place; before 만 원; and in 팔십 팔년, where the figure joins its counter.
SINO = (
    f"(?:[{DIGITS[1:]}십백천만](?:[{DIGITS[1:]}십백천만억조경]"
    f"|(?<=[만억조경]) (?={_PLACE_OR_DIGIT})"
    f"|(?<=[억조경]) (?=만(?: {_PLACE_OR_DIGIT}| ?{D}?[십백천]| ?[원명]))"
    f"|(?<=[천백]) (?={D}?[백십])|(?<=[삼사오육칠팔구십백천]) (?=[만억조천] ?[원명])"
    f"|(?<=십) (?={D}(?:년|월|원|번|호|명|개월|도|초|층|회|세|퍼센트)))*)"
)
NATIVE = rf"(?:{D}?천)?(?:{D}?백)?(?:{_NATIVE_WORDS})"
