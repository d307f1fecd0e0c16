"""A Transformer decoder that writes one unit at a time over encoded frames, with cached keys.

Vaswani et al. 2017 (arXiv 1706.03762), §3, with the norm before each module (Xiong et al. 2020).
As in the speller of `las`, beams take the place of steps in the attention to frames, so memory is
never copied for each beam.

Shapes: B batch, N rows (B × beams), U new tokens, P tokens before, S encoder frames, V vocabulary,
E width (of memory too), H heads, L layers.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from malgwi.errors import ConfigError
from malgwi.nn.acoustic_model import AcousticModel, Encoded
from malgwi.nn.attention import MultiHead
from malgwi.nn.dropout import Dropout
from malgwi.nn.output_layer import Letters, output_layer
from malgwi.nn.positions import sinusoids
from malgwi.nn.recurrent import length_mask


@dataclass(frozen=True, kw_only=True)
class TransformerDecoderConfig:
    """Sizes; the width is the encoder's.

    Attributes:
        layers: Blocks.
        heads: Of both attentions.
        expansion: Width of the feed-forward module over E.
        dropout: On the embedding and on what each module adds.
    """

    layers: int = 2
    heads: int = 4
    expansion: int = 4
    dropout: float = 0.1


class DecoderState(NamedTuple):
    """Keys and values of the tokens so far: [L, N, H, P, E / H] each."""

    keys: Tensor
    values: Tensor


class Heard(NamedTuple):
    """One encoded batch as the blocks see it: memory [B, S, E], its keys a layer, mask [B, S]."""

    memory: Tensor
    keys: tuple[Tensor, ...]
    mask: Tensor


class TransformerDecoder(nn.Module):
    """Previous tokens and memory → logits.

    Args:
        units: E.
        size: V.
        config: Sizes.
        letters: (initial, medial, final) of every unit, for a composed output.
        rank: Of a composed output; see `malgwi.nn.output_layer`.
    """

    def __init__(
        self,
        units: int,
        size: int,
        config: TransformerDecoderConfig,
        letters: Letters | None = None,
        rank: int | None = None,
    ) -> None:
        super().__init__()
        if units % config.heads:
            raise ConfigError(f"model.decoder.heads is {config.heads}: it must divide {units}")
        self.config, self.units, self.size = config, units, size
        self.embedding = nn.Embedding(size, units)
        self.blocks = nn.ModuleList(DecoderBlock(units, config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(units)
        self.output = output_layer(units, size, letters, rank)
        self.dropout = Dropout(config.dropout)

    def forward(self, tokens: Tensor, memory: Tensor, lengths: Tensor) -> Tensor:
        """Teacher forcing: tokens [B, U], memory [B, S, E], lengths [B] → logits [B, U, V]."""
        return self.step(tokens, self.start(len(tokens), memory), self.hear(memory, lengths))[0]

    def hear(self, memory: Tensor, lengths: Tensor) -> Heard:
        """What every step needs of memory [B, S, E], computed once."""
        blocks = [block for block in self.blocks if isinstance(block, DecoderBlock)]
        keys = tuple(block.listen.keys(memory) for block in blocks)
        return Heard(memory, keys, length_mask(lengths, memory.shape[1]))

    def start(self, rows: int, memory: Tensor) -> DecoderState:
        """The state of ``rows`` rows before the first token."""
        config = self.config
        shape = (config.layers, rows, config.heads, 0, self.units // config.heads)
        return DecoderState(memory.new_zeros(shape), memory.new_zeros(shape))

    def step(
        self, tokens: Tensor, state: DecoderState, heard: Heard
    ) -> tuple[Tensor, Tensor, DecoderState]:
        """Feed U tokens to each row.

        Args:
            tokens: [N, U]; with beams U is 1.
            state: Of the P tokens before.
            heard: The encoded batch.

        Returns:
            logits [N, U, V]; attention [N, U, S] of the last block, mean over heads; the new state.
        """
        past = state.keys.shape[3]
        places = torch.arange(past, past + tokens.shape[1], device=tokens.device)
        embedded = self.embedding(tokens)
        x = self.dropout(embedded + sinusoids(places, self.units).to(embedded.dtype))
        keys, values = [], []
        weights = heard.mask  # replaced by the first block
        for index, block in enumerate(self.blocks):
            cached = (state.keys[index], state.values[index])
            x, weights, (key, value) = block(x, cached, heard, heard.keys[index])
            keys.append(key)
            values.append(value)
        logits: Tensor = self.output(self.norm(x))
        return logits, weights, DecoderState(torch.stack(keys), torch.stack(values))


class DecoderBlock(nn.Module):
    """Attention to what was written, attention to what was heard, feed-forward."""

    def __init__(self, units: int, config: TransformerDecoderConfig) -> None:
        super().__init__()
        self.look_back = CachedAttention(units, config.heads)
        self.listen = MultiHead(units, units, units, config.heads)
        self.widen = nn.Linear(units, units * config.expansion)
        self.narrow = nn.Linear(units * config.expansion, units)
        self.norms = nn.ModuleList(nn.LayerNorm(units) for _ in range(3))
        self.dropout = Dropout(config.dropout)

    def forward(
        self, x: Tensor, cached: tuple[Tensor, Tensor], heard: Heard, heard_keys: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """x [N, U, E] → x, attention to frames [N, U, S], keys and values with the new ones."""
        added, cached = self.look_back(self.norms[0](x), cached)
        x = x + self.dropout(added)
        query = self.norms[1](x).reshape(len(heard.memory), -1, x.shape[-1])  # beams as steps
        context, weights = self.listen(query, heard_keys, heard.memory, heard.mask, None)
        x = x + self.dropout(context.reshape(x.shape))
        x = x + self.dropout(self.narrow(self.dropout(F.relu(self.widen(self.norms[2](x))))))
        return x, weights.reshape(*x.shape[:2], -1), cached


class CachedAttention(nn.Module):
    """Causal attention over the tokens of one row; those before come as keys and values."""

    def __init__(self, units: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(units, units) for _ in range(3))
        self.merge = nn.Linear(units, units)

    def forward(
        self, x: Tensor, cached: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x [N, U, E], cached [N, H, P, E / H] twice → [N, U, E], keys and values of P + U."""
        query, key, value = (self._split(part(x)) for part in (self.query, self.key, self.value))
        past, new = cached[0].shape[2], x.shape[1]
        key = torch.cat([cached[0].to(key.dtype), key], dim=2)
        value = torch.cat([cached[1].to(value.dtype), value], dim=2)
        energies = (query @ key.transpose(-1, -2)).float() * query.shape[-1] ** -0.5
        known = torch.ones(new, past + new, dtype=torch.bool, device=x.device).tril(past)
        weights = energies.masked_fill(~known, -torch.inf).softmax(-1)
        context = (weights.to(value.dtype) @ value).transpose(1, 2).flatten(2)
        return self.merge(context), (key, value)

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


