"""Shallow fusion: several language models and a bonus a token, added up as one LanguageModel.

A beam search knows one scorer beside the acoustic model and adds what it says:

    Σ weight · log P_model(token | text) + bonus for every token but the end

A negative weight takes a model's opinion away again. With a model of the training transcripts
that is density ratio fusion: an attention model has learned what its transcripts say, and a text
of another kind should not be judged by that.

The surprising choice: the sum is a LanguageModel itself, so that no search has to count models.

Papers: Gulcehre et al. 2015 (arXiv 1503.03535) shallow fusion; Hannun et al. 2014 (1412.5567) the
bonus; McDermott, Sak & Variani 2019 (2002.11268) density ratio.

Shapes: N rows, V vocabulary.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from malgwi.decoders.fingerprint import mixed
from malgwi.errors import ConfigError
from malgwi.types import BonusModel, LanguageModel


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """How much a language model has to say.

    Attributes:
        lm_weight: λ, by which its log-probability counts; 0 leaves it out.
        source_weight: By which the log-probability of a language model of the training
            transcripts counts against (density ratio); attention models gain by it.
        insertion_bonus: β, added for each token written. A language model prefers short texts;
            this makes up for it. It counts only where a language model is given.
        rescore_weight: By which the log-probability of a second language model counts when it
            ranks the n-best anew.
        rescore_bonus: Added for each token then.

    The defaults are near the best for syllables and CTC's prefix beam on development speech
    (docs/experiments.md, "What a language model should count").
    """

    lm_weight: float = 0.5
    source_weight: float = 0.1
    insertion_bonus: float = 2.0
    rescore_weight: float = 0.3
    rescore_bonus: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not math.isfinite(value):
                raise ConfigError(f"fusion: {name} is {value}, want a finite number")


class Fusion:
    """A weighted sum of language models; a LanguageModel (and BonusModel) itself.

    What a model rules out (−inf) stays ruled out, under a negative weight too. Parts of weight 0
    are not asked.

    Args:
        parts: Models over one vocabulary, each with its weight.
        end_id: The token that earns no bonus.
        insertion_bonus: Added for every other token.

    Raises:
        ConfigError: No model, vocabularies of two sizes, or a weight that is not finite.
    """

    def __init__(
        self,
        parts: Sequence[tuple[LanguageModel, float]],
        *,
        end_id: int,
        insertion_bonus: float = 0.0,
    ) -> None:
        sizes = sorted({model.vocabulary_size for model, _ in parts})
        if len(sizes) != 1:
            raise ConfigError(
                f"fusion: models over vocabularies of {sizes} tokens: give one or more models, "
                "bound to the recogniser's own tokenizer"
            )
        if not all(math.isfinite(weight) for _, weight in parts):
            raise ConfigError(f"fusion: weights {[w for _, w in parts]} must be finite")
        self.vocabulary_size = sizes[0]
        self._parts = tuple((model, float(weight)) for model, weight in parts if weight)
        self._end_id, self._bonus = end_id, insertion_bonus
        self.ceiling = max(0.0, insertion_bonus) + sum(_ceiling(*part) for part in self._parts)

    @staticmethod
    def of(
        config: FusionConfig,
        *,
        end_id: int,
        language_model: LanguageModel | None = None,
        source_model: LanguageModel | None = None,
        hotwords: LanguageModel | None = None,
    ) -> "Fusion | None":
        """All that a beam search adds to the acoustic model; None if nothing is given."""
        given = (
            (language_model, config.lm_weight),
            (source_model, -config.source_weight),
            (hotwords, 1.0),
        )
        parts = [(model, weight) for model, weight in given if model is not None]
        if not parts:
            return None
        bonus = 0.0 if language_model is None else config.insertion_bonus
        return Fusion(parts, end_id=end_id, insertion_bonus=bonus)

    def start(self, rows: int) -> tuple[Any, ...]:
        """The number of rows and each model's state at the beginning of a text."""
        return (rows, *(model.start(rows) for model, _ in self._parts))

    def score(self, state: tuple[Any, ...]) -> NDArray[np.float32]:
        """The weighted sum for every token: [N, V] float32."""
        total = np.full((state[0], self.vocabulary_size), self._bonus, np.float32)
        total[:, self._end_id] = 0.0
        for (model, weight), part in zip(self._parts, state[1:], strict=True):
            scores = model.score(part)
            weighted = scores * weight
            if weight < 0:
                weighted[scores == -np.inf] = -np.inf
            total += weighted
        return total

    def advance(
        self, state: tuple[Any, ...], rows: NDArray[np.int64], tokens: NDArray[np.int64]
    ) -> tuple[Any, ...]:
        """Each model's state, advanced."""
        parts = zip(self._parts, state[1:], strict=True)
        return (len(rows), *(model.advance(part, rows, tokens) for (model, _), part in parts))

    def contexts(self, state: tuple[Any, ...]) -> NDArray[np.uint64] | None:
        """[N] rows of one number are one to all models; None if one of them cannot tell."""
        total = np.zeros(state[0], np.uint64)
        for (model, _), part in zip(self._parts, state[1:], strict=True):
            numbers = model.contexts(part)
            if numbers is None:
                return None
            total = mixed(total ^ numbers)
        return total


def _ceiling(model: LanguageModel, weight: float) -> float:
    """The most that a model of this weight can add at one token."""
    if weight < 0:
        return math.inf
    return weight * model.ceiling if isinstance(model, BonusModel) else 0.0
