"""Audio that two parts have in common: equal samples, or stretches of one file that overlap.

Only files and samples that stand in several parts are looked at again; most corpora have none.
"""

import math
from collections.abc import Iterator
from itertools import groupby, islice
from operator import itemgetter

from malgwi.leakage.shared import Counted, id_of
from malgwi.utterance_table import UtteranceTable

#: Stretches of one file share audio if one reaches further than this into the other, or further
#: than half of it, from both sides: neighbours cut with a little margin do not count.
_OVERLAP_S = 0.5
#: What an utterance's audio is known by: its samples, or else its file.
_THING = "coalesce(content, file)"
_BATCH = 1024


class SharedAudio:
    """Makes the tables ``copied`` and ``common``: samples and files that several parts have.

    Args:
        table: Of all utterances.
    """

    def __init__(self, table: UtteranceTable) -> None:
        self._table = table
        for made, column in (("copied", "content"), ("common", "file")):
            table.execute(f"CREATE TABLE {made} (name INTEGER PRIMARY KEY)")
            table.execute(
                f"INSERT INTO {made} SELECT {column} FROM utterance WHERE {column} IS NOT NULL"
                f" GROUP BY {column} HAVING min(part) < max(part)"
            )
        table.execute("CREATE TABLE leaking (row INTEGER PRIMARY KEY, thing INTEGER)")

    def between(self, one: int, other: int, examples: int) -> Counted:
        """Utterances of the second part whose audio the first one has, too."""
        self._table.execute("DELETE FROM leaking")
        self._table.execute(
            f"INSERT INTO leaking SELECT row, {_THING} FROM utterance WHERE part = ?2"
            " AND content IN (SELECT content FROM utterance WHERE part = ?1 AND content IN"
            " (SELECT name FROM copied))",
            (one, other),
        )
        overlapping = self._overlapping(one, other)
        while rows := list(islice(overlapping, _BATCH)):
            self._table.executemany("INSERT OR IGNORE INTO leaking VALUES (?, ?)", rows)
        leaking = self._table.value("count(*) FROM leaking")
        shared = self._table.value("count(DISTINCT thing) FROM leaking")
        known, distinct = self._judged(one, other)
        firsts = self._table.select(
            "min(row) AS r FROM leaking GROUP BY thing ORDER BY r LIMIT ?", examples
        )
        shown = tuple(self._example(one, row) for (row,) in list(firsts))
        return Counted(leaking, known, shared, distinct, shown)

    def _judged(self, one: int, other: int) -> tuple[int, int]:
        """Utterances and things of the second part; none if the first part has no audio."""
        has_audio = f"FROM utterance WHERE part = ? AND {_THING} IS NOT NULL"
        if self._table.value(f"1 {has_audio} LIMIT 1", one) is None:
            return 0, 0
        things = f"(SELECT count(*) AS n {has_audio} GROUP BY {_THING})"
        known, distinct = next(self._table.select(f"total(n), count(*) FROM {things}", other))
        return int(known), distinct

    def _overlapping(self, one: int, other: int) -> Iterator[tuple[int, int]]:
        """Rows, and their things, that overlap with one of the first part in the same file.

        Of all that begin before an utterance ends, the one that ends last decides. Both parts are
        gone through once, side by side.
        """
        in_common = "FROM utterance WHERE part = ? AND file IN (SELECT name FROM common)"
        firsts = self._table.select(f"file, start, stop {in_common} ORDER BY file, start", one)
        margin = f"min({_OVERLAP_S}, (stop - start) / 2)"
        seconds = self._table.select(
            f"file, start + {margin}, stop - {margin} AS until, row, {_THING} {in_common}"
            " ORDER BY file, until",
            other,
        )
        waiting = next(firsts, None)
        for file, asked in groupby(seconds, itemgetter(0)):
            while waiting is not None and waiting[0] < file:
                waiting = next(firsts, None)
            latest = -math.inf
            for _, begin, until, row, thing in asked:
                while waiting is not None and waiting[0] == file and waiting[1] <= until:
                    latest = max(latest, waiting[2])
                    waiting = next(firsts, None)
                if latest >= begin:
                    yield row, thing

    def _example(self, one: int, row: int) -> tuple[str, str, str, int]:
        first = self._sounds_like(one, row)
        return id_of(self._table, first), id_of(self._table, row), "", 0

    def _sounds_like(self, one: int, row: int) -> int:
        """The first utterance of the first part with the same samples, or else overlapping."""
        content, file, start, stop = next(
            self._table.select("content, file, start, stop FROM utterance WHERE row = ?", row)
        )
        of_part = "row FROM utterance WHERE part = ? AND"
        copy = self._table.value(f"{of_part} content = ? LIMIT 1", one, content)
        if copy is not None:
            return int(copy)
        overlap = "min(stop, ?) - max(start, ?)"  # of 0 seconds where an utterance lasts so long
        nearest = f"{overlap} >= 0 ORDER BY {overlap} = 0, row LIMIT 1"
        sought = f"{of_part} file = ? AND {nearest}"
        return int(self._table.value(sought, one, file, stop, start, stop, start))
