"""When each token was said, in encoder frames: from CTC's peaks, or attention, to stretches.

A CTC model answers with a spike of one frame or two somewhere inside a token and blanks
elsewhere (Graves et al. 2006, fig. 1): the frames of an alignment say where a token is, not how
long it lasts. The rule here is the simplest that can be stated:

1. A token's *centre* is the mean of the frames round its spike, weighted by the probability that
   they emit it. That is finer than a frame, which may be 80 ms long.
2. Neighbours meet midway between their centres. Where centres lie more than ``PAUSE`` times the
   median distance apart, a pause is between them, and each token ends half the median distance
   from its centre; so do the first and the last.

Nothing is added for lateness: a model that reads both ways answered 6 to 8 ms late on synthetic
speech (benchmarks/timestamps.py), a tenth of a frame. One that reads forward alone answers later.

Shapes: T encoder frames, U tokens, V vocabulary. Frame i covers [i, i + 1), its centre is i + 0.5.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from malgwi.decoders.forced_alignment import AlignedToken

Floats = NDArray[np.float64]

#: Of the median distance between neighbouring centres: further apart is a pause.
PAUSE = 2.0


def surroundings(aligned: Sequence[AlignedToken], num_frames: int) -> list[tuple[int, int]]:
    """[first, last) of each token, one frame wider on both sides where no other token is.

    >>> surroundings([AlignedToken(1, 2, 0.0), AlignedToken(2, 3, 0.0)], 4)
    [(0, 2), (2, 4)]
    """
    ends = [0, *(token.last for token in aligned)]
    begins = [*(token.first for token in aligned), num_frames]
    return [
        (max(token.first - 1, ends[u]), min(token.last + 1, begins[u + 1]))
        for u, token in enumerate(aligned)
    ]


def ctc_centres(
    log_probs: Tensor, tokens: Sequence[int], aligned: Sequence[AlignedToken]
) -> Floats:
    """Centres [U] in frames, never falling, of tokens aligned to log_probs [T, V].

    >>> spike = Tensor([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [1.0, 0.0]]).log()
    >>> centres = ctc_centres(spike, [1], [AlignedToken(1, 3, -1.6)])
    >>> centres.round(6)                                    # 0.1 · 0.5 + 0.5 · 1.5 + 0.4 · 2.5
    array([1.8])
    """
    centres = np.empty(len(tokens))
    for u, (first, last) in enumerate(surroundings(aligned, len(log_probs))):
        weights = log_probs[first:last, tokens[u]].double().softmax(0).cpu().numpy()
        centres[u] = weights @ (np.arange(first, last) + 0.5)
    return centres


def attention_centres(attention: Tensor) -> Floats:
    """Centres [U] in frames, never falling, from attention weights [U, T].

    A row's weighted mean frame says where its token was looked for; attention may glance back, so
    the means are made monotone by the least change (isotonic regression, Barlow et al. 1972).

    >>> attention_centres(Tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    array([1. , 1. , 2.5])
    """
    weights = attention.double().cpu().numpy()
    if not weights.size:
        return np.empty(len(weights))
    from scipy.optimize import isotonic_regression  # half a second that other paths need not wait

    means = weights @ (np.arange(weights.shape[1]) + 0.5) / np.maximum(weights.sum(1), 1e-12)
    found: Floats = isotonic_regression(means).x
    return found


def stretches(centres: Floats, num_frames: int, *, usual: float) -> list[tuple[float, float]]:
    """Start and end of each token in frames, in order, without overlap, within [0, num_frames].

    Args:
        centres: [U] never falling.
        num_frames: T.
        usual: Frames that a token lasts where there are no two neighbours to tell; twice as much
            is the most that the median may say.

    >>> stretches(np.array([2.0, 4.0, 6.0, 16.0]), 20, usual=3.0)
    [(1.0, 3.0), (3.0, 5.0), (5.0, 7.0), (15.0, 17.0)]
    """
    gaps = np.diff(centres)
    median = min(float(np.median(gaps)), 2 * usual) if len(gaps) else usual
    half = median / 2
    starts = [max(0.0, float(c) - half) for c in centres]
    ends = [min(float(num_frames), float(c) + half) for c in centres]
    for u, (left, right) in enumerate(pairwise(centres)):
        if right - left <= PAUSE * median:
            ends[u] = starts[u + 1] = float(left + right) / 2
    return list(zip(starts, ends, strict=True))
