"""What must be compared of utterances, in a table on disk: any number of them in constant memory.

SQLite sorts and groups what does not fit its cache in runs on disk, so that memory is bounded by
`memory_bytes` whatever is put in. The file lies in a temporary folder that goes with the table,
also after an error; SQLite's own sorted runs have no name and go with the process at the latest.

The surprising choice: speakers, scripts and files are compared by 64 bits of their names. Two of a
million different ones are equal with a chance of one in 37 million, and numbers sort several times
as fast as texts. Texts and ids are kept beside them, for what is shown and for near-duplicates.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from malgwi.errors import DataError
from malgwi.manifest import Facts
from malgwi.text.scripts import script

#: Rows written, or read, at a time.
_BATCH = 1024
_UNSIGNED = 1 << 63
_SCHEMA = """
CREATE TABLE utterance (
    row INTEGER PRIMARY KEY, part INTEGER, speaker INTEGER, script INTEGER, length INTEGER,
    content INTEGER, file INTEGER, start REAL, stop REAL,
    sound INTEGER, seconds REAL, characters INTEGER,
    id BLOB, who BLOB, said BLOB
)
"""


class UtteranceTable:
    """The table ``utterance``, for a ``with`` block; others may be made beside it.

    Its columns: ``row`` from 1 on over all parts, ``part`` by number; ``speaker``, ``script``,
    ``content`` (of the samples), ``file`` (with the channel) and ``sound`` as `number` gives them,
    NULL for none; ``length`` of the script in characters; ``start`` and ``stop`` in the file;
    ``seconds`` and ``characters`` of what is spoken; ``id``, ``who`` (speaks) and ``said`` (the
    script) as `stored` gives them.

    Args:
        memory_bytes: Roughly what SQLite may take.

    >>> facts = Facts(id="a", text="네", speaker="kim", path="", start_s=0, duration_s=1, channel=0,
    ...               sample_rate_hz=0, custom={}, line={})
    >>> with UtteranceTable() as table:
    ...     table.add(0, facts)
    ...     [(loaded(name), length) for name, length in table.select("id, length FROM utterance")]
    [('a', 1)]
    """

    def __init__(self, memory_bytes: int = 1 << 24) -> None:
        self._memory_bytes = memory_bytes
        self._waiting: list[tuple[Any, ...]] = []

    def __enter__(self) -> "UtteranceTable":
        self._folder = tempfile.TemporaryDirectory(prefix="malgwi-")
        path = Path(self._folder.name) / "utterances.sqlite"
        self._database = sqlite3.connect(path, isolation_level=None)
        kib = max(self._memory_bytes // 2048, 64)  # half to pages, half to sorting
        for setting in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE"):
            self._database.execute(f"PRAGMA {setting}")
        self.execute(f"PRAGMA cache_size=-{kib}")
        self.execute(_SCHEMA)
        self.execute("BEGIN")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()
        self._folder.cleanup()

    def add(
        self,
        part: int,
        facts: Facts,
        *,
        content: int | None = None,
        sound: int | None = None,
        seconds: float = 0.0,
        characters: int = 0,
    ) -> None:
        """Put in an utterance; numbers of samples are those of `signed`.

        Raises:
            DataError: The disk is full, or cannot be written to.
        """
        said = script(facts.text)
        self._waiting.append(
            (
                part,
                number(facts.speaker),
                number(said),
                len(said),
                content,
                number(f"{facts.channel} {facts.path}") if facts.path else None,
                facts.start_s,
                facts.start_s + facts.duration_s,
                sound,
                seconds,
                characters,
                stored(facts.id),
                stored(facts.speaker or ""),
                stored(said),
            )
        )
        if len(self._waiting) >= _BATCH:
            self._write()

    def execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> None:
        """Run a statement that gives nothing back.

        Raises:
            DataError: As `add`.
        """
        for _ in self._rows(sql, parameters):
            pass

    def executemany(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        """Run a statement for each row.

        Raises:
            DataError: As `add`.
        """
        try:
            self._database.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def select(self, sql: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of ``SELECT`` and what is given, some at a time.

        Raises:
            DataError: As `add`.
        """
        self._write()
        return self._rows(f"SELECT {sql}", parameters)

    def value(self, sql: str, *parameters: Any) -> Any:
        """The first column of the first row of ``SELECT`` and what is given; None for no row."""
        return next((row[0] for row in self.select(sql, *parameters)), None)

    def distinct(self, column: str, part: int | None = None) -> int:
        """How many different numbers a column has, of one part or of all."""
        which = "" if part is None else f" AND part = {part:d}"
        groups = f"FROM utterance WHERE {column} IS NOT NULL{which} GROUP BY {column}"
        return int(self.value(f"count(*) FROM (SELECT 1 {groups})"))

    def _rows(self, sql: str, parameters: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        self._write()
        try:
            cursor = self._database.execute(sql, parameters)
            while rows := list(islice(cursor, _BATCH)):
                yield from rows
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            marks = ", ".join("?" * len(waiting[0]))
            self.executemany(f"INSERT INTO utterance VALUES (NULL, {marks})", waiting)

    def _failed(self, error: sqlite3.Error) -> DataError:
        return DataError(
            f"{self._folder.name}: what is compared of utterances cannot be kept there: {error}; "
            "set TMPDIR to a folder with more room"
        )


def number(name: str | None) -> int | None:
    """64 bits of a name as SQLite has them; None for none.

    >>> number("가") == number("가"), number("가") == number("나"), number("")
    (True, False, None)
    """
    if not name:
        return None
    return signed(int.from_bytes(blake2b(stored(name), digest_size=8).digest()) or 1)


def signed(unsigned: int) -> int:
    """64 bits as SQLite has them, in the order of what is given.

    >>> signed(0) < signed(1) < signed(2**64 - 1) < 2**63
    True
    """
    return unsigned - _UNSIGNED


def stored(text: str) -> bytes:
    """A text as it is kept: lone surrogates too, which SQLite's texts cannot have."""
    return text.encode("utf-8", "surrogatepass")


def loaded(data: bytes) -> str:
    """A text that was `stored`.

    >>> loaded(stored("네\\ud800")) == "네\\ud800"
    True
    """
    return data.decode("utf-8", "surrogatepass")
