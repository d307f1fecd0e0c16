"""How far an error rate may move with another test set of the same kind: bootstrap intervals.

Whole utterances, or all utterances of a speaker or a script at once, are drawn again with
replacement. Utterances of a speaker err alike, so intervals by speaker are wider and, for unseen
speakers, the honest ones; the widest is the one to show.

The surprising choice: not the percentile bootstrap of Bisani and Ney. With 6 to 20 speakers its
"95 %" intervals contain the truth 80 to 92 % of the time (benchmarks/calibration.py). The default
studentises each resample by its own standard error (bootstrap-t), scales by the jackknife's, and
is never narrower than the jackknife's own interval with Student's t. Of few speakers two that are
alike make a resample of hardly any standard error, and a bound of thousands of percent: a rate's
resamples reach up to 1, or to the worst unit's rate if that is more.

Sources: M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance
evaluation", ICASSP 2004; P. Hall, "Theoretical comparison of bootstrap confidence intervals",
Annals of Statistics 16(3), 1988; A. C. Cameron, J. B. Gelbach and D. L. Miller, "Bootstrap-based
improvements for inference with clustered errors", Review of Economics and Statistics 90(3), 2008,
for few clusters, and "Robust inference with multiway clustering", Journal of Business & Economic
Statistics 29(2), 2011, for two kinds at once; no error at all: J. A. Hanley and
A. Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249(13), 1983.

Shapes: N utterances or clusters.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError
from malgwi.metrics.resampling import Sample, log_odds_bounds, student_p, t_bounds
from malgwi.metrics.units import Clusters, Counted, Units, numbered

Method = Literal["bootstrap_t", "jackknife_t", "percentile"]


@dataclass(frozen=True, kw_only=True)
class BootstrapConfig:
    """How to resample.

    Args:
        level: How often such intervals should contain the truth.
        resamples: How many test sets are drawn.
        seed: Of the draws; the same seed gives the same interval.
        method: ``bootstrap_t``, which holds its level with few clusters; ``jackknife_t``, which
            draws nothing; ``percentile``, the customary one, for comparison with others' figures.
    """

    level: float = 0.95
    resamples: int = 2000
    seed: int = 0
    method: Method = "bootstrap_t"

    def __post_init__(self) -> None:
        if not 0.0 < self.level < 1.0:
            raise ConfigError(f"bootstrap level is {self.level}: it must lie between 0 and 1")
        if self.resamples < 1:
            raise ConfigError(f"bootstrap resamples is {self.resamples}: it must be 1 or more")
        known = ("bootstrap_t", "jackknife_t", "percentile")
        if self.method not in known:
            raise ConfigError(f"bootstrap method is {self.method!r}; known are {', '.join(known)}")

    @property
    def tail(self) -> float:
        """What may lie beyond either bound."""
        return (1.0 - self.level) / 2.0


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where a rate lies; NaN bounds where fewer than two units leave nothing to resample.

    Attributes:
        low: Lower bound.
        high: Upper bound.
        level: How often such intervals should contain the truth.
        units: Utterances or clusters that were resampled.
        by: What a unit is: ``utterance``, ``cluster``, or what its clusters are called.
        method: How it was found.
        narrower: From ``widest``: the intervals by other units, each narrower than the one before.
    """

    low: float
    high: float
    level: float
    units: int
    by: str
    method: str = "bootstrap_t"
    narrower: tuple["Interval", ...] = ()

    @property
    def width(self) -> float:
        """From bound to bound; NaN where there are none."""
        return self.high - self.low

    def to_dict(self) -> dict[str, Any]:
        """For JSON: a bound that does not exist is None."""
        low, high = (None if math.isnan(bound) else bound for bound in (self.low, self.high))
        record = {"low": low, "high": high, "level": self.level, "units": self.units}
        others = {"narrower": [i.to_dict() for i in self.narrower]} if self.narrower else {}
        return {**record, "by": self.by, "method": self.method, **others}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What changing system A into system B does to the rate, on the same utterances.

    Attributes:
        rate: Rate of B minus rate of A: below zero, B is better.
        interval: Of that difference; one without zero is unlikely to be chance.
        improvement: Share of the resamples where B is better, ties counted half.
        p: Two-sided probability of so large a difference between equals: below 1 − level
            where the interval leaves zero out. NaN where there is no interval.
    """

    rate: float
    interval: Interval
    improvement: float
    p: float = math.nan


def interval(
    utterances: Counted,
    clusters: Clusters | None = None,
    config: BootstrapConfig | None = None,
    *,
    by: str | None = None,
) -> Interval:
    """Interval of a corpus rate.

    Without any error the upper bound is where all units would be without error in one of
    2 / (1 − level) test sets, if a unit's characters were all right or all wrong.

    Args:
        utterances: One rate an utterance, or their counts.
        clusters: What each utterance belongs to, its speaker as a rule; None resamples utterances.
        config: Level, resamples, seed, method.
        by: What to call a unit; ``utterance`` or ``cluster`` if not given.

    Raises:
        ConfigError: ``clusters`` is of another length.

    >>> from malgwi.metrics.error_rate import ErrorRate
    >>> right, wrong = ErrorRate(9, 1, 0, 0, 10), ErrorRate(5, 5, 0, 0, 10)
    >>> found = interval([right, wrong] * 50)
    >>> round(found.low, 2), round(found.high, 2), found.units
    (0.26, 0.34, 100)
    >>> interval([right]).low
    nan
    """
    config = config or BootstrapConfig()
    units = Units.of(utterances).by(clusters)
    sample = Sample.of(units.errors[None, :], units.tokens[None, :])
    low, high = _bounds_of_rate(sample, config)
    return Interval(
        low=low,
        high=high,
        level=config.level,
        units=len(units),
        by=by or ("utterance" if clusters is None else "cluster"),
        method=config.method,
    )


def widest(
    utterances: Counted,
    clusters: Mapping[str, Clusters],
    config: BootstrapConfig | None = None,
) -> Interval:
    """The widest of the intervals by utterance and by each kind of cluster; it holds the others.

    A kind with a single cluster says nothing and is left out, one with a cluster for each
    utterance is the utterances. Two kinds that cross (speakers who read the same scripts) add up
    and get an interval of both, by jackknife.

    Args:
        utterances: As for ``interval``.
        clusters: What they are called, such as ``speaker`` → the cluster of each utterance.
        config: As for ``interval``.

    Raises:
        ConfigError: Clusters are of another length.

    >>> from malgwi.metrics.error_rate import ErrorRate
    >>> rates = [ErrorRate(10 - n, n, 0, 0, 10) for n in (0, 0, 1, 1, 4, 4)]
    >>> found = widest(rates, {"speaker": "aabbcc", "take": "121212", "room": "xxxxxx"})
    >>> found.by, [other.by for other in found.narrower]
    ('speaker and take', ['speaker', 'utterance', 'take'])
    """
    config = config or BootstrapConfig()
    units = Units.of(utterances)
    kinds = {name: numbered(names) for name, names in clusters.items()}
    kinds = {name: of for name, of in kinds.items() if 0 < of.max(initial=0) < len(units) - 1}
    found = [interval(units, config=config)]
    found += [interval(units, names, config, by=name) for name, names in kinds.items()]
    found += [
        _crossed(units, (one, kinds[one]), (other, kinds[other]), config)
        for one, other in combinations(kinds, 2)
    ]
    ranked = sorted(found, key=lambda i: (math.isnan(i.width), -i.width))
    return replace(ranked[0], narrower=tuple(i for i in ranked[1:] if not math.isnan(i.width)))


def paired_difference(
    a: Counted,
    b: Counted,
    clusters: Clusters | None = None,
    config: BootstrapConfig | None = None,
    *,
    by: str | None = None,
) -> Difference:
    """Rate of B minus rate of A, both on the same resampled utterances.

    What makes an utterance hard is common to both and cancels, so this finds differences that
    two separate intervals would hide.

    Args:
        a: One rate an utterance of the system compared against.
        b: Those of the other system, in the same order.
        clusters: As for ``interval``.
        config: Level, resamples, seed, method.
        by: As for ``interval``.

    Raises:
        ConfigError: The lengths differ.

    >>> from malgwi.metrics.error_rate import ErrorRate
    >>> easy, hard = ErrorRate(9, 1, 0, 0, 10), ErrorRate(2, 8, 0, 0, 10)
    >>> easier, still_hard = ErrorRate(10, 0, 0, 0, 10), ErrorRate(3, 7, 0, 0, 10)
    >>> found = paired_difference([easy, hard] * 20, [easier, still_hard] * 20)
    >>> round(found.rate, 3), round(found.interval.high, 3), found.improvement
    (-0.1, -0.1, 1.0)
    """
    config = config or BootstrapConfig()
    one, other = Units.of(a), Units.of(b)
    if len(one) != len(other):
        raise ConfigError(
            f"a paired difference needs the same utterances: A has {len(one)}, B has {len(other)}"
        )
    sample = paired_sample(one.by(clusters), other.by(clusters))
    low, high, p = _bounds_of_difference(sample, config)
    changes = sample.rates(config.resamples, config.seed)
    changes = changes[~np.isnan(changes)]
    better = float(np.mean((changes < 0) + 0.5 * (changes == 0))) if changes.size else math.nan
    return Difference(
        rate=sample.estimate,
        interval=Interval(
            low=low,
            high=high,
            level=config.level,
            units=len(one.by(clusters)),
            by=by or ("utterance" if clusters is None else "cluster"),
            method=config.method,
        ),
        improvement=better,
        p=p,
    )


def paired_sample(a: Units, b: Units) -> Sample:
    """Two systems' counts of the same units."""
    return Sample.of(np.stack([a.errors, b.errors]), np.stack([a.tokens, b.tokens]))


