"""Fingerprints of 64 bits: what has the same one is taken for the same."""

import numpy as np
from numpy.typing import NDArray

_ODD = np.uint64(0x9E3779B97F4A7C15)


def mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Other numbers, one to one, whose bits depend on many of before."""
    multiplied = numbers * _ODD
    return multiplied ^ (multiplied >> np.uint64(32))
