"""Speakers and scripts that two parts have in common, counted where they are equal.

Each part's names are grouped once (``voice`` and ``spoken``: how often, and where first), sorted by
name; what two parts share are then the names that stand side by side.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from malgwi.utterance_table import UtteranceTable, loaded


class Counted(NamedTuple):
    """One relation of two parts; the fields of `malgwi.leakage.Leak`.

    ``known`` counts utterances that can be judged; examples are (first, second, what, distance).
    """

    leaking: int
    known: int
    shared: int
    distinct: int
    examples: tuple[tuple[str, str, str, int], ...]


class SharedNames:
    """Makes the tables ``voice`` and ``spoken`` (name, part, first row, count, length).

    Args:
        table: Of all utterances.
    """

    def __init__(self, table: UtteranceTable) -> None:
        self._table = table
        for grouped, column in (("voice", "speaker"), ("spoken", "script")):
            table.execute(
                f"CREATE TABLE {grouped} (name INTEGER, part INTEGER, first INTEGER,"
                " count INTEGER, length INTEGER, PRIMARY KEY (name, part)) WITHOUT ROWID"
            )
            table.execute(
                f"INSERT INTO {grouped} SELECT {column}, part, min(row), count(*), max(length)"
                f" FROM utterance WHERE {column} IS NOT NULL GROUP BY {column}, part"
            )

    def speakers(self, one: int, other: int, examples: int) -> Counted:
        """Speakers of the second part that the first one has, too."""
        return self._between("voice", "who", one, other, examples)

    def scripts(self, one: int, other: int, examples: int) -> Counted:
        """Scripts of the second part that the first one has, too."""
        return self._between("spoken", "said", one, other, examples)

    def _between(
        self, grouped: Literal["voice", "spoken"], what: str, one: int, other: int, examples: int
    ) -> Counted:
        both = (
            f"FROM {grouped} b JOIN {grouped} a ON a.name = b.name AND a.part = ? WHERE b.part = ?"
        )
        leaking, shared = next(self._table.select(f"total(b.count), count(*) {both}", one, other))
        known, distinct = judged(self._table, grouped, one, other)
        firsts = self._table.select(
            f"a.first, b.first {both} ORDER BY b.first LIMIT ?", one, other, examples
        )
        return Counted(int(leaking), known, shared, distinct, tuple(self._examples(firsts, what)))

    def _examples(
        self, firsts: Iterator[tuple[int, int]], what: str
    ) -> Iterator[tuple[str, str, str, int]]:
        for first, second in list(firsts):
            yield (
                id_of(self._table, first),
                id_of(self._table, second),
                text_of(self._table, second, what),
                0,
            )


def judged(table: UtteranceTable, grouped: str, one: int, other: int) -> tuple[int, int]:
    """Utterances and names of the second part; none can be judged if the first part has no name."""
    if table.value(f"1 FROM {grouped} WHERE part = ? LIMIT 1", one) is None:
        return 0, 0
    known, distinct = next(
        table.select(f"total(count), count(*) FROM {grouped} WHERE part = ?", other)
    )
    return int(known), distinct


def id_of(table: UtteranceTable, row: int) -> str:
    """The id of an utterance."""
    return text_of(table, row, "id")


def text_of(table: UtteranceTable, row: int, column: str) -> str:
    """A text that is stored with an utterance."""
    return loaded(table.value(f"{column} FROM utterance WHERE row = ?", row))
