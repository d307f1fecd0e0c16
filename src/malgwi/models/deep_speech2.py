"""Deep Speech 2 (Amodei et al., arXiv 1512.02595): convolutions, deep recurrence, CTC.

One to three convolutions over time and frequency, up to seven recurrent layers, each with
sequence-wise batch normalisation on what enters it and not on the recurrence, a dense layer. The
form for streaming reads onward only and ends in a row convolution, which looks a few frames ahead.

Shapes: B batch, T frames, S encoder frames, V vocabulary, D features, C channels, H units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from malgwi.errors import ConfigError
from malgwi.nn.acoustic_model import AcousticModel, Encoded
from malgwi.nn.clipped_recurrence import GATES, ClippedCell, SummedRecurrence, clipped_relu
from malgwi.nn.dropout import Dropout
from malgwi.nn.output_layer import Letters, letters_to_compose, output_layer
from malgwi.nn.recurrent import length_mask
from malgwi.nn.sequence_norm import SequenceNorm

#: Frequency × time, of the first, second and third convolution (§3.5); half the bins after each.
KERNELS = ((41, 11), (21, 11), (21, 11))
TIME_STRIDES = (2, 1, 1)


@dataclass(frozen=True, kw_only=True)
class DeepSpeech2Config:
    """Sizes (§3).

    Attributes:
        channels: Of each convolution: one to three of them (§3.5: 32, 32, 96).
        cell: ``rnn`` (clipped ReLU) or ``gru``.
        layers: Recurrent layers, up to 7 in the paper.
        units: H, of every recurrent layer and of the dense one.
        bidirectional: Both directions, summed; or onward only.
        lookahead: Future frames τ that a row convolution adds after the last recurrent layer
            (§3.7); 0 is none. For models that read onward only.
        dropout: Before the dense layer and the output; none in the paper.
        composed_output: Whether syllable scores are composed of initial, medial and final.
        kind: Deep Speech 2.
    """

    channels: tuple[int, ...] = (32, 32, 96)
    cell: ClippedCell = "rnn"
    layers: int = 7
    units: int = 1280
    bidirectional: bool = True
    lookahead: int = 0
    dropout: float = 0.0
    composed_output: bool = False
    kind: Literal["deep_speech2"] = "deep_speech2"

    def __post_init__(self) -> None:
        if not 1 <= len(self.channels) <= len(KERNELS):
            raise ConfigError(f"model.channels is {self.channels}: name one to three convolutions")
        if self.lookahead and self.bidirectional:
            raise ConfigError(
                f"model.lookahead is {self.lookahead}, but a bidirectional model sees the whole "
                "utterance: set model.bidirectional to False"
            )

    @property
    def ctc(self) -> bool:
        """Its only output."""
        return True

    @property
    def writer(self) -> None:
        """Nothing writes unit by unit."""
        return


class DeepSpeech2(AcousticModel):
    """Convolutions, normalised recurrent layers, optional row convolution, dense layer, CTC.

    Args:
        inputs: D, width of the features.
        size: V.
        config: Sizes.
        letters: (initial, medial, final) of every unit, for ``composed_output``.
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        config: DeepSpeech2Config,
        letters: Letters | None = None,
    ) -> None:
        super().__init__()
        self.config, self.size = config, size
        units = config.units
        self.front = ConvFront(inputs, config.channels)
        widths = [self.front.outputs] + [units] * (config.layers - 1)
        self.recurrent = nn.ModuleList(NormalisedLayer(width, config) for width in widths)
        self.row = RowConvolution(units, config.lookahead) if config.lookahead else None
        self.dense = nn.Linear(units, units, bias=False)
        self.norm = SequenceNorm(units)
        self.ctc = output_layer(units, size, letters_to_compose(config.composed_output, letters))
        self.dropout = Dropout(config.dropout)

    def encode(self, features: Tensor, lengths: Tensor) -> Encoded:
        """features [B, T, D] (zero past their lengths), lengths [B] → what was heard."""
        x, lengths = self.front(features, lengths)
        for layer in self.recurrent:
            x = layer(x, lengths)
        if self.row is not None:
            x = self.row(x)
        x = clipped_relu(self.norm(self.dense(self.dropout(x)), lengths))
        x = x * length_mask(lengths, x.shape[1])[..., None]
        log_probs = self.ctc(self.dropout(x)).float().log_softmax(-1)
        return Encoded(x, lengths, log_probs)


class ConvFront(nn.Module):
    """Convolutions over frequency × time, each normalised and clipped (§3.5)."""

    def __init__(self, inputs: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        before, bins = 1, inputs
        for count, (high, wide), stride in zip(channels, KERNELS, TIME_STRIDES, strict=False):
            padding = (high // 2, wide // 2)
            conv = nn.Conv2d(before, count, (high, wide), (2, stride), padding, bias=False)
            self.convs.append(conv)
            self.norms.append(SequenceNorm(count))
            before, bins = count, (bins + 1) // 2
        self.outputs = before * bins

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, T, D] → [B, S, C·D/2ⁿ], lengths; zero in the padding after every layer."""
        x = x.transpose(1, 2)[:, None]  # [B, 1, D, T]
        for conv, norm, stride in zip(self.convs, self.norms, TIME_STRIDES, strict=False):
            x = conv(x)
            lengths = (lengths + stride - 1) // stride
            frames_first = x.permute(0, 3, 2, 1)  # [B, S, bins, C], as the norm wants it
            x = clipped_relu(norm(frames_first, lengths)).permute(0, 3, 2, 1)
            x = x * length_mask(lengths, x.shape[3])[:, None, None, :]
        return x.flatten(1, 2).transpose(1, 2), lengths


class NormalisedLayer(nn.Module):
    """h_t = f(B(W x_t) + U h_{t−1}): the norm acts on the input's share alone (§3.2)."""

    def __init__(self, inputs: int, config: DeepSpeech2Config) -> None:
        super().__init__()
        gates = GATES[config.cell] * config.units
        self.projection = nn.Linear(inputs, gates, bias=False)  # the norm shifts
        self.norm = SequenceNorm(gates)
        self.recurrence = SummedRecurrence(
            config.units, config.cell, bidirectional=config.bidirectional
        )

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """x [B, S, ·], lengths [B] → [B, S, H], zero in the padding."""
        output: Tensor = self.recurrence(self.norm(self.projection(x), lengths), lengths)
        return output


class RowConvolution(nn.Module):
    """r_t = Σ_j w_j ∘ h_{t+j}, j from 0 to τ: each unit sees its own near future (§3.7)."""

    def __init__(self, units: int, lookahead: int) -> None:
        super().__init__()
        self.lookahead = lookahead
        self.conv = nn.Conv1d(units, units, lookahead + 1, groups=units, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, S, H], zero in the padding → [B, S, H]."""
        ahead = F.pad(x.transpose(1, 2), (0, self.lookahead))
        output: Tensor = self.conv(ahead).transpose(1, 2)
        return output
