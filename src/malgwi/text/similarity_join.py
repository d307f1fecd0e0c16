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
filtered and verified `_BLOCK` at a time, so memory stays bounded even where that fails. Strings of
one length are hashed when they are first wanted, and forgotten when no other can reach them.

Legend: N strings, a ≤ b lengths of a shorter and a longer string, k the most edits between them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
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
_CHUNK = 1 << 14
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
    members = _by_length(strings)
    texts: dict[int, Text] = {}
    for a, b, k in lengths_within(members, max_distance):
        for length in [length for length in texts if length < a]:
            del texts[length]
        for length in (a, b):
            if length not in texts:
                ids = members[length]
                texts[length] = Text(ids, [strings[i] for i in ids.tolist()])
        yield from pairs_between(texts[a], texts[b], k, wanted)


def lengths_within(lengths: Iterable[int], max_distance: float) -> Iterator[tuple[int, int, int]]:
    """Which lengths a ≤ b can hold pairs, and the most edits of these; in ascending order.

    >>> list(lengths_within([9, 10, 12], 0.1))
    [(9, 9, 0), (9, 10, 1), (10, 10, 1), (12, 12, 1)]
    """
    ascending = sorted(lengths)
    for place, a in enumerate(ascending):
        for b in ascending[place:]:
            k = bound(b, max_distance)
            if b <= a + k:
                yield a, b, k


def bound(length: int, max_distance: float) -> int:
    """The most edits that are at most this share of a length.

    >>> [bound(length, 0.1) for length in (9, 10, 29, 30)]
    [0, 1, 2, 3]
    """
    k = int(max_distance * length)
    return k + 1 if length and (k + 1) / length <= max_distance else k


def _by_length(strings: Sequence[str]) -> dict[int, Ids]:
    """Length → ascending places of the strings that have it."""
    lengths = np.fromiter((len(s) for s in strings), np.int64, len(strings))
    order = np.argsort(lengths, kind="stable")
    starts = np.flatnonzero(np.diff(lengths[order], prepend=-1))
    return {int(lengths[group[0]]): group for group in np.split(order, starts)[1:]}


class Text:
    """Strings of one length under their ids, and the hash of any stretch of them.

    With r = `_BASE` and c a number for each character, a string's prefix hash is Σ c[j]·r^j
    modulo 2⁶⁴; a stretch is the difference of two, moved back to place 0.

    Args:
        ids: [N] what the strings are called in pairs.
        strings: N of one length.
    """

    def __init__(self, ids: Ids, strings: Sequence[str]) -> None:
        self.ids = ids
        self.strings = strings
        self.length = len(strings[0]) if strings else 0
        lengths = np.full(len(strings), self.length, np.int64)
        self._offsets = np.zeros(len(strings) + 1, np.int64)
        np.cumsum(lengths + 1, out=self._offsets[1:])  # one place more: prefixes, the empty one too
        self._prefixes = np.zeros(int(self._offsets[-1]), np.uint64)
        self.letters = np.zeros(len(strings), np.uint64)
        powers = _powers(_BASE, self.length + 1)
        self._inverses = _powers(pow(_BASE, -1, 1 << 64), self.length + 1)
        for start in range(0, len(strings), _CHUNK):
            self._hash(strings[start : start + _CHUNK], start, powers)

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

    def hashes(self, rows: Ids, start: int, size: int) -> _Hashes:
        """[n] the hash of characters ``start`` to ``start + size`` of the strings in these rows."""
        at = self._offsets[rows] + start
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
    """Rows of one text. Only those with equal keys are candidates of each other."""

    text: Text
    rows: Ids
    keys: _Hashes

    @classmethod
    def of(cls, text: Text) -> "_Group":
        count = len(text.strings)
        return cls(text, np.arange(count), np.zeros(count, np.uint64))

    def take(self, rows: Ids | Mask) -> "_Group":
        return _Group(self.text, self.rows[rows], self.keys[rows])

    def with_piece(self, start: int, size: int) -> "_Group":
        return replace(self, keys=_mixed(self.keys) + self.text.hashes(self.rows, start, size))


