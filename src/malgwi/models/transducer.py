"""The recurrent transducer (Graves 2012, arXiv 1211.3711; Graves et al. 2013, arXiv 1303.5778).

An encoder hears frames, a prediction network remembers what was written, and a joint network says
for every pair of both what to write next, or by a blank that the next frame is due. It needs no
attention, writes as it hears, and aligns by itself.

The surprising choice: the joint is add, tanh and one output layer (the 2013 paper's, §3.2), with
the linear maps to its width taken before frames and units meet; what is left for each of the
T × U nodes is the output layer.

Shapes: B batch, T frames, S encoder frames, U tokens, V vocabulary, D features, E encoder width,
J joint width, Q units of the prediction network, N rows (B × beams).
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from malgwi.nn.acoustic_model import AcousticModel, Encoded, Writer
from malgwi.nn.dropout import Dropout
from malgwi.nn.output_layer import Letters, letters_to_compose, output_layer
from malgwi.nn.recurrent import Cell, RecurrentLayer


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """What hears.

    Attributes:
        stack: Neighbouring frames joined once, at the start; 1 is every frame (the papers).
        cell: Recurrent cell.
        layers: Recurrent layers.
        units: Units a direction.
        bidirectional: Whether the layers read both ways; one way can write while it hears.
        layer_norm: Normalise the output of every recurrent layer.
        dropout: On the input of every layer but the first, and on the output.
    """

    stack: int = 8
    cell: Cell = "lstm"
    layers: int = 4
    units: int = 256
    bidirectional: bool = True
    layer_norm: bool = True
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PredictorConfig:
    """What remembers the units written so far.

    Attributes:
        context: How many of the last units are known. 0 is an LSTM over all of them (the papers);
            1 or 2 is a stateless network (Ghodsi et al., *RNN-Transducer with Stateless
            Prediction Network*, ICASSP 2020): embeddings side by side under a linear map.
        embedding: Width of an embedded unit.
        layers: LSTM layers.
        units: LSTM units, or the width under the linear map.
        dropout: On the embedding and on the output.
    """

    context: int = 0
    embedding: int = 128
    layers: int = 1
    units: int = 256
    dropout: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TransducerConfig:
    """The whole model.

    Attributes:
        encoder: What hears.
        predictor: What remembers.
        joint_units: J, width in which both meet.
        ctc: Whether the encoder also carries a CTC output, for joint training.
        composed_output: Whether syllable scores are composed of initial, medial and final.
        kind: Recurrent transducer.
    """

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    joint_units: int = 256
    ctc: bool = False
    composed_output: bool = False
    kind: Literal["transducer"] = "transducer"

    @property
    def writer(self) -> Writer:
        """The joint network."""
        return "transducer"


class Encoder(nn.Module):
    """Features [B, T, D] → memory [B, S, E] and lengths [B]."""

    def __init__(self, inputs: int, config: EncoderConfig) -> None:
        super().__init__()
        self.stack = config.stack
        width = inputs * config.stack
        self.layers, self.norms = nn.ModuleList(), nn.ModuleList()
        for _ in range(config.layers):
            layer = RecurrentLayer(
                width, config.units, cell=config.cell, bidirectional=config.bidirectional
            )
            width = layer.outputs
            self.layers.append(layer)
            self.norms.append(nn.LayerNorm(width) if config.layer_norm else nn.Identity())
        self.dropout = Dropout(config.dropout)
        self.outputs = width

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """x [B, T, D], lengths [B] → memory [B, S, E], lengths [B]."""
        x = F.pad(x, (0, 0, 0, -x.shape[1] % self.stack))
        x = x.reshape(len(x), -1, x.shape[2] * self.stack)
        lengths = (lengths + self.stack - 1) // self.stack
        for index, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            x = norm(layer(self.dropout(x) if index > 0 else x, lengths))
        return self.dropout(x), lengths


class PredictorState(NamedTuple):
    """said [N, Q]; and either h, c [N, layers, Q] of the LSTM or the last tokens [N, context]."""

    said: Tensor
    memory: tuple[Tensor, ...]


class Predictor(nn.Module):
    """Previous units → what they lead to expect."""

    def __init__(self, size: int, config: PredictorConfig) -> None:
        super().__init__()
        self.context = config.context
        self.embedding = nn.Embedding(size, config.embedding)
        self.dropout = Dropout(config.dropout)
        if config.context:
            self.mix = nn.Linear(config.context * config.embedding, config.units)
        else:
            self.rnn = nn.LSTM(config.embedding, config.units, config.layers, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens [B, U + 1], the start token first → [B, U + 1, Q] after each of them."""
        if self.context:
            first = tokens[:, :1].expand(-1, self.context - 1)
            return self._mixed(torch.cat([first, tokens], dim=1).unfold(1, self.context, 1))
        hidden: Tensor = self.dropout(self.rnn(self.dropout(self.embedding(tokens)))[0])
        return hidden

    def start(self, tokens: Tensor) -> PredictorState:
        """The state of N rows after their start tokens [N]."""
        if self.context:
            return self.step(tokens, (tokens[:, None].expand(-1, self.context),))
        zeros = self.embedding.weight.new_zeros(
            len(tokens), self.rnn.num_layers, self.rnn.hidden_size
        )
        return self.step(tokens, (zeros, zeros))

    def step(self, tokens: Tensor, memory: tuple[Tensor, ...]) -> PredictorState:
        """The state of N rows after one more token [N] each."""
        if self.context:
            last = torch.cat([memory[0][:, 1:], tokens[:, None]], dim=1)
            return PredictorState(self._mixed(last), (last,))
        before = tuple(part.transpose(0, 1).contiguous() for part in memory)
        hidden, after = self.rnn(self.dropout(self.embedding(tokens))[:, None], before)
        return PredictorState(
            self.dropout(hidden[:, 0]), tuple(part.transpose(0, 1) for part in after)
        )

    def _mixed(self, last: Tensor) -> Tensor:
        """The last tokens [..., context] → [..., Q]."""
        mixed = self.mix(self.dropout(self.embedding(last)).flatten(-2))
        hidden: Tensor = self.dropout(mixed.relu())
        return hidden


