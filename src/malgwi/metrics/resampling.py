"""The arithmetic of intervals: a corpus rate, or a difference of two, from whole units drawn again.

A unit is an utterance, or all utterances of a speaker or script. A rate is a ratio of two sums, so
its spread follows from each unit's influence on it: exactly, by leaving the unit out (jackknife),
and nearly, by its residual (linearised), which is quick enough to be found for every resample.

The surprising choice: units with the same errors and tokens are drawn together, as a multinomial
count. The distribution is that of drawing them one by one, but a million utterances have only
some thousands of different ones.

Sources: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 11
(jackknife) and 12.5 (bootstrap-t); L. Kish, "Survey Sampling", 1965, section 11.7 (effective
number of uneven units).

Shapes: S systems (1 or 2), K different units, r resamples of one chunk.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: Draws held in memory at once.
CHUNK = 500_000


@dataclass(frozen=True)
class Sample:
    """The units of a corpus: one system's rate, or the rate of the second minus the first's.

    Attributes:
        errors: [S, K] of each different unit.
        tokens: [S, K] what they are divided by.
        copies: [K] how many units are alike in both.
    """

    errors: Array
    tokens: Array
    copies: Array

    @classmethod
    def of(cls, errors: NDArray[np.int64], tokens: NDArray[np.int64]) -> "Sample":
        """From the counts [S, N] of N units; units without any of either are left out."""
        columns = np.concatenate([errors, tokens])
        columns = columns[:, columns.any(axis=0)]
        first, copies = _different(columns)
        found = columns[:, first].astype(np.float64)
        return cls(found[: len(errors)], found[len(errors) :], copies.astype(np.float64))

    @property
    def units(self) -> int:
        """How many there are."""
        return int(self.copies.sum())

    @cached_property
    def estimate(self) -> float:
        """The rate, or the difference; NaN without tokens."""
        return float(self._combined(self._ratio(self.copies[None, :]))[0])

    @property
    def ceilings(self) -> Array:
        """What each system's rate will hardly exceed, [S]: 1, or that of its worst unit if more."""
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = self.errors / self.tokens  # 0 / 0 where only the other system has errors
        worst: Array = np.fmax.reduce(rates, axis=1, initial=1.0)
        return worst

    @cached_property
    def deviation(self) -> float:
        """Jackknife standard error of the estimate; NaN if one unit holds all tokens."""
        if self.units < 2:
            return math.nan
        errors, tokens = self.errors @ self.copies, self.tokens @ self.copies
        left = np.where(tokens[:, None] > self.tokens, tokens[:, None] - self.tokens, np.nan)
        change = self._combined(((errors[:, None] - self.errors) / left).T) - self.estimate
        share = (self.units - 1) / self.units
        return float(np.sqrt(share * (self.copies * change**2).sum()))

    @property
    def freedom(self) -> float:
        """Degrees of freedom: units, were they of one size, less one; at least one."""
        tokens = self.tokens.sum(axis=0)
        squared = (self.copies * tokens**2).sum()
        effective = (self.copies * tokens).sum() ** 2 / squared if squared else 0.0
        return float(max(1.0, effective - 1.0))

    def rates(self, resamples: int, seed: int) -> Array:
        """The estimate of each resample, [R]; NaN where no token was drawn."""
        parts = [self._combined(self._ratio(drawn)) for drawn in self._draws(resamples, seed)]
        return np.concatenate(parts) if parts else np.empty(0)

    def studentised(self, resamples: int, seed: int) -> Array:
        """Each resample's distance from the estimate in its own standard errors, [R].

        Left out are resamples that have no standard error: all their units are alike.
        """
        parts = []
        for drawn in self._draws(resamples, seed):
            ratio = self._ratio(drawn)
            distance, deviation = self._combined(ratio) - self.estimate, self._linear(drawn, ratio)
            known = np.isfinite(distance) & (deviation > 1e-9)
            parts.append(distance[known] / deviation[known])
        return np.concatenate(parts) if parts else np.empty(0)

    def _draws(self, resamples: int, seed: int) -> Iterator[Array]:
        """How often each different unit is drawn, [r, K]; none with fewer than two units."""
        if self.units < 2:
            return
        generator = np.random.default_rng(seed)
        rows = max(1, CHUNK // len(self.copies))
        shares = self.copies / self.units
        for start in range(0, resamples, rows):
            count = min(rows, resamples - start)
            yield generator.multinomial(self.units, shares, size=count).astype(np.float64)

    def _ratio(self, drawn: Array) -> Array:
        """Rates [r, S] of each draw."""
        with np.errstate(divide="ignore", invalid="ignore"):
            rates: Array = (drawn @ self.errors.T) / (drawn @ self.tokens.T)
        rates[~np.isfinite(rates)] = np.nan
        return rates

    def _linear(self, drawn: Array, ratio: Array) -> Array:
        """Linearised standard error of each draw, [r]."""
        tokens = drawn @ self.tokens.T
        tokens[tokens == 0] = np.nan
        signs = (-1.0, 1.0) if len(self.errors) == 2 else (1.0,)
        influence = np.zeros_like(drawn)
        for sign, errors, own, rate, total in zip(
            signs, self.errors, self.tokens, ratio.T, tokens.T, strict=True
        ):
            influence += sign * (errors - rate[:, None] * own) / total[:, None]
        variance = (drawn * influence**2).sum(axis=1) * self.units / (self.units - 1)
        deviation: Array = np.sqrt(variance)
        return deviation

    def _combined(self, rates: Array) -> Array:
        """[r, S] to [r]: the rate itself, or what the second has more than the first."""
        difference: Array = rates[:, -1] - rates[:, 0] if len(self.errors) == 2 else rates[:, 0]
        return difference


def _different(columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each different column stands first, and how often it stands, in that order."""
    key = np.zeros(columns.shape[1], dtype=np.int64)
    for row in columns:  # keys stay below the number of columns: no overflow
        key = np.unique(key * (int(row.max(initial=0)) + 1) + row, return_inverse=True)[1]
    _, first, copies = np.unique(key, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], copies[order]


def t_bounds(estimate: float, deviation: float, freedom: float, tail: float) -> tuple[float, float]:
    """The estimate less and plus as many standard errors as Student's t leaves ``tail`` beyond.

    >>> [round(bound, 3) for bound in t_bounds(0.5, 0.1, 9, 0.025)]
    [0.274, 0.726]
    """
    half = student_t(freedom, tail) * deviation
    return estimate - half, estimate + half


def log_odds_bounds(
    rate: float, deviation: float, freedom: float, tail: float
) -> tuple[float, float]:
    """``t_bounds`` on the scale of log odds: few errors spread further up than down.

    For a rate of 1 and more, which has no odds, ``t_bounds`` itself.

    >>> [round(bound, 3) for bound in log_odds_bounds(0.1, 0.05, 9, 0.025)]
    [0.031, 0.281]
    """
    if not 0.0 < rate < 1.0:
        return t_bounds(rate, deviation, freedom, tail)
    half = student_t(freedom, tail) * deviation / (rate * (1.0 - rate))
    centre = math.log(rate / (1.0 - rate))
    low, high = (0.5 * (1.0 + math.tanh(0.5 * (centre + step))) for step in (-half, half))
    return low, high


def student_t(freedom: float, tail: float) -> float:
    """The value that Student's t exceeds with probability ``tail``."""
    from scipy.special import stdtrit  # a tenth of a second that `--help` need not wait for

    return float(stdtrit(freedom, 1.0 - tail))


def student_p(distance: float, freedom: float) -> float:
    """Two-sided probability of a t at least so far from zero."""
    from scipy.special import stdtr

    return float(2.0 * stdtr(freedom, -abs(distance)))
