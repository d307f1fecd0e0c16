"""All pairs of strings within an edit distance, found without comparing all pairs; exact.

Of two strings with at most k edits between them, cut the shorter into k + 1 pieces: an edit
touches one piece, so one piece stands in the longer string unchanged, and near its own place
(pigeonhole). Some such piece with i pieces to its left has at most i edits on its left side and
at most k − i on its right, which narrows the place further. Pairs that share a piece so are
candidates; rapidfuzz has the last word. Source: G. Li, D. Deng, J. Wang, J. Feng, "Pass-Join: a
partition-based method for similarity joins", PVLDB 5(3), 2011, sections 3 and 4.

The surprising choices. Pieces are compared as numbers (any substring's hash is one subtraction
and one product), so strings of one length are joined with those of another by a sort and a binary
search; a collision costs a comparison, never an answer. And a piece that very many strings share
("안녕하세요") would make as many candidates as comparing all pairs: there the same argument is
applied again to a side of the piece, so that a second piece must be shared, too, and if need be a
third; more would have so many places to look in that comparing is cheaper. Candidates are made,
filtered and verified `_BLOCK` at a time, so memory stays bounded even where that fails.

Legend: N strings, a ≤ b lengths of a shorter and a longer string, k the most edits between them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]
Wanted = Callable[[Ids, Ids], Mask]
_Hashes = NDArray[np.uint64]

#: Candidates held at a time; a string's own candidates, at most N, are held together.
_BLOCK = 1 << 19
#: Where strings that share a piece make more candidates than this, they must share another.
_COMMON = 1 << 14
#: Pieces asked for at most.
_MOST_PIECES = 3
#: Strings hashed at a time.
_CHUNK = 1 << 16
#: An odd number, so that its powers have inverses modulo 2⁶⁴.
_BASE = 0x9E3779B97F4A7C15
_ALL = (1 << 64) - 1


@dataclass(frozen=True)
class Pairs:
    """Some pairs within the bound. A pair may come again, but never turned round.

    Attributes:
        first: [n] places in the sequence of strings, the smaller of the two.
        second: [n] the larger.
        distance: [n] edits between them.
        lengths: a and b of all of them; pairs of the same lengths come one after the other.
    """

    first: Ids
    second: Ids
    distance: Ids
    lengths: tuple[int, int]


def similar_pairs(
    strings: Sequence[str], max_distance: float, wanted: Wanted | None = None
) -> Iterator[Pairs]:
    """Every pair within the bound, in blocks, each found at least once.

    Args:
        strings: N of them.
        max_distance: Edits over the longer length, from 0 to below 0.5.
        wanted: Which of [n] candidates (first, second) to compare at all; asked block by block,
            so the answer may depend on the pairs already given.
    """
    text = _Text(strings)
    for a in sorted(text.members):
        for b in sorted(text.members):
            k = bound(b, max_distance)
            if a <= b <= a + k:
                yield from _between(text, a, b, k, wanted)


def bound(length: int, max_distance: float) -> int:
    """The most edits that are at most this share of a length.

    >>> [bound(length, 0.1) for length in (9, 10, 29, 30)]
    [0, 1, 2, 3]
    """
    k = int(max_distance * length)
    return k + 1 if length and (k + 1) / length <= max_distance else k


class _Text:
    """The strings, and the hash of any stretch of them.

    With r = `_BASE` and c a number for each character, a string's prefix hash is Σ c[j]·r^j
    modulo 2⁶⁴; a stretch is the difference of two, moved back to place 0.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        self.strings = strings
        lengths = np.fromiter((len(s) for s in strings), np.int64, len(strings))
        self._offsets = np.zeros(len(strings) + 1, np.int64)
        np.cumsum(lengths + 1, out=self._offsets[1:])  # one place more: prefixes, the empty one too
        self._prefixes = np.zeros(int(self._offsets[-1]), np.uint64)
        self.letters = np.zeros(len(strings), np.uint64)
        longest = int(lengths.max(initial=0))
        powers = _powers(_BASE, longest + 1)
        self._inverses = _powers(pow(_BASE, -1, 1 << 64), longest + 1)
        for start in range(0, len(strings), _CHUNK):
            self._hash(strings[start : start + _CHUNK], start, powers)
        order = np.argsort(lengths, kind="stable")
        starts = np.flatnonzero(np.diff(lengths[order], prepend=-1))
        groups = np.split(order, starts)[1:]
        self.members: dict[int, Ids] = {int(lengths[group[0]]): group for group in groups}

    def _hash(self, strings: Sequence[str], start: int, powers: _Hashes) -> None:
        """Prefix hashes and letters of a run of strings."""
        joined = "\0".join(["", *strings])  # a zero before each string, where its prefix is empty
        raw = joined.encode("utf-32-le", "surrogatepass")
        characters = np.frombuffer(raw, np.uint32).astype(np.uint64)
        begin = self._offsets[start : start + len(strings) + 1] - self._offsets[start]
        place = np.arange(len(characters)) - np.repeat(begin[:-1], np.diff(begin))
        mixed = _mixed(characters)
        bits = np.uint64(1) << (mixed >> np.uint64(58))
        bits[begin[:-1]] = 0
        self.letters[start : start + len(strings)] = np.bitwise_or.reduceat(bits, begin[:-1])
        mixed *= powers[place - 1]
        mixed[begin[:-1]] = 0
        # One running sum for the whole chunk: a stretch is a difference, so its start is no matter.
        np.cumsum(
            mixed, out=self._prefixes[self._offsets[start] : self._offsets[start + len(strings)]]
        )

    def hashes(self, ids: Ids, start: int, size: int) -> _Hashes:
        """[n] the hash of characters ``start`` to ``start + size`` of each string."""
        at = self._offsets[ids] + start
        stretch = self._prefixes[at + size] - self._prefixes[at]
        hashes: _Hashes = stretch * self._inverses[start]
        return hashes


