"""Which syllable was heard for which: of all cheapest alignments the one a linguist would draw.

``alignment.align`` takes one of many alignments with the fewest edits, because a count does not
care. Here the ties are broken by what is alike: in 학교에 갔다 → 학교 왔다 it is 에 that was lost
and 갔 that became 왔, not the other way round. The number of errors is the same, always; how they
split into substitutions, deletions and insertions may differ from the score's.

In this order: fewest edits; fewest unlike letters (initial, medial, final) in substituted
syllables; fewest word boundaries that stand on one side only.

Each column also knows the reference word it belongs to, since grammar sits at the ends of words.

Source: the alignment is that of R. A. Wagner & M. J. Fischer, "The string-to-string correction
problem", J. ACM 21(1), 1974, with costs that never outweigh an edit.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby
from typing import NamedTuple

from malgwi.metrics.alignment import Edit, Kind, align
from malgwi.metrics.error_rate import countable, word_starts
from malgwi.text.hangul import is_syllable, letters

#: Costs: an edit outweighs all else; a gap is half as dear as a syllable without a letter alike.
_EDIT, _GAP, _UNLIKE, _EMPTY, _BOUNDARY = 100_000, 9, 6, 3, 1
#: Cells of the table beyond which ``alignment.align`` decides: nobody reads such a text.
_MOST_CELLS = 250_000


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

    def corrected(self, places: Collection[int]) -> "Aligned":
        """The same with some columns put right: heard as said, an insertion as nothing at all."""
        if not places:
            return self
        return Aligned(
            tuple(
                column._replace(kind="hit", heard=column.said) if place in places else column
                for place, column in enumerate(self.columns)
            )
        )

    def said(self, first: int, end: int, *, spaced: bool = False) -> str:
        """The reference between two places."""
        return "".join(
            f" {c.said}" if spaced and c.starts_said else c.said for c in self.columns[first:end]
        ).strip()

    def heard(self, first: int, end: int, *, spaced: bool = False) -> str:
        """The hypothesis between two places."""
        return "".join(
            f" {c.heard}" if spaced and c.starts_heard else c.heard for c in self.columns[first:end]
        ).strip()

    def ends_word(self, place: int) -> bool:
        """Whether a word of the reference ends with this column."""
        last = place + 1 == len(self.columns)
        return last or self.columns[place + 1].word != self.columns[place].word


def align_by_sound(reference: str, hypothesis: str) -> Aligned:
    """Align two texts without their white space.

    >>> [(c.said, c.heard) for c in align_by_sound("학교에 갔다", "학교 왔다").columns]
    [('학', '학'), ('교', '교'), ('에', ''), ('갔', '왔'), ('다', '다')]
    """
    reference, hypothesis = countable(reference), countable(hypothesis)
    said, heard = reference.replace(" ", ""), hypothesis.replace(" ", "")
    starts = word_starts(reference), word_starts(hypothesis)
    if " " not in hypothesis:  # a recogniser that writes no spaces has put none in a wrong place
        starts = [False] * len(said), [False] * len(heard)
    head = _common(said, heard, *starts)
    tail = _common(said[head:][::-1], heard[head:][::-1], *(s[head:][::-1] for s in starts))
    core = [side[head : len(side) - tail] for side in (said, heard)]
    flags = [side[head : len(side) - tail] for side in starts]
    edits = [
        *(Edit("hit", ch, ch) for ch in said[:head]),
        *_cheapest(core[0], core[1], flags[0], flags[1]),
        *(Edit("hit", ch, ch) for ch in said[len(said) - tail :]),
    ]
    return Aligned(tuple(_columns(edits, reference, hypothesis)))


def _common(
    said: str, heard: str, said_starts: Sequence[bool], heard_starts: Sequence[bool]
) -> int:
    """How many characters both begin with, word boundaries alike."""
    same = 0
    for a, b, starts, other in zip(said, heard, said_starts, heard_starts, strict=False):
        if a != b or starts != other:
            break
        same += 1
    return same


@lru_cache(maxsize=1 << 17)
def _substitution(a: str, b: str) -> int:
    """The cost of hearing ``b`` for ``a``; letters that are not there are weak evidence."""
    if a == b:
        return 0
    if not (is_syllable(a) and is_syllable(b)):
        return _EDIT + 3 * _UNLIKE
    cost = _EDIT
    for x, y in zip(letters(a), letters(b), strict=True):
        cost += _UNLIKE if x != y else _EMPTY * (x in {"", "ㅇ"})
    return cost


def _cheapest(
    said: str, heard: str, said_starts: Sequence[bool], heard_starts: Sequence[bool]
) -> list[Edit[str]]:
    """The alignment of lowest cost; of equal ones, that whose gaps stand furthest right."""
    if not said or not heard or len(said) * len(heard) > _MOST_CELLS:
        return align(said, heard)
    pair = [
        [
            _substitution(a, b) + (starts != other) * _BOUNDARY
            for b, other in zip(heard, heard_starts, strict=True)
        ]
        for a, starts in zip(said, said_starts, strict=True)
    ]
    cost = _table(pair, len(said), len(heard))
    edits: list[Edit[str]] = []
    i, j = len(said), len(heard)
    while i or j:
        if i and cost[i][j] == cost[i - 1][j] + _EDIT + _GAP:
            i -= 1
            edits.append(Edit("deletion", said[i], None))
        elif j and cost[i][j] == cost[i][j - 1] + _EDIT + _GAP:
            j -= 1
            edits.append(Edit("insertion", None, heard[j]))
        else:
            i, j = i - 1, j - 1
            kind: Kind = "hit" if said[i] == heard[j] else "substitution"
            edits.append(Edit(kind, said[i], heard[j]))
    return edits[::-1]


def _table(pair: Sequence[Sequence[int]], rows: int, columns: int) -> list[list[int]]:
    """The cost of aligning every beginning of one side with every beginning of the other."""
    gap = _EDIT + _GAP
    above = [gap * j for j in range(columns + 1)]
    table = [above]
    for i in range(rows):
        left = above[0] + gap
        row = [left]
        for diagonal, over, cost in zip(above, above[1:], pair[i], strict=False):
            left = min(diagonal + cost, over + gap, left + gap)
            row.append(left)
        table.append(row)
        above = row
    return table


def _columns(edits: Iterable[Edit[str]], reference: str, hypothesis: str) -> Iterator[Column]:
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
