"""Which syllable was heard for which: the alignment of a score, its stretches paired by letters.

``alignment.align`` pairs what lies between two matches from the left, because a count does not
care. A linguist does: in 학교에 갔다 → 학교 왔다 it is 에 that was lost and 갔 that became 왔, not the
other way round. Here a stretch of r reference and h hypothesis characters keeps its min(r, h)
substitutions and its surplus of deletions or insertions, so every count stays what the score says;
which characters pair is chosen so that the fewest letters (initial, medial, final) differ.

Each column also knows the reference word it belongs to, since grammar sits at the ends of words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from malgwi.metrics.alignment import Edit, Kind, align
from malgwi.metrics.error_rate import countable, word_starts
from malgwi.text.hangul import decompose, is_syllable

#: Letters of a syllable, hence the distance of two that share none, or of what is no Hangul.
_LETTERS = 3
#: Cells of the table beyond which a stretch is paired from the left: nobody reads such a stretch.
_MOST_CELLS = 10_000


class Column(NamedTuple):
    """One column of the alignment.

    Attributes:
        kind: hit, substitution, deletion or insertion.
        said: The reference's character; empty for an insertion.
        heard: The hypothesis's character; empty for a deletion.
        word: Number of the reference word it belongs to; −1 where the reference is empty.
        starts_said: A word of the reference begins here.
        starts_heard: A word of the hypothesis begins here.
    """

    kind: Kind
    said: str
    heard: str
    word: int
    starts_said: bool
    starts_heard: bool


@dataclass(frozen=True)
class Aligned:
    """A reference and its hypothesis, column by column, without white space."""

    columns: tuple[Column, ...]

    @cached_property
    def errors(self) -> tuple[int, ...]:
        """Places of the columns that are no hit; as many as the CER without spaces counts."""
        return tuple(i for i, column in enumerate(self.columns) if column.kind != "hit")

    @cached_property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """Stretches of neighbouring errors as (first place, place behind the last)."""
        runs = []
        for _, group in groupby(enumerate(self.errors), lambda pair: pair[1] - pair[0]):
            places = [place for _, place in group]
            runs.append((places[0], places[-1] + 1))
        return tuple(runs)

    @cached_property
    def word_bounds(self) -> dict[int, tuple[int, int]]:
        """Word of the reference → (first place, place behind the last)."""
        bounds: dict[int, tuple[int, int]] = {}
        for place, column in enumerate(self.columns):
            first, _ = bounds.get(column.word, (place, place))
            bounds[column.word] = first, place + 1
        return bounds

    def said(self, first: int, end: int, *, spaced: bool = False) -> str:
        """The reference between two places."""
        return "".join(
            f" {c.said}" if spaced and c.starts_said else c.said for c in self.columns[first:end]
        ).strip()

    def heard(self, first: int, end: int) -> str:
        """The hypothesis between two places."""
        return "".join(c.heard for c in self.columns[first:end])

    def ends_word(self, place: int) -> bool:
        """Whether a word of the reference ends with this column."""
        last = place + 1 == len(self.columns)
        return last or self.columns[place + 1].word != self.columns[place].word


def align_by_sound(reference: str, hypothesis: str) -> Aligned:
    """Align two texts as the CER without spaces does, pairing what differs by its letters.

    >>> [(c.said, c.heard) for c in align_by_sound("학교에 갔다", "학교 왔다").columns]
    [('학', '학'), ('교', '교'), ('에', ''), ('갔', '왔'), ('다', '다')]
    """
    reference, hypothesis = countable(reference), countable(hypothesis)
    edits = _paired(align(reference.replace(" ", ""), hypothesis.replace(" ", "")))
    return Aligned(tuple(_columns(edits, reference, hypothesis)))


def letter_distance(a: str, b: str) -> int:
    """How many of initial, medial and final differ; 3 where one of two is no Hangul syllable.

    >>> letter_distance("갔", "왔"), letter_distance("갔", "갔"), letter_distance("갔", "x")
    (2, 0, 3)
    """
    if a == b:
        return 0
    if not (is_syllable(a) and is_syllable(b)):
        return _LETTERS
    return sum(x != y for x, y in zip(decompose(a), decompose(b), strict=True))


def _paired(edits: Sequence[Edit[str]]) -> Iterator[Edit[str]]:
    """The edits with each stretch between two hits paired anew."""
    for is_hit, group in groupby(edits, lambda edit: edit.kind == "hit"):
        stretch = list(group)
        said = [edit.reference for edit in stretch if edit.reference is not None]
        heard = [edit.hypothesis for edit in stretch if edit.hypothesis is not None]
        short, long = sorted((len(said), len(heard)))
        if is_hit or short == long or not short or short * long > _MOST_CELLS:
            yield from stretch
        elif len(said) > len(heard):
            places = _best_places(heard, said)
            yield from (_edit(s, _at(heard, places, i)) for i, s in enumerate(said))
        else:
            places = _best_places(said, heard)
            yield from (_edit(_at(said, places, i), h) for i, h in enumerate(heard))


def _edit(said: str | None, heard: str | None) -> Edit[str]:
    if heard is None:
        return Edit("deletion", said, None)
    return Edit("insertion" if said is None else "substitution", said, heard)


def _at(short: Sequence[str], places: dict[int, int], place: int) -> str | None:
    return short[places[place]] if place in places else None


def _best_places(short: Sequence[str], long: Sequence[str]) -> dict[int, int]:
    """Place in ``long`` → place in ``short``: in order, each of ``short`` once, fewest letters.

    Of equally good pairings, the one whose partners stand further left.
    """
    spare = len(long) - len(short)
    # cost[i][k]: of pairing short[i:] with long[i + k:], where k of long were passed over.
    cost = [[0] * (spare + 1) for _ in range(len(short) + 1)]
    for i in range(len(short) - 1, -1, -1):
        for k in range(spare, -1, -1):
            here = letter_distance(short[i], long[i + k]) + cost[i + 1][k]
            cost[i][k] = here if k == spare else min(here, cost[i][k + 1])
    places: dict[int, int] = {}
    k = 0
    for i in range(len(short)):
        while letter_distance(short[i], long[i + k]) + cost[i + 1][k] > cost[i][k]:
            k += 1
        places[i + k] = i
    return places


def _columns(edits: Iterator[Edit[str]], reference: str, hypothesis: str) -> Iterator[Column]:
    said_starts, heard_starts = iter(word_starts(reference)), iter(word_starts(hypothesis))
    words = reference.split()
    lengths = [len(word) for word in words]
    word, left, own = -1, 0, False  # the reference word in hand, its characters to come
    for edit in edits:
        starts_said = next(said_starts) if edit.reference is not None else False
        starts_heard = next(heard_starts) if edit.hypothesis is not None else False
        if edit.reference is not None:
            if starts_said:
                word, left = word + 1, lengths[word + 1]
            left, own = left - 1, False
            at = word
        else:  # behind a whole word, what the hypothesis sets apart belongs to the next one
            own = own or starts_heard
            at = word + 1 if left == 0 and own and word + 1 < len(words) else word
        yield Column(
            edit.kind, edit.reference or "", edit.hypothesis or "", at, starts_said, starts_heard
        )
