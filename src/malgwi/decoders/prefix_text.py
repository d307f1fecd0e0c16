"""A language model beside a frame-by-frame search, asked only about prefixes that are new.

Most prefixes of a beam outlive a frame unchanged. Their next-token scores stay where they are,
in one of N slots; a new prefix takes a slot that nobody uses any more.

Shapes: B utterances, K beams, N rows (B × K, utterance-major), V vocabulary, W tokens.
"""

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError
from malgwi.types import LanguageModel

Scores = NDArray[np.float32]


class PrefixText:
    """Next-token scores of every row's prefix.

    Args:
        model: What is asked.
        batch: Utterances (B).
        beams: Prefixes of each (K).
        vocabulary_size: Of the search.

    Raises:
        ConfigError: The model's vocabulary is another.
    """

    def __init__(self, model: LanguageModel, batch: int, beams: int, vocabulary_size: int) -> None:
        if model.vocabulary_size != vocabulary_size:
            raise ConfigError(
                f"the language model has {model.vocabulary_size} tokens, the CTC output "
                f"{vocabulary_size}: bind it to the recogniser's own tokenizer"
            )
        self._model, self._shape = model, (batch, beams)
        self._state = model.start(batch * beams)
        first = model.score(model.start(1))
        copied = model.advance(model.start(1), np.array([0]), np.array([-1]))
        same = np.array_equal(first, model.score(copied), equal_nan=True)
        assert same, f"{type(model).__name__}.advance: a negative token must only copy its row"
        self._scores = np.repeat(first, batch * beams, axis=0)  # [N, V], a slot a line
        self._slots = np.arange(batch * beams)
        one = model.contexts(model.start(1))
        self._contexts = None if one is None else np.repeat(one, batch * beams)  # [N], by slot

    def of(self, ids: NDArray[np.int64]) -> Scores:
        """Scores of each row's prefix followed by its utterance's tokens: [B, W] → [B, K, W]."""
        line = self._slots.reshape(self._shape) * self._scores.shape[1]
        scores: Scores = self._scores.take(line[:, :, None] + ids[:, None, :])
        return scores

    def of_one(self, token: int) -> Scores:
        """Scores of one token after every prefix: [B, K]."""
        scores: Scores = self._scores[self._slots, token].reshape(self._shape)
        return scores

    def follow(self, sources: NDArray[np.int64], tokens: NDArray[np.int64]) -> None:
        """The search went on: row i is row ``sources[i]`` and ``tokens[i]``, if that is not −1."""
        rows, tokens = sources.ravel(), tokens.ravel()
        self._state = self._model.advance(self._state, rows, tokens)
        slots, new = self._slots[rows], np.flatnonzero(tokens >= 0)
        if len(new):
            unused = np.ones(len(rows), bool)
            unused[slots[tokens < 0]] = False
            slots[new] = np.flatnonzero(unused)[: len(new)]
            fresh = self._model.advance(self._state, new, np.full_like(new, -1))
            self._scores[slots[new]] = self._model.score(fresh)
            numbers = self._model.contexts(fresh)
            if self._contexts is not None and numbers is not None:
                self._contexts[slots[new]] = numbers
        self._slots = slots

    def contexts(self) -> NDArray[np.uint64] | None:
        """[B, K] numbers: prefixes of one number are scored alike whatever follows."""
        if self._contexts is None:
            return None
        numbers: NDArray[np.uint64] = self._contexts.take(self._slots).reshape(self._shape)
        return numbers