@dataclass(frozen=True)
class _Side:
    """A stretch of the shorter and of the longer strings with at most ``edits`` between them."""

    start: int
    size: int
    other_start: int
    other_size: int
    edits: int

    def places(self, piece: int, start: int, size: int) -> range:
        """Where in the longer stretch the piece that starts at ``start`` can stand."""
        shift = self.other_size - self.size
        left, right = piece, self.edits - piece
        first = max(0, start + max(-left, shift - right))
        last = min(self.other_size - size, start + min(left, shift + right))
        return range(first, last + 1)

    def around(self, piece: int, start: int, size: int, place: int) -> Iterator["_Side"]:
        """What is left and right of a piece found at ``place``, as far as it can be cut again."""
        end, other_end = start + size, place + size
        sides = (
            _Side(self.start, start, self.other_start, place, piece),
            _Side(
                self.start + end,
                self.size - end,
                self.other_start + other_end,
                self.other_size - other_end,
                self.edits - piece,
            ),
        )
        return (side for side in sides if side.size > side.edits)


@dataclass(frozen=True)
class _Group:
    """Strings of one length. Only those with equal keys are candidates of each other."""

    ids: Ids
    keys: _Hashes

    def take(self, rows: Ids | Mask) -> "_Group":
        return _Group(self.ids[rows], self.keys[rows])

    def with_piece(self, hashes: _Hashes) -> "_Group":
        return replace(self, keys=_mixed(self.keys) + hashes)


def _between(text: _Text, a: int, b: int, k: int, wanted: Wanted | None) -> Iterator[Pairs]:
    """The pairs of a string of length a and one of length b."""
    short, long = (
        _Group(text.members[n], np.zeros(len(text.members[n]), np.uint64)) for n in (a, b)
    )
    for first, second in _candidates(text, short, long, [_Side(0, a, 0, b, k)]):
        if a == b:
            once = first < second
            first, second = first[once], second[once]
        first, second = np.minimum(first, second), np.maximum(first, second)
        if wanted is not None:
            asked = wanted(first, second)
            first, second = first[asked], second[asked]
        found = _verified(text, first, second, k)
        if len(found[0]):
            yield Pairs(*found, (a, b))


