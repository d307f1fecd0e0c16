"""Blocks one after the other over subsampled frames: the encoder of a Conformer and its kin.

Gulati et al. 2020 (arXiv 2005.08100), §2. Positions are distances, the same for all blocks.

Shapes: B batch, S frames, E width.
"""

import torch
from torch import Tensor, nn

from malgwi.nn.conformer_block import ConformerBlock, ConformerEncoderConfig
from malgwi.nn.dropout import Dropout
from malgwi.nn.e_branchformer_block import EBranchformerBlock
from malgwi.nn.positions import sinusoids
from malgwi.nn.recurrent import length_mask


class ConformerEncoder(nn.Module):
    """Blocks over subsampled frames [B, S, E].

    Args:
        config: Sizes.
    """

    def __init__(self, config: ConformerEncoderConfig) -> None:
        super().__init__()
        self.config = config
        block = EBranchformerBlock if config.block == "e_branchformer" else ConformerBlock
        self.blocks = nn.ModuleList(block(config) for _ in range(config.layers))
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """x [B, S, E], lengths [B] → [B, S, E], zero in the padding."""
        frames = x.shape[1]
        mask = length_mask(lengths, frames)
        distances = torch.arange(frames - 1, -frames, -1, device=x.device)
        positions = sinusoids(distances, self.config.units).to(x.dtype)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, lengths, mask, positions)
        return x * mask[..., None]
