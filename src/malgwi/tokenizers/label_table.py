"""The fixed label table of the NAVER AI Hackathon SPEECH 2019, ``hackathon.labels``.

UTF-8, a header line whose separators may be a literal backslash and t, then one
``id<TAB>character<TAB>frequency`` a line, ids from 0 without gaps. ``_`` (id 0 of 820) is the
padding, ``<s>`` and ``</s>`` (818, 819) start and end; 662 is the space, a bare space character
between two tabs, which is why no line may be stripped.

The table has no unknown entry, so ``encode`` leaves out a character that it lacks: there is no id
to give it. The reference text keeps the character and it counts as an error;
``tokenizers.unknown_characters`` lists such characters beforehand.

``spaces=False`` keeps the space out of ``encode``; ``decode`` always writes what it is given, so
that the corpus's own label files, which hold spaces, read back as text.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from malgwi.errors import ConfigError, DataError
from malgwi.tokenizers import TokenizerConfig, canonical

PADDING, START, END = "_", "<s>", "</s>"


class LabelTable:
    """Characters ↔ the ids of a fixed table.

    Args:
        symbols: All entries in id order, the three special ones included.
        spaces: Whether spaces are encoded.

    Raises:
        DataError: A special entry is missing, or an entry stands twice.

    >>> table = LabelTable(["_", "말", " ", "귀", "<s>", "</s>"], spaces=False)
    >>> table.encode("말 귀!"), table.decode([4, 1, 2, 3, 5, 0])
    ([1, 3], '말 귀')
    """

    unknown_id: int | None = None

    def __init__(self, symbols: Sequence[str], *, spaces: bool) -> None:
        self.symbols = tuple(symbols)
        self.spaces = spaces
        ids = {symbol: index for index, symbol in enumerate(self.symbols)}
        if len(ids) != len(self.symbols):
            twice = [s for i, s in enumerate(self.symbols) if ids[s] != i]
            raise DataError(f"the label table holds {twice[0]!r} twice: entries must differ")
        for special in (PADDING, START, END):
            if special not in ids:
                raise DataError(f"the label table has no {special!r} entry: is it complete?")
        self.blank_id: int = ids.pop(PADDING)
        self.start_id: int = ids.pop(START)
        self.end_id: int = ids.pop(END)
        self._ids = ids
        self._special = {self.blank_id, self.start_id, self.end_id}

    @classmethod
    def read(cls, path: str | Path, *, spaces: bool = False) -> "LabelTable":
        """Parse a ``hackathon.labels`` file.

        Raises:
            DataError: No such file, or a line that is not an entry; named by number.
        """
        path = Path(path)
        if not path.is_file():
            raise DataError(f"{path}: no such label table; it should be a hackathon.labels file")
        try:
            # A byte-order mark is dropped. str.splitlines would cut at U+0085 and U+2028 too.
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8 ({error}); convert it first") from None
        try:
            return cls(_parse(text), spaces=spaces)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> "LabelTable":
        """Read ``config.labels``; the table is fixed, so nothing is learned from ``texts``."""
        if config.labels is None:
            raise ConfigError("tokenizer kind 'label_table' needs labels=PATH/hackathon.labels")
        return cls.read(config.labels, spaces=config.spaces)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "LabelTable":
        """Undo ``to_dict``."""
        return cls(record["symbols"], spaces=record["spaces"])

    def to_dict(self) -> dict[str, Any]:
        """A record for JSON."""
        return {"kind": "label_table", "spaces": self.spaces, "symbols": list(self.symbols)}

    @property
    def size(self) -> int:
        """Number of entries, the special ones included."""
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """One id a character; a character that the table lacks is left out."""
        cleaned = canonical(text, spaces=self.spaces)
        return [self._ids[ch] for ch in cleaned if ch in self._ids]

    def decode(self, ids: Sequence[int]) -> str:
        """The characters of ``ids``, spaces included; padding, start and end write nothing.

        Raises:
            DataError: An id lies outside the table.
        """
        for token in ids:
            if not 0 <= token < self.size:
                raise DataError(f"label {token} is outside the table (0 … {self.size - 1})")
        return "".join(self.symbols[token] for token in ids if token not in self._special)


def _parse(text: str) -> list[str]:
    """The entries of a label file in id order."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    has_header = not lines[0].partition("\t")[0].isdecimal()
    symbols: list[str] = []
    for number, line in enumerate(lines, start=1):
        if (number == 1 and has_header) or not line:
            continue
        fields = line.split("\t")
        if len(fields) < 2 or fields[0] != str(len(symbols)) or not fields[1]:
            raise DataError(
                f"line {number} is {line!r}: expected id {len(symbols)}, a tab and a character"
            )
        symbols.append(fields[1])
    return symbols
