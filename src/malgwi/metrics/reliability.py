"""How far confidence can be believed: reliability, calibration error, and power to tell.

Expected calibration error is the mean distance of confidence from accuracy over bins of
characters (Naeini et al., *Obtaining Well Calibrated Probabilities Using Bayesian Binning*, 2015).
The one reported here has bins of *equal mass*, which leave no bin nearly empty (Nixon et al.,
*Measuring Calibration in Deep Learning*, 2019); the one with bins of equal width stands beside it.
A constant is perfectly calibrated and of no use, hence the third figure: how often, of one right
and one wrong character, the right one is surer (area under the ROC curve).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError

BINS = 10


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Characters of like confidence: their mean confidence, the share that is right, how many."""

    confidence: float
    accuracy: float
    count: int


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """What confidence was worth on judged characters.

    Attributes:
        bins: Of equal mass, ascending.
        ece: Expected calibration error over them.
        ece_equal_width: The same over as many bins of equal width.
        auc: Chance that a right character is surer than a wrong one; None without both.
        mean: Mean confidence.
        accuracy: Share of characters that are right.
        count: Characters judged.
    """

    bins: tuple[Bin, ...]
    ece: float
    ece_equal_width: float
    auc: float | None
    mean: float
    accuracy: float
    count: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def reliability(
    confidence: Sequence[float], right: Sequence[bool], *, bins: int = BINS
) -> Reliability:
    """Compare confidences with what turned out right.

    Args:
        confidence: Between 0 and 1, one a character.
        right: Whether it is.
        bins: Of either kind, at most.

    Raises:
        ConfigError: Nothing to judge, or not one judgement a confidence.

    >>> found = reliability([0.9, 0.9, 0.9, 0.9, 0.1], [True, True, True, False, False], bins=2)
    >>> [(round(b.confidence, 2), b.accuracy, b.count) for b in found.bins]
    [(0.63, 0.5, 3), (0.9, 0.75, 2)]
    >>> round(found.ece, 3), round(found.ece_equal_width, 3), found.auc
    (0.14, 0.14, 0.75)
    """
    if not len(confidence) or len(confidence) != len(right):
        raise ConfigError(f"{len(confidence)} confidences for {len(right)} judged characters")
    sure, hit = np.array(confidence, dtype=np.float64), np.array(right, dtype=np.float64)
    parts = np.array_split(np.argsort(sure, kind="stable"), min(bins, len(sure)))
    shared = _shared(sure, hit)
    of_mass = tuple(_bin(sure[part], shared[part]) for part in parts)
    places = np.minimum((sure * bins).astype(int), bins - 1)
    of_width = [_bin(sure[places == k], hit[places == k]) for k in np.unique(places)]
    return Reliability(
        bins=of_mass,
        ece=_ece(of_mass),
        ece_equal_width=_ece(of_width),
        auc=_auc(sure, hit > 0),
        mean=float(sure.mean()),
        accuracy=float(hit.mean()),
        count=len(sure),
    )


def _shared(sure: NDArray[np.float64], hit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Accuracy of all that are just as sure, for each: where bins part them, order is no matter."""
    _, places = np.unique(sure, return_inverse=True)
    found: NDArray[np.float64] = (np.bincount(places, hit) / np.bincount(places))[places]
    return found


def _bin(sure: NDArray[np.float64], hit: NDArray[np.float64]) -> Bin:
    return Bin(confidence=float(sure.mean()), accuracy=float(hit.mean()), count=len(sure))


def _ece(bins: Sequence[Bin]) -> float:
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / total


def _auc(sure: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """Mann and Whitney's U over all pairs of a right and a wrong one; ties count half."""
    hits, misses = int(right.sum()), int((~right).sum())
    if not hits or not misses:
        return None
    _, places, counts = np.unique(sure, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # mean rank of each distinct value, from 1
    return float((ranks[places][right].sum() - hits * (hits + 1) / 2) / (hits * misses))
