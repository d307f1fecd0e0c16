"""Text ↔ token ids: one file a kind, all of them satisfying ``malgwi.types.Tokenizer``.

A vocabulary is learned from the training split and from nothing else. A character that it lacks
becomes the unknown token in ``encode``; the *reference* text keeps it, so it counts as an error
when scored. ``decode`` writes nothing for blank, start, end and unknown.

Spaces are a setting of the tokenizer, off by default: the units of Korean speech do not depend
on its word spacing, which even careful writers disagree on, and the usual error rate removes
spaces anyway. With ``spaces=False`` every kind drops white space in ``encode``; with True a run
of white space is one token between words, never at the ends.

Ids 0, 1, 2, 3 are blank (also the padding), start, end and unknown, except in the fixed label
table of the hackathon, which brings its own.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from malgwi.errors import CheckpointError, ConfigError, DataError
from malgwi.registry import resolve
from malgwi.text import hangul
from malgwi.types import Tokenizer

#: kind → class with ``train(texts, config)`` and ``from_dict(record)``
TOKENIZERS: dict[str, str] = {
    "syllable": "malgwi.tokenizers.syllable:SyllableTokenizer",
    "jamo": "malgwi.tokenizers.jamo:JamoTokenizer",
    "subword": "malgwi.tokenizers.subword:SubwordTokenizer",
    "hangul_block": "malgwi.tokenizers.hangul_block:HangulBlockTokenizer",
    "label_table": "malgwi.tokenizers.label_table:LabelTable",
}

BLANK_ID, START_ID, END_ID, UNKNOWN_ID = 0, 1, 2, 3
#: The first id that stands for text in the kinds that learn their vocabulary.
FIRST_ID = 4


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """How to make a tokenizer.

    Args:
        kind: A key of ``TOKENIZERS``.
        spaces: Whether the space is predicted.
        min_count: A character rarer than this in the training texts is unknown.
        vocab_size: Subword only: pieces wanted, the four special ones included. An upper bound:
            a small text yields fewer.
        algorithm: Subword only: how pieces are found.
        labels: Label table only: path of ``hackathon.labels``.
    """

    kind: str = "syllable"
    spaces: bool = False
    min_count: int = 1
    vocab_size: int = 2000
    algorithm: Literal["unigram", "bpe"] = "unigram"
    labels: str | None = None

    def __post_init__(self) -> None:
        if self.min_count < 1:
            raise ConfigError(f"tokenizer min_count is {self.min_count}: it must be 1 or more")
        if self.vocab_size <= FIRST_ID:
            raise ConfigError(
                f"tokenizer vocab_size is {self.vocab_size}: four entries are special, so it "
                f"must be more than {FIRST_ID}, and more than the number of distinct characters"
            )
        if self.algorithm not in ("unigram", "bpe"):
            raise ConfigError(f"tokenizer algorithm {self.algorithm!r}: known are unigram, bpe")


class SymbolTokenizer:
    """One id a symbol of a list: what the kinds that cut text by rule have in common.

    Args:
        symbols: In id order, from id 4 on.
        spaces: Whether spaces are encoded.
    """

    blank_id: int = BLANK_ID
    start_id: int = START_ID
    end_id: int = END_ID
    unknown_id: int | None = UNKNOWN_ID

    def __init__(self, symbols: Iterable[str], *, spaces: bool) -> None:
        self.symbols = tuple(symbols)
        self.spaces = spaces
        self._ids = {symbol: FIRST_ID + index for index, symbol in enumerate(self.symbols)}

    @property
    def size(self) -> int:
        """Number of ids, the four special ones included."""
        return FIRST_ID + len(self.symbols)

    def cut(self, text: str) -> Iterable[str]:
        """The symbols of a canonical text; here its characters."""
        return text

    def encode(self, text: str) -> list[int]:
        """One id a symbol; symbols outside the vocabulary are ``unknown_id``."""
        symbols = self.cut(canonical(text, spaces=self.spaces))
        return [self._ids.get(symbol, UNKNOWN_ID) for symbol in symbols]

    def decode(self, ids: Sequence[int]) -> str:
        """The symbols of ``ids``; special ids write nothing."""
        return "".join(self.symbols[token - FIRST_ID] for token in ids if token >= FIRST_ID)


def train(texts: Iterable[str], config: TokenizerConfig | None = None) -> Tokenizer:
    """A tokenizer whose vocabulary comes from ``texts``, the normalised training transcripts.

    The same texts in the same order give the same tokenizer, to the bit.

    Raises:
        ConfigError: Unknown kind, or settings that cannot work on these texts.
        DataError: No text at all.

    >>> tokenizer = train(["가나 다", "가"])
    >>> tokenizer.encode("가 나라"), tokenizer.decode([1, 4, 5, 3, 2, 0])
    ([4, 5, 3], '가나')
    """
    config = config or TokenizerConfig()
    kind = resolve("tokenizer", TOKENIZERS, config.kind)
    made: Tokenizer = kind.train(texts, config)
    return made


def from_dict(record: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that ``to_dict`` wrote.

    Raises:
        CheckpointError: The record lacks a key, or holds something else there.
        ConfigError: Its kind is unknown to this version.
    """
    if not isinstance(record, Mapping) or not isinstance(record.get("kind"), str):
        raise CheckpointError(
            "the tokenizer record has no 'kind': it should be the dictionary that to_dict wrote "
            "(tokenizer.json of a run folder)"
        )
    kind = resolve("tokenizer", TOKENIZERS, record["kind"])
    try:
        made: Tokenizer = kind.from_dict(record)
    except KeyError as error:
        raise CheckpointError(
            f"the {record['kind']} tokenizer record lacks the key {error}: it is damaged or was "
            "written by another version"
        ) from None
    return made


