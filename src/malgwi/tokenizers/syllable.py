"""One token a character: for Korean, a syllable.

The vocabulary is every character of the training texts (with ``min_count``), most frequent
first and ties by code point, so that it depends on the texts alone. Conversation uses 1,000 to
2,000 syllables. The space, where it is predicted, is one of the characters.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from malgwi.tokenizers import SymbolTokenizer, TokenizerConfig, frequent


class SyllableTokenizer(SymbolTokenizer):
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
