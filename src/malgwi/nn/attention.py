"""Attention over encoded frames: five ways to compare a query with a frame.

All take queries of one utterance along one axis (steps when teacher-forced, beams in a search),
mask frames that do not exist, and return contexts and weights.

Shapes: B batch, U queries an utterance, S frames, Q query width, E memory width, A attention width.
"""

from typing import Literal

import torch
from torch import Tensor, nn

AttentionKind = Literal["content", "dot", "additive", "location", "multihead"]


class Attend(nn.Module):
    """Base: masked softmax over energies, then the mean of the memory under it.

    A kind overrides ``keys`` and ``energies``.
    """

    uses_history = False

    def __init__(self, query: int, memory: int, units: int, heads: int) -> None:
        super().__init__()
        self.query = nn.Linear(query, units)
        self.key = nn.Linear(memory, units)

    def keys(self, memory: Tensor) -> Tensor:
        """What of memory [B, S, E] does not depend on the query; computed once a batch."""
        keys: Tensor = self.key(memory)
        return keys

    def energies(self, query: Tensor, keys: Tensor, attended: Tensor | None) -> Tensor:
        """query [B, U, Q], keys [B, S, A], attended [B, U, S] → energies [B, U, S]."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def forward(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor, attended: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """→ context [B, U, E], weights [B, U, S] (float32, rows sum to 1, zero off the mask)."""
        energies = self.energies(query, keys, attended).float()
        weights = energies.masked_fill(~mask[:, None, :], -torch.inf).softmax(-1)
        return weights.to(memory.dtype) @ memory, weights


class Content(Attend):
    """φ(s)·ψ(h) with one-layer perceptrons φ, ψ (LAS eq. 9)."""

    def keys(self, memory: Tensor) -> Tensor:
        keys: Tensor = torch.tanh(self.key(memory))
        return keys

    def energies(self, query: Tensor, keys: Tensor, attended: Tensor | None) -> Tensor:
        energies: Tensor = torch.tanh(self.query(query)) @ keys.transpose(1, 2)
        return energies


class Dot(Attend):
    """Scaled product of linear projections, one head (Luong 2015)."""

    def energies(self, query: Tensor, keys: Tensor, attended: Tensor | None) -> Tensor:
        scale: float = keys.shape[-1] ** -0.5
        energies: Tensor = (self.query(query) * scale) @ keys.transpose(1, 2)
        return energies


class Additive(Attend):
    """v·tanh(W s + V h + b) (Bahdanau 2015)."""

    def __init__(self, query: int, memory: int, units: int, heads: int) -> None:
        super().__init__(query, memory, units, heads)
        self.score = nn.Linear(units, 1, bias=False)

    def energies(self, query: Tensor, keys: Tensor, attended: Tensor | None) -> Tensor:
        joined = torch.tanh(self.query(query)[:, :, None] + keys[:, None])
        energies: Tensor = self.score(joined)[..., 0]
        return energies


class Location(Additive):
    """Additive, plus features convolved from the attention so far (Chorowski 2015, §2.1).

    The summed attention is used rather than only the last (as ESPnet and Tacotron 2 do): it also
    tells what has been read already.
    """

    uses_history = True

    def __init__(self, query: int, memory: int, units: int, heads: int) -> None:
        super().__init__(query, memory, units, heads)
        self.conv = nn.Conv1d(1, 10, 31, padding=15, bias=False)
        self.location = nn.Linear(10, units, bias=False)

    def energies(self, query: Tensor, keys: Tensor, attended: Tensor | None) -> Tensor:
        assert attended is not None  # a history user is always stepped
        batch, queries, frames = attended.shape
        features = self.conv(attended.reshape(-1, 1, frames)).transpose(1, 2)
        where = self.location(features).reshape(batch, queries, frames, -1)
        joined = torch.tanh(self.query(query)[:, :, None] + keys[:, None] + where)
        energies: Tensor = self.score(joined)[..., 0]
        return energies


class MultiHead(Attend):
    """Scaled products in ``heads`` subspaces, each with its own values (Vaswani 2017, §3.2.2).

    Written out rather than ``nn.MultiheadAttention``, which bakes shapes into exports.
    """

    def __init__(self, query: int, memory: int, units: int, heads: int) -> None:
        super().__init__(query, memory, units, heads)
        self.heads = heads
        self.value = nn.Linear(memory, memory)
        self.merge = nn.Linear(memory, memory)

    def keys(self, memory: Tensor) -> Tensor:
        """Keys and values side by side [B, S, A + E]: both are computed once a batch."""
        both = [self.key(memory), self.value(memory)]
        return torch.cat(both, dim=-1)

    def forward(
        self, query: Tensor, keys: Tensor, memory: Tensor, mask: Tensor, attended: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        keys, values = torch.split(keys, [self.key.out_features, self.value.out_features], dim=-1)
        q, k, v = (self._split(x) for x in (self.query(query), keys, values))
        energies = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5  # [B, heads, U, S]
        weights = energies.masked_fill(~mask[:, None, None, :], -torch.inf).softmax(-1)
        context = (weights.to(v.dtype) @ v).transpose(1, 2).flatten(2)
        merged: Tensor = self.merge(context)
        return merged, weights.mean(1)

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)


ATTENTIONS: dict[AttentionKind, type[Attend]] = {
    "content": Content,
    "dot": Dot,
    "additive": Additive,
    "location": Location,
    "multihead": MultiHead,
}
