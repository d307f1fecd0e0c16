"""Hits, substitutions, deletions and insertions of one pair of texts, four ways, at full speed.

The counts are those of `alignment.align`, without its list of edits: rapidfuzz's operations say
how many tokens were replaced, deleted and inserted, and between two matches `align` pairs just as
many (a gap of r and h tokens costs max(r, h) either way). The four ways share their work: the
alignment of characters also tells the respaced words, and equal texts are not aligned at all.
A pair takes about 10 µs, so a million takes seconds; see benchmarks/score_speed.py.

sWER: Bang et al., "KsponSpeech: Korean Spontaneous Speech Corpus for Automatic Speech
Recognition", Applied Sciences 10(19), 2020.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from rapidfuzz.distance import Levenshtein


class Counts(NamedTuple):
    """What became of the reference's tokens, and what was added to them."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int


class PairCounts(NamedTuple):
    """One pair of texts, counted four ways; the match error rate is made of the same counts."""

    cer_nospace: Counts
    cer: Counts
    wer: Counts
    swer: Counts


def count_edits(reference: Sequence[str], hypothesis: Sequence[str]) -> Counts:
    """The counts of one alignment of tokens: characters of a string, or words.

    >>> count_edits("비가", "비")
    Counts(hits=1, substitutions=0, deletions=1, insertions=0)
    >>> count_edits(["한", "잔"], ["한잔"])
    Counts(hits=0, substitutions=1, deletions=1, insertions=0)
    """
    if reference == hypothesis:
        return Counts(len(reference), 0, 0, 0)
    if not isinstance(reference, str) or not isinstance(hypothesis, str):
        reference, hypothesis = _lettered(reference, hypothesis)
    return _counts(len(reference), Levenshtein.editops(reference, hypothesis))


def count_pair(reference: str, hypothesis: str) -> PairCounts:
    """Characters without and with white space, words, and words as the reference spaces them.

    Args:
        reference: As it is to be counted: an inner white space character is a character.
        hypothesis: Likewise.

    >>> count_pair("커피 한 잔", "커피 한잔").swer
    Counts(hits=3, substitutions=0, deletions=0, insertions=0)
    """
    said, heard = reference.split(), hypothesis.split()
    if reference == hypothesis:
        words = Counts(len(said), 0, 0, 0)
        nospace = Counts(sum(map(len, said)), 0, 0, 0)
        return PairCounts(nospace, Counts(len(reference), 0, 0, 0), words, words)
    joined, heard_joined = "".join(said), "".join(heard)
    operations = Levenshtein.editops(joined, heard_joined)
    respaced = _respaced(said, heard, operations)
    words = count_edits(said, heard)
    return PairCounts(
        cer_nospace=_counts(len(joined), operations),
        cer=count_edits(reference, hypothesis),
        wer=words,
        swer=words if respaced == heard else count_edits(said, respaced),
    )


def respace(reference: str, hypothesis: str) -> str:
    """The hypothesis with the reference's word boundaries where their characters match.

    Characters are aligned without spaces; a boundary belongs to the character after it. A
    character that was inserted or substituted keeps its own.

    >>> respace("커피 한 잔 주세요", "커피 한잔 주 세요")
    '커피 한 잔 주세요'
    >>> respace("커피 한 잔 주세요", "커피 한장 주세요")
    '커피 한장 주세요'
    """
    said, heard = reference.split(), hypothesis.split()
    return " ".join(_respaced(said, heard, Levenshtein.editops("".join(said), "".join(heard))))


def _starts(words: Sequence[str]) -> bytearray:
    """1 for each first character of a word, 0 for the others."""
    return bytearray(b"".join(b"\1" + b"\0" * (len(word) - 1) for word in words))


def _respaced(said: Sequence[str], heard: Sequence[str], operations: Any) -> list[str]:
    """The words of ``heard``, of which ``operations`` align the characters with ``said``'s."""
    wanted, starts, joined = _starts(said), _starts(heard), "".join(heard)
    if not joined:
        return []
    for block in operations.as_matching_blocks():
        starts[block.b : block.b + block.size] = wanted[block.a : block.a + block.size]
    starts[0] = 1
    edges = [place for place, begins in enumerate(starts) if begins]
    return [joined[start:end] for start, end in pairwise([*edges, len(joined)])]


def _counts(reference: int, operations: Any) -> Counts:
    """From the length of the reference and rapidfuzz's operations."""
    tags = [tag for tag, _, _ in operations.as_list()]
    substitutions, deletions = tags.count("replace"), tags.count("delete")
    return Counts(
        hits=reference - substitutions - deletions,
        substitutions=substitutions,
        deletions=deletions,
        insertions=len(tags) - substitutions - deletions,
    )


def _lettered(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[str, str]:
    """Each word as a character of its own: rapidfuzz is quickest with strings, and exact."""
    letters: dict[str, str] = {}
    one, other = (
        "".join([letters.setdefault(word, chr(len(letters))) for word in side])
        for side in (reference, hypothesis)
    )
    return one, other
