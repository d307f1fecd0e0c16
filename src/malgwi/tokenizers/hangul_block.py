"""Every syllable that Hangul can write: all 11,172, whether training saw them or not.

The ids of syllables follow Unicode's block, initial by initial, so that an output layer can score
the three letters apart and compose. Whatever else the training texts hold (Latin, digits, the
space where it is predicted) comes before them, most frequent first.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from malgwi.text import hangul
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

_FIRST_SYLLABLE = "가"
_NUM_SYLLABLES = 11_172


class HangulBlockTokenizer:
    """Characters ↔ ids.

    Args:
        others: What is no syllable, in id order, from id 4 on; the syllables follow.
        spaces: Whether spaces are encoded.

    >>> tokenizer = HangulBlockTokenizer("A", spaces=False)
    >>> tokenizer.encode("A가각뷁"), tokenizer.size
    ([4, 5, 6, 4550], 11177)
    >>> tokenizer.decode([4, 5, 6, 4550])
    'A가각뷁'
    """

    blank_id: int = BLANK_ID
    start_id: int = START_ID
    end_id: int = END_ID
    unknown_id: int | None = UNKNOWN_ID

    def __init__(self, others: Sequence[str], *, spaces: bool) -> None:
        self.others = tuple(others)
        self.spaces = spaces
        self._ids = {symbol: FIRST_ID + index for index, symbol in enumerate(self.others)}
        self._first = FIRST_ID + len(self.others)

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> "HangulBlockTokenizer":
        """Learn what of ``texts`` is no syllable."""
        symbols = frequent(texts, config)
        return cls([ch for ch in symbols if not hangul.is_syllable(ch)], spaces=config.spaces)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "HangulBlockTokenizer":
        """Undo ``to_dict``."""
        return cls(record["others"], spaces=record["spaces"])

    def to_dict(self) -> dict[str, Any]:
        """A record for JSON."""
        return {"kind": "hangul_block", "spaces": self.spaces, "others": list(self.others)}

    @property
    def size(self) -> int:
        """Number of ids, the four special ones included."""
        return self._first + _NUM_SYLLABLES

    def encode(self, text: str) -> list[int]:
        """One id a character; other characters that training lacked are ``unknown_id``."""
        return [self._id(ch) for ch in canonical(text, spaces=self.spaces)]

    def _id(self, ch: str) -> int:
        if hangul.is_syllable(ch):
            return self._first + ord(ch) - ord(_FIRST_SYLLABLE)
        return self._ids.get(ch, UNKNOWN_ID)

    def decode(self, ids: Sequence[int]) -> str:
        """The characters of ``ids``; special ids write nothing."""
        return "".join(self._character(token) for token in ids if token >= FIRST_ID)

    def _character(self, token: int) -> str:
        if token >= self._first:
            return chr(ord(_FIRST_SYLLABLE) + token - self._first)
        return self.others[token - FIRST_ID]
