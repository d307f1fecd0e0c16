"""Dropout whose masks cost little on a CPU.

PyTorch draws one number after the other for every element, on one thread: a quarter of a
Conformer's training time here (docs/experiments.md, "The training engine"). The surprising
choice: eight elements share one random word, a byte each, so that p is rounded to 1/256.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from malgwi.errors import ConfigError


class Dropout(nn.Module):
    """Sets elements to zero while training and scales the others up (Srivastava et al. 2014).

    Args:
        p: Probability of zero; on a CPU the nearest multiple of 1/256, which is also what the
            scale is computed from, so that the expectation stays.

    Raises:
        ConfigError: ``p`` is not from 0 to below 1.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ConfigError(f"dropout is {p}, want 0 to below 1")
        self.p = p
        self.strength = 1.0
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        p = self.strength * self.p
        if not self.training or p == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, p)
        bound = min(255, round(256 * p))
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64)
        words.random_(-(2**63), None, generator=self.generator)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= bound
        return x * kept.to(x.dtype).mul_(256 / (256 - bound))

    def extra_repr(self) -> str:
        """What print shows."""
        return f"p={self.p}"


def set_dropout(
    model: nn.Module, *, strength: float = 1.0, generator: torch.Generator | None = None
) -> None:
    """Let every `Dropout` of a model drop a share of what it is set to, by its own chance.

    Args:
        model: Any.
        strength: That share, from 0 to 1.
        generator: Source of chance on a CPU; None is torch's own.
    """
    for module in model.modules():
        if isinstance(module, Dropout):
            module.strength, module.generator = strength, generator
