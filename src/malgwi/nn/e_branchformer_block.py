"""The E-Branchformer's block: attention and a gated convolution side by side, merged by another.

Kim et al. 2022 (arXiv 2210.00077), §3, with its half-step feed-forward modules; the local branch is
Branchformer's (Peng et al. 2022, 2207.02971, §3.2). Attention and feed-forward are the Conformer's
here, so that a comparison is of how near and far are joined. Convolutions see zeros past an
utterance's end.

Shapes: B batch, S frames, E width, K kernel, G width of the gated branch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from malgwi.nn.conformer_block import (
    ConformerEncoderConfig,
    FeedForward,
    RelativeAttention,
    depthwise,
    over_time,
)
from malgwi.nn.dropout import Dropout


class EBranchformerBlock(nn.Module):
    """½ feed-forward, both branches and their merger, ½ feed-forward, norm (figure 1)."""

    def __init__(self, config: ConformerEncoderConfig) -> None:
        super().__init__()
        self.before = FeedForward(config)
        self.attention = RelativeAttention(config)
        self.gated = ConvolutionalGating(config)
        self.merge = Merger(config)
        self.after = FeedForward(config)
        self.norm = nn.LayerNorm(config.units)

    def forward(self, x: Tensor, lengths: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """x [B, S, E], mask [B, S], positions [2S − 1, E] → [B, S, E]."""
        x = x + 0.5 * self.before(x)
        x = x + self.merge(self.attention(x, mask, positions), self.gated(x, mask), mask)
        x = x + 0.5 * self.after(x)
        normalised: Tensor = self.norm(x)
        return normalised


class ConvolutionalGating(nn.Module):
    """Norm, wide layer, half of it gated by its neighbourhood in the other half, narrow layer.

    The gate begins at 1 and is learned from there (Liu et al. 2021, arXiv 2105.08050, §2.1).
    """

    def __init__(self, config: ConformerEncoderConfig) -> None:
        super().__init__()
        units, wide = config.units, config.units * config.expansion
        self.norm, self.gate_norm = nn.LayerNorm(units), nn.LayerNorm(wide // 2)
        self.widen, self.narrow = nn.Linear(units, wide), nn.Linear(wide // 2, units)
        self.depthwise = depthwise(wide // 2, config.kernel)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, S, E], mask [B, S] → [B, S, E]."""
        x, gate = F.gelu(self.widen(self.norm(x))).chunk(2, dim=-1)
        gate = self.gate_norm(gate) * mask[..., None]
        x = x * (1.0 + over_time(self.depthwise, gate))
        found: Tensor = self.dropout(self.narrow(self.dropout(x)))
        return found


class Merger(nn.Module):
    """Both branches, each frame's with its neighbours', in one (§3.1)."""

    def __init__(self, config: ConformerEncoderConfig) -> None:
        super().__init__()
        self.depthwise = depthwise(2 * config.units, config.kernel)
        self.narrow = nn.Linear(2 * config.units, config.units)
        self.dropout = Dropout(config.dropout)

    def forward(self, far: Tensor, near: Tensor, mask: Tensor) -> Tensor:
        """far, near [B, S, E], mask [B, S] → what to add: [B, S, E]."""
        both = torch.cat([far, near], dim=-1) * mask[..., None]
        added: Tensor = self.dropout(self.narrow(both + over_time(self.depthwise, both)))
        return added