def pairs_between(short: Text, long: Text, k: int, wanted: Wanted | None = None) -> Iterator[Pairs]:
    """The pairs with at most k edits of a string of one text and one of another, or of one text.

    Args:
        short: Strings of one length.
        long: The same text, or others at least as long.
        k: The most edits.
        wanted: As in `similar_pairs`.
    """
    side = _Side(0, short.length, 0, long.length, k)
    for left, right in _candidates(_Group.of(short), _Group.of(long), [side]):
        if short is long:
            once = short.ids[left] < short.ids[right]
            left, right = left[once], right[once]
        one, other = short.ids[left], long.ids[right]
        first, second = np.minimum(one, other), np.maximum(one, other)
        if wanted is not None:
            asked = wanted(first, second)
            first, second, left, right = (v[asked] for v in (first, second, left, right))
        within, distance = _verified(short, long, left, right, k)
        if len(within):
            yield Pairs(first[within], second[within], distance, (short.length, long.length))


def _candidates(
    short: _Group, long: _Group, sides: list[_Side], shared: int = 0
) -> Iterator[tuple[Ids, Ids]]:
    """Pairs with equal keys that also share a piece of a side, if one can still be cut.

    The side with the longest pieces is cut, since long pieces are rare. ``shared`` counts the
    pieces that the keys stand for.
    """
    if shared == _MOST_PIECES or not sides or not len(short.rows) or not len(long.rows):
        short = short.take(np.argsort(short.keys, kind="stable"))
        low, high = _ranges(short, long)
        yield from _blocks(short, long, low, high - low)
        return
    side = max(sides, key=lambda s: s.size / (s.edits + 1))
    others = [s for s in sides if s is not side]
    for piece, (start, size) in enumerate(_pieces(side.size, side.edits)):
        left = short.with_piece(side.start + start, size)
        left = left.take(np.argsort(left.keys, kind="stable"))
        for place in side.places(piece, start, size):
            right = long.with_piece(side.other_start + place, size)
            around = [*others, *side.around(piece, start, size, place)]
            yield from _sharing(left, right, around, shared + 1)


def _sharing(
    short: _Group, long: _Group, sides: list[_Side], shared: int
) -> Iterator[tuple[Ids, Ids]]:
    """Pairs with equal keys; where they are too many, those that share another piece."""
    low, high = _ranges(short, long)
    count = high - low
    if sides and int(count.sum()) > _COMMON:
        sharers = np.bincount(low, minlength=len(short.rows) + 1)  # of the longer strings
        common = count * sharers[low] > _COMMON
        if common.any():
            edges = np.zeros(len(short.rows) + 1, np.int64)
            edges[np.unique(low[common])] += 1
            edges[np.unique(high[common])] -= 1
            inside = np.cumsum(edges[:-1]) > 0
            yield from _candidates(short.take(inside), long.take(common), sides, shared)
            count = np.where(common, 0, count)
    yield from _blocks(short, long, low, count)


def _ranges(short: _Group, long: _Group) -> tuple[Ids, Ids]:
    """[n] for each longer string, from where to where in the sorted shorter ones keys are equal."""
    low = np.searchsorted(short.keys, long.keys, "left")
    return low, np.searchsorted(short.keys, long.keys, "right")


def _blocks(short: _Group, long: _Group, low: Ids, count: Ids) -> Iterator[tuple[Ids, Ids]]:
    """Rows of each longer string and its stretch of shorter ones, some at a time."""
    rows = np.flatnonzero(count)
    ends = np.cumsum(count[rows])
    start = 0
    while start < len(rows):
        done = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _BLOCK, "right")))
        now = rows[start:stop]
        sizes = count[now]
        within = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        yield short.rows[within + np.repeat(low[now], sizes)], np.repeat(long.rows[now], sizes)
        start = stop


def _verified(short: Text, long: Text, left: Ids, right: Ids, k: int) -> tuple[Ids, Ids]:
    """Which of [n] candidates, by their rows, are within k edits, and their edits.

    An edit takes away at most one letter and adds at most one, so sets of letters that differ in
    more than 2 k are settled without a comparison.
    """
    near = np.flatnonzero(np.bitwise_count(short.letters[left] ^ long.letters[right]) <= 2 * k)
    if not len(near):
        return near, near
    distance = process.cpdist(
        [short.strings[row] for row in left[near].tolist()],
        [long.strings[row] for row in right[near].tolist()],
        scorer=Levenshtein.distance,
        score_cutoff=k,
        dtype=np.int64,
    )
    within = distance <= k
    return near[within], distance[within]


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
