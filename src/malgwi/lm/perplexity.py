"""Perplexity of an n-gram model on text, with and without what it does not know."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from malgwi.lm.ngram import LN10, NgramModel
from malgwi.lm.units import END, START, UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Perplexity:
    """How surprised a model is by a text; ``</s>`` counts, ``<s>`` does not.

    ``nats`` is −ln P summed; the unknown ones' share of it and number stand apart.
    """

    nats: float = 0.0
    tokens: int = 0
    unknown_nats: float = 0.0
    unknown: int = 0
    sentences: int = 0

    @property
    def with_unknown(self) -> float:
        """Perplexity over all tokens, unknown ones at P(<unk>)."""
        return float(np.exp(self.nats / self.tokens)) if self.tokens else float("nan")

    @property
    def without_unknown(self) -> float:
        """Perplexity over the known tokens alone."""
        known = self.tokens - self.unknown
        return float(np.exp((self.nats - self.unknown_nats) / known)) if known else float("nan")


def perplexity(
    model: NgramModel, sentences: Iterable[Sequence[str]], *, block: int = 1 << 18
) -> Perplexity:
    """Perplexity of sentences of units, streamed ``block`` tokens at a time.

    >>> from malgwi.lm.kneser_ney import train
    >>> sentences = [["가", "나"], ["가"]]
    >>> found = perplexity(train(sentences, order=2).model, [["가", "다"]])
    >>> found.tokens, found.unknown
    (3, 1)
    """
    total, waiting = Perplexity(), []
    for units in sentences:
        waiting += [START, *units, END]
        total = replace(total, sentences=total.sentences + 1)
        if len(waiting) >= block:
            total, waiting = _added(total, model, waiting), []
    return _added(total, model, waiting) if waiting else total


def _added(total: Perplexity, model: NgramModel, text: Sequence[str]) -> Perplexity:
    ids = np.array([model.id_of(unit) for unit in text])
    predicted = ids != model.ids[START]
    nats = -LN10 * model.log10_probs(ids)
    unknown = predicted & (ids == model.ids[UNKNOWN])
    return replace(
        total,
        nats=total.nats + float(nats[predicted].sum()),
        tokens=total.tokens + int(predicted.sum()),
        unknown_nats=total.unknown_nats + float(nats[unknown].sum()),
        unknown=total.unknown + int(unknown.sum()),
    )
