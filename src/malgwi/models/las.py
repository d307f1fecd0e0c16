"""Listen, Attend and Spell (Chan et al., arXiv 1508.01211), with its later variants by setting.

The listener turns frames into a shorter sequence, the speller (`malgwi.nn.speller`) writes one unit
at a time while attending to it. The surprising choice: the sequence may be shortened anywhere, by
the paper's pyramid, by convolutions or once at the start, since that decides what a CPU can train.

Shapes: B batch, T frames, S encoder frames, U tokens, V vocabulary, D features,
E encoder width, Q speller units, N rows (B × beams).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from malgwi.errors import ConfigError
from malgwi.nn.acoustic_model import AcousticModel, Encoded, Writer
from malgwi.nn.composed_output import ComposedOutput
from malgwi.nn.recurrent import Cell, RecurrentLayer, length_mask
from malgwi.nn.speller import Speller, SpellerConfig, SpellerScorer

#: With the speller's settings, which are a part of the model's.
__all__ = ["LAS", "LASConfig", "LASOutput", "Listener", "ListenerConfig", "SpellerConfig"]


@dataclass(frozen=True, kw_only=True)
class ListenerConfig:
    """The encoder.

    Attributes:
        front: What shortens the sequence. ``pyramid``: every recurrent layer but the first joins
            two frames (the paper, §3.1). ``conv``: two strided convolutions before the layers
            (Deep Speech 2's; the organisers', the team's, ClovaCall's). ``stack``: ``stack``
            neighbouring frames are joined once, at the start (cheap: no layer sees full rate).
        stack: Frames joined by ``stack``.
        conv_channels: Channels of both convolutions.
        conv_time_strides: Their strides in time; in frequency both are 2.
        cell: Recurrent cell.
        layers: Recurrent layers.
        units: Units a direction.
        bidirectional: Whether the layers read both ways.
        layer_norm: Normalise the output of every recurrent layer (Ba et al. 2016): a CTC listener
            then leaves its plateau of blanks much sooner.
        dropout: On the input of every recurrent layer but the first, and on the output.
    """

    front: Literal["pyramid", "conv", "stack"] = "pyramid"
    stack: int = 8
    conv_channels: int = 32
    conv_time_strides: tuple[int, int] = (2, 1)
    cell: Cell = "lstm"
    layers: int = 4
    units: int = 256
    bidirectional: bool = True
    layer_norm: bool = False
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LASConfig:
    """The whole model.

    Attributes:
        listener: The encoder.
        speller: The decoder.
        ctc: Whether the listener also carries a CTC output (joint training and decoding;
            Watanabe et al. 2017).
        composed_output: Whether syllable scores are composed of initial, medial and final.
        kind: Listen, Attend and Spell.
    """

    listener: ListenerConfig = field(default_factory=ListenerConfig)
    speller: SpellerConfig = field(default_factory=SpellerConfig)
    ctc: bool = False
    composed_output: bool = False
    kind: Literal["las"] = "las"

    @property
    def writer(self) -> Writer:
        """The speller."""
        return "attention"


class LASOutput(NamedTuple):
    """Training outputs: logits [B, U + 1, V], attention [B, U + 1, S] and what was encoded."""

    logits: Tensor
    attention: Tensor
    encoded: Encoded


class Listener(nn.Module):
    """Features [B, T, D] → memory [B, S, E] and lengths [B]."""

    def __init__(self, inputs: int, config: ListenerConfig) -> None:
        super().__init__()
        self.config = config
        if config.front == "conv":
            self.conv = ConvPair(inputs, config.conv_channels, config.conv_time_strides)
            width = self.conv.outputs
        else:
            width = inputs * (config.stack if config.front == "stack" else 1)
        self.layers = nn.ModuleList()
        for index in range(config.layers):
            if config.front == "pyramid" and index > 0:
                width *= 2
            layer = RecurrentLayer(
                width, config.units, cell=config.cell, bidirectional=config.bidirectional
            )
            self.layers.append(layer)
            width = layer.outputs
        norms = config.layers if config.layer_norm else 0
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(norms))
        self.dropout = nn.Dropout(config.dropout)
        self.outputs = width

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, T, D], lengths [B] → memory [B, S, E], lengths [B]."""
        if self.config.front == "conv":
            x, lengths = self.conv(x, lengths)
        elif self.config.front == "stack":
            x, lengths = join_frames(x, lengths, self.config.stack)
        for index, layer in enumerate(self.layers):
            if index > 0:
                x = self.dropout(x)
                if self.config.front == "pyramid":
                    x, lengths = join_frames(x, lengths, 2)
            x = layer(x, lengths)
            if self.config.layer_norm:
                x = self.norms[index](x)
        return self.dropout(x), lengths


