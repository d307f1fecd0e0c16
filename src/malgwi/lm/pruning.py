"""Entropy pruning: leave out the n-grams whose loss changes the model least.

Stolcke, "Entropy-based pruning of backoff language models", DARPA Broadcast News Workshop, 1998,
§3: an n-gram goes if the relative change of perplexity that follows, e^D(p‖p′) − 1, lies below a
threshold; its mass returns to the context's backoff weight. Highest order first, and an n-gram
that a longer one begins with stays. At the end all weights are computed anew, since they sum over
lower orders.

The probability of a context is the product of its words' under the model itself. Kneser-Ney's
lower orders are no marginals, so the estimate is rough there (Chelba et al., "Study on
interaction between entropy pruning and Kneser-Ney smoothing", Interspeech 2010): count cut-offs
are the better first measure.

Shapes: n n-grams of one order, p of the order below.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError
from malgwi.lm.ngram import LN10, Level, NgramModel
from malgwi.lm.units import START


def prune_by_entropy(model: NgramModel, threshold: float) -> NgramModel:
    """The model without n-grams whose loss raises perplexity by less than ``threshold``.

    Args:
        model: Any backoff model whose contexts sum to 1.
        threshold: Relative rise of perplexity for each n-gram alone, such as 1e-7.

    Raises:
        ConfigError: A threshold below 0.
    """
    if threshold < 0:
        raise ConfigError(f"--entropy {threshold:g}: give a small number above 0, such as 1e-7")
    levels = list(model.levels)
    for order in range(model.order, 1, -1):
        whole = NgramModel(model.words, levels, model.settings)
        levels[order - 2 : order] = _pruned(whole, order, threshold)
    return _weighed(NgramModel(model.words, levels, model.settings))


def _pruned(model: NgramModel, order: int, threshold: float) -> list[Level]:
    """Levels ``order − 1`` and ``order`` after pruning the latter."""
    below, level = model.levels[order - 2], model.levels[order - 1]
    assert below.children is not None
    keep = _rise(model, order, _masses(model, order)) >= threshold
    if level.children is not None:
        keep |= np.diff(level.children.astype(np.int64)) > 0
    starts = np.concatenate([[0], np.cumsum(keep)])[below.children.astype(np.int64)]
    return [replace(below, children=starts), _kept(level, keep)]


def _weighed(model: NgramModel) -> NgramModel:
    """The backoff weights anew, lowest order first: each sums over the pruned order below."""
    levels = list(model.levels)
    for order in range(2, model.order + 1):
        whole = NgramModel(model.words, levels)
        found = _masses(whole, order)
        weights = np.log10(np.maximum(found.left / found.lower_left, 1e-99))
        weights[np.bincount(found.parents, minlength=len(weights)) == 0] = 0.0
        levels[order - 2] = replace(levels[order - 2], backoff=weights.astype(np.float32))
    return NgramModel(model.words, levels, model.settings)


@dataclass(frozen=True)
class _Masses:
    """The n-grams of one order, and what their contexts leave to the order below."""

    parents: NDArray[np.int64]  # [n] the context of each
    prob: NDArray[np.float64]  # [n] P(last word | context)
    lower: NDArray[np.float64]  # [n] the same with a context one word shorter
    left: NDArray[np.float64]  # [p] 1 − the sum of prob
    lower_left: NDArray[np.float64]  # [p] 1 − the sum of lower


def _masses(model: NgramModel, order: int) -> _Masses:
    below, level = model.levels[order - 2], model.levels[order - 1]
    parents = below.parents()
    prob = 10.0 ** level.log10.astype(np.float64)
    lower = 10.0 ** _last(model, _grams(model, order)[:, 1:])
    size = len(below.words)
    left = np.maximum(1.0 - np.bincount(parents, prob, size), 0.0)
    lower_left = np.maximum(1.0 - np.bincount(parents, lower, size), 1e-12)
    return _Masses(parents, prob, lower, left, lower_left)


def _kept(level: Level, keep: NDArray[np.bool_]) -> Level:
    """The level with these n-grams; those left out have no children."""
    children = level.children
    return Level(
        words=level.words[keep],
        log10=level.log10[keep],
        backoff=None if level.backoff is None else level.backoff[keep],
        children=None if children is None else np.append(children[:-1][keep], children[-1]),
    )


def _rise(model: NgramModel, order: int, of: _Masses) -> NDArray[np.float64]:
    """e^D − 1 if each n-gram alone went, [n] (equations 5 to 8 of the paper)."""
    backoff = model.levels[order - 2].backoff
    assert backoff is not None
    left, lower_left = of.left[of.parents], of.lower_left[of.parents]
    old = backoff[of.parents].astype(np.float64) * LN10
    new = np.log((left + of.prob) / (lower_left + of.lower))
    divergence = -_context_probs(model, order)[of.parents] * (
        of.prob * (np.log(of.lower) + new - np.log(of.prob)) + left * (new - old)
    )
    rise: NDArray[np.float64] = np.expm1(divergence)
    return rise


def _grams(model: NgramModel, order: int) -> NDArray[np.int64]:
    """The words of every n-gram of an order, [n, k]."""
    words = model.levels[0].words.astype(np.int64)[:, None]
    for level, above in zip(model.levels[: order - 1], model.levels[1:order], strict=True):
        words = np.concatenate(
            [words[level.parents()], above.words[:, None].astype(np.int64)], axis=1
        )
    return words


def _context_probs(model: NgramModel, order: int) -> NDArray[np.float64]:
    """P of each context of ``order − 1`` words, [p]; ``<s>`` is given."""
    grams = _grams(model, order - 1)
    total = np.zeros(len(grams))
    for length in range(1, order):
        total += np.where(
            grams[:, length - 1] == model.ids[START], 0.0, _last(model, grams[:, :length])
        )
    probs: NDArray[np.float64] = np.power(10.0, total)
    return probs


def _last(model: NgramModel, grams: NDArray[np.int64]) -> NDArray[np.float64]:
    """log10 P of the last word of each row given the rest, [n]."""
    length = grams.shape[1]
    # Rows side by side make one text: with orders up to the row's length none sees the row before.
    shorter = NgramModel(model.words, model.levels[:length])
    return shorter.log10_probs(grams.reshape(-1))[length - 1 :: length]
