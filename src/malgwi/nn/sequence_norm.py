"""Batch normalisation of sequences: statistics over the frames that exist, and over no others.

Ordinary BatchNorm counts padding, so its statistics move with how a batch was put together. Here
one mean and variance a channel are taken over all frames of all utterances within their lengths,
which is what Deep Speech 2 calls sequence-wise normalisation (arXiv 1512.02595, §3.2).

Shapes: B batch, T frames, C channels.
"""

import torch
from torch import Tensor, nn

from malgwi.nn.recurrent import length_mask


class SequenceNorm(nn.Module):
    """BatchNorm over the valid frames of [B, T, …, C] (Ioffe & Szegedy 2015).

    Args:
        channels: C, the last axis.
        momentum: Share of the running averages, which are what is used outside training, that
            each batch replaces.
        eps: Added to the variance.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """x [B, T, …, C], lengths [B] → the same shape; what lies in the padding has no meaning."""
        if self.training:
            mean, variance = self._measured(x, lengths)
        else:
            mean, variance = self.running_mean, self.running_var
        scale = self.weight * (variance + self.eps).rsqrt()
        normalised = (x.float() - mean) * scale + self.bias
        return normalised.to(x.dtype)

    def _measured(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The batch's mean and variance [C], noted in the running averages."""
        frames = x[length_mask(lengths, x.shape[1])].float().flatten(0, -2)
        mean, variance = frames.mean(0), frames.var(0, unbiased=False)
        with torch.no_grad():
            unbiased = variance * (len(frames) / max(1, len(frames) - 1))
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
        return mean, variance
