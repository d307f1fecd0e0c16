"""A language model beside a search that runs in torch: numpy on its side, tensors on the other.

Shapes: N rows, V vocabulary.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from malgwi.types import LanguageModel


@dataclass(frozen=True)
class TensorText:
    """Where each of N rows stands in a language model.

    Attributes:
        model: What is asked.
        state: Its own.
        device: Of the search.
    """

    model: LanguageModel
    state: Any
    device: torch.device

    @staticmethod
    def begin(model: LanguageModel, rows: int, device: torch.device) -> "TensorText":
        """The beginning of a text, ``rows`` times."""
        return TensorText(model, model.start(rows), device)

    def score(self) -> Tensor:
        """What the model says of every next token: [N, V] float32, the caller's own."""
        return torch.tensor(self.model.score(self.state), device=self.device)

    def advance(self, rows: Tensor, tokens: Tensor) -> "TensorText":
        """Row i is row ``rows[i]`` followed by ``tokens[i]``; a negative token adds nothing."""
        after = self.model.advance(self.state, rows.cpu().numpy(), tokens.cpu().numpy())
        return replace(self, state=after)