def _bounds_of_rate(sample: Sample, config: BootstrapConfig) -> tuple[float, float]:
    rate, deviation = sample.estimate, sample.deviation
    if config.method == "percentile":
        return _percentiles(sample.rates(config.resamples, config.seed), config)
    if math.isnan(deviation) or math.isnan(rate):
        return math.nan, math.nan
    if rate == 0.0:
        return 0.0, 1.0 - config.tail ** (1.0 / sample.units)
    low, high = log_odds_bounds(rate, deviation, sample.freedom, config.tail)
    if config.method == "bootstrap_t":
        below, above = _bootstrap_t(sample, config)
        low, high = min(low, below), max(high, min(above, float(sample.ceilings[0])))
    return max(0.0, low), high


def _bounds_of_difference(sample: Sample, config: BootstrapConfig) -> tuple[float, float, float]:
    """Bounds and the two-sided p-value."""
    if config.method == "percentile":
        changes = sample.rates(config.resamples, config.seed)
        return *_percentiles(changes, config), _two_sided(changes, 0.0)
    rate, deviation = sample.estimate, sample.deviation
    if math.isnan(deviation) or math.isnan(rate):
        return math.nan, math.nan, math.nan
    if deviation <= 1e-12:
        return _alike(rate, sample.units, config)
    low, high = t_bounds(rate, deviation, sample.freedom, config.tail)
    p = student_p(rate / deviation, sample.freedom)
    if config.method == "bootstrap_t":
        below, above = _bootstrap_t(sample, config)
        least, most = sample.ceilings
        low = min(low, max(below, -float(least)))
        high = max(high, min(above, float(most)))
        studentised = sample.studentised(config.resamples, config.seed)
        p = max(p, _two_sided(studentised, rate / deviation))
    return low, high, p


