"""Fronts that turn full-rate features into fewer, wider frames, exact under padding.

On a CPU the front decides the price: convolutions with many channels at full rate cost more than
all layers behind them, stacking costs nothing.

Shapes: B batch, T frames, S frames after, D features, E width, C channels.
"""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from malgwi.errors import ConfigError
from malgwi.nn.recurrent import length_mask


@dataclass(frozen=True, kw_only=True)
class SubsamplingConfig:
    """How frames become fewer.

    Attributes:
        kind: ``stack`` joins neighbouring frames; ``conv`` is the Conformer's: 3 × 3
            convolutions of stride 2 (Gulati et al. 2020, §2; two of them); ``separable`` is
            FastConformer's: the same, each after the first split into depthwise and pointwise
            (arXiv 2305.05084, §2.1; three of them, 256 channels).
        factor: Frames that become one; a power of two for the convolutions.
        channels: Of the convolutions.
    """

    kind: Literal["stack", "conv", "separable"] = "stack"
    factor: int = 8
    channels: int = 256

    def __post_init__(self) -> None:
        power = self.factor > 1 and self.factor & (self.factor - 1) == 0
        if self.factor < 1 or (self.kind != "stack" and not power):
            raise ConfigError(
                f"model.front.factor is {self.factor}: want a positive number, for convolutions "
                "a power of two"
            )


class Subsampling(nn.Module):
    """Features [B, T, D] → [B, S, E], S = ⌈T / factor⌉.

    Args:
        inputs: D.
        outputs: E.
        config: See there.
    """

    def __init__(self, inputs: int, outputs: int, config: SubsamplingConfig) -> None:
        super().__init__()
        self.config = config
        self.convs = nn.ModuleList()
        width = inputs * config.factor
        if config.kind != "stack":
            before, bins, channels = 1, inputs, config.channels
            for _ in range(config.factor.bit_length() - 1):
                separable = config.kind == "separable" and before > 1
                self.convs.append(_halving(before, channels, separable=separable))
                before, bins = channels, (bins + 1) // 2
            width = channels * bins
        self.projection = nn.Linear(width, outputs)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, T, D] (zero past its lengths), lengths [B] → [B, S, E], lengths [B]."""
        if self.config.kind == "stack":
            x, lengths = join_frames(x, lengths, self.config.factor)
        else:
            x = x[:, None]
            for conv in self.convs:
                x, lengths = F.relu(conv(x)), (lengths + 1) // 2
                x = x * length_mask(lengths, x.shape[2])[:, None, :, None]
            x = x.transpose(1, 2).flatten(2)
        projected: Tensor = self.projection(x)
        return projected, lengths


def _halving(before: int, channels: int, *, separable: bool) -> nn.Module:
    """A 3 × 3 convolution of stride 2 both ways: [B, C, T, D] → [B, C, ⌈T/2⌉, ⌈D/2⌉]."""
    if not separable:
        return nn.Conv2d(before, channels, 3, 2, 1)
    return nn.Sequential(
        nn.Conv2d(before, channels, 3, 2, 1, groups=before), nn.Conv2d(channels, channels, 1)
    )


def join_frames(x: Tensor, lengths: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Join ``count`` neighbouring frames: [B, T, D] → [B, ⌈T/count⌉, count·D]; the last is padded.

    >>> import torch
    >>> x, n = join_frames(torch.arange(3.0).view(1, 3, 1), torch.tensor([3]), 2)
    >>> x.tolist(), n.tolist()
    ([[[0.0, 1.0], [2.0, 0.0]]], [2])
    """
    batch, frames, width = x.shape
    x = F.pad(x, (0, 0, 0, -frames % count))
    return x.reshape(batch, -1, width * count), (lengths + count - 1) // count
