"""Interpolated modified Kneser-Ney smoothing, with the conventions of KenLM's ``lmplz``.

Chen and Goodman, "An empirical study of smoothing techniques for language modeling", 1999, §3.4
(equations 24 to 26); Heafield et al., "Scalable Modified Kneser-Ney Language Model Estimation",
ACL 2013, §3, for what the paper leaves open:

- The count of an n-gram below the highest order is the number of distinct words before it; one
  that begins with ``<s>`` has nothing before it and keeps its plain count.
- ``<s>`` is never predicted; ``</s>`` is a word that ends every sentence.
- Discounts D1, D2, D3+ of each order come from its counts of counts; where those cannot give any
  (small or artificial text), 0.5, 1 and 1.5 stand in, and `Estimate.fallbacks` says so.
- Unigrams are interpolated with the uniform distribution over all words, ``<unk>`` included, which
  is all the probability that ``<unk>`` has.
- Pruned n-grams (plain count at most the order's cut-off) give their mass to the lower order. They
  still counted for the discounts.

Shapes: n n-grams of one order, p n-grams of the order below.
"""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError, DataError
from malgwi.lm.counting import START_ID, Counted, count, pack
from malgwi.lm.ngram import Level, NgramModel
from malgwi.lm.units import TextSettings

FALLBACK = (0.5, 1.0, 1.5)
#: log10 of a backoff weight or probability that is zero; finite, so that sums stay finite.
_LOG10_ZERO = -99.0


@dataclass(frozen=True)
class Estimate:
    """A model, and how it came about.

    Attributes:
        model: The n-gram model.
        discounts: For each order D1, D2, D3+.
        fallbacks: The orders whose counts gave no discounts.
        distinct: For each order the n-grams before pruning.
    """

    model: NgramModel
    discounts: tuple[tuple[float, float, float], ...]
    fallbacks: tuple[int, ...]
    distinct: tuple[int, ...]


@dataclass(frozen=True)
class _Order:
    """The n-grams of one order, ascending word by word."""

    words: NDArray[np.int64]  # [n, k]
    adjusted: NDArray[np.int64]  # [n] what smoothing counts
    plain: NDArray[np.int64]  # [n] how often in the text
    keys: NDArray[np.generic]  # [n] the words packed


def train(
    sentences: Iterable[Sequence[str]],
    order: int = 4,
    *,
    prune: Sequence[int] = (),
    memory_bytes: int = 1 << 30,
    settings: TextSettings | None = None,
    folder: Path | None = None,
) -> Estimate:
    """An n-gram model of ``sentences``.

    Args:
        sentences: The units of one sentence each; read once, as a stream.
        order: The longest n-gram.
        prune: For each order the highest plain count that is left out, as ``lmplz --prune``; the
            last holds for the orders above. Unigrams are never left out.
        memory_bytes: For counting; the model's own n-grams come on top.
        settings: How the sentences were cut, to be recorded in the model.
        folder: Where temporary files go; the system's place for them if not given.

    Raises:
        ConfigError: An order below 1, or cut-offs that do not fit it.
        DataError: No sentence.

    >>> estimate = train([["가", "나"], ["가"]], order=2)
    >>> round(10 ** estimate.model.log10_prob(["가"], "나"), 4)
    0.375
    """
    cutoffs = _cutoffs(prune, order)
    with tempfile.TemporaryDirectory(dir=folder, prefix="malgwi-lm-") as place:
        counted = count(sentences, order, Path(place), memory_bytes)
        if not len(counted.keys):
            raise DataError("a language model cannot be trained: the text holds no sentence")
        return estimate(counted, cutoffs, settings)


def _cutoffs(prune: Sequence[int], order: int) -> tuple[int, ...]:
    cutoffs = [*prune[:order], *([prune[-1] if prune else 0] * (order - len(prune)))]
    falling = any(later < before for before, later in pairwise(cutoffs))
    if len(prune) > order or falling or any(cutoff < 0 for cutoff in cutoffs):
        raise ConfigError(
            f"--prune {' '.join(map(str, prune))}: give at most {order} cut-offs, none below the "
            "one before it, such as 0 0 1"
        )
    return (0, *cutoffs[1:])


