"""Spoken numbers in figures: 일곱 시 → 7시, 만 오천 원 → 15,000원, 공일공 일이삼사 … → 010-1234-….

The reverse of ``numbers``, and the harder direction: 이 is two or "this", 일 one or "work", 만 ten
thousand or "only", 네 four or "yes". The rule is precision before recall: a numeral is written only
if it begins a word, if the counter after it leaves no doubt (``number_context``), and if a
particle, a copula or the end of the word follows. Everything else stays in words, so of text that
is written without spaces only the beginnings of words are looked at.

Left in words on purpose: ordinals to the tenth (첫 번째; the kind "ordinals" writes them), pairs
(두세 명, 이삼일), idioms (오만 가지, 백 번 양보해도), and 한 … 네 before nouns that are counted in
words (두 사람, 세 가지, 한 번).

How numbers are written: figures join their counter (7시, 3개월, 15,000원); with thousands
separators but in years, house and room numbers; whole ten-thousands from 100,000 on keep their 만
(10만원), numbers from 10⁸ on their 억 and 조 (1억 2,345만원). Writing again changes nothing, and
figures that already stand in the text stay as they are.

Source: 한글 맞춤법 제43항 (figures may join their counter), 제44항; the rest is a choice.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from malgwi.errors import ConfigError
from malgwi.text.counters import NATIVE as NATIVE_COUNTERS
from malgwi.text.counters import SYMBOLS
from malgwi.text.number_context import (
    FOLLOW,
    FOLLOW_BARE,
    SINO_COUNTERS,
    START,
    Kind,
    about,
    alternatives,
    ends_well,
    surely_native,
    surely_sino,
)
from malgwi.text.numbers import read_numbers
from malgwi.text.numerals import (
    BIG_UNITS,
    D0,
    DIGIT_SAID,
    NATIVE,
    NATIVE_VALUES,
    SINO,
    D,
    native_value,
    sino_value,
    spoken_digits,
)
from malgwi.text.written_dates import DATE, MONTH, TIME, YEAR_AND_MONTH, YEAR_BY_DIGITS, date, time

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class WritingConfig:
    """What is written in figures, and how.

    Args:
        kinds: Of ``KINDS``: dates (years, months, days, and their durations), times, money, phones
            (and other numbers said figure by figure), percent, measures (with units), counters,
            ordinals (첫 번째 to 열 번째), fractions, bare (numbers without a counter).
        thousands: Commas in 15,000.
        symbols: Signs for words: %, kg, 1/2, -5, and hyphens in telephone numbers. Without them
            3.5 퍼센트, 이분의 일, 마이너스 5, and spaces.

    Raises:
        ConfigError: A kind that is not known.
    """

    kinds: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind != "ordinals")
    thousands: bool = True
    symbols: bool = True

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown:
            raise ConfigError(
                f"numbers to write: {', '.join(unknown)} is no kind; known are {', '.join(KINDS)}"
            )


_DEFAULT = WritingConfig()


def write_numbers(text: str, config: WritingConfig = _DEFAULT) -> str:
    """Write the numbers of ``text`` in figures where they are surely numbers.

    >>> write_numbers("이천십구 년 삼 월 일 일 오후 일곱 시 반에 열두 살 세 명이 만 오천 원")
    '2019년 3월 1일 오후 7시 반에 12살 3명이 15,000원'
    >>> write_numbers("공일공 일이삼사 오육칠팔, 삼 점 오 퍼센트")
    '010-1234-5678, 3.5%'
    >>> write_numbers("이 사람 일이 많다. 만일 한 번 더 오면, 네 알겠습니다")
    '이 사람 일이 많다. 만일 한 번 더 오면, 네 알겠습니다'
    """
    if not _ANY_NUMERAL.search(text):
        return text
    for kinds, pattern, write in _RULES:
        if kinds & set(config.kinds):
            text = pattern.sub(lambda match, write=write: _or_leave(match, write, config), text)  # type: ignore[misc]
    return text


def figures(number: int, *, thousands: bool = True) -> str:
    """A number in figures, as Koreans write large ones.

    >>> [figures(number) for number in (15_000, 100_000, 1_234_567, 123_450_000)]
    ['15,000', '10만', '1,234,567', '1억 2,345만']
    """
    form = "{:,}" if thousands else "{}"
    if number < 10**8:
        in_tens = number >= 100_000 and number % 10_000 == 0
        return form.format(number // 10_000) + "만" if in_tens else form.format(number)
    groups, unit = [], 0
    while number:
        number, group = divmod(number, 10_000)
        if group:
            groups.append(form.format(group) + BIG_UNITS[unit])
        unit += 1
    return " ".join(reversed(groups))


# --- a match and its surroundings -------------------------------------------------------------

_Write = Callable[[re.Match[str], WritingConfig], str | None]
_ANY_NUMERAL = re.compile(rf"{D0}|[십백천만첫]|{alternatives(tuple(NATIVE_VALUES))}")
_PLAIN = (
    "년",
    "년대",
    "년도",
    "학년도",
    "년생",
    "호",
    "번",
    "번지",
    "번길",
)  # no thousands separators
_AGES = ("개월", "세", "살", "년", "일", "시간")


def _or_leave(match: re.Match[str], write: _Write, config: WritingConfig) -> str:
    """What ``write`` makes of the match; the match as it stands where it is in doubt."""
    written = write(match, config)
    return match[0] if written is None else (match["before"] or "") + written


def _left(match: re.Match[str]) -> str:
    return match.string[: match.end("before") if match["before"] else match.start()]


def _right(match: re.Match[str]) -> str:
    return match.string[match.end() :]


def _about(match: re.Match[str], value: int) -> bool:
    return about(match.string[: match.start()], value)


def _sino_number(words: str, *, gap: str | None) -> int | None:
    """The value, unless a last figure that stands apart may be another word (만 이 명)."""
    last = words.rsplit(" ", 1)[-1]
    apart = last != words and last in "일이삼사오육칠팔구" and (gap or words[-3] not in "만십")
    return None if apart else sino_value(words)


def _unit(written: str, counter: str, config: WritingConfig) -> str:
    if counter not in SYMBOLS:
        return written + counter
    return written + (SYMBOLS[counter] if config.symbols else " " + counter)


# --- said figure by figure -------------------------------------------------------------------


def _phone(match: re.Match[str], config: WritingConfig) -> str | None:
    digits = spoken_digits(match["digits"])
    area = 2 if digits.startswith("02") else 3
    if not area + 7 <= len(digits) <= area + 8:
        return None
    return ("-" if config.symbols else " ").join((digits[:area], digits[area:-4], digits[-4:]))


def _digit_groups(match: re.Match[str], config: WritingConfig) -> str | None:
    """1588-1234, card numbers, and strings of four figures and more; not 사이사이."""
    groups = [spoken_digits(group) for group in re.split(" ?다시 ?| ", match["digits"])]
    longer = re.search(rf"{DIGIT_SAID}(?: ?다시)? ?$", _left(match)) or re.match(
        rf" ?(?:다시 ?)?{DIGIT_SAID}{{2}}", _right(match)
    )
    if len(set("".join(groups))) < 3 or longer:
        return None
    return ("-" if config.symbols else " ").join(groups)


def _digits(match: re.Match[str], config: WritingConfig) -> str:
    """119, 05번, 92년생: the figures and what follows them."""
    return spoken_digits(match["digits"]) + (match["counter"] or "")


# --- with a counter --------------------------------------------------------------------------


def _sino_counted(match: re.Match[str], config: WritingConfig) -> str | None:
    words, counter, gap = match["number"], match["counter"], match["gap"]
    rule = SINO_COUNTERS[counter]
    full_years = "만 " if words.startswith("만 ") and counter in _AGES else ""
    words = words.removeprefix(full_years)
    number = _sino_number(words, gap=gap)
    if rule.kind not in config.kinds or number is None or _about(match, number):
        return None
    right = _right(match)
    if not ends_well(counter, right, is_time=rule.kind in ("dates", "times")):
        return None
    if not surely_sino(words, number, counter, gap=bool(gap), left=_left(match), right=right):
        return None
    if counter in _PLAIN:
        return full_years + figures(number, thousands=False) + counter
    return full_years + _unit(figures(number, thousands=config.thousands), counter, config)


def _native_counted(match: re.Match[str], config: WritingConfig) -> str | None:
    words, counter = match["number"], match["counter"]
    number = native_value(words)
    if number is None or _about(match, number):
        return None
    if counter == "번째":
        wanted: Kind = "ordinals" if number <= 10 else "counters"
        return f"{number}번째" if wanted in config.kinds else None
    kind: Kind = "times" if counter == "시간" else "counters"
    gap, left, right = bool(match["gap"]), _left(match), _right(match)
    if kind not in config.kinds or not ends_well(counter, right, is_time=kind == "times"):
        return None
    if not surely_native(words, number, counter, gap=gap, left=left, right=right):
        return None
    return figures(number, thousands=config.thousands) + counter


def _several(match: re.Match[str], config: WritingConfig) -> str | None:
    """Numbers that make each other sure: 백이동 천이백삼호, 이박 삼일, 삼학년 이반 십오번."""
    parts = [word for word in re.split(r"(동|호|박|일|학년|반|번) ?", match["parts"]) if word]
    values = [sino_value(words) for words in parts[::2]]
    if None in values:
        return None
    return " ".join(f"{value}{unit}" for value, unit in zip(values, parts[1::2], strict=True))


def _nth(match: re.Match[str], config: WritingConfig) -> str | None:
    number = sino_value(match["number"])
    priest = match["number"] + match["counter"] == "사장"
    return None if number is None or priest else f"제{number}{match['counter']}"


def _first(match: re.Match[str], config: WritingConfig) -> str:
    return "1번째"


# --- decimals, fractions, numbers alone ------------------------------------------------------

_WITH_DECIMALS = alternatives(
    [name for name, rule in SINO_COUNTERS.items() if rule.kind in ("measures", "percent", "money")]
    + ["시간", "초", "배", "점", "개", "년", "대"]
)


def _decimal(match: re.Match[str], config: WritingConfig) -> str | None:
    whole = 0 if match["whole"] in ("영", "공") else sino_value(match["whole"])
    counter, fraction = match["counter"], match["fraction"]
    if whole is None:
        return None
    kind = SINO_COUNTERS[counter].kind if counter in SINO_COUNTERS else "counters"
    if counter and not ends_well(counter, _right(match), is_time=kind in ("dates", "times")):
        return None
    if not counter:
        # 이 점 이 좋다: without a counter only what cannot be "this point".
        kind = "bare"
        particle = len(fraction) == 1 and fraction in "일이" and match[0][-2] != " "
        if particle or (whole and len(fraction) == 1 and " " in match[0]):
            return None
    if kind not in config.kinds:
        return None
    form = "{:,}" if config.thousands else "{}"
    number = f"{form.format(whole)}.{spoken_digits(fraction)}{match['big'] or ''}"
    return _unit(number, counter or "", config)


def _fraction(match: re.Match[str], config: WritingConfig) -> str | None:
    below, above = sino_value(match["below"]), sino_value(match["above"])
    if not config.symbols or not below or not above:
        return None
    written = f"{above}/{below}"
    return written if "분의" in read_numbers(written) else None  # 1/12 would be read as a date


def _negative(match: re.Match[str], config: WritingConfig) -> str | None:
    number = sino_value(match["number"])
    if number is None:
        return None
    sign = "-" if config.symbols else "마이너스 "
    return sign + figures(number, thousands=config.thousands)


def _sign(match: re.Match[str], config: WritingConfig) -> str | None:
    return "-" if config.symbols else None


def _bare(match: re.Match[str], config: WritingConfig) -> str | None:
    """Three syllables and more with a place in them; 이, 일 and 만 at the end may be particles."""
    words, right = match["number"], _right(match)
    number = sino_value(words)
    if number is None or len(words) < 3 or words[-1] in "일만억조경" or _about(match, number):
        return None
    if words[-1] == "이" and not re.match("는|가|를|와|로|입니", right):
        return None
    if words[-2] in "만억조경 " or not ends_well(words, right, is_time=False):
        return None
    if re.match(" [0-9일이삼사오육칠팔구십백천]", right):
        return None
    return figures(number, thousands=config.thousands and number >= 10_000)


# --- the rules in their order ----------------------------------------------------------------

_Rule = tuple[set[Kind], re.Pattern[str], _Write]


def _rule(kinds: str, pattern: str, write: _Write) -> _Rule:
    return {kind for kind in KINDS if kind in kinds.split()}, re.compile(START + pattern), write


def _date(match: re.Match[str], config: WritingConfig) -> str | None:
    return date(match)


def _time(match: re.Match[str], config: WritingConfig) -> str | None:
    return time(match)


_SINO_COUNTER = alternatives(tuple(SINO_COUNTERS))
_NATIVE_COUNTER = alternatives([name for name in NATIVE_COUNTERS if name not in ("시", "째")])
_GROUPS = rf"{DIGIT_SAID}{{3,4}}(?:(?: ?다시 ?| ){DIGIT_SAID}{{4}})+|{DIGIT_SAID}{{4,}}"
_EMERGENCY = "일일[구사](?=에|로| ?구급| ?신고|[를을] )|일일이(?=(?:에|로)? 신고)"
_SEVERAL = f"{SINO}동 ?{SINO}호|{D}박 ?{D}일|{D}학년 ?{SINO}반(?: ?{SINO}번)?"
_NTH = "차|회|조|항|장|절|호|권|부|편|공화국|외국어|금융권|터미널"
_DECIMAL = (
    rf"(?P<whole>[영공]|{SINO}) ?[점쩜] ?(?P<fraction>{D0}+)(?P<big>[만억조](?= ?원))?"
    rf"(?: ?(?P<counter>{_WITH_DECIMALS}))?{FOLLOW}"
)
_RULES: tuple[_Rule, ...] = (
    _rule(
        "phones",
        rf"(?P<digits>[공영](?:(?: ?다시|에|의)? ?-? ?{DIGIT_SAID}){{8,10}}){FOLLOW}",
        _phone,
    ),
    _rule("phones", rf"(?P<digits>{_GROUPS})(?!년|번){FOLLOW_BARE}", _digit_groups),
    _rule("phones", f"(?P<digits>{_EMERGENCY})(?P<counter>)", _digits),
    _rule("counters", rf"(?P<digits>[공영]{D0}+) ?(?P<counter>번){FOLLOW}", _digits),
    _rule("dates", rf"(?P<digits>{D0}{D}) ?(?P<counter>년생|학번){FOLLOW}", _digits),
    _rule("dates", DATE, _date),
    _rule("dates", YEAR_AND_MONTH, _date),
    _rule("dates", rf"(?P<digits>{YEAR_BY_DIGITS}) ?(?P<counter>년){FOLLOW}", _digits),
    _rule("times", TIME, _time),
    _rule(
        "fractions", rf"(?P<below>(?!이 ){SINO}) ?분의 ?(?P<above>{SINO}){FOLLOW_BARE}", _fraction
    ),
    _rule("measures percent money times dates counters bare", _DECIMAL, _decimal),
    _rule("counters", rf"(?P<parts>{_SEVERAL}){FOLLOW}", _several),
    _rule("counters", rf"제(?P<number>{SINO})(?P<counter>{_NTH}){FOLLOW}", _nth),
    _rule("ordinals", r"(?:첫|한) ?번째", _first),
    _rule("dates", MONTH, _date),
    _rule(
        "times counters ordinals",
        rf"(?P<number>{NATIVE})(?P<gap> ?)(?P<counter>{_NATIVE_COUNTER}){FOLLOW}",
        _native_counted,
    ),
    _rule(
        "dates times money percent measures counters",
        rf"(?P<number>{SINO})(?P<gap> ?)(?P<counter>{_SINO_COUNTER}){FOLLOW}",
        _sino_counted,
    ),
    _rule("bare", rf"마이너스 (?P<number>{SINO}){FOLLOW_BARE}", _negative),
    _rule("bare", r"마이너스 (?=[0-9])", _sign),
    _rule("bare", rf"(?P<number>{SINO}){FOLLOW_BARE}", _bare),
)
