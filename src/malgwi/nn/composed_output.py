"""Output layer whose syllable scores are composed of initial, medial and final.

A Hangul syllable's weight vector is the sum of the vectors of its three letters and a residual of
its own: 갈, 길 and 각 then learn from each other, which matters when most syllables are rare.
With an all-(-1) table it is an ordinary linear layer.

Shapes: D features, V vocabulary.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_PARTS = (19, 21, 28)  # initials, medials, finals of the Hangul block; index 0 of finals is "none"


class ComposedOutput(nn.Module):
    """Linear layer D → V with weights shared between syllables through their letters.

    Args:
        inputs: D.
        letters: For each of the V units its (initial, medial, final) indices, or (-1, -1, -1) for
            a unit that is no syllable; None for V units without structure.
        size: V.
    """

    def __init__(
        self, inputs: int, size: int, letters: Sequence[tuple[int, int, int]] | None = None
    ) -> None:
        super().__init__()
        self.residual = nn.Linear(inputs, size)
        self.parts = nn.ParameterList()
        if letters is None or all(row[0] < 0 for row in letters):
            return
        self.parts.extend(nn.Parameter(torch.zeros(n + 1, inputs)) for n in _PARTS)
        self.register_buffer("letters", torch.tensor(letters, dtype=torch.long), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [..., D] → scores [..., V]."""
        weight = self.residual.weight
        for column, part in enumerate(self.parts):
            # index -1 is the last row: the vector that all units without letters share
            index = self.get_buffer("letters")[:, column] % part.shape[0]
            weight = weight + F.embedding(index, part)
        return F.linear(x, weight, self.residual.bias)
