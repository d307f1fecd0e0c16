"""Too much or too little text for the audio: characters a second against texts of like length.

A transcript that belongs to another recording, that was cut off, or that describes only half of
what is heard shows as an unlikely number of characters a second. What is likely depends on the
length: "네" with its pause takes as long as half a sentence. So utterances are compared within
classes of text length, each twice as long as the one before, on the logarithm of the rate, by the
robust z-score: distance from the median over 1.4826 times the median absolute deviation, which is
the standard deviation where the rest is normal, and which the outliers themselves do not widen.
A deviation estimated on few utterances is uncertain, so the bound is wider there, as Student's is.

Sources: B. Iglewicz and D. Hoaglin, "How to Detect and Handle Outliers", ASQC 1993, chapter 3;
D. L. Wallace, "Bounds on normal approximations to Student's and the chi-square distributions",
Ann. Math. Statist. 30(4), 1959, for Student's quantiles.
"""

import math

import numpy as np

from malgwi.audit.histogram import Histogram, even, sum_of
from malgwi.audit.ranking import Ranking, Suspect
from malgwi.manifest import Facts

#: A class with fewer utterances is judged together with its neighbours, as many as it takes.
_FEWEST = 50
_CLASSES = 8
#: Of log2 characters a second: 1/32 of an octave, 2 %, a bin.
_LOWEST, _HIGHEST, _BIN = -5.0, 8.0, 1 / 32
#: Speech that is more even than this (octaves) is not judged more strictly for it: actors at one
#: speed have 0.1, and beside them four deviations would be no more than a lively speaker.
_LEAST_DEVIATION = 0.2
#: The median absolute deviation of so many normal values is as certain as a standard deviation of
#: one: its relative efficiency.
_EFFICIENCY = 0.3675


class Pace:
    """Rates of one part's utterances, and its extremes.

    Args:
        part: Its name.
        size: How many extremes to keep.
        bound: Which robust z-score is suspicious.
    """

    def __init__(self, part: str, size: int, bound: float) -> None:
        self._part = part
        self._size = size
        self._bound = bound
        self._classes = [_LengthClass(size) for _ in range(_CLASSES)]

    def add(self, facts: Facts, characters: int, seconds: float) -> None:
        """Take in one utterance; one without text or duration has no rate."""
        if characters <= 0 or seconds <= 0:
            return
        rate = math.log2(characters / seconds)
        of_length = self._classes[min(_CLASSES - 1, (characters - 1).bit_length())]
        of_length.rates.add(rate)
        for sign, extremes in ((1, of_length.fast), (-1, of_length.slow)):
            if extremes.wants(sign * rate):
                reason = f"{characters} characters in {seconds:.2f} s"
                suspect = Suspect(part=self._part, facts=facts, score=sign * rate, reason=reason)
                extremes.keep(suspect)

    def outliers(self) -> tuple[Ranking, Ranking]:
        """Too much text, and too little; ``score`` is the robust z-score without its sign."""
        much, little = Ranking(self._size), Ranking(self._size)
        for place, of_length in enumerate(self._classes):
            rates = self._of_like_length(place)
            if rates.count < _FEWEST:
                continue
            middle, deviation = robust_scale(rates)
            deviation *= widening(rates.count, self._bound)
            self._judge(of_length.rates, of_length.fast, much, middle, deviation, 1)
            self._judge(of_length.rates, of_length.slow, little, middle, deviation, -1)
        return much, little

    def _of_like_length(self, place: int) -> Histogram:
        """The rates of a class, and of its neighbours as far as it takes to have enough."""
        rates = self._classes[place].rates
        for reach in range(1, _CLASSES):
            if rates.count >= _FEWEST:
                break
            near = self._classes[max(0, place - reach) : place + reach + 1]
            rates = sum_of([of_length.rates for of_length in near])
        return rates

    def _judge(
        self,
        rates: Histogram,
        extremes: Ranking,
        into: Ranking,
        middle: float,
        deviation: float,
        sign: int,
    ) -> None:
        kept = extremes.listed()
        beyond = 0
        for suspect in kept:
            score = sign * (sign * suspect.score - middle) / deviation
            if score >= self._bound:
                beyond += 1
                usual = f"{suspect.reason}; {2**middle:.1f} a second is usual"
                into.add(
                    Suspect(
                        part=suspect.part,
                        facts=suspect.facts,
                        score=round(score, 2),
                        reason=usual,
                    )
                )
        if beyond == len(kept) == self._size:  # more than were kept: counted to within a bin
            limit = middle + sign * self._bound * deviation
            into.count += max(0, _beyond(rates, limit, sign) - beyond)


class _LengthClass:
    """Texts of like length: rates as log2 characters a second, and the extremes on both sides."""

    def __init__(self, size: int) -> None:
        self.rates = even(_LOWEST, _HIGHEST, _BIN, "log2 characters/s")
        self.fast, self.slow = Ranking(size), Ranking(size)


def robust_scale(values: Histogram) -> tuple[float, float]:
    """Median and 1.4826 times the median absolute deviation, to within a bin; at least 0.2.

    >>> some = even(0, 10, 0.01, "")
    >>> for value in (1, 2, 3, 4, 5, 6, 9.5):
    ...     some.add(value)
    >>> middle, deviation = robust_scale(some)
    >>> round(middle), round(deviation / 1.4826)
    (4, 2)
    """
    counts = np.array([values.below, *values.counts, values.above])
    edges = np.array(values.edges)
    step = edges[1] - edges[0]
    centres = np.concatenate(([edges[0]], (edges[:-1] + edges[1:]) / 2, [edges[-1]]))
    middle = values.quantile(0.5)
    away = np.abs(centres - middle)
    order = np.argsort(away, kind="stable")
    passed = np.cumsum(counts[order])
    median_away = float(away[order][np.searchsorted(passed, values.count / 2)])
    return middle, max(1.4826 * max(median_away, step / 2), _LEAST_DEVIATION)


def widening(count: int, bound: float) -> float:
    """How many times further out Student's bound is than the normal one, at an equal chance.

    Args:
        count: Values by which a robust deviation was estimated.
        bound: In standard deviations, of a normal distribution.

    >>> [round(widening(count, 4.0), 2) for count in (50, 400, 10_000)]
    [1.29, 1.03, 1.0]
    """
    freedom = _EFFICIENCY * count
    corrected = bound * (8 * freedom + 3) / (8 * freedom + 1)
    return math.sqrt(freedom * math.expm1(corrected**2 / freedom)) / bound


def _beyond(rates: Histogram, limit: float, sign: int) -> int:
    """How many lie above the limit (sign 1) or below it (sign -1), by the centres of the bins."""
    edges = np.array(rates.edges)
    centres = (edges[:-1] + edges[1:]) / 2
    inside = int(np.array(rates.counts)[sign * (centres - limit) >= 0].sum())
    return inside + (rates.above if sign > 0 else rates.below)