class ConvPair(nn.Module):
    """Convolutions 41 × 11 and 21 × 11 (frequency × time), each BatchNorm and Hardtanh(0, 20)."""

    def __init__(self, inputs: int, channels: int, time_strides: tuple[int, int]) -> None:
        super().__init__()
        self.time_strides = time_strides
        first, second = time_strides
        self.conv1 = nn.Conv2d(1, channels, (41, 11), (2, first), (20, 5), bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, (21, 11), (2, second), (10, 5), bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.outputs = channels * (((inputs + 1) // 2 + 1) // 2)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, T, D] → [B, S, C·D/4]; what lies in the padding is zeroed after each layer."""
        x = x.transpose(1, 2)[:, None]  # [B, 1, D, T]
        layers = ((self.conv1, self.norm1), (self.conv2, self.norm2))
        for stride, (conv, norm) in zip(self.time_strides, layers, strict=True):
            x = F.hardtanh(norm(conv(x)), 0.0, 20.0)
            lengths = (lengths + stride - 1) // stride
            x = x * length_mask(lengths, x.shape[3])[:, None, None, :]
        return x.flatten(1, 2).transpose(1, 2), lengths


def join_frames(x: Tensor, lengths: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Join ``count`` neighbouring frames: [B, T, D] → [B, ⌈T/count⌉, count·D]; the last is padded.

    >>> x, n = join_frames(torch.arange(3.0).view(1, 3, 1), torch.tensor([3]), 2)
    >>> x.tolist(), n.tolist()
    ([[[0.0, 1.0], [2.0, 0.0]]], [2])
    """
    batch, frames, width = x.shape
    x = F.pad(x, (0, 0, 0, -frames % count))
    return x.reshape(batch, -1, width * count), (lengths + count - 1) // count


class LAS(AcousticModel):
    """Listener and speller, optionally with a CTC output on the listener.

    Args:
        inputs: D, width of the features.
        size: V.
        config: Sizes and variants.
        letters: (initial, medial, final) of every unit, for ``composed_output``.
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        config: LASConfig,
        letters: Sequence[tuple[int, int, int]] | None = None,
    ) -> None:
        super().__init__()
        if config.composed_output and letters is None:
            raise ConfigError("composed_output needs a tokenizer of syllables (letters missing)")
        letters = letters if config.composed_output else None
        self.config, self.size = config, size
        self.listener = Listener(inputs, config.listener)
        self.speller = Speller(self.listener.outputs, size, config.speller, letters)
        self.ctc = ComposedOutput(self.listener.outputs, size, letters) if config.ctc else None

    def encode(self, features: Tensor, lengths: Tensor) -> Encoded:
        """features [B, T, D], lengths [B] → what the listener heard."""
        memory, memory_lengths = self.listener(features, lengths)
        log_probs = None if self.ctc is None else self.ctc(memory).float().log_softmax(-1)
        return Encoded(memory, memory_lengths, log_probs)

    def forward(
        self,
        features: Tensor,
        lengths: Tensor,
        tokens: Tensor,
        sampling: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> LASOutput:
        """Encode and write at once, with the attention: tokens [B, U + 1] begin with the start."""
        encoded = self.encode(features, lengths)
        logits, attention = self.speller(
            tokens, encoded.memory, encoded.lengths, sampling, generator
        )
        return LASOutput(logits, attention, encoded)

    def write(
        self,
        tokens: Tensor,
        encoded: Encoded,
        sampling: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The speller, teacher-forced: logits [B, U + 1, V]."""
        memory, lengths = encoded.memory, encoded.lengths
        logits: Tensor = self.speller(tokens, memory, lengths, sampling, generator)[0]
        return logits

    def scorer(self, encoded: Encoded) -> SpellerScorer:
        """The model as a beam search sees it, for one encoded batch."""
        return self.speller.scorer(encoded.memory, encoded.lengths)