class Transducer(AcousticModel):
    """Encoder, prediction network and joint, optionally with a CTC output on the encoder.

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
        config: TransducerConfig,
        letters: Letters | None = None,
    ) -> None:
        super().__init__()
        letters = letters_to_compose(config.composed_output, letters)
        self.config, self.size = config, size
        self.encoder = Encoder(inputs, config.encoder)
        self.predictor = Predictor(size, config.predictor)
        self.hear = nn.Linear(self.encoder.outputs, config.joint_units)
        self.say = nn.Linear(config.predictor.units, config.joint_units, bias=False)
        self.output = output_layer(config.joint_units, size, letters)
        self.ctc = output_layer(self.encoder.outputs, size, letters) if config.ctc else None

    def encode(self, features: Tensor, lengths: Tensor) -> Encoded:
        """features [B, T, D], lengths [B] → what the encoder heard."""
        memory, memory_lengths = self.encoder(features, lengths)
        log_probs = None if self.ctc is None else self.ctc(memory).float().log_softmax(-1)
        return Encoded(memory, memory_lengths, log_probs)

    def joint_parts(self, tokens: Tensor, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """tokens [B, U + 1], the start token first → heard [B, S, J] and said [B, U + 1, J]."""
        return self.hear(encoded.memory), self.say(self.predictor(tokens))

    def join(self, heard: Tensor, said: Tensor) -> Tensor:
        """heard [..., J] and said [..., J] → logits [..., V]."""
        logits: Tensor = self.output(torch.tanh(heard + said))
        return logits

    def transducer(self, encoded: Encoded) -> "Scorer":
        """The model as a search sees it, for one encoded batch."""
        return Scorer(self, self.hear(encoded.memory))


class Scorer:
    """TransducerScorer over one encoded batch: heard [B, S, J]."""

    def __init__(self, model: Transducer, heard: Tensor) -> None:
        self._model, self._heard = model, heard
        self.vocabulary_size = model.size

    def start(self, beams: int, token: int) -> PredictorState:
        """State of B × ``beams`` rows after the start token."""
        rows = len(self._heard) * beams
        tokens = torch.full((rows,), token, device=self._heard.device)
        return self._model.predictor.start(tokens)

    def score(self, state: PredictorState, frames: Tensor) -> Tensor:
        """frames [N] → log_probs [N, V]."""
        utterances = torch.arange(len(frames), device=frames.device)
        utterances = utterances // (len(frames) // len(self._heard))
        logits = self._model.join(self._heard[utterances, frames], self._model.say(state.said))
        return logits.float().log_softmax(-1)

    def advance(self, state: PredictorState, rows: Tensor, tokens: Tensor) -> PredictorState:
        """Row i is row ``rows[i]`` followed by ``tokens[i]``, or as it was if that is negative."""
        said, memory = state.said[rows], tuple(part[rows] for part in state.memory)
        growing = (tokens >= 0).nonzero()[:, 0]
        if len(growing) == 0:
            return PredictorState(said, memory)
        grown = self._model.predictor.step(tokens[growing], tuple(part[growing] for part in memory))
        pairs = zip(memory, grown.memory, strict=True)
        return PredictorState(
            said.index_copy(0, growing, grown.said),
            tuple(old.index_copy(0, growing, new) for old, new in pairs),
        )