def jamo_table(tokenizer: Tokenizer) -> list[tuple[int, int, int]]:
    """For each id the indices of its initial, medial and final, for a composed output layer.

    An id that is not exactly one syllable (special, Latin, a longer subword) has (-1, -1, -1).

    >>> jamo_table(train(["말A"]))
    [(-1, -1, -1), (-1, -1, -1), (-1, -1, -1), (-1, -1, -1), (-1, -1, -1), (6, 0, 8)]
    """
    texts = (tokenizer.decode([token]) for token in range(tokenizer.size))
    return [hangul.decompose(text) if hangul.is_syllable(text) else (-1, -1, -1) for text in texts]


def unknown_characters(tokenizer: Tokenizer, texts: Iterable[str]) -> Counter[str]:
    """The characters of ``texts`` that the vocabulary lacks, with counts; white space aside.

    >>> unknown_characters(train(["가나"]), ["가라", "라 마"])
    Counter({'라': 2, '마': 1})
    """
    counts = Counter(ch for text in texts for ch in canonical(text, spaces=False))
    unknown = [ch for ch in counts if tokenizer.encode(ch) in ([], [tokenizer.unknown_id])]
    return Counter({ch: counts[ch] for ch in unknown})


def canonical(text: str, *, spaces: bool) -> str:
    """The text as a tokenizer can give it back: NFC, white space gone or single and inner.

    ``decode(encode(text)) == canonical(text)`` wherever the vocabulary covers the text.

    >>> canonical(" 말 \\t귀\\n", spaces=False), canonical(" 말 \\t귀\\n", spaces=True)
    ('말귀', '말 귀')
    """
    return unicodedata.normalize("NFC", (" " if spaces else "").join(text.split()))


def frequent(texts: Iterable[str], config: TokenizerConfig) -> list[str]:
    """The characters seen ``min_count`` times, most frequent first, then by code point.

    Raises:
        DataError: The texts hold no character at all.
    """
    counts = Counter(ch for text in texts for ch in canonical(text, spaces=config.spaces))
    if not counts:
        raise DataError("a tokenizer cannot be trained: the training texts are empty")
    kept = [ch for ch, count in counts.items() if count >= config.min_count]
    return sorted(kept, key=lambda ch: (-counts[ch], ch))
