"""The Conformer's block: attention for the whole, convolution for the near, between half steps.

Gulati et al. 2020 (arXiv 2005.08100), §2. Attention is written out, since
``nn.MultiheadAttention`` bakes shapes into exports, and masks frames that do not exist;
convolutions see zeros past an utterance's end; norms are by layer or over valid frames. What an
utterance gets outside training is therefore what it would get alone.

Shapes: B batch, S frames, E width, H heads, K kernel.
"""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from malgwi.errors import ConfigError
from malgwi.nn.dropout import Dropout
from malgwi.nn.sequence_norm import SequenceNorm


@dataclass(frozen=True, kw_only=True)
class ConformerEncoderConfig:
    """Sizes (the paper's Table 1).

    Attributes:
        layers: Blocks.
        units: E.
        heads: Of the attention; they divide E.
        block: ``conformer``, attention before convolution (`ConformerBlock`), or
            ``e_branchformer``, both side by side (`malgwi.nn.e_branchformer_block`).
        kernel: Frames that a depthwise convolution sees, K; odd, so that it has a middle.
        expansion: Width of the feed-forward modules, and of the gated one, over E.
        conv_norm: Inside the Conformer's convolution module: ``batch`` (the paper; over valid
            frames) or ``layer``, which does not care how a batch is made up, nor how small it is.
        dropout: On what each module adds, and on attention.
    """

    layers: int = 16
    units: int = 144
    heads: int = 4
    block: Literal["conformer", "e_branchformer"] = "conformer"
    kernel: int = 31
    expansion: int = 4
    conv_norm: Literal["batch", "layer"] = "batch"
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.units % self.heads or self.units % 2:
            raise ConfigError(
                f"model.encoder.units is {self.units}: it must be even and divisible by the "
                f"{self.heads} heads"
            )
        if self.kernel % 2 == 0:
            raise ConfigError(f"model.encoder.kernel is {self.kernel}: it must be odd")


class ConformerBlock(nn.Module):
    """½ feed-forward, attention, convolution, ½ feed-forward, norm (§2.4)."""

    def __init__(self, config: ConformerEncoderConfig) -> None:
        super().__init__()
        self.before = FeedForward(config)
        self.attention = RelativeAttention(config)
        self.convolution = ConvolutionModule(config)
        self.after = FeedForward(config)
        self.norm = nn.LayerNorm(config.units)

    def forward(self, x: Tensor, lengths: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """x [B, S, E], mask [B, S], positions [2S − 1, E] → [B, S, E]."""
        x = x + 0.5 * self.before(x)
        x = x + self.attention(x, mask, positions)
        x = x + self.convolution(x, lengths, mask)
        x = x + 0.5 * self.after(x)
        normalised: Tensor = self.norm(x)
        return normalised


class FeedForward(nn.Module):
    """Norm, wide layer, swish, narrow layer (§2.3)."""

    def __init__(self, config: ConformerEncoderConfig) -> None:
        super().__init__()
        units, wide = config.units, config.units * config.expansion
        self.norm = nn.LayerNorm(units)
        self.widen, self.narrow = nn.Linear(units, wide), nn.Linear(wide, units)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, S, E] → what to add to it."""
        x = self.dropout(F.silu(self.widen(self.norm(x))))
        added: Tensor = self.dropout(self.narrow(x))
        return added


class RelativeAttention(nn.Module):
    """Attention that knows how far apart two frames are (§2.1; Dai et al. 2019, arXiv 1901.02860).

    The energy of query i and key j is (q_i + u)·k_j + (q_i + v)·p_{i−j}: by content, by distance.
    """

    def __init__(self, config: ConformerEncoderConfig) -> None:
        super().__init__()
        units, self.heads = config.units, config.heads
        self.norm = nn.LayerNorm(units)
        self.query, self.key, self.value = (nn.Linear(units, units) for _ in range(3))
        self.distance = nn.Linear(units, units, bias=False)
        self.merge = nn.Linear(units, units)
        self.content_bias = nn.Parameter(torch.zeros(self.heads, 1, units // self.heads))
        self.distance_bias = nn.Parameter(torch.zeros(self.heads, 1, units // self.heads))
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """x [B, S, E], mask [B, S], positions [2S − 1, E] of distances S − 1 … 1 − S → to add."""
        x = self.norm(x)
        query, key, value = (self._split(part(x)) for part in (self.query, self.key, self.value))
        distance = self._split(self.distance(positions)[None])
        by_content = (query + self.content_bias) @ key.transpose(-1, -2)
        by_distance = (query + self.distance_bias) @ distance.transpose(-1, -2)
        energies = (by_content + from_distances(by_distance)).float() * query.shape[-1] ** -0.5
        weights = energies.masked_fill(~mask[:, None, None, :], -torch.inf).softmax(-1)
        context = self.dropout(weights).to(value.dtype) @ value
        added: Tensor = self.dropout(self.merge(context.transpose(1, 2).flatten(2)))
        return added

    def _split(self, x: Tensor) -> Tensor:
        """[B, S, E] → [B, H, S, E / H]."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


def from_distances(scores: Tensor) -> Tensor:
    """Scores by distance [B, H, S, 2S − 1], S − 1 … 1 − S, by pair of places: [B, H, S, S].

    >>> from_distances(torch.tensor([[1.0, 0.0, -1.0]] * 2)[None, None]).tolist()
    [[[[0.0, -1.0], [1.0, 0.0]]]]
    """
    batch, heads, frames, distances = scores.shape
    padded = F.pad(scores, (1, 0))  # rows one longer than they are read: each begins one later
    shifted = padded.flatten(2)[..., frames:].reshape(batch, heads, frames, distances)
    return shifted[..., :frames]


class ConvolutionModule(nn.Module):
    """Norm, gated pointwise, depthwise over time, norm, swish, pointwise (§2.2)."""

    def __init__(self, config: ConformerEncoderConfig) -> None:
        super().__init__()
        units = config.units
        self.norm = nn.LayerNorm(units)
        self.gated = nn.Linear(units, 2 * units)
        self.depthwise = depthwise(units, config.kernel)
        self.batch_norm = SequenceNorm(units) if config.conv_norm == "batch" else None
        self.layer_norm = nn.LayerNorm(units) if config.conv_norm == "layer" else None
        self.pointwise = nn.Linear(units, units)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        """x [B, S, E], lengths [B], mask [B, S] → what to add to it."""
        x = F.glu(self.gated(self.norm(x)), dim=-1) * mask[..., None]
        x = over_time(self.depthwise, x)
        if self.batch_norm is not None:
            x = self.batch_norm(x, lengths)
        if self.layer_norm is not None:
            x = self.layer_norm(x)
        added: Tensor = self.dropout(self.pointwise(F.silu(x)))
        return added


def depthwise(channels: int, kernel: int) -> nn.Conv1d:
    """A convolution of each channel by itself, as many frames out as in."""
    return nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels)


def over_time(convolution: nn.Conv1d, x: Tensor) -> Tensor:
    """Convolve x [B, S, channels] along its frames."""
    convolved: Tensor = convolution(x.transpose(1, 2)).transpose(1, 2)
    return convolved
