"""One token a character: for Korean, a syllable.

The vocabulary is every character of the training texts (with ``min_count``), most frequent
first and ties by code point, so that it depends on the texts alone. Conversation uses 1,000 to
2,000 syllables. The space, where it is predicted, is one of the characters.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from malgwi.tokenizers import (
    BLANK_ID,
    END_ID,
    FIRST_ID,
    START_ID,
    UNKNOWN_ID,
    TokenizerConfig,
    canonical,
    frequent,
)


class SyllableTokenizer:
    """Characters ↔ ids.

    Args:
        symbols: The characters in id order, from id 4 on.
        spaces: Whether spaces are encoded.

    >>> tokenizer = SyllableTokenizer("나가", spaces=False)
    >>> tokenizer.encode("가 나 다")
    [5, 4, 3]
    >>> tokenizer.decode([5, 4, 3])
    '가나'
    """

    blank_id: int = BLANK_ID
    start_id: int = START_ID
    end_id: int = END_ID
    unknown_id: int | None = UNKNOWN_ID

    def __init__(self, symbols: Sequence[str], *, spaces: bool) -> None:
        self.symbols = tuple(symbols)
        self.spaces = spaces
        self._ids = {symbol: FIRST_ID + index for index, symbol in enumerate(self.symbols)}

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> "SyllableTokenizer":
        """Learn the characters of ``texts``."""
        return cls(frequent(texts, config), spaces=config.spaces)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "SyllableTokenizer":
        """Undo ``to_dict``."""
        return cls(record["symbols"], spaces=record["spaces"])

    def to_dict(self) -> dict[str, Any]:
        """A record for JSON."""
        return {"kind": "syllable", "spaces": self.spaces, "symbols": list(self.symbols)}

    @property
    def size(self) -> int:
        """Number of ids, the four special ones included."""
        return FIRST_ID + len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """One id a character; characters outside the vocabulary are ``unknown_id``."""
        return [self._ids.get(ch, UNKNOWN_ID) for ch in canonical(text, spaces=self.spaces)]

    def decode(self, ids: Sequence[int]) -> str:
        """The characters of ``ids``; special ids write nothing."""
        return "".join(self.symbols[token - FIRST_ID] for token in ids if token >= FIRST_ID)