def _alike(rate: float, units: int, config: BootstrapConfig) -> tuple[float, float, float]:
    """Where every unit changes alike there is no spread, so the sign test decides.

    Few such units prove nothing, and zero stays within the bounds.
    """
    p = 1.0 if abs(rate) <= 1e-12 else 2.0 ** (1 - units)
    if p > 1.0 - config.level:
        return min(rate, 0.0), max(rate, 0.0), p
    return rate, rate, p


def _bootstrap_t(sample: Sample, config: BootstrapConfig) -> tuple[float, float]:
    distances = sample.studentised(config.resamples, config.seed)
    if not distances.size:
        return sample.estimate, sample.estimate
    low, high = np.quantile(distances, [config.tail, 1.0 - config.tail])
    rate, deviation = sample.estimate, sample.deviation
    return float(rate - high * deviation), float(rate - low * deviation)


def _two_sided(values: NDArray[np.float64], at: float) -> float:
    """Twice the share of the values beyond ``at`` on its scarcer side, itself counted in."""
    known = values[~np.isnan(values)]
    if not known.size:
        return math.nan
    beyond = min(np.count_nonzero(known <= at), np.count_nonzero(known >= at))
    return float(min(1.0, 2.0 * (beyond + 1) / (known.size + 1)))


def _percentiles(values: NDArray[np.float64], config: BootstrapConfig) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not known.size:
        return math.nan, math.nan
    low, high = np.quantile(known, [config.tail, 1.0 - config.tail])
    return float(low), float(high)


def _crossed(
    units: Units,
    one: tuple[str, NDArray[np.int64]],
    other: tuple[str, NDArray[np.int64]],
    config: BootstrapConfig,
) -> Interval:
    """By two kinds at once: their variances add up, less that of what they share."""
    (first, names), (second, others) = one, other
    both = names * (others.max() + 1) + others
    summed = [units.by(of) for of in (names, others, both)]
    samples = [Sample.of(of.errors[None, :], of.tokens[None, :]) for of in summed]
    left, right, shared = (sample.deviation**2 for sample in samples)
    variance = max(left, right, left + right - shared)
    freedom = min(samples[0].freedom, samples[1].freedom)
    rate = samples[0].estimate
    low, high = log_odds_bounds(rate, math.sqrt(variance), freedom, config.tail)
    if rate == 0.0:
        high = math.nan
    return Interval(
        low=max(0.0, low),
        high=high,
        level=config.level,
        units=min(len(summed[0]), len(summed[1])),
        by=f"{first} and {second}",
        method="jackknife_t",
    )
