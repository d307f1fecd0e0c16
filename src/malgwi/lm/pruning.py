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

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError
from malgwi.lm.backoff import Masses, masses, unigram_nodes, weighed
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
    rises = list(_rises(model))
    levels = list(model.levels)
    for order in range(model.order, 1, -1):
        below, level = levels[order - 2 : order]
        assert below.children is not None
        keep = rises[order - 2] >= threshold
        if level.children is not None:
            keep |= np.diff(level.children.astype(np.int64)) > 0
        starts = np.concatenate([[0], np.cumsum(keep)])[below.children.astype(np.int64)]
        levels[order - 2 : order] = [replace(below, children=starts), _kept(level, keep)]
    return weighed(NgramModel(model.words, levels, model.settings))


def _kept(level: Level, keep: NDArray[np.bool_]) -> Level:
    """The level with these n-grams; those left out have no children."""
    children = level.children
    return Level(
        words=level.words[keep],
        log10=level.log10[keep],
        backoff=None if level.backoff is None else level.backoff[keep],
        children=None if children is None else np.append(children[:-1][keep], children[-1]),
    )


def _rises(model: NgramModel) -> Iterator[NDArray[np.float64]]:
    """For orders 2 … K how perplexity rises if each n-gram alone went, [n]."""
    nodes = unigram_nodes(model)
    contexts = model.levels[0].log10.astype(np.float64)
    contexts[model.ids[START]] = 0.0  # given, not predicted
    for order in range(2, model.order + 1):
        found, nodes = masses(model, order, nodes)
        backoff = model.levels[order - 2].backoff
        assert backoff is not None
        yield _rise(found, backoff.astype(np.float64) * LN10, 10.0**contexts)
        contexts = contexts[found.parents] + model.levels[order - 1].log10


def _rise(
    of: Masses, backoff: NDArray[np.float64], contexts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """e^D − 1, [n] (equations 5 to 8 of the paper).

    Args:
        of: The order's n-grams.
        backoff: [p] natural logarithm of their contexts' weights.
        contexts: [p] P of these contexts.
    """
    left, lower_left = of.left[of.parents], of.lower_left[of.parents]
    new = np.log((left + of.prob) / (lower_left + of.lower))
    divergence = -contexts[of.parents] * (
        of.prob * (np.log(of.lower) + new - np.log(of.prob)) + left * (new - backoff[of.parents])
    )
    rise: NDArray[np.float64] = np.expm1(divergence)
    return rise
