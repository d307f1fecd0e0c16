"""Long audio in pieces, and pieces in batches: the same wherever it is recognised.

Training's front end, the scored recogniser and the exported one cut alike, so that what is scored
is what is used. Nothing but numpy, because the exported recogniser runs without torch.

Shapes: N samples.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

#: Which utterance, where the piece begins in it, and the samples [N] themselves.
Piece = tuple[int, int, NDArray[np.float32]]


def segment_bounds(
    samples: NDArray[np.float32], sample_rate_hz: int, max_segment_s: float
) -> list[tuple[int, int]]:
    """Cut long audio at its quietest moments: [(start, end)] in samples, gapless, each ≤ the bound.

    The cut is sought in the last half of the longest allowed piece, at the 0.2 s of least energy.

    >>> segment_bounds(np.zeros(8000, dtype=np.float32), 8000, 20.0)
    [(0, 8000)]
    """
    longest, window = int(max_segment_s * sample_rate_hz), sample_rate_hz // 5
    bounds, start = [], 0
    while len(samples) - start > longest:
        low = start + longest // 2
        energy = np.square(samples[low : start + longest], dtype=np.float64)
        summed = np.concatenate([[0.0], np.cumsum(energy)])
        quietest = int(np.argmin(summed[window:] - summed[:-window]))
        cut = low + quietest + window // 2
        bounds.append((start, cut))
        start = cut
    return [*bounds, (start, len(samples))]


def by_length(pieces: list[Piece], max_samples: float) -> Iterator[list[Piece]]:
    """Batches of neighbours in length, longest first, so that a lack of memory shows at once.

    Args:
        pieces: What to batch.
        max_samples: Most samples a batch, padding included; one piece alone may be longer.

    >>> ones = np.ones(9, np.float32)
    >>> pieces = [(0, 0, ones[:2]), (1, 0, ones), (2, 0, ones[:3])]
    >>> [[index for index, _, _ in batch] for batch in by_length(pieces, 9)]
    [[1], [2, 0]]
    """
    batch: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: -len(piece[2])):
        if batch and len(batch[0][2]) * (len(batch) + 1) > max_samples:
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch
