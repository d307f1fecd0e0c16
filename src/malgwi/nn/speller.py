"""Listen, Attend and Spell's speller (Chan et al., arXiv 1508.01211, §3.2), with later variants.

It writes one unit at a time while it attends to what an encoder has heard; any encoder will do. The
surprising choice: beams and teacher-forced steps share one axis of the attention (both are "queries
of the same utterance"), so memory is never copied per beam.

Shapes: B batch, S encoder frames, U tokens, V vocabulary, E encoder width, A attention units,
Q speller units, N rows (B × beams).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from malgwi.nn.attention import ATTENTIONS, Attend, AttentionKind
from malgwi.nn.composed_output import ComposedOutput
from malgwi.nn.recurrent import Cell, length_mask


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
        letters: Sequence[tuple[int, int, int]] | None,
    ) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(size, config.embedding)
        fed = memory_units if config.input_feeding else 0
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[config.cell]
        self.rnn = kind(config.embedding + fed, config.units, config.layers, batch_first=True)
        attend = ATTENTIONS[config.attention]
        self.attend: Attend = attend(
            config.units, memory_units, config.attention_units, config.heads
        )
        self.bottleneck = nn.Linear(config.units + memory_units, config.units)
        self.output = ComposedOutput(config.units, size, letters)
        self.dropout = nn.Dropout(config.dropout)

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
            sampling: Probability, for every single step, that the model's own sample replaces the
                reference as input.
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

    def scorer(self, memory: Tensor, lengths: Tensor) -> "SpellerScorer":
        """The speller as a beam search sees it, for one batch of memory [B, S, E]."""
        mask = length_mask(lengths, memory.shape[1])
        return SpellerScorer(self, memory, self.attend.keys(memory), mask)

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


class SpellerScorer:
    """NarrowingScorer over an encoded batch: memory [B, S, E], keys [B, S, A], mask [B, S]."""

    def __init__(self, speller: Speller, memory: Tensor, keys: Tensor, mask: Tensor) -> None:
        self._speller, self._memory, self._keys, self._mask = speller, memory, keys, mask
        self.vocabulary_size = speller.output.residual.out_features

    def narrow(self, utterances: Tensor) -> "SpellerScorer":
        """A scorer over these utterances [b] only."""
        kept = (self._memory[utterances], self._keys[utterances], self._mask[utterances])
        return SpellerScorer(self._speller, *kept)

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
