"""Numbers read or written otherwise: 7시 and 일곱 시, 15,000원 and 만 오천 원, 칠 시 and 일곱 시.

Whoever transcribed 3시 and whoever recognised 세 시 agree on what was said. Three comparisons, from
the widest to the narrowest: whole words as ``text.numbers`` reads them; the digits alone in each
series and digit by digit; number words of both series with one value. What is left of an error
with digits is a number misheard, and unexplained.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Literal

from malgwi.metrics.sound_alignment import Aligned
from malgwi.text.numbers import digit_by_digit, native, read_numbers, sino

_DIGIT = re.compile(r"[0-9]")
#: A number as written: digits with commas, a fraction, hyphens as in a telephone number.
_NUMBER = re.compile(r"[0-9](?:[0-9,.\-]*[0-9])?")
_PART_OF_NUMBER = frozenset("0123456789,.-")
#: Syllables that number words are made of.
_NUMERAL = frozenset(
    "영공일이삼사오육륙칠팔구십하나한둘두셋세석넷네넉다섯여일곱덟아홉열스물무서른마흔쉰예순든"
)
#: Number words where they stand alone, by the form before a counter.
_ALONE = {"한": "하나", "두": "둘", "세": "셋", "네": "넷", "스무": "스물"}
_MOST_NATIVE = 99
_MOST_DIGITS = 31  # what sino() has units for


def number_readings(aligned: Aligned) -> Iterator[tuple[int, Literal["number"]]]:
    """Places of the errors that are another reading or writing of one number.

    >>> from malgwi.metrics.sound_alignment import align_by_sound
    >>> [place for place, _ in number_readings(align_by_sound("7시 30분", "일곱시 삼십분"))]
    [0, 1, 3, 4]
    """
    errors = set(aligned.errors)
    for run in aligned.runs:
        for first, end in _stretches(aligned, *run):
            said, heard = aligned.said(first, end, spaced=True), aligned.heard(first, end)
            if said and heard and readings(said) & readings(heard):
                yield from ((place, "number") for place in range(first, end) if place in errors)
                break


def readings(text: str) -> frozenset[str]:
    """Every way in which the numbers of a stretch may be said, without spaces.

    A number word is also its value, so that both series meet.

    >>> sorted(readings("7시"))
    ['7시', '일곱시', '칠시']
    >>> readings("칠") & readings("일곱")
    frozenset({'7'})
    """
    joined = text.replace(" ", "")
    found = {joined}
    if _DIGIT.search(text):
        found.add(read_numbers(text).replace(" ", ""))
        found.update(_NUMBER.sub(series, joined) for series in _SERIES)
    if joined in _values():
        found.add(_values()[joined])
    return frozenset(found)


def _stretches(aligned: Aligned, first: int, end: int) -> Iterator[tuple[int, int]]:
    """What may hold a whole number around a stretch of errors, the widest first."""
    text = aligned.said(first, end) + aligned.heard(first, end)
    if _DIGIT.search(text) or _PART_OF_NUMBER.issuperset(text):
        words = [column.word for column in aligned.columns[first:end]]
        if words[0] >= 0:
            yield aligned.word_bounds[words[0]][0], aligned.word_bounds[words[-1]][1]
        yield _widened(aligned, first, end, _PART_OF_NUMBER)
    elif _NUMERAL.issuperset(text):
        yield _widened(aligned, first, end, _NUMERAL)


def _widened(aligned: Aligned, first: int, end: int, allowed: frozenset[str]) -> tuple[int, int]:
    """The stretch with its neighbours of the same kind."""
    while first > 0 and aligned.columns[first - 1].said in allowed:
        first -= 1
    while end < len(aligned.columns) and aligned.columns[end].said in allowed:
        end += 1
    return first, end


def _in_sino(match: re.Match[str]) -> str:
    digits = re.sub(r"[^0-9]", "", match.group())
    return sino(int(digits)).replace(" ", "") if len(digits) <= _MOST_DIGITS else match.group()


def _in_native(match: re.Match[str]) -> str:
    digits = match.group()
    known = digits.isdecimal() and 0 < int(digits) <= _MOST_NATIVE
    return native(int(digits)) if known else digits


def _in_native_alone(match: re.Match[str]) -> str:
    return _alone(_in_native(match))


def _one_by_one(match: re.Match[str]) -> str:
    return digit_by_digit(re.sub(r"[^0-9]", "", match.group()))


def _digits_only(match: re.Match[str]) -> str:
    return re.sub(r"[^0-9]", "", match.group())


_SERIES: tuple[Callable[[re.Match[str]], str], ...] = (
    _in_sino,
    _in_native,
    _in_native_alone,
    _one_by_one,
    _digits_only,
)


def _alone(word: str) -> str:
    """The native number as it stands without a counter: 열한 → 열하나.

    >>> _alone("열한"), _alone("스무"), _alone("일곱")
    ('열하나', '스물', '일곱')
    """
    for before_counter, alone in _ALONE.items():
        if word.endswith(before_counter):
            return word.removesuffix(before_counter) + alone
    return word


@cache
def _values() -> dict[str, str]:
    """Number word of either series → its value in digits, to 99."""
    values = {"영": "0", "공": "0"}
    for number in range(1, _MOST_NATIVE + 1):
        counted = native(number)
        for word in (sino(number), counted, _alone(counted)):
            values[word] = str(number)
    return values