def _candidates(
    text: _Text, short: _Group, long: _Group, sides: list[_Side], shared: int = 0
) -> Iterator[tuple[Ids, Ids]]:
    """Pairs with equal keys that also share a piece of a side, if one can still be cut.

    The side with the longest pieces is cut, since long pieces are rare. ``shared`` counts the
    pieces that the keys stand for.
    """
    if shared == _MOST_PIECES or not sides or not len(short.ids) or not len(long.ids):
        short = short.take(np.argsort(short.keys, kind="stable"))
        low, high = _ranges(short, long)
        yield from _blocks(short, long, low, high - low)
        return
    side = max(sides, key=lambda s: s.size / (s.edits + 1))
    others = [s for s in sides if s is not side]
    for piece, (start, size) in enumerate(_pieces(side.size, side.edits)):
        left = short.with_piece(text.hashes(short.ids, side.start + start, size))
        left = left.take(np.argsort(left.keys, kind="stable"))
        for place in side.places(piece, start, size):
            right = long.with_piece(text.hashes(long.ids, side.other_start + place, size))
            around = [*others, *side.around(piece, start, size, place)]
            yield from _sharing(text, left, right, around, shared + 1)


def _sharing(
    text: _Text, short: _Group, long: _Group, sides: list[_Side], shared: int
) -> Iterator[tuple[Ids, Ids]]:
    """Pairs with equal keys; where they are too many, those that share another piece."""
    low, high = _ranges(short, long)
    count = high - low
    if sides and int(count.sum()) > _COMMON:
        sharers = np.bincount(low, minlength=len(short.ids) + 1)  # of the longer strings
        common = count * sharers[low] > _COMMON
        if common.any():
            edges = np.zeros(len(short.ids) + 1, np.int64)
            edges[np.unique(low[common])] += 1
            edges[np.unique(high[common])] -= 1
            inside = np.cumsum(edges[:-1]) > 0
            yield from _candidates(text, short.take(inside), long.take(common), sides, shared)
            count = np.where(common, 0, count)
    yield from _blocks(short, long, low, count)


def _ranges(short: _Group, long: _Group) -> tuple[Ids, Ids]:
    """[n] for each longer string, from where to where in the sorted shorter ones keys are equal."""
    low = np.searchsorted(short.keys, long.keys, "left")
    return low, np.searchsorted(short.keys, long.keys, "right")


def _blocks(short: _Group, long: _Group, low: Ids, count: Ids) -> Iterator[tuple[Ids, Ids]]:
    """The pairs of each longer string with its stretch of shorter ones, some at a time."""
    rows = np.flatnonzero(count)
    ends = np.cumsum(count[rows])
    start = 0
    while start < len(rows):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _BLOCK, "right")))
        now = rows[start:stop]
        sizes = count[now]
        within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        yield short.ids[within + np.repeat(low[now], sizes)], np.repeat(long.ids[now], sizes)
        start = stop


def _verified(text: _Text, first: Ids, second: Ids, k: int) -> tuple[Ids, Ids, Ids]:
    """Those of some candidates that are within k edits.

    An edit takes away at most one letter and adds at most one, so sets of letters that differ in
    more than 2 k are settled without a comparison.
    """
    near = np.bitwise_count(text.letters[first] ^ text.letters[second]) <= 2 * k
    first, second = first[near], second[near]
    if not len(first):
        return first, second, first
    distance = process.cpdist(
        [text.strings[i] for i in first.tolist()],
        [text.strings[i] for i in second.tolist()],
        scorer=Levenshtein.distance,
        score_cutoff=k,
        dtype=np.int64,
    )
    within = distance <= k
    return first[within], second[within], distance[within]


def _pieces(size: int, edits: int) -> Iterator[tuple[int, int]]:
    """Start and size of edits + 1 pieces of nearly equal size."""
    ends = [size * n // (edits + 1) for n in range(edits + 2)]
    return ((start, end - start) for start, end in pairwise(ends))


def _mixed(numbers: _Hashes) -> _Hashes:
    """Numbers that look random, one for each: the finaliser of SplitMix64 (Steele et al., 2014)."""
    mixed = numbers + np.uint64(_BASE)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def _powers(base: int, count: int) -> _Hashes:
    """base^0 … base^(count − 1), modulo 2⁶⁴."""
    powers = np.full(count, base & _ALL, np.uint64)
    powers[:1] = 1
    return np.cumprod(powers)
