"""Bidirectional layers by packing and by reversal: the same numbers, at what cost?

    python benchmarks/recurrent.py [--threads 1]

Prints milliseconds for a forward and backward pass, in float32 and under bfloat16 autocast, and for
inference alone. Decision 0002 rests on it. Run it on an idle machine.
"""

import time
from collections.abc import Callable

import torch
import tyro
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from malgwi.nn.recurrent import RecurrentLayer


def main(
    threads: int = 1, batch: int = 25, frames: int = 40, inputs: int = 640, units: int = 320
) -> None:
    """Time both ways on one layer.

    Args:
        threads: CPU threads.
        batch: Utterances.
        frames: Of the longest; the others have at least three quarters.
        inputs: Width of a frame.
        units: A direction.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    x = torch.randn(batch, frames, inputs, requires_grad=True)
    lengths = torch.randint(frames * 3 // 4, frames + 1, (batch,))
    lengths[0] = frames
    ways = {
        "packing": packing(inputs, units, lengths),
        "reversal": reversal(inputs, units, lengths),
    }
    for name, layer in ways.items():
        fp32 = milliseconds(lambda layer=layer: layer(x).sum().backward())
        bf16 = milliseconds(lambda layer=layer: under_bf16(layer, x))
        with torch.inference_mode():
            run = milliseconds(lambda layer=layer: layer(x))
        print(f"{name:<9} train fp32 {fp32:6.1f} ms   bf16 {bf16:6.1f} ms   run fp32 {run:6.1f} ms")


def packing(inputs: int, units: int, lengths: Tensor) -> Callable[[Tensor], Tensor]:
    """torch's own bidirectional layer on a packed sequence."""
    rnn = nn.LSTM(inputs, units, batch_first=True, bidirectional=True)

    def run(x: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(rnn(packed)[0], batch_first=True)[0]

    return run


def reversal(inputs: int, units: int, lengths: Tensor) -> Callable[[Tensor], Tensor]:
    """The layer that malgwi uses."""
    layer = RecurrentLayer(inputs, units)
    return lambda x: layer(x, lengths)


def under_bf16(layer: Callable[[Tensor], Tensor], x: Tensor) -> None:
    """Forward and backward with matrix products in bfloat16."""
    with torch.autocast("cpu", torch.bfloat16):
        loss = layer(x).float().sum()
    loss.backward()


def milliseconds(work: Callable[[], object], repeats: int = 10) -> float:
    """Median time of a call after one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1e3 * sorted(times)[len(times) // 2]


if __name__ == "__main__":
    tyro.cli(main)
