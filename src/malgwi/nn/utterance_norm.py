"""The group norm of small wav2vec 2.0 models, exact under padding.

Baevski et al. 2020 (arXiv 2006.11477, §2) normalise the first convolution's output over time, each
channel by itself. The surprising choice: padding does not count. In the library it does, so what an
utterance yields depends on the longest of its batch.

Shapes: B batch, C channels, T frames.
"""

import torch
from torch import Tensor, nn

from malgwi.nn.recurrent import length_mask


class UtteranceNorm(nn.Module):
    """GroupNorm of one channel a group, over each utterance's own frames.

    Args:
        norm: The library's, whose parameters it shares, under the same names.

    Attributes:
        lengths: [B] frames of the utterances that come next.
    """

    lengths: Tensor

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        assert norm.num_groups == norm.num_channels
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, T] → normalised, whatever stands past each utterance's end."""
        x = x.float()
        mask = length_mask(self.lengths, x.shape[2])[:, None].to(x.dtype)
        count = self.lengths[:, None, None]
        mean = (x * mask).sum(2, keepdim=True) / count
        variance = ((x - mean) * mask).square().sum(2, keepdim=True) / count
        normalized = (x - mean) * torch.rsqrt(variance + self.eps)
        return normalized * self.weight[:, None] + self.bias[:, None]
