"""Scripts of two parts that are nearly the same, found a length of script at a time.

The join (`malgwi.text.similarity_join`) only ever looks at scripts of two lengths. Those are read
from disk, up to a bounded number of characters at a time; what was found is written back, so it
does not matter how often they are read again.

Shapes: P parts, N scripts read together.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from rapidfuzz.distance import Levenshtein

from malgwi.leakage.shared import Counted, id_of, judged, text_of
from malgwi.text.similarity_join import Ids, Mask, Pairs, Text, lengths_within, pairs_between
from malgwi.utterance_table import UtteranceTable, loaded

#: A script and its hashes take this for each character, and while they are made.
_BYTES_PER_CHARACTER = 32
#: Scripts are read this many times less than fit, so that two lots and their neighbours do.
_LOTS = 4


@dataclass(frozen=True, eq=False)
class _Lot:
    """Some scripts of one length; their ids are the rows where they first stand.

    Attributes:
        text: N scripts, ids ascending.
        names: [N] as the table has them.
        member: [P, N] which parts have them.
        found: [P, N] for which parts a script that is the same or nearly so is known.
    """

    text: Text
    names: Ids
    member: Mask
    found: Mask


class NearScripts:
    """Makes the table ``near`` (name, part, a name of that part which is nearly the same).

    Args:
        table: With the grouped ``spoken`` of `SharedNames`.
        parts: P.
        max_distance: Edits over the longer script; nothing is near at 0.
        memory_bytes: Roughly what scripts may take at once.
    """

    def __init__(
        self, table: UtteranceTable, parts: int, max_distance: float, memory_bytes: int
    ) -> None:
        self._table = table
        self._parts = parts
        self._most_characters = max(memory_bytes // _BYTES_PER_CHARACTER, 1)
        self._held: dict[tuple[int, int], _Lot] = {}
        table.execute(
            "CREATE TABLE near (name INTEGER, part INTEGER, nearly INTEGER,"
            " PRIMARY KEY (name, part)) WITHOUT ROWID"
        )
        if max_distance and parts > 1:
            self._join(max_distance)

    def scripts(self, one: int, other: int, examples: int) -> Counted:
        """Scripts of the second part that the first one has, exactly or nearly."""
        exactly = "EXISTS (SELECT 1 FROM spoken a WHERE a.name = b.name AND a.part = ?1)"
        nearly = "EXISTS (SELECT 1 FROM near n WHERE n.name = b.name AND n.part = ?1)"
        leaking, shared = next(
            self._table.select(
                "total(b.count), count(*) FROM spoken b"
                f" WHERE b.part = ?2 AND ({exactly} OR {nearly})",
                one,
                other,
            )
        )
        known, distinct = judged(self._table, "spoken", one, other)
        rows = self._table.select(
            "a.first, b.first FROM near n JOIN spoken b ON b.name = n.name AND b.part = ?2"
            " JOIN spoken a ON a.name = n.nearly AND a.part = n.part"
            " WHERE n.part = ?1 ORDER BY b.first LIMIT ?3",
            one,
            other,
            examples,
        )
        shown = tuple(self._example(*row) for row in list(rows))
        return Counted(int(leaking), known, shared, distinct, shown)

    def _example(self, first: int, second: int) -> tuple[str, str, str, int]:
        there, said = (text_of(self._table, row, "said") for row in (first, second))
        distance = Levenshtein.distance(said, there)
        return id_of(self._table, first), id_of(self._table, second), said, distance

    def _join(self, max_distance: float) -> None:
        self._table.execute(
            "CREATE TABLE script (place INTEGER PRIMARY KEY, name INTEGER, first INTEGER,"
            " length INTEGER)"
        )
        self._table.execute(
            "INSERT INTO script SELECT NULL, name, min(first) AS f, length FROM spoken"
            " GROUP BY name ORDER BY length, f"
        )
        places = {
            length: (first, last)
            for length, first, last in self._table.select(
                "length, min(place), max(place) FROM script GROUP BY length"
            )
        }
        for a, b, edits in lengths_within(places, max_distance):
            for start in self._starts(a, *places[a]):
                for other in self._starts(b, *places[b]):
                    if a < b or start <= other:
                        self._pair((a, start), (b, other), places, edits)
        self._held.clear()

    def _starts(self, length: int, first: int, last: int) -> range:
        """Where the lots of one length start."""
        return range(first, last + 1, self._lot_size(length))

    def _lot_size(self, length: int) -> int:
        return max(self._most_characters // (_LOTS * (length + 1)), 1)

    def _pair(
        self,
        short: tuple[int, int],
        long: tuple[int, int],
        places: dict[int, tuple[int, int]],
        edits: int,
    ) -> None:
        """Find and keep what is near between two lots, each given by length and start."""
        one, other = (self._lot(*key, places[key[0]][1], {short, long}) for key in (short, long))
        lots = _Two(one, other)
        for pairs in pairs_between(one.text, other.text, edits, lots.wanted):
            self._table.executemany(
                "INSERT OR REPLACE INTO near VALUES (?, ?, ?)", lots.keep(pairs)
            )
        lots.give_back()

    def _lot(self, length: int, start: int, last: int, needed: set[tuple[int, int]]) -> _Lot:
        """A lot from memory, or from disk where it was forgotten for others."""
        key = (length, start)
        if key not in self._held:
            self._forget(needed, self._lot_size(length) * (length + 1))
            self._held[key] = self._read(start, min(start + self._lot_size(length) - 1, last))
        return self._held[key]

    def _forget(self, needed: set[tuple[int, int]], coming: int) -> None:
        """Make room: shorter scripts first, which the join has behind it."""
        for key in sorted(self._held.keys() - needed):
            held = sum((lot.text.length + 1) * len(lot.text.strings) for lot in self._held.values())
            if held + coming <= self._most_characters:
                return
            del self._held[key]

    def _read(self, start: int, stop: int) -> _Lot:
        rows = list(
            self._table.select(
                "s.name, s.first, u.said FROM script s JOIN utterance u ON u.row = s.first"
                " WHERE s.place BETWEEN ? AND ? ORDER BY s.place",
                start,
                stop,
            )
        )
        names = np.array([name for name, _, _ in rows], np.int64)
        ids = np.array([first for _, first, _ in rows], np.int64)
        member = self._flags("spoken", start, stop, len(rows))
        found = member | self._flags("near", start, stop, len(rows))
        return _Lot(Text(ids, [loaded(said) for *_, said in rows]), names, member, found)

    def _flags(self, table: str, start: int, stop: int, size: int) -> Mask:
        """[P, N] which scripts stand in a table, by part."""
        flags = np.zeros((self._parts, size), np.bool_)
        rows = self._table.select(
            f"t.part, s.place FROM script s JOIN {table} t ON t.name = s.name"
            " WHERE s.place BETWEEN ? AND ?",
            start,
            stop,
        )
        for part, place in rows:
            flags[part, place - start] = True
        return flags


class _Two:
    """Two lots as one, while they are compared: what is wanted of their pairs, and what is new."""

    def __init__(self, one: _Lot, other: _Lot) -> None:
        self._lots = (one,) if one is other else (one, other)
        ids = np.concatenate([lot.text.ids for lot in self._lots])
        self._order = np.argsort(ids)
        self._ids = ids[self._order]
        self._names = np.concatenate([lot.names for lot in self._lots])
        self._member = np.concatenate([lot.member for lot in self._lots], axis=1)
        self._found = np.concatenate([lot.found for lot in self._lots], axis=1)

    def wanted(self, first: Ids, second: Ids) -> Mask:
        """Pairs across parts, where the script of the later part has no partner yet."""
        wanted = np.zeros(len(first), np.bool_)
        columns = (self._columns(first), self._columns(second))
        for i, j in combinations(range(len(self._member)), 2):
            for one, other in (columns, columns[::-1]):
                wanted |= self._new(i, j, one, other)
        return wanted

    def keep(self, pairs: Pairs) -> list[tuple[int, int, int]]:
        """What is new of some pairs: (name, part, the name that is nearly the same there)."""
        columns = (self._columns(pairs.first), self._columns(pairs.second))
        kept: list[tuple[int, int, int]] = []
        for one, other in (columns, columns[::-1]):
            for part, (members, found) in enumerate(zip(self._member, self._found, strict=True)):
                new = members[one] & ~found[other]
                names, near = self._names[other[new]].tolist(), self._names[one[new]].tolist()
                kept += [(name, part, nearly) for name, nearly in zip(names, near, strict=True)]
                found[other[new]] = True
        return kept

    def give_back(self) -> None:
        """Let the lots know what was found."""
        start = 0
        for lot in self._lots:
            lot.found[:] = self._found[:, start : start + len(lot.names)]
            start += len(lot.names)

    def _new(self, i: int, j: int, one: Ids, other: Ids) -> Mask:
        new: Mask = self._member[i, one] & self._member[j, other] & ~self._found[i, other]
        return new

    def _columns(self, ids: Ids) -> Ids:
        return self._order[np.searchsorted(self._ids, ids)]
