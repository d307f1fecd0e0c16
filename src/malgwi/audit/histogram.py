"""A distribution in fixed bins: what it takes does not grow with what it counts.

Shapes: K bins, K + 1 edges.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np

#: Quantiles that a record lists.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Histogram:
    """Counts in bins [edge, next edge), with count, sum and extremes kept exactly.

    What lies outside of the edges is counted in ``below`` and ``above``. Values that are None or
    no finite number are passed over.

    Args:
        edges: K + 1 ascending numbers.
        unit: For people.
        logarithmic: Whether a picture should space the edges by their logarithms.

    >>> lengths = Histogram([0, 1, 2, 4], "s")
    >>> for value in (0.5, 1.5, 1.5, 9.0, None):
    ...     lengths.add(value)
    >>> lengths.counts, lengths.above, lengths.count, lengths.mean
    ([1, 2, 0], 1, 4, 3.125)
    """

    def __init__(self, edges: Sequence[float], unit: str, *, logarithmic: bool = False) -> None:
        self.edges = [float(edge) for edge in edges]
        self.unit = unit
        self.logarithmic = logarithmic
        self.counts = [0] * (len(self.edges) - 1)
        self.below = 0
        self.above = 0
        self.count = 0
        self.total = 0.0
        self.lowest = math.inf
        self.highest = -math.inf

    def add(self, value: float | None) -> None:
        """Count one value."""
        if value is None or not math.isfinite(value):
            return
        place = bisect_right(self.edges, value) - 1
        if place < 0:
            self.below += 1
        elif place == len(self.counts):
            self.above += 1
        else:
            self.counts[place] += 1
        self.count += 1
        self.total += value
        self.lowest = min(self.lowest, value)
        self.highest = max(self.highest, value)

    @property
    def mean(self) -> float:
        """NaN where nothing was counted."""
        return self.total / self.count if self.count else math.nan

    def quantile(self, share: float) -> float:
        """The value below which ``share`` of the counted lie, to within its bin; NaN if empty.

        Inside a bin values count as evenly spread; the outer bins end at the extremes.

        >>> ramp = Histogram(range(11), "s")
        >>> for value in range(10):
        ...     ramp.add(value + 0.5)
        >>> ramp.quantile(0.5), ramp.quantile(0.0), ramp.quantile(1.0)
        (5.0, 0.5, 9.5)
        """
        if not self.count:
            return math.nan
        edges = [min(self.lowest, self.edges[0]), *self.edges, max(self.highest, self.edges[-1])]
        wanted, passed = share * self.count, 0
        for place, number in enumerate([self.below, *self.counts, self.above]):
            if number and passed + number >= wanted:
                inside = (wanted - passed) / number
                value = edges[place] + inside * (edges[place + 1] - edges[place])
                return min(max(value, self.lowest), self.highest)
            passed += number
        return self.highest

    def to_dict(self) -> dict[str, Any]:
        """The record: exact count, mean and extremes, quantiles to within a bin, the counts."""
        known = self.count > 0
        return {
            "unit": self.unit,
            "count": self.count,
            "mean": round(self.mean, 6) if known else None,
            "min": round(self.lowest, 6) if known else None,
            "max": round(self.highest, 6) if known else None,
            "quantiles": {
                f"{share:g}": round(self.quantile(share), 6) if known else None
                for share in QUANTILES
            },
            "edges": [round(edge, 6) for edge in self.edges],
            "counts": self.counts,
            "below": self.below,
            "above": self.above,
        }


def sum_of(histograms: Sequence[Histogram]) -> Histogram:
    """What all of them counted, in one; they have the same edges.

    >>> halves = [even(0, 2, 1, "s") for _ in range(2)]
    >>> for half, value in zip(halves, (0.5, 1.5)):
    ...     half.add(value)
    >>> both = sum_of(halves)
    >>> both.counts, both.count, both.lowest, both.highest
    ([1, 1], 2, 0.5, 1.5)
    """
    some = histograms[0]
    both = Histogram(some.edges, some.unit, logarithmic=some.logarithmic)
    both.counts = [sum(counts) for counts in zip(*(h.counts for h in histograms), strict=True)]
    both.below = sum(h.below for h in histograms)
    both.above = sum(h.above for h in histograms)
    both.count = sum(h.count for h in histograms)
    both.total = sum(h.total for h in histograms)
    both.lowest = min(h.lowest for h in histograms)
    both.highest = max(h.highest for h in histograms)
    return both


def even(low: float, high: float, step: float, unit: str) -> Histogram:
    """Bins of equal width.

    >>> even(0, 1, 0.25, "s").edges
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    return Histogram(np.linspace(low, high, round((high - low) / step) + 1).tolist(), unit)


def octaves(low: float, high: float, per_octave: int, unit: str) -> Histogram:
    """Bins of equal ratio from ``low`` to at least ``high``.

    >>> octaves(1, 4, 1, "s").edges
    [1.0, 2.0, 4.0]
    """
    steps = math.ceil(math.log2(high / low) * per_octave)
    edges = (low * 2 ** (np.arange(steps + 1) / per_octave)).tolist()
    return Histogram(edges, unit, logarithmic=True)
