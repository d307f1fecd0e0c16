"""Subwords by SentencePiece: pieces of one to several syllables, unigram or BPE.

The model itself (a few dozen kB) travels in ``to_dict`` as base64, so a tokenizer stays one JSON
record like any other. SentencePiece is used without its own normaliser (``identity``): its
default NFKC would rewrite the text behind malgwi's back. One thread and no sampling, so that the
same texts give the same bytes.

SentencePiece marks the space with ▁ (U+2581). With ``spaces=False`` none is ever added and a ▁ in
the text is a character like another; with ``spaces=True`` a ▁ in the text would read as a space.

Source: Kudo and Richardson, "SentencePiece", arXiv 1808.06226.
"""

import base64
import binascii
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from malgwi.errors import CheckpointError, ConfigError, DataError
from malgwi.tokenizers import (
    BLANK_ID,
    END_ID,
    FIRST_ID,
    START_ID,
    UNKNOWN_ID,
    TokenizerConfig,
    canonical,
)

_SPACE_MARK = "▁"
_MAX_SENTENCE_BYTES = 1 << 24  # the default of 4,192 silently leaves longer lines out


class SubwordTokenizer:
    """Pieces ↔ ids.

    Args:
        model: A serialised SentencePiece model with blank, start, end, unknown as 0, 1, 2, 3.
        spaces: Whether spaces are encoded.
    """

    blank_id: int = BLANK_ID
    start_id: int = START_ID
    end_id: int = END_ID
    unknown_id: int | None = UNKNOWN_ID

    def __init__(self, model: bytes, *, spaces: bool) -> None:
        self.model = model
        self.spaces = spaces
        try:
            self._processor = SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise CheckpointError(f"this is no SentencePiece model: {error}") from None

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> "SubwordTokenizer":
        """Learn at most ``config.vocab_size`` pieces from ``texts``.

        Raises:
            DataError: No text.
            ConfigError: ``vocab_size`` is smaller than the number of distinct characters.
        """
        cleaned = [canonical(text, spaces=config.spaces) for text in texts]
        model = io.BytesIO()
        try:
            SentencePieceTrainer.train(
                sentence_iterator=_without_rare(cleaned, config.min_count),
                model_writer=model,
                model_type=config.algorithm,
                vocab_size=config.vocab_size,
                hard_vocab_limit=False,
                character_coverage=1.0,
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                add_dummy_prefix=config.spaces,  # a word is the same piece at the start and inside
                max_sentence_length=_MAX_SENTENCE_BYTES,
                num_threads=1,
                pad_id=BLANK_ID,
                bos_id=START_ID,
                eos_id=END_ID,
                unk_id=UNKNOWN_ID,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise ConfigError(_training_fault(str(error), config)) from None
        return cls(model.getvalue(), spaces=config.spaces)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "SubwordTokenizer":
        """Undo ``to_dict``.

        Raises:
            CheckpointError: The model is damaged.
        """
        try:
            model = base64.b64decode(record["model"], validate=True)
        except binascii.Error as error:
            raise CheckpointError(f"the subword model is not base64: {error}") from None
        return cls(model, spaces=record["spaces"])

    def to_dict(self) -> dict[str, Any]:
        """A record for JSON, the model in base64."""
        model = base64.b64encode(self.model).decode("ascii")
        return {"kind": "subword", "spaces": self.spaces, "model": model}

    @property
    def size(self) -> int:
        """Number of ids, the four special ones included."""
        return int(self._processor.get_piece_size())

    def encode(self, text: str) -> list[int]:
        """The best segmentation. Each unknown character is one ``unknown_id``."""
        cleaned = canonical(text, spaces=self.spaces)
        pieces = self._processor.encode(cleaned, out_type=str)
        ids: list[int] = []
        for token, piece in zip(self._processor.encode(cleaned), pieces, strict=True):
            # SentencePiece folds a run of unknown characters into one piece.
            ids += [token] * (len(piece) if token == UNKNOWN_ID else 1)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The pieces of ``ids`` side by side; special ids write nothing."""
        pieces = (self._processor.id_to_piece(int(token)) for token in ids if token >= FIRST_ID)
        text = "".join(pieces)
        return canonical(text.replace(_SPACE_MARK, " "), spaces=True) if self.spaces else text


def _without_rare(texts: Sequence[str], min_count: int) -> Iterator[str]:
    """The texts cut at characters rarer than ``min_count``, so that no piece can hold one."""
    counts = Counter(ch for text in texts for ch in text)
    if not counts:
        raise DataError("a tokenizer cannot be trained: the training texts are empty")
    rare = "".join(ch for ch, count in counts.items() if count < min_count)
    cut = re.compile(f"[{re.escape(rare)}]" if rare else r"(?!)")
    return (part for text in texts for part in cut.split(text) if part)


def _training_fault(message: str, config: TokenizerConfig) -> str:
    if "required_chars" in message:
        return (
            f"tokenizer vocab_size {config.vocab_size} is smaller than the number of distinct "
            "characters: raise vocab_size, or raise min_count so that rare ones become unknown"
        )
    return f"SentencePiece cannot train {config.algorithm} on these texts: {message}"
