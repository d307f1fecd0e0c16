"""A small LanguageModel to prove decoders with, and what every LanguageModel must hold to."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from malgwi.types import LanguageModel

Ints = NDArray[np.int64]


class RandomTrigram:
    """log P(token | the last two), random; a share of the tokens is ``impossible``."""

    def __init__(
        self, *, seed: int, vocabulary_size: int, sharpness: float = 1.5, impossible: float = 0.0
    ) -> None:
        g = torch.Generator().manual_seed(seed)
        V = self.vocabulary_size = vocabulary_size
        logits = sharpness * torch.randn((V + 1) ** 2, V, generator=g)
        logits[torch.rand(logits.shape, generator=g) < impossible] = -torch.inf
        logits[:, 2] = 0.0  # a text can always end
        self.table: NDArray[np.float32] = logits.log_softmax(-1).numpy()

    def start(self, rows: int) -> Ints:
        return np.full((rows, 2), self.vocabulary_size)

    def score(self, state: Ints) -> NDArray[np.float32]:
        return self.table[state[:, 0] * (self.vocabulary_size + 1) + state[:, 1]]

    def advance(self, state: Ints, rows: Ints, tokens: Ints) -> Ints:
        before = state[rows]
        after = np.stack([before[:, 1], tokens], axis=1)
        return np.where(tokens[:, None] < 0, before, after)

    def contexts(self, state: Ints) -> NDArray[np.uint64]:
        return (state[:, 0] * (self.vocabulary_size + 1) + state[:, 1]).astype(np.uint64)


def score_of(model: LanguageModel, tokens: Sequence[int], end_id: int) -> float:
    """What the model adds to a finished string, one token after the other."""
    state, total = model.start(1), 0.0
    for token in tokens:
        total += float(model.score(state)[0, token])
        state = model.advance(state, np.array([0]), np.array([token]))
    return total + float(model.score(state)[0, end_id])


def check_language_model(model: LanguageModel, tokens: Sequence[int]) -> None:
    """Rows are independent, a negative token copies its row, states are left alone, and rows of
    one context are scored alike for good.
    """
    start, alone = model.start(3), model.start(1)
    state, first = start, model.score(start)
    assert first.shape == (3, model.vocabulary_size)
    assert first.dtype == np.float32
    for token in tokens:
        state = model.advance(state, np.arange(3), np.array([-1, token, -1]))
        alone = model.advance(alone, np.array([0]), np.array([token]))
        scores = model.score(state)
        np.testing.assert_allclose(scores[1], model.score(alone)[0], 1.3e-6, 1e-5)
        np.testing.assert_allclose(scores[[0, 2]], first[:2], 1.3e-6, 1e-5)
        swapped = model.advance(state, np.array([1, 0]), np.array([-1, -1]))
        np.testing.assert_allclose(model.score(swapped), scores[[1, 0]], 1.3e-6, 1e-5)
        np.testing.assert_array_equal(model.score(start), first)
    numbers = model.contexts(state)
    if numbers is not None:
        assert numbers.shape == (3,)
        assert numbers.dtype == np.uint64
        assert numbers[0] == numbers[2]
    check_contexts(model, tokens)


def check_contexts(model: LanguageModel, tokens: Sequence[int]) -> int:
    """Texts of one context number are scored alike, now and after each token: how many pairs."""
    texts = [tuple(tokens[a:b]) for a in range(len(tokens)) for b in range(a, len(tokens) + 1)]
    state = model.start(len(texts))
    for at in range(len(tokens)):
        grown = np.array([text[at] if at < len(text) else -1 for text in texts])
        state = model.advance(state, np.arange(len(texts)), grown)
    numbers = model.contexts(state)
    if numbers is None:
        return 0
    pairs = [
        (a, b)
        for a in range(len(texts))
        for b in range(a)
        if numbers[a] == numbers[b] and texts[a] != texts[b]
    ]
    for token in (None, *tokens):
        if token is not None:
            state = model.advance(state, np.arange(len(texts)), np.full(len(texts), token))
        scores = model.score(state)
        for a, b in pairs:
            np.testing.assert_array_equal(scores[a], scores[b])
    return len(pairs)
