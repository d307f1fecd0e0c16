"""What the n-grams of a model leave to shorter contexts, and backoff weights from that.

A backoff model is whole when every context sums to 1: what its own n-grams leave of that, over
what the same words leave one order below, is its backoff weight (Katz 1987).

Orders are walked from the lowest up with the trie's nodes of every n-gram, as in a search, so that
each n-gram costs one look-up a length.

Shapes: n n-grams of one order k, p of the order below, K order of the model.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from malgwi.lm.ngram import NgramModel, Nodes

_BLOCK = 1 << 18  # n-grams looked up at once


@dataclass(frozen=True)
class Masses:
    """The n-grams of one order, and what their contexts leave to the order below."""

    parents: Nodes  # [n] the context of each
    prob: NDArray[np.float64]  # [n] P(last word | context)
    lower: NDArray[np.float64]  # [n] the same with a context one word shorter
    left: NDArray[np.float64]  # [p] 1 − the sum of prob
    lower_left: NDArray[np.float64]  # [p] 1 − the sum of lower


def weighed(model: NgramModel) -> NgramModel:
    """The model with backoff weights anew, lowest order first: each sums over the order below.

    Args:
        model: Its weights so far are not looked at; a context without n-grams gets weight 1.
    """
    levels = [replace(level, backoff=None) for level in model.levels]
    nodes = unigram_nodes(model)
    for order in range(2, model.order + 1):
        found, nodes = masses(NgramModel(model.words, levels), order, nodes)
        weights = np.log10(np.maximum(found.left / found.lower_left, 1e-99))
        weights[np.bincount(found.parents, minlength=len(weights)) == 0] = 0.0
        levels[order - 2] = replace(levels[order - 2], backoff=weights.astype(np.float32))
    return NgramModel(model.words, levels, model.settings)


def unigram_nodes(model: NgramModel) -> Nodes:
    """[W, 1]: where a walk of `masses` begins."""
    return np.arange(len(model.words))[:, None]


def masses(model: NgramModel, order: int, nodes: Nodes) -> tuple[Masses, Nodes]:
    """Probabilities of an order's n-grams, and what their contexts leave.

    Args:
        model: Whole below ``order``.
        order: k, 2 … K.
        nodes: [p, k − 1] of the order below: column j is the node of an n-gram's last j + 1 words.

    Returns:
        That, and the nodes [n, k] of this order.
    """
    below, level = model.levels[order - 2], model.levels[order - 1]
    parents, words = below.parents(), level.words.astype(np.int64)
    log10, after = log10_after(model, nodes[:, :-1], parents, words)
    prob, lower = 10.0 ** level.log10.astype(np.float64), 10.0**log10
    size = len(below.words)
    left = np.maximum(1.0 - np.bincount(parents, prob, size), 0.0)
    lower_left = np.maximum(1.0 - np.bincount(parents, lower, size), 1e-12)
    whole = np.concatenate([after, np.arange(len(words))[:, None]], axis=1)
    return Masses(parents, prob, lower, left, lower_left), whole


def log10_after(
    model: NgramModel, nodes: Nodes, parents: Nodes, words: Nodes
) -> tuple[NDArray[np.float64], Nodes]:
    """log10 P(word | context) of many contexts and words, in blocks.

    Args:
        model: Whose nodes these are.
        nodes: [p, L] of the contexts, L < K; −1 where there is none.
        parents: [n] the context of each word.
        words: [n].

    Returns:
        [n], and the nodes [n, L + 1] after the words.
    """
    log10 = np.zeros(len(words))
    after = np.full((len(words), nodes.shape[1] + 1), -1, np.int64)
    for begin in range(0, len(words), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        log10[part], after[part] = model.after(nodes[parents[part]], words[part])
    return log10, after


def grams(model: NgramModel, order: int) -> NDArray[np.int64]:
    """The words of every n-gram of an order, [n, k]."""
    words = model.levels[0].words.astype(np.int64)[:, None]
    for level, above in zip(model.levels[: order - 1], model.levels[1:order], strict=True):
        words = np.concatenate(
            [words[level.parents()], above.words[:, None].astype(np.int64)], axis=1
        )
    return words
