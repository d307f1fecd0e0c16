"""Listen, Attend and Spell (Chan et al., arXiv 1508.01211), with its later variants by setting.

The listener turns frames into a shorter sequence, the speller writes one unit at a time while
attending to it. The surprising choice: beams and teacher-forced steps share one axis of the
attention (both are "queries of the same utterance"), so memory is never copied per beam.

Shapes: B batch, T frames, S encoder frames, U tokens, V vocabulary, D features,
E encoder width, Q speller units, N rows (B × beams).
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from malgwi.errors import ConfigError
from malgwi.nn.acoustic_model import AcousticModel, Encoded, Writer
from malgwi.nn.attention import ATTENTIONS, Attend, AttentionKind
from malgwi.nn.dropout import Dropout
from malgwi.nn.output_layer import Letters, letters_to_compose, output_layer
from malgwi.nn.recurrent import Cell, RecurrentLayer, length_mask
from malgwi.nn.subsampling import join_frames


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
        conv_kernels: Their sizes, frequency × time; odd. LAS-d-w (arXiv 1904.08779) has 3 × 3.
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
    conv_kernels: tuple[tuple[int, int], tuple[int, int]] = ((41, 11), (21, 11))
    conv_time_strides: tuple[int, int] = (2, 1)
    cell: Cell = "lstm"
    layers: int = 4
    units: int = 256
    bidirectional: bool = True
    layer_norm: bool = False
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SpellerConfig:
    """The decoder.

    Attributes:
        attention: ``content`` (LAS eq. 9: φ(s)·ψ(h)), ``dot``, ``additive`` (Bahdanau 2015),
            ``location`` (Chorowski 2015) or ``multihead`` (Vaswani 2017).
        attention_units: Width in which queries and frames are compared.
        heads: For ``multihead``.
        input_feeding: Whether the previous context enters the cell (the paper). Without it the
            teacher-forced pass is one call and several times faster.
        cell: Recurrent cell.
        layers: Recurrent layers.
        units: Units of each.
        embedding: Width of the embedded previous token.
        dropout: On the embedding and before the output.
    """

    attention: AttentionKind = "content"
    attention_units: int = 256
    heads: int = 4
    input_feeding: bool = True
    cell: Cell = "lstm"
    layers: int = 2
    units: int = 512
    embedding: int = 256
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LASConfig:
    """The whole model.

    Attributes:
        listener: The encoder.
        speller: The decoder; None for the listener's CTC alone.
        ctc: Whether the listener also carries a CTC output (Watanabe et al. 2017).
        early_ctc: Recurrent layer after which that output is trained as well (Lee & Watanabe 2021,
            arXiv 2102.03216): the layers below learn to align sooner, and those above to do
            more than align. In use nothing is left of it; 0 is off.
        composed_output: Whether syllable scores are composed of initial, medial and final.
        output_rank: Of a composed output: products of letters in place of a vector a syllable, so
            that unseen ones can be written (with ``--tokenizer.kind hangul_block``); None is off.
        kind: Listen, Attend and Spell.
    """

    listener: ListenerConfig = field(default_factory=ListenerConfig)
    speller: SpellerConfig | None = field(default_factory=SpellerConfig)
    ctc: bool = False
    early_ctc: int = 0
    composed_output: bool = False
    output_rank: int | None = None
    kind: Literal["las"] = "las"

    def __post_init__(self) -> None:
        if not self.ctc and self.speller is None:
            raise ConfigError("model has no output: set model.ctc to True or give model.speller")
        if not 0 <= self.early_ctc < self.listener.layers or (self.early_ctc and not self.ctc):
            raise ConfigError(
                f"model.early_ctc is {self.early_ctc}: give a layer below the last, which is "
                f"{self.listener.layers}, and set model.ctc to True; 0 is off"
            )

    @property
    def writer(self) -> Writer | None:
        """The speller, if there is one."""
        return None if self.speller is None else "attention"


class LASOutput(NamedTuple):
    """Training outputs: logits [B, U + 1, V], attention [B, U + 1, S] and what was encoded."""

    logits: Tensor
    attention: Tensor
    encoded: Encoded


class Listener(nn.Module):
    """Features [B, T, D] → after each layer what was heard [B, S, E], and its lengths [B]."""

    def __init__(self, inputs: int, config: ListenerConfig) -> None:
        super().__init__()
        self.config = config
        if config.front == "conv":
            self.conv = ConvPair(inputs, config)
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
        self.dropout = Dropout(config.dropout)
        self.outputs = width

    def forward(self, x: Tensor, lengths: Tensor) -> list[tuple[Tensor, Tensor]]:
        """x [B, T, D], lengths [B] → [B, S, E], lengths [B] of each layer; the last is memory."""
        stages = []
        if self.config.front == "conv":
            x, lengths = self.conv(x, lengths)
        elif self.config.front == "stack":
            x, lengths = join_frames(x, lengths, self.config.stack)
        for index, layer in enumerate(self.layers):
            if index > 0 and self.config.front == "pyramid":
                x, lengths = join_frames(x, lengths, 2)
            x = layer(x, lengths)
            if self.config.layer_norm:
                x = self.norms[index](x)
            x = self.dropout(x)
            stages.append((x, lengths))
        return stages


class ConvPair(nn.Module):
    """Two convolutions over frequency × time, each BatchNorm and Hardtanh(0, 20)."""

    def __init__(self, inputs: int, config: ListenerConfig) -> None:
        super().__init__()
        self.time_strides, channels = config.conv_time_strides, config.conv_channels
        (first, second), (one, other) = self.time_strides, config.conv_kernels
        pads = [(high // 2, wide // 2) for high, wide in (one, other)]
        self.conv1 = nn.Conv2d(1, channels, one, (2, first), pads[0], bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, other, (2, second), pads[1], bias=False)
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


class SpellerState(NamedTuple):
    """rnn: hidden (and cell) [layers, N, Q]; context [N, E]; attention so far, summed [N, S]."""

    rnn: tuple[Tensor, ...]
    context: Tensor
    attended: Tensor


class Speller(nn.Module):
    """AttendAndSpell (§3.2): previous tokens and memory → logits."""

    def __init__(
        self,
        memory_units: int,
        size: int,
        config: SpellerConfig,
        letters: Letters | None,
        rank: int | None = None,
    ) -> None:
        super().__init__()
        self.config, self.size = config, size
        self.embedding = nn.Embedding(size, config.embedding)
        fed = memory_units if config.input_feeding else 0
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[config.cell]
        self.rnn = kind(config.embedding + fed, config.units, config.layers, batch_first=True)
        attend = ATTENTIONS[config.attention]
        self.attend: Attend = attend(
            config.units, memory_units, config.attention_units, config.heads
        )
        self.bottleneck = nn.Linear(config.units + memory_units, config.units)
        self.output = output_layer(config.units, size, letters, rank)
        self.dropout = Dropout(config.dropout)

    def start(self, rows: int, memory: Tensor) -> SpellerState:
        """The state before the first token, for ``rows`` rows over memory [B, S, E]."""
        zeros = memory.new_zeros(self.config.layers, rows, self.config.units)
        rnn = (zeros, zeros) if self.config.cell == "lstm" else (zeros,)
        width, frames = memory.shape[2], memory.shape[1]
        return SpellerState(rnn, memory.new_zeros(rows, width), memory.new_zeros(rows, frames))

    def step(
        self, tokens: Tensor, state: SpellerState, keys: Tensor, memory: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor, SpellerState]:
        """tokens [N], N = B × beams, utterance-major → logits [N, V], attention [N, S], state."""
        batch, frames, width = memory.shape
        x = self.dropout(self.embedding(tokens))
        if self.config.input_feeding:
            x = torch.cat([x, state.context.to(x.dtype)], dim=-1)
        hidden, rnn = self._run(x[:, None], state.rnn)
        query = hidden.reshape(batch, -1, hidden.shape[-1])  # beams take the place of steps
        attended = state.attended.reshape(batch, -1, frames)
        context, weights = self.attend(query, keys, memory, mask, attended)
        logits = self._write(query, context).flatten(0, 1)
        weights, context = weights.reshape(-1, frames), context.reshape(-1, width)
        return logits, weights, SpellerState(rnn, context, state.attended + weights)

    def forward(
        self,
        tokens: Tensor,
        memory: Tensor,
        lengths: Tensor,
        sampling: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Teacher forcing with scheduled sampling a step (§3.3; Bengio et al. 2015).

        Args:
            tokens: [B, U] the start token and the reference.
            memory: [B, S, E].
            lengths: [B] frames of memory.
            sampling: Probability, a step, that the model's own sample is fed instead.
            generator: Source of that randomness.

        Returns:
            logits [B, U, V] and attention [B, U, S].
        """
        keys, mask = self.attend.keys(memory), length_mask(lengths, memory.shape[1])
        if not (self.config.input_feeding or self.attend.uses_history or sampling > 0):
            x = self.dropout(self.embedding(tokens))
            hidden, _ = self._run(x, self.start(len(tokens), memory).rnn)
            context, weights = self.attend(hidden, keys, memory, mask, None)
            return self._write(hidden, context), weights
        state, fed = self.start(len(tokens), memory), tokens[:, 0]
        all_logits: list[Tensor] = []
        all_weights: list[Tensor] = []
        for step in range(tokens.shape[1]):
            if step > 0:
                own = all_logits[-1] if sampling > 0 else None
                fed = _next_input(tokens[:, step], own, sampling, generator)
            logits, weights, state = self.step(fed, state, keys, memory, mask)
            all_logits.append(logits)
            all_weights.append(weights)
        return torch.stack(all_logits, 1), torch.stack(all_weights, 1)

    def _run(self, x: Tensor, rnn: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        hidden, after = self.rnn(x, rnn if self.config.cell == "lstm" else rnn[0])
        return hidden, after if isinstance(after, tuple) else (after,)

    def _write(self, hidden: Tensor, context: Tensor) -> Tensor:
        joined = torch.cat([hidden, context.to(hidden.dtype)], dim=-1)
        logits: Tensor = self.output(self.dropout(torch.tanh(self.bottleneck(joined))))
        return logits


def _next_input(
    reference: Tensor, logits: Tensor | None, sampling: float, generator: torch.Generator | None
) -> Tensor:
    if logits is None:
        return reference
    # a NaN makes the loss NaN, which the loop names and skips; drawing from it would crash first
    probabilities = logits.detach().float().softmax(-1).nan_to_num(nan=1.0)
    own = torch.multinomial(probabilities, 1, generator=generator)[:, 0]
    chance = torch.rand(len(reference), generator=generator, device=reference.device)
    return torch.where(chance < sampling, own, reference)


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
        letters: Letters | None = None,
    ) -> None:
        super().__init__()
        letters, rank = letters_to_compose(config.composed_output, letters), config.output_rank
        self.config, self.size, self.early_ctc = config, size, config.early_ctc
        self.listener = Listener(inputs, config.listener)
        width, head = self.listener.outputs, config.speller
        self.speller = None if head is None else Speller(width, size, head, letters, rank)
        self.ctc = output_layer(width, size, letters, rank) if config.ctc else None

    def encode(self, features: Tensor, lengths: Tensor) -> Encoded:
        """features [B, T, D], lengths [B] → what the listener heard."""
        stages = self.listener(features, lengths)
        memory, memory_lengths = stages[-1]
        if self.ctc is None:
            return Encoded(memory, memory_lengths, None)
        log_probs, early = self.ctc(memory).float().log_softmax(-1), None
        if self.training and self.early_ctc:
            middle, middle_lengths = stages[self.early_ctc - 1]
            early = (self.ctc(middle).float().log_softmax(-1), middle_lengths)
        return Encoded(memory, memory_lengths, log_probs, early)

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
        memory, lengths = encoded.memory, encoded.lengths
        logits, attention = self._writer()(tokens, memory, lengths, sampling, generator)
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
        logits: Tensor = self._writer()(tokens, memory, lengths, sampling, generator)[0]
        return logits

    def scorer(self, encoded: Encoded) -> "LASScorer":
        """The model as a beam search sees it, for one encoded batch."""
        memory, mask = encoded.memory, length_mask(encoded.lengths, encoded.memory.shape[1])
        speller = self._writer()
        return LASScorer(speller, memory, speller.attend.keys(memory), mask)

    def _writer(self) -> Speller:
        if self.speller is None:
            raise TypeError("this listener has no speller: model.speller is None")
        return self.speller


