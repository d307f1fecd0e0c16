"""Norms of pretrained encoders, exact under padding.

Baevski et al. 2020 (arXiv 2006.11477, §2) normalise the first convolution's output over time, each
channel by itself. The surprising choice: padding does not count. In the library it does, so what an
utterance yields depends on the longest of its batch; the batch norm before the positions of some
HuBERT models likewise turns silence past the end into something that the next convolution hears.

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


class SteadyNorm(nn.Module):
    """BatchNorm by the statistics that it came with, zero past each utterance's end.

    Args:
        norm: The library's, whose parameters it shares, under the same names.

    Attributes:
        lengths: [B] frames of the utterances that come next.
    """

    lengths: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, norm: nn.BatchNorm1d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        self.register_buffer("running_mean", norm.running_mean)
        self.register_buffer("running_var", norm.running_var)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, T] → normalised, 0 past each utterance's end."""
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        normalized = (x.float() - self.running_mean[:, None]) * scale[:, None] + self.bias[:, None]
        return normalized * length_mask(self.lengths, x.shape[2])[:, None]
