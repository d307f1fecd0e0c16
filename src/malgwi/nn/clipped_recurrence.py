"""Recurrent layers with clipped ReLU, as both Deep Speech papers have them.

The surprising choice: they run as a loop over frames. torch's fused kernels know neither the
ceiling nor a normalisation between input matrix and recurrence; and in both papers' equations the
two directions share the input matrix, so it is applied once, outside the loop, and each direction
owns its recurrent matrix alone.

Shapes: B batch, T frames, H units, G gates × H.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from malgwi.nn.recurrent import length_mask, reordered, reversed_order

ClippedCell = Literal["rnn", "gru"]
GATES: dict[ClippedCell, int] = {"rnn": 1, "gru": 3}
CEILING = 20.0


def clipped_relu(x: Tensor) -> Tensor:
    """min(max(x, 0), 20): keeps a recurrence of ReLUs from exploding (arXiv 1412.5567, §2).

    >>> clipped_relu(torch.tensor([-1.0, 3.0, 50.0])).tolist()
    [0.0, 3.0, 20.0]
    """
    return F.hardtanh(x, 0.0, CEILING)


class Recurrence(nn.Module):
    """One direction: h_t from z_t and h_{t−1}, z_t being what the input matrix made of frame t.

    ``rnn``: h_t = f(z_t + U h_{t−1}). ``gru`` (Cho et al. 2014, with the reset gate after the
    matrix): u, r = σ(z^u + U^u h), σ(z^r + U^r h); h_t = (1 − u) h + u f(z^h + r U^h h). f is the
    clipped ReLU.

    Args:
        units: H.
        cell: ``rnn`` or ``gru``.
    """

    def __init__(self, units: int, cell: ClippedCell) -> None:
        super().__init__()
        self.cell, self.units = cell, units
        self.weight = nn.Parameter(torch.empty(GATES[cell] * units, units))
        nn.init.normal_(self.weight, std=units**-0.5)

    def forward(self, projected: Tensor) -> Tensor:
        """projected [B, T, G] → [B, T, H], first frame to last."""
        state = projected.new_zeros(len(projected), self.units)
        states = []
        for frame in projected.unbind(1):
            state = self._step(frame, state)
            states.append(state)
        return torch.stack(states, 1)

    def _step(self, frame: Tensor, state: Tensor) -> Tensor:
        recurrent = F.linear(state, self.weight)
        if self.cell == "rnn":
            return clipped_relu(frame + recurrent)
        update, reset, new = frame.chunk(3, dim=-1)
        update_u, reset_u, new_u = recurrent.chunk(3, dim=-1)
        gate = torch.sigmoid(update + update_u)
        candidate = clipped_relu(new + torch.sigmoid(reset + reset_u) * new_u)
        return (1 - gate) * state + gate * candidate


class SummedRecurrence(nn.Module):
    """Both directions over the same z, summed; or one direction alone.

    Args:
        units: H.
        cell: ``rnn`` or ``gru``.
        bidirectional: Whether a second recurrence reads from the end.
    """

    def __init__(self, units: int, cell: ClippedCell, *, bidirectional: bool) -> None:
        super().__init__()
        self.onward = Recurrence(units, cell)
        self.behind = Recurrence(units, cell) if bidirectional else None

    def forward(self, projected: Tensor, lengths: Tensor) -> Tensor:
        """projected [B, T, G], lengths [B] → [B, T, H], zero in the padding."""
        output: Tensor = self.onward(projected)
        if self.behind is not None:
            reverse = reversed_order(lengths, projected.shape[1])
            output = output + reordered(self.behind(reordered(projected, reverse)), reverse)
        return output * length_mask(lengths, projected.shape[1])[..., None]
