"""How well guessed speakers fit the true ones: pairs joined rightly, and the equal error rate.

Both look at pairs of utterances. ``pairwise_score`` judges a finished clustering: of the pairs put
together, how many belong together (precision), and the other way round (recall). A speaker with
many utterances has quadratically many pairs, so cap them before comparing. ``equal_error_rate``
judges the similarity itself, before any threshold is chosen.

Sources: E. Amigó, J. Gonzalo, J. Artiles and F. Verdejo, "A comparison of extrinsic clustering
evaluation metrics based on formal constraints", Information Retrieval 12 (2009), section 3.2;
A. Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997.

Shapes: N utterances, P pairs.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import comb, nan

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class PairwiseScore:
    """Pairs of utterances joined by a clustering, against those that belong together.

    Attributes:
        together: Pairs that the clustering joins.
        alike: Pairs that truly have one label.
        both: Pairs that are both.
    """

    together: int
    alike: int
    both: int

    @property
    def precision(self) -> float:
        """NaN where nothing is joined."""
        return self.both / self.together if self.together else nan

    @property
    def recall(self) -> float:
        """NaN where nothing belongs together."""
        return self.both / self.alike if self.alike else nan

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 0 where no pair is right, NaN where there are no pairs at all."""
        pairs = self.together + self.alike
        return 2 * self.both / pairs if pairs else nan


def pairwise_score(truth: Sequence[Hashable], guess: Sequence[Hashable]) -> PairwiseScore:
    """Count pairs from the table of labels, without walking through all of them.

    Args:
        truth: [N] true labels.
        guess: [N] labels of the clustering, by any names.

    Raises:
        ConfigError: The lengths differ.

    >>> score = pairwise_score("aaabb", [1, 1, 2, 2, 2])
    >>> score.together, score.alike, score.both, score.f1
    (4, 4, 2, 0.5)
    """
    if len(truth) != len(guess):
        raise ConfigError(f"{len(truth)} true labels for {len(guess)} guessed ones: give one each")
    together, alike, both = (
        sum(comb(count, 2) for count in Counter(labels).values())
        for labels in (guess, truth, zip(truth, guess, strict=True))
    )
    return PairwiseScore(together=together, alike=alike, both=both)


def equal_error_rate(
    scores: NDArray[np.floating],
    alike: NDArray[np.bool_],
    weights: NDArray[np.floating] | None = None,
) -> float:
    """The error rate at the threshold where misses are as frequent as false alarms.

    Of all thresholds between distinct scores that with the least difference counts, and of its two
    rates the mean, since both are steps. NaN without pairs of either kind.

    Args:
        scores: [P] similarities, higher for one speaker.
        alike: [P] whether the pair truly has one speaker.
        weights: [P] how often each pair counts; once by default. A bootstrap needs it.

    Raises:
        ConfigError: The lengths differ.

    >>> equal_error_rate(np.array([0.9, 0.8, 0.3, 0.1]), np.array([True, True, False, False]))
    0.0
    >>> equal_error_rate(np.array([0.9, 0.8, 0.3, 0.1]), np.array([True, False, True, False]))
    0.5
    """
    weights = np.ones(len(scores)) if weights is None else weights
    if not len(scores) == len(alike) == len(weights):
        raise ConfigError(
            f"{len(scores)} scores, {len(alike)} labels and {len(weights)} weights: give one each"
        )
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(np.where(alike, weights, 0.0)[order])
    alarms = np.cumsum(np.where(alike, 0.0, weights)[order])
    if not len(scores) or hits[-1] == 0 or alarms[-1] == 0:
        return nan
    ordered = scores[order]
    last_of_its_score = np.append(ordered[1:] != ordered[:-1], True)
    misses = np.append(1.0, 1.0 - hits[last_of_its_score] / hits[-1])
    false_alarms = np.append(0.0, alarms[last_of_its_score] / alarms[-1])
    best = int(np.argmin(np.abs(misses - false_alarms)))
    return float((misses[best] + false_alarms[best]) / 2)
