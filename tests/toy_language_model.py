"""A small LanguageModel to prove decoders with, and what every LanguageModel must hold to."""

from collections.abc import Sequence

import torch
from torch import Tensor

from malgwi.types import LanguageModel


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
        self.table = logits.log_softmax(-1)

    def start(self, rows: int) -> Tensor:
        return torch.full((rows, 2), self.vocabulary_size)

    def score(self, state: Tensor) -> Tensor:
        return self.table[state[:, 0] * (self.vocabulary_size + 1) + state[:, 1]]

    def advance(self, state: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
        before = state[rows]
        after = torch.stack([before[:, 1], tokens], dim=1)
        return torch.where(tokens[:, None] < 0, before, after)


def score_of(model: LanguageModel, tokens: Sequence[int], end_id: int) -> float:
    """What the model adds to a finished string, one token after the other."""
    state, total = model.start(1), 0.0
    for token in tokens:
        total += float(model.score(state)[0, token])
        state = model.advance(state, torch.tensor([0]), torch.tensor([token]))
    return total + float(model.score(state)[0, end_id])


def check_language_model(model: LanguageModel, tokens: Sequence[int]) -> None:
    """Rows are independent, a negative token copies its row, and states are left alone."""
    start, alone = model.start(3), model.start(1)
    state, first = start, model.score(start)
    assert first.shape == (3, model.vocabulary_size)
    assert first.dtype == torch.float32
    for token in tokens:
        state = model.advance(state, torch.arange(3), torch.tensor([-1, token, -1]))
        alone = model.advance(alone, torch.tensor([0]), torch.tensor([token]))
        scores = model.score(state)
        torch.testing.assert_close(scores[1], model.score(alone)[0], equal_nan=True)
        torch.testing.assert_close(scores[[0, 2]], first[:2], equal_nan=True)
        swapped = model.advance(state, torch.tensor([1, 0]), torch.tensor([-1, -1]))
        torch.testing.assert_close(model.score(swapped), scores[[1, 0]], equal_nan=True)
        torch.testing.assert_close(model.score(start), first, equal_nan=True)
