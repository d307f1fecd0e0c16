"""What the machine and the person at it bring to a run: whether bfloat16 pays, and signals."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def runs_bf16() -> bool:
    """Whether torch has all of bfloat16 here: recurrent layers on a CPU want AVX-512."""
    if torch.cuda.is_available():
        return True
    try:
        with torch.autocast("cpu", torch.bfloat16):
            nn.LSTM(8, 8)(torch.zeros(1, 1, 8))
    except RuntimeError:  # oneDNN: "could not create a primitive descriptor"
        return False
    return True


def pays_bf16() -> bool:
    """Whether a matrix product in bfloat16 is clearly faster than in float32 on this machine."""

    def seconds(dtype: torch.dtype) -> float:
        a = torch.ones(512, 512, dtype=dtype)
        a @ a
        began = time.perf_counter()
        for _ in range(10):
            a @ a
        return time.perf_counter() - began

    if torch.cuda.is_available() or not runs_bf16():
        return torch.cuda.is_available()
    return seconds(torch.bfloat16) < 0.7 * seconds(torch.float32)


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn SIGINT and SIGTERM into an event, so that a step can end first; twice stops at once."""
    event = threading.Event()

    def stop(number: int, _frame: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt(f"signal {number}, twice")
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
