"""Several n-gram models as one: linear interpolation, with weights fitted to a text.

P(w | h) = Σ λ_m P_m(w | h), the λ from expectation maximisation on text that none was trained on
(Jelinek and Mercer 1980). So a little text of the right kind counts for what it is worth beside
much of another, where counting all in one model gives each sentence the same say.

The mixture is an n-gram model again, of all n-grams that any of them holds, each at the mixture's
probability; backoff weights then make every context whole, as SRILM's ``ngram -mix-lm`` does
(Stolcke 2002). For n-grams that none holds this is near the mixture and not quite it: the
weights λ in a long context are as in the shorter one then.

Shapes: M models, T tokens, n n-grams of one order, k words each.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError, DataError
from malgwi.lm.backoff import grams, log10_after, weighed
from malgwi.lm.counting import pack
from malgwi.lm.kneser_ney import floored_log10
from malgwi.lm.ngram import Level, NgramModel, Nodes
from malgwi.lm.units import END, START, TextSettings

#: Weights move less than this in the last round of fitting.
_SETTLED = 1e-5


def mixed(models: Sequence[NgramModel], weights: Sequence[float]) -> NgramModel:
    """One model of all n-grams of ``models``.

    Args:
        models: Cut alike; one whose settings are not known (ARPA) is taken to be.
        weights: λ of each, above 0; their sum is made 1.

    Raises:
        ConfigError: Text was cut in different ways, or weights do not fit.

    >>> from malgwi.lm.kneser_ney import train
    >>> one, other = (train([[word] * 3], order=2).model for word in "가나")
    >>> both = mixed([one, other], [3, 1])
    >>> round(10 ** both.log10_prob(["<s>"], "가") / 10 ** one.log10_prob(["<s>"], "가"), 3)
    0.75
    """
    if len(weights) != len(models) or min(weights, default=0) <= 0:
        raise ConfigError(
            f"weights {' '.join(f'{weight:g}' for weight in weights)}: give one above 0 for each "
            f"of {len(models)} language models"
        )
    settings = settings_of(models)
    words = tuple(dict.fromkeys(word for model in models for word in model.words))
    levels, parents = _union(models, words)
    total = sum(weights)
    probs = [np.zeros(len(level.words)) for level in levels]
    for model, weight in zip(models, weights, strict=True):
        for sums, found in zip(probs, _probs(model, words, levels, parents), strict=True):
            sums += weight / total * found
    levels = [
        replace(level, log10=floored_log10(sums)) for level, sums in zip(levels, probs, strict=True)
    ]
    return weighed(NgramModel(words, levels, settings))


def settings_of(models: Sequence[NgramModel]) -> TextSettings | None:
    """How the text of all of them was cut; None if none says.

    Raises:
        ConfigError: It was cut in different ways.
    """
    known = {str(model.settings): model.settings for model in models if model.settings}
    if len(known) > 1:
        raise ConfigError(
            "language models of texts that were cut in different ways cannot be mixed: "
            + "; ".join(known)
            + ". Train them with the same --tokenizer"
        )
    return next(iter(known.values()), None)


def fitted_weights(
    models: Sequence[NgramModel], sentences: Iterable[Sequence[str]], *, rounds: int = 1000
) -> NDArray[np.float64]:
    """λ [M] that make the mixture's likelihood of a text greatest.

    Words that no model knows do not count; to a model that lacks a word it is impossible.

    Args:
        models: At least one.
        sentences: Units, as the models' text was cut; in memory at once.
        rounds: Of expectation maximisation, at most.

    Raises:
        DataError: No sentence, or none of its words is known.
    """
    text = [unit for sentence in sentences for unit in (START, *sentence, END)]
    predicted = np.array([unit != START for unit in text], bool)
    probs = np.stack([_text_probs(model, text) for model in models])[:, predicted]
    probs = probs[:, probs.any(0)]
    if not probs.size:
        raise DataError("the text to fit weights to holds nothing that the language models know")
    weights = np.full(len(models), 1.0 / len(models))
    for _ in range(rounds):
        shares = weights[:, None] * probs
        before, weights = weights, (shares / shares.sum(0)).mean(1)
        if np.abs(weights - before).max() < _SETTLED:
            break
    return weights


def _text_probs(model: NgramModel, text: Sequence[str]) -> NDArray[np.float64]:
    """P of each word of a text given those before it, 0 where the model lacks the word."""
    probs = 10.0 ** model.log10_probs(np.array([model.id_of(unit) for unit in text], np.int64))
    lacking = np.array([unit not in model.ids for unit in text], bool)
    return np.where(lacking, 0.0, probs)


def _union(models: Sequence[NgramModel], words: Sequence[str]) -> tuple[list[Level], list[Nodes]]:
    """The trie of all n-grams, without numbers, and from order 2 on each one's parent."""
    ids = {word: number for number, word in enumerate(words)}
    levels: list[Level] = []
    parents: list[Nodes] = []
    above: NDArray[np.generic] | None = None
    for order in range(1, max(model.order for model in models) + 1):
        rows = np.concatenate(
            [
                np.array([ids[word] for word in model.words], np.int64)[grams(model, order)]
                for model in models
                if model.order >= order
            ]
        )
        keys, first = np.unique(pack(rows, len(words)), return_index=True)
        rows = rows[first]
        if above is not None:
            parents.append(np.searchsorted(above, pack(rows[:, :-1], len(words))))
            places = np.searchsorted(parents[-1], np.arange(len(above) + 1))
            levels[-1] = replace(levels[-1], children=places)
        levels.append(Level(words=rows[:, -1], log10=np.zeros(0, np.float32)))
        above = keys
    return levels, parents


def _probs(
    model: NgramModel, words: Sequence[str], levels: Sequence[Level], parents: Sequence[Nodes]
) -> Iterator[NDArray[np.float64]]:
    """For each order P of the mixture's n-grams by one of its models, [n]."""
    own = np.array([model.id_of(word) for word in words], np.int64)
    lacking = np.array([word not in model.ids for word in words], bool)
    log10, nodes = model.after(np.zeros((len(words), 0), np.int64), own)
    yield np.where(lacking, 0.0, 10.0**log10)
    for level, above in zip(levels[1:], parents, strict=True):
        log10, nodes = log10_after(model, nodes[:, : model.order - 1], above, own[level.words])
        yield np.where(lacking[level.words], 0.0, 10.0**log10)