class LASScorer:
    """NarrowingScorer over an encoded batch: memory [B, S, E], keys [B, S, A], mask [B, S]."""

    def __init__(self, speller: Speller, memory: Tensor, keys: Tensor, mask: Tensor) -> None:
        self._speller, self._memory, self._keys, self._mask = speller, memory, keys, mask
        self.vocabulary_size = speller.size

    def narrow(self, utterances: Tensor) -> "LASScorer":
        """A scorer over these utterances [b] only."""
        kept = (self._memory[utterances], self._keys[utterances], self._mask[utterances])
        return LASScorer(self._speller, *kept)

    def start(self, beams: int) -> SpellerState:
        """State of B × ``beams`` rows before the first token."""
        return self._speller.start(self._memory.shape[0] * beams, self._memory)

    def step(self, tokens: Tensor, state: SpellerState) -> tuple[Tensor, Tensor, SpellerState]:
        """tokens [N] → log_probs [N, V], attention [N, S], state."""
        logits, attention, state = self._speller.step(
            tokens, state, self._keys, self._memory, self._mask
        )
        return logits.float().log_softmax(-1), attention, state

    def select(self, state: SpellerState, rows: Tensor) -> SpellerState:
        """State whose row i is row ``rows[i]``."""
        return SpellerState(
            tuple(part[:, rows] for part in state.rnn), state.context[rows], state.attended[rows]
        )
