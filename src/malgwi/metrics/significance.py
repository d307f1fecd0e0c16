"""Is B better than A, or was it luck? And how much must be recorded to tell?

The randomisation test asks the sceptic's question: were A and B the same, their results on an
utterance could be swapped without anybody noticing; how often does swapping at random make a
difference as large as the one seen? By speaker, all results of a speaker are swapped at once.
With few units every way of swapping is tried, and the answer is exact.

The surprising choice: units on which A and B agree are left alone, since swapping them changes
nothing; that is why few speakers can often be tried exactly.

Sources: approximate randomisation, E. W. Noreen, "Computer-Intensive Methods for Testing
Hypotheses", 1989, chapter 2, for recognisers S. Riezler and J. T. Maxwell, "On Some Pitfalls in
Automatic Evaluation and Significance Testing for MT", ACL workshop 2005; the one added to both
counts: B. Phipson and G. K. Smyth, "Permutation P-values Should Never Be Zero", 2010; sample
size: W. G. Cochran, "Sampling Techniques", 1977, section 4.

Shapes: N units, K different ones, r swaps of one chunk.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError, DataError
from malgwi.metrics.confidence import (
    BootstrapConfig,
    Difference,
    paired_difference,
    paired_sample,
)
from malgwi.metrics.resampling import CHUNK, Array, Sample, student_t
from malgwi.metrics.units import Clusters, Counted, Units, numbered

#: Up to so many units that differ, every way of swapping is tried.
EXACT_UNITS = 14


@dataclass(frozen=True, kw_only=True)
class Randomisation:
    """What swapping the systems' results says.

    Attributes:
        p: Share of swaps with a difference at least as large, either way.
        by: What a unit is.
        units: How many there are.
        differing: On how many of them the systems differ; only these are swapped.
        exact: Whether every way of swapping was tried.
        rounds: How many ways were tried.
    """

    p: float
    by: str
    units: int
    differing: int
    exact: bool
    rounds: int


@dataclass(frozen=True, kw_only=True)
class Needed:
    """How many units show a difference, judged by the spread between these units.

    Attributes:
        detect: The difference to be seen, as a rate.
        power: How often it is to be seen.
        level: Confidence: 0.95 takes chance for a difference once in twenty times.
        by: What a unit is.
        units: How many are needed; None if the systems differ nowhere.
        utterances: The same in utterances, at as many a unit as here.
        detectable: The difference that these units show with that power.
    """

    detect: float
    power: float
    level: float
    by: str
    units: int | None
    utterances: int | None
    detectable: float | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two systems on the same utterances, judged by every kind of unit.

    Attributes:
        a: Rate of A.
        b: Rate of B.
        differences: B less A, the widest interval first.
        randomisations: One for each of them.
        needed: Likewise.
    """

    a: float
    b: float
    differences: tuple[Difference, ...]
    randomisations: tuple[Randomisation, ...]
    needed: tuple[Needed, ...]

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` is B, by the widest interval; else ``undecided``."""
        bounds = self.differences[0].interval
        if bounds.high < 0.0:
            return "better"
        return "worse" if bounds.low > 0.0 else "undecided"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        differences = [
            {
                "difference": found.rate,
                **found.interval.to_dict(),
                "p": None if math.isnan(found.p) else found.p,
                "share_better": None if math.isnan(found.improvement) else found.improvement,
            }
            for found in self.differences
        ]
        return {
            "a": self.a,
            "b": self.b,
            "verdict": self.verdict,
            "differences": differences,
            "randomisation": [asdict(found) for found in self.randomisations],
            "needed": [asdict(found) for found in self.needed],
        }


def compare(
    a: Counted,
    b: Counted,
    clusters: Mapping[str, Clusters],
    config: BootstrapConfig | None = None,
    *,
    rounds: int = 10_000,
    detect: float | None = None,
    power: float = 0.8,
) -> Comparison:
    """Whether B is better than A: intervals, tests and sizes, by utterance and by each cluster.

    Args:
        a: One rate an utterance, or their counts.
        b: The other system's, in the same order.
        clusters: What they are called → the cluster of each utterance; a kind with one cluster,
            or with one for each utterance, says nothing more and is left out.
        config: Of the bootstrap; its level is that of all, its seed that of the tests.
        rounds: Of the randomisation test.
        detect: A difference for which to say how many units would show it.
        power: How often.

    Raises:
        ConfigError: As the three that it calls.
        DataError: There are no tokens to make a rate of.
    """
    config = config or BootstrapConfig()
    one, other = Units.of(a), Units.of(b)
    if not one.tokens.sum() or not other.tokens.sum():
        raise DataError("there is nothing to compare: the references have no tokens")
    kinds: dict[str, Clusters | None] = {"utterance": None}
    for name, names in clusters.items():
        if 0 < (of := numbered(names)).max(initial=0) < len(one) - 1:
            kinds[name] = of
    found = [
        (
            paired_difference(one, other, names, config, by=by),
            randomisation(one, other, names, rounds=rounds, seed=config.seed, by=by),
            needed(one, other, names, detect=detect, power=power, level=config.level, by=by),
        )
        for by, names in kinds.items()
    ]
    found.sort(key=lambda of: (math.isnan(of[0].interval.width), -of[0].interval.width))
    differences, randomisations, sizes = zip(*found, strict=True)
    return Comparison(
        a=float(one.errors.sum() / one.tokens.sum()),
        b=float(other.errors.sum() / other.tokens.sum()),
        differences=differences,
        randomisations=randomisations,
        needed=sizes,
    )


def randomisation(
    a: Counted,
    b: Counted,
    clusters: Clusters | None = None,
    *,
    rounds: int = 10_000,
    seed: int = 0,
    by: str | None = None,
) -> Randomisation:
    """Approximate randomisation test of the difference of two corpus rates, two-sided.

    Args:
        a: One rate an utterance, or their counts.
        b: The other system's, in the same order.
        clusters: What is swapped at once, a speaker's utterances as a rule; None swaps each
            utterance alone, which takes utterances of a speaker for independent.
        rounds: Random swaps, where there are too many to try them all.
        seed: Of these.
        by: What to call a unit.

    Raises:
        ConfigError: The lengths differ, or there are no rounds.

    >>> from malgwi.metrics.error_rate import ErrorRate
    >>> bad, good = ErrorRate(8, 2, 0, 0, 10), ErrorRate(9, 1, 0, 0, 10)
    >>> randomisation([bad] * 6, [good] * 6).p  # 2 of the 2^6 ways are so extreme
    0.03125
    """
    one, other = Units.of(a), Units.of(b)
    if len(one) != len(other):
        raise ConfigError(
            f"a paired test needs the same utterances: A has {len(one)}, B has {len(other)}"
        )
    if rounds < 1:
        raise ConfigError(f"randomisation rounds is {rounds}: it must be 1 or more")
    one, other = one.by(clusters), other.by(clusters)
    sample = paired_sample(one, other)
    differ = (sample.errors[0] != sample.errors[1]) | (sample.tokens[0] != sample.tokens[1])
    differing = int(sample.copies[differ].sum())
    exact = differing <= EXACT_UNITS
    swaps = _every(sample, differ) if exact else _random(sample, differ, rounds, seed)
    tried = extreme = 0
    for difference in swaps:
        # Rounding must not make the swap that changes nothing look smaller than itself.
        large = np.abs(difference) >= abs(sample.estimate) - 1e-12
        tried, extreme = tried + len(difference), extreme + int(np.count_nonzero(large))
    added = 0 if exact else 1
    return Randomisation(
        p=(extreme + added) / (tried + added),
        by=by or ("utterance" if clusters is None else "cluster"),
        units=len(one),
        differing=differing,
        exact=exact,
        rounds=tried,
    )


def needed(
    a: Counted,
    b: Counted,
    clusters: Clusters | None = None,
    *,
    detect: float | None = None,
    power: float = 0.8,
    level: float = 0.95,
    by: str | None = None,
) -> Needed:
    """How many utterances, or speakers, show a difference of ``detect``.

    Takes the spread of the paired difference from one unit to another as it was here, and a
    two-sided paired test with Student's t.

    Args:
        a: As for ``randomisation``.
        b: Likewise.
        clusters: Likewise.
        detect: A difference of rates: 0.005 is half a point; None: the one seen here.
        power: How often it is to be seen.
        level: Confidence of the test.
        by: What to call a unit.

    Raises:
        ConfigError: ``detect`` or level is not between 0 and 1, or power not between
            1 − level, which chance alone has, and 1.
    """
    if detect is not None and not 0.0 < detect < 1.0:
        raise ConfigError(
            f"a difference to detect of {detect}: give a rate between 0 and 1, such as 0.005 for "
            "half a point"
        )
    for name, share, least in (("level", level, 0.0), ("power", power, 1.0 - level)):
        if not least < share < 1.0:
            raise ConfigError(f"{name} is {share}: it must lie between {least:g} and 1")
    one, other = Units.of(a), Units.of(b)
    utterances = len(one)
    one, other = one.by(clusters), other.by(clusters)
    sample = paired_sample(one, other)
    units, spread = len(one), sample.deviation * math.sqrt(len(one))
    wanted = abs(sample.estimate) if detect is None else detect
    found = _units_for(wanted, spread, power, level)
    return Needed(
        detect=wanted,
        power=power,
        level=level,
        by=by or ("utterance" if clusters is None else "cluster"),
        units=found,
        utterances=None if found is None else math.ceil(found * utterances / units),
        detectable=_detectable(units, spread, power, level),
    )


def _units_for(detect: float, spread: float, power: float, level: float) -> int | None:
    """The least n with (t(1−α/2) + t(power)) · spread / √n ≤ detect."""
    if not spread > 0.0 or not detect > 0.0:
        return None
    normal = NormalDist()
    quantiles = normal.inv_cdf((1.0 + level) / 2.0) + normal.inv_cdf(power)
    units = max(2, math.ceil((quantiles * spread / detect) ** 2))
    while units < 1000 and _detectable_by(units, spread, power, level) > detect:
        units += 1  # the normal distribution promises a few too little
    return units


def _detectable(units: int, spread: float, power: float, level: float) -> float | None:
    if units < 2 or math.isnan(spread):
        return None
    return _detectable_by(units, spread, power, level)


def _detectable_by(units: int, spread: float, power: float, level: float) -> float:
    freedom = units - 1
    quantiles = student_t(freedom, (1.0 - level) / 2.0) + student_t(freedom, 1.0 - power)
    return quantiles * spread / math.sqrt(units)


def _every(sample: Sample, differ: NDArray[np.bool_]) -> Iterator[Array]:
    """The difference after each way of swapping."""
    chosen = np.repeat(np.flatnonzero(differ), sample.copies[differ].astype(np.int64))
    ways = np.arange(2 ** len(chosen))[:, None] >> np.arange(len(chosen)) & 1
    swapped = np.zeros((len(ways), len(sample.copies)))
    for place, unit in enumerate(chosen):
        swapped[:, unit] += ways[:, place]
    yield _swapped_difference(sample, swapped)


def _random(sample: Sample, differ: NDArray[np.bool_], rounds: int, seed: int) -> Iterator[Array]:
    """Likewise for swaps by coin; copies of a unit are swapped by one binomial draw."""
    generator = np.random.default_rng(seed)
    copies = np.where(differ, sample.copies, 0).astype(np.int64)
    rows = max(1, CHUNK // len(copies))
    for start in range(0, rounds, rows):
        count = min(rows, rounds - start)
        swapped = generator.binomial(copies, 0.5, size=(count, len(copies)))
        yield _swapped_difference(sample, swapped.astype(np.float64))


def _swapped_difference(sample: Sample, swapped: Array) -> Array:
    """B's rate less A's, [r], if so many copies [r, K] of each unit change sides."""
    moved_errors = swapped @ (sample.errors[1] - sample.errors[0])
    moved_tokens = swapped @ (sample.tokens[1] - sample.tokens[0])
    errors, tokens = sample.errors @ sample.copies, sample.tokens @ sample.copies
    with np.errstate(divide="ignore", invalid="ignore"):
        difference: Array = (errors[1] - moved_errors) / (tokens[1] - moved_tokens) - (
            errors[0] + moved_errors
        ) / (tokens[0] + moved_tokens)
    return np.nan_to_num(difference, posinf=np.inf, neginf=-np.inf)
