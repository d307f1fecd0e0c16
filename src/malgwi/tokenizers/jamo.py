"""One token a letter: syllables taken apart as NFD does, everything else left whole.

Initials (ᄀ), medials (ᅡ) and finals (ᆨ) are different tokens although ᄀ and ᆨ look alike, so
joining them again is never ambiguous and the round trip is exact: NFC undoes NFD. The letters
that people type on their own (ㅋㅋ, ㅠㅠ) are *compatibility* jamo, tokens of their own.

All 67 conjoining jamo belong to the vocabulary whether seen or not: with them every syllable
can be written, one that the training texts lack included. Other characters are learned.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from malgwi.text import hangul
from malgwi.tokenizers import SymbolTokenizer, TokenizerConfig, frequent

#: 19 initials, 21 medials, 27 finals in code-point order.
CONJOINING = (
    *(chr(0x1100 + index) for index in range(len(hangul.INITIALS))),
    *(chr(0x1161 + index) for index in range(len(hangul.MEDIALS))),
    *(chr(0x11A7 + index) for index in range(1, len(hangul.FINALS))),
)


class JamoTokenizer(SymbolTokenizer):
    """Letters ↔ ids.

    Args:
        others: Characters that are no syllables, in id order after the conjoining jamo.
        spaces: Whether spaces are encoded.

    >>> tokenizer = JamoTokenizer("ㅋ", spaces=False)
    >>> len(tokenizer.encode("닭 ㅋㅋ")), tokenizer.decode(tokenizer.encode("닭 ㅋㅋ"))
    (5, '닭ㅋㅋ')
    """

    def __init__(self, others: Sequence[str], *, spaces: bool) -> None:
        self.others = tuple(others)
        super().__init__(CONJOINING + self.others, spaces=spaces)

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> "JamoTokenizer":
        """Learn the characters of ``texts`` that are not made of modern jamo."""
        seen = frequent(texts, config)
        known = set(CONJOINING)
        return cls(
            [ch for ch in seen if not hangul.is_syllable(ch) and ch not in known],
            spaces=config.spaces,
        )

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "JamoTokenizer":
        """Undo ``to_dict``."""
        return cls(record["others"], spaces=record["spaces"])

    def to_dict(self) -> dict[str, Any]:
        """A record for JSON."""
        return {"kind": "jamo", "spaces": self.spaces, "others": list(self.others)}

    def cut(self, text: str) -> Iterable[str]:
        """Two or three letters a syllable, any other character as it is."""
        return (
            symbol
            for ch in text
            for symbol in (hangul.to_jamo(ch) if hangul.is_syllable(ch) else ch)
        )

    def decode(self, ids: Sequence[int]) -> str:
        """Letters joined into syllables; what does not join stays a letter, specials vanish."""
        return unicodedata.normalize("NFC", super().decode(ids))
