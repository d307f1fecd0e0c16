"""Which reference token became which hypothesis token: a minimum edit distance alignment.

Many alignments often cost the same, and the choice decides what a table of confusions shows and
how edits split into kinds. The choice here is fixed, in two steps:

1. *Which tokens match* is what rapidfuzz's ``Levenshtein.editops`` says, so that counts equal
   jiwer's. Common beginnings and ends match first; what is left is traced from its end, a
   deletion before a substitution or match before an insertion. ``ab → ba`` is thus one insertion,
   one match and one deletion, not two substitutions.
2. *Between two matches*, r reference tokens face h hypothesis tokens and every order costs
   max(r, h). They are paired from the left as substitutions; the surplus follows as deletions or
   insertions.

Source: V. I. Levenshtein, "Binary codes capable of correcting deletions, insertions and
reversals", 1966.
"""

from collections.abc import Hashable, Iterator, Sequence
from itertools import zip_longest
from typing import Generic, Literal, NamedTuple, TypeVar

from rapidfuzz.distance import Levenshtein

T = TypeVar("T", bound=Hashable)
Kind = Literal["hit", "substitution", "deletion", "insertion"]


class Edit(NamedTuple, Generic[T]):
    """One column of an alignment; the side that has no token holds None."""

    kind: Kind
    reference: T | None
    hypothesis: T | None


def align(reference: Sequence[T], hypothesis: Sequence[T]) -> list[Edit[T]]:
    """A cheapest alignment, from left to right; the same input always gives the same one.

    Args:
        reference: Tokens that were said: a string is a sequence of characters, a list of strings
            one of words.
        hypothesis: Tokens that were recognised.

    Returns:
        One Edit a column. Their reference sides, in order, are ``reference``, their hypothesis
        sides ``hypothesis``, and those that are no hit number the Levenshtein distance.

    >>> [(e.kind, e.reference, e.hypothesis) for e in align("한잔", "한장")]
    [('hit', '한', '한'), ('substitution', '잔', '장')]
    >>> [e.kind for e in align(["학교에", "갔다"], ["갔다"])]
    ['deletion', 'hit']
    """
    edits: list[Edit[T]] = []
    i = j = 0
    for start_i, start_j, length in _matches(reference, hypothesis):
        edits.extend(_unmatched(reference[i:start_i], hypothesis[j:start_j]))
        i, j = start_i + length, start_j + length
        edits.extend(Edit("hit", token, token) for token in reference[start_i:i])
    return edits


def _matches(reference: Sequence[T], hypothesis: Sequence[T]) -> Iterator[tuple[int, int, int]]:
    """Runs of matching tokens as (reference index, hypothesis index, length); an empty one ends."""
    blocks = Levenshtein.editops(*_comparable(reference, hypothesis)).as_matching_blocks()
    for block in blocks:
        yield block.a, block.b, block.size


def _comparable(
    reference: Sequence[T], hypothesis: Sequence[T]
) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    """What rapidfuzz may compare: it goes by hash, so words become numbers that cannot collide."""
    if isinstance(reference, str) and isinstance(hypothesis, str):
        return reference, hypothesis
    ids: dict[T, int] = {}
    left, right = ([ids.setdefault(t, len(ids)) for t in side] for side in (reference, hypothesis))
    return left, right


def _unmatched(reference: Sequence[T], hypothesis: Sequence[T]) -> Iterator[Edit[T]]:
    for said, heard in zip_longest(reference, hypothesis):
        if heard is None:
            yield Edit("deletion", said, None)
        elif said is None:
            yield Edit("insertion", None, heard)
        else:
            yield Edit("substitution", said, heard)
