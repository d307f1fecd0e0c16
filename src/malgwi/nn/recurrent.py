"""Recurrent layers over padded batches, exact under padding.

Packing is used even where it costs a little: a backward direction that starts in the padding
would make an utterance's result depend on who else is in its batch.

Shapes: B batch, T frames, D features in, H units a direction.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

Cell = Literal["lstm", "gru"]


class RecurrentLayer(nn.Module):
    """One (bidirectional) recurrent layer on [B, T, D] with lengths.

    Args:
        inputs: D.
        units: H, a direction.
        cell: The kind of cell.
        bidirectional: Whether a second cell reads from the end; the output is then 2H wide.
    """

    def __init__(
        self, inputs: int, units: int, *, cell: Cell = "lstm", bidirectional: bool = True
    ) -> None:
        super().__init__()
        kind = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.rnn = kind(inputs, units, batch_first=True, bidirectional=bidirectional)
        self.outputs = units * (2 if bidirectional else 1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """x [B, T, D], lengths [B] ≥ 1 → [B, T, H or 2H], zero in the padding."""
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        output, _ = self.rnn(packed)
        padded, _ = pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])
        return padded


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """True where a frame exists: lengths [B] → bool [B, size].

    >>> length_mask(torch.tensor([1, 3]), 3).tolist()
    [[True, False, False], [True, True, True]]
    """
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]
