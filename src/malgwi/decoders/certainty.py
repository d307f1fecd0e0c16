"""How sure a decoder is of each token: raw confidence, between 0 and 1, before calibration.

Not to be confused with `malgwi.metrics.confidence`, the intervals of error rates. Raw values rank
tokens but are too high, since a network is surer than it is right (Guo et al., *On Calibration of
Modern Neural Networks*, 2017); `malgwi.calibration` mends that.

Shapes: T encoder frames, U tokens, V vocabulary.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from malgwi.decoders.forced_alignment import AlignedToken
from malgwi.decoders.token_times import surroundings
from malgwi.types import Hypothesis

Floats = NDArray[np.float64]


def ctc_certainty(
    log_probs: Tensor, tokens: Sequence[int], aligned: Sequence[AlignedToken]
) -> Floats:
    """The chance [U] that at least one frame of each token's stretch emits it.

    CTC's frames are independent given the audio, so that is 1 − ∏ (1 − p) over the aligned frames
    and one more on either side. A spike that falls between two frames counts in full.

    >>> two = torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [1.0, 0.0]]).log()
    >>> ctc_certainty(two, [1], [AlignedToken(1, 3, -1.6)]).round(6)    # 1 − 0.9 · 0.5 · 0.6
    array([0.73])
    """
    found = np.empty(len(tokens))
    for u, (first, last) in enumerate(surroundings(aligned, len(log_probs))):
        emits = log_probs[first:last, tokens[u]].double().exp().clamp(max=1.0)
        found[u] = 1.0 - float(torch.prod(1.0 - emits))
    return found


def writer_certainty(hypothesis: Hypothesis) -> Floats:
    """One value for all tokens [U] of what a model without CTC wrote: their geometric mean.

    >>> heard = Hypothesis(tokens=(4, 5), score=0.0, log_prob=3 * np.log(0.8), ended=True)
    >>> writer_certainty(heard).round(6)
    array([0.8, 0.8])
    """
    steps = len(hypothesis.tokens) + hypothesis.ended
    mean = np.exp(min(0.0, hypothesis.log_prob) / max(1, steps))
    return np.full(len(hypothesis.tokens), float(mean))