def estimate(
    counted: Counted, cutoffs: Sequence[int], settings: TextSettings | None = None
) -> Estimate:
    """Probabilities and backoff weights from counts.

    Args:
        counted: By `malgwi.lm.counting.count`.
        cutoffs: One for each order.
        settings: To be recorded in the model.
    """
    size = len(counted.words)
    changed = _changes(counted)
    below: _Order | None = None
    lower_probs = np.full(size, 1.0 / (size - 1))  # uniform; <s> is not predicted
    levels: list[Level] = []
    kept_below = np.zeros(0, np.int64)
    discounts, fallbacks, distinct = [], [], []
    for number in range(1, counted.order + 1):
        order = _order(counted, changed, number)
        amounts = discounts_of(order.adjusted)
        if amounts is None:
            fallbacks.append(number)
        discounts.append(amounts or FALLBACK)
        distinct.append(len(order.words))
        parents, suffixes = _links(order, below, size)
        cut = np.where(order.plain > cutoffs[number - 1], order.adjusted, 0)
        if number == 1:
            cut = order.adjusted
        contexts = 1 if below is None else len(below.words)
        own, gamma = _discounted(order.adjusted, cut, parents, contexts, discounts[-1])
        probs = own + gamma[parents] * lower_probs[suffixes]
        if number == 1:
            probs[START_ID] = 1.0  # as lmplz writes it: given, not predicted
        keep = np.ones(len(probs), bool) if number == 1 else cut > 0
        if number > 1:
            levels[-1] = _with_children(levels[-1], gamma[kept_below], parents[keep], kept_below)
        levels.append(Level(words=order.words[keep, -1], log10=floored_log10(probs[keep])))
        below, lower_probs, kept_below = order, probs, np.flatnonzero(keep)
    model = NgramModel(counted.words, tuple(levels), settings)
    return Estimate(model, tuple(discounts), tuple(fallbacks), tuple(distinct))


def _changes(counted: Counted) -> list[NDArray[np.bool_]]:
    """For k = 1 … N where the last k words differ from the row before, [n] each."""
    differs = np.zeros(len(counted.keys), bool)
    differs[0] = True
    changes = []
    for place in range(counted.order):
        column = counted.column(place)
        differs = differs.copy()
        differs[1:] |= column[1:] != column[:-1]
        changes.append(differs)
    return changes


def _order(counted: Counted, changed: Sequence[NDArray[np.bool_]], number: int) -> _Order:
    """The n-grams of one order with both their counts; at order 1 every word, seen or not."""
    starts = np.flatnonzero(changed[number - 1])
    plain = np.add.reduceat(counted.counts, starts)
    columns = [counted.column(place)[starts] for place in reversed(range(number))]
    words = np.stack(columns, axis=1)
    adjusted = plain
    if number < counted.order:
        before = np.add.reduceat(changed[number].astype(np.int64), starts)
        adjusted = np.where(words[:, 0] == START_ID, plain, before)
    whole = words[:, 0] >= 0  # the others reach beyond the beginning of their sentence
    words, plain, adjusted = words[whole], plain[whole], adjusted[whole]
    size = len(counted.words)
    if number == 1:
        seen = words[:, 0]
        words = np.arange(size)[:, None]
        plain, adjusted = (np.bincount(seen, of, size).astype(np.int64) for of in (plain, adjusted))
    keys = pack(words, size)
    rows = np.argsort(keys, kind="stable")
    return _Order(words[rows], adjusted[rows], plain[rows], keys[rows])


def discounts_of(adjusted: NDArray[np.int64]) -> tuple[float, float, float] | None:
    """D1, D2 and D3+ by equation 26 of the paper; None where the counts give none.

    >>> discounts_of(np.repeat([1, 2, 3, 4], [8, 4, 2, 1]))
    (0.5, 1.25, 2.0)
    """
    n1, n2, n3, n4 = (int(np.count_nonzero(adjusted == times)) for times in (1, 2, 3, 4))
    if not (n1 and n2 and n3):
        return None
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    usable = all(0 <= discount <= times for times, discount in enumerate(found, start=1))
    return found if usable else None


def _links(
    order: _Order, below: _Order | None, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each n-gram without its last, and without its first word stands one order below."""
    if below is None:
        return np.zeros(len(order.words), np.int64), order.words[:, 0]
    places = (
        np.searchsorted(below.keys, pack(part, size))
        for part in (order.words[:, :-1], order.words[:, 1:])
    )
    parents, suffixes = places
    return parents, suffixes


def _discounted(
    adjusted: NDArray[np.int64],
    cut: NDArray[np.int64],
    parents: NDArray[np.int64],
    size: int,
    amounts: tuple[float, float, float],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each n-gram's own share, [n], and each context's weight of the order below, [p].

    Equation 25, with what pruning took away added to the weight so that all sums to 1.
    """
    total = np.bincount(parents, adjusted, size)
    taken = np.take([0.0, *amounts], np.minimum(cut, 3))
    freed = np.bincount(parents, taken + (adjusted - cut), size)
    with np.errstate(invalid="ignore"):
        gamma = np.where(total > 0, freed / total, 1.0)
        own = np.where(total[parents] > 0, (cut - taken) / total[parents], 0.0)
    return own, gamma


def _with_children(
    level: Level,
    gamma: NDArray[np.float64],
    parents: NDArray[np.int64],
    kept: NDArray[np.int64],
) -> Level:
    """The level with backoff weights and the places of its children.

    Args:
        level: Of the kept n-grams.
        gamma: Their weights, [kept].
        parents: Of the kept children, as numbered before pruning.
        kept: Those numbers of the level's n-grams, ascending.
    """
    children = np.searchsorted(parents, np.append(kept, np.iinfo(np.int64).max))
    return Level(
        words=level.words, log10=level.log10, backoff=floored_log10(gamma), children=children
    )


def floored_log10(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """log10 as a model keeps it, float32; of zero a finite number, so that sums stay finite."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log10(values), _LOG10_ZERO).astype(np.float32)