class DecoderScorer:
    """NarrowingScorer of a decoder over one encoded batch."""

    def __init__(self, decoder: TransformerDecoder, heard: Heard) -> None:
        self._decoder, self._heard = decoder, heard
        self.vocabulary_size = decoder.size

    def narrow(self, utterances: Tensor) -> "DecoderScorer":
        """A scorer over these utterances [b] only."""
        heard = self._heard
        keys = tuple(key[utterances] for key in heard.keys)
        kept = Heard(heard.memory[utterances], keys, heard.mask[utterances])
        return DecoderScorer(self._decoder, kept)

    def start(self, beams: int) -> DecoderState:
        """State of B × ``beams`` rows before the first token."""
        return self._decoder.start(len(self._heard.memory) * beams, self._heard.memory)

    def step(self, tokens: Tensor, state: DecoderState) -> tuple[Tensor, Tensor, DecoderState]:
        """tokens [N] → log_probs [N, V], attention [N, S], state."""
        logits, attention, state = self._decoder.step(tokens[:, None], state, self._heard)
        return logits[:, 0].float().log_softmax(-1), attention[:, 0], state

    def select(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """State whose row i is row ``rows[i]``."""
        return DecoderState(state.keys[:, rows], state.values[:, rows])


class TransformerWriter(AcousticModel):
    """An acoustic model whose attention head, where it has one, is a Transformer decoder."""

    decoder: TransformerDecoder | None

    def write(
        self,
        tokens: Tensor,
        encoded: Encoded,
        sampling: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The decoder, teacher-forced: logits [B, U + 1, V].

        Raises:
            ConfigError: Scheduled sampling is wanted: it would undo what is parallel here.
        """
        if sampling > 0:
            raise ConfigError(
                f"objective.sampling is {sampling}: a Transformer decoder trains on whole "
                "references at once; set it to 0"
            )
        logits: Tensor = self._writer()(tokens, encoded.memory, encoded.lengths)
        return logits

    def scorer(self, encoded: Encoded) -> DecoderScorer:
        """The decoder as a beam search sees it, for one encoded batch."""
        decoder = self._writer()
        return DecoderScorer(decoder, decoder.hear(encoded.memory, encoded.lengths))

    def _writer(self) -> TransformerDecoder:
        if self.decoder is None:
            raise TypeError(f"{type(self).__name__} has no attention head")
        return self.decoder
