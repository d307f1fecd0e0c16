"""How far an error rate may move with another test set of the same kind: the bootstrap.

Whole utterances, or all utterances of a speaker at once, are drawn again with replacement; the
rate of each draw is its errors over its tokens, as for the corpus itself. Utterances of a speaker
err alike, so intervals by speaker are wider and, for unseen speakers, the honest ones.

Source: M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance
evaluation", ICASSP 2004.

Shapes: N utterances or clusters, R resamples.
"""

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError
from malgwi.metrics.error_rate import ErrorRate

#: Draws held in memory at once.
_CHUNK = 2_000_000


@dataclass(frozen=True, kw_only=True)
class BootstrapConfig:
    """How to resample.

    Args:
        level: Share of the resamples inside an interval.
        resamples: How many test sets are drawn.
        seed: Of the draws; the same seed gives the same interval.
    """

    level: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.level < 1.0:
            raise ConfigError(f"bootstrap level is {self.level}: it must lie between 0 and 1")
        if self.resamples < 1:
            raise ConfigError(f"bootstrap resamples is {self.resamples}: it must be 1 or more")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A percentile interval; NaN bounds where fewer than two units leave nothing to resample.

    Attributes:
        low: Lower bound.
        high: Upper bound.
        level: Share of the resamples inside.
        units: Utterances or clusters that were resampled.
        by: What a unit is, ``utterance`` or ``cluster``.
    """

    low: float
    high: float
    level: float
    units: int
    by: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON: a bound that does not exist is None."""
        low, high = (None if math.isnan(bound) else bound for bound in (self.low, self.high))
        return {"low": low, "high": high, "level": self.level, "units": self.units, "by": self.by}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What changing system A into system B does to the rate, on the same utterances.

    Attributes:
        rate: Rate of B minus rate of A: below zero, B is better.
        interval: Of that difference; one without zero is unlikely to be chance.
        improvement: Share of the resamples where B is better, ties counted half.
    """

    rate: float
    interval: Interval
    improvement: float


def interval(
    utterances: Sequence[ErrorRate],
    clusters: Sequence[Hashable] | None = None,
    config: BootstrapConfig | None = None,
) -> Interval:
    """Percentile interval of a corpus rate.

    Args:
        utterances: One rate an utterance.
        clusters: What each utterance belongs to, its speaker as a rule; None resamples utterances.
        config: Level, resamples, seed.

    Raises:
        ConfigError: ``clusters`` is of another length.

    >>> right, wrong = ErrorRate(9, 1, 0, 0, 10), ErrorRate(5, 5, 0, 0, 10)
    >>> found = interval([right, wrong] * 50)
    >>> round(found.low, 2), round(found.high, 2), found.units
    (0.26, 0.34, 100)
    >>> interval([right]).low
    nan
    """
    config = config or BootstrapConfig()
    errors, tokens = _by_unit(utterances, clusters)
    rates = _resampled(errors, tokens, config)[0]
    return _percentiles(rates, len(tokens), clusters, config)


def paired_difference(
    a: Sequence[ErrorRate],
    b: Sequence[ErrorRate],
    clusters: Sequence[Hashable] | None = None,
    config: BootstrapConfig | None = None,
) -> Difference:
    """Rate of B minus rate of A, both on the same resampled utterances.

    What makes an utterance hard is common to both and cancels, so this finds differences that
    two separate intervals would hide.

    Args:
        a: One rate an utterance of the system compared against.
        b: Those of the other system, in the same order.
        clusters: As for ``interval``.
        config: Level, resamples, seed.

    Raises:
        ConfigError: The lengths differ.

    >>> easy, hard = ErrorRate(9, 1, 0, 0, 10), ErrorRate(2, 8, 0, 0, 10)
    >>> easier, still_hard = ErrorRate(10, 0, 0, 0, 10), ErrorRate(3, 7, 0, 0, 10)
    >>> found = paired_difference([easy, hard] * 20, [easier, still_hard] * 20)
    >>> round(found.rate, 3), round(found.interval.high, 3), found.improvement
    (-0.1, -0.1, 1.0)
    """
    config = config or BootstrapConfig()
    if len(a) != len(b):
        raise ConfigError(
            f"a paired difference needs the same utterances: A has {len(a)}, B has {len(b)}"
        )
    errors_a, tokens_a = _by_unit(a, clusters)
    errors_b, tokens_b = _by_unit(b, clusters)
    rates = _resampled(np.stack([errors_a, errors_b]), np.stack([tokens_a, tokens_b]), config)
    change = rates[1] - rates[0]
    known = change[~np.isnan(change)]
    better = float(np.mean((known < 0) + 0.5 * (known == 0))) if known.size else math.nan
    return Difference(
        rate=float(_rate(errors_b, tokens_b) - _rate(errors_a, tokens_a)),
        interval=_percentiles(change, tokens_a.shape[-1], clusters, config),
        improvement=better,
    )


def _by_unit(
    utterances: Sequence[ErrorRate], clusters: Sequence[Hashable] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Errors and denominators of each unit, [N] each."""
    if clusters is not None and len(clusters) != len(utterances):
        raise ConfigError(
            f"{len(utterances)} utterances with {len(clusters)} cluster names: give one each"
        )
    errors = np.array([rate.errors for rate in utterances], dtype=np.int64)
    tokens = np.array([rate.denominator for rate in utterances], dtype=np.int64)
    if clusters is None:
        return errors, tokens
    numbers: dict[Hashable, int] = {}
    unit = np.array([numbers.setdefault(name, len(numbers)) for name in clusters], dtype=np.int64)
    sums = np.zeros((2, len(numbers)), dtype=np.int64)
    np.add.at(sums[0], unit, errors)
    np.add.at(sums[1], unit, tokens)
    return sums[0], sums[1]


def _resampled(
    errors: NDArray[np.int64], tokens: NDArray[np.int64], config: BootstrapConfig
) -> NDArray[np.float64]:
    """Rates [S, R] of S systems (or one, [N]) in R resamples; NaN where no token was drawn."""
    errors, tokens = np.atleast_2d(errors), np.atleast_2d(tokens)
    parts = [
        _rate(errors[:, drawn], tokens[:, drawn]) for drawn in _draws(tokens.shape[-1], config)
    ]
    return np.concatenate(parts, axis=-1) if parts else np.empty((len(errors), 0))


def _draws(units: int, config: BootstrapConfig) -> Iterator[NDArray[np.int64]]:
    """Indices [r, N] in chunks, R rows in all; none with fewer than two units."""
    if units < 2:
        return
    generator = np.random.default_rng(config.seed)
    rows = max(1, _CHUNK // units)
    for start in range(0, config.resamples, rows):
        yield generator.integers(units, size=(min(rows, config.resamples - start), units))


def _rate(errors: NDArray[np.int64], tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    """Summed errors over summed tokens along the last axis; NaN without tokens."""
    summed = tokens.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(summed > 0, errors.sum(axis=-1) / summed, np.nan)


def _percentiles(
    values: NDArray[np.float64],
    units: int,
    clusters: Sequence[Hashable] | None,
    config: BootstrapConfig,
) -> Interval:
    known = values[~np.isnan(values)]
    tail = (1.0 - config.level) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail]) if known.size else (math.nan, math.nan)
    return Interval(
        low=float(low),
        high=float(high),
        level=config.level,
        units=units,
        by="utterance" if clusters is None else "cluster",
    )
