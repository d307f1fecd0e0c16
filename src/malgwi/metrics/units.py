"""What is resampled and swapped: utterances, or all utterances of a speaker at once, as counts.

Shapes: N utterances or clusters.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError
from malgwi.metrics.error_rate import ErrorRate


@dataclass(frozen=True)
class Units:
    """Errors and tokens of each utterance as arrays [N]: what an interval needs of a corpus."""

    errors: NDArray[np.int64]
    tokens: NDArray[np.int64]

    @classmethod
    def of(cls, utterances: "Counted") -> "Units":
        """From rates of utterances."""
        if isinstance(utterances, Units):
            return utterances
        errors = np.array([rate.errors for rate in utterances], dtype=np.int64)
        return cls(errors, np.array([rate.denominator for rate in utterances], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.tokens)

    def by(self, clusters: "Clusters | None") -> "Units":
        """Summed over each cluster, in the order of their first utterances.

        Raises:
            ConfigError: ``clusters`` is of another length.
        """
        if clusters is None:
            return self
        if len(clusters) != len(self):
            raise ConfigError(
                f"{len(self)} utterances with {len(clusters)} cluster names: give one each"
            )
        unit = numbered(clusters)
        errors, tokens = (np.bincount(unit, of) for of in (self.errors, self.tokens))
        return Units(errors.astype(np.int64), tokens.astype(np.int64))


def numbered(clusters: "Clusters") -> NDArray[np.int64]:
    """[N] a number from 0 for each cluster; of names, in the order of their first utterances.

    >>> numbered(["b", "a", "b"]).tolist()
    [0, 1, 0]
    """
    if isinstance(clusters, np.ndarray):
        return np.unique(clusters, return_inverse=True)[1].astype(np.int64)
    numbers: dict[Hashable, int] = {}
    of = (numbers.setdefault(name, len(numbers)) for name in clusters)
    return np.fromiter(of, dtype=np.int64, count=len(clusters))


#: What intervals and tests take: a rate an utterance, or the counts of all of them.
Counted = Sequence[ErrorRate] | Units
#: What each utterance belongs to, by name or number.
Clusters = Sequence[Hashable] | NDArray[np.int64]
