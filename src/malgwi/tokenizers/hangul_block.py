"""Every syllable that Hangul can write: all 11,172, whether training saw them or not.

The ids of syllables follow Unicode's block, initial by initial, so that an output layer can score
the three letters apart and compose. Whatever else the training texts hold (Latin, digits, the
space where it is predicted) comes before them, most frequent first.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from malgwi.text import hangul
from malgwi.tokenizers import SymbolTokenizer, TokenizerConfig, frequent

_SYLLABLES = tuple(map(chr, range(ord("가"), ord("힣") + 1)))


class HangulBlockTokenizer(SymbolTokenizer):
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

    def __init__(self, others: Sequence[str], *, spaces: bool) -> None:
        self.others = tuple(others)
        super().__init__(self.others + _SYLLABLES, spaces=spaces)

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
