"""N-best rescoring: a second opinion on whole hypotheses, by a model too slow to search with.

    score + weight · log P_LM(string, end) + bonus · tokens

Source: Chan et al. 2016 (arXiv 1508.01211, §2.3) rank the hypotheses of a length-normalised
search so.

Shapes: N hypotheses of all utterances, U tokens, V vocabulary.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError
from malgwi.types import Hypothesis, LanguageModel


def rescore(
    hypotheses: Sequence[Sequence[Hypothesis]],
    model: LanguageModel,
    *,
    weight: float,
    insertion_bonus: float = 0.0,
    end_id: int,
) -> list[list[Hypothesis]]:
    """Rank the hypotheses of each utterance anew.

    Args:
        hypotheses: The n-best of each utterance.
        model: A language model over the same tokens.
        weight: λ, by which its log-probability is added to ``score``.
        insertion_bonus: Added for each token.
        end_id: The token that ends a text.

    Returns:
        The same hypotheses with new ``score`` and ``lm_score`` (what the search had added to it
        included), best first, those that ended before those cut off, of equals the first as given.

    Raises:
        ConfigError: The hypotheses hold tokens that the model does not know.
    """
    flat = [hypothesis for nbest in hypotheses for hypothesis in nbest]
    log_probs = iter(text_log_probs([h.tokens for h in flat], model, end_id=end_id))
    results = []
    for nbest in hypotheses:
        scored = []
        for h in nbest:
            added = _weighted(next(log_probs), weight) + insertion_bonus * len(h.tokens)
            lm_score = added + (h.lm_score or 0.0)
            scored.append(replace(h, score=h.score + added, lm_score=lm_score))
        results.append(sorted(scored, key=lambda h: (not h.ended, -h.score)))
    return results


def _weighted(log_prob: float, weight: float) -> float:
    """What is impossible stays impossible, under a negative weight too."""
    if weight == 0:
        return 0.0
    return log_prob if math.isinf(log_prob) else weight * log_prob


def text_log_probs(
    texts: Sequence[Sequence[int]], model: LanguageModel, *, end_id: int
) -> list[float]:
    """log P_LM of each finished text, natural logarithm, all of them side by side.

    Raises:
        ConfigError: A token outside the model's vocabulary.
    """
    highest = max((token for text in texts for token in text), default=0)
    if highest >= model.vocabulary_size:
        raise ConfigError(
            f"token {highest} is unknown to a language model of {model.vocabulary_size}: bind it "
            "to the tokenizer of the recogniser"
        )
    rows, state = np.arange(len(texts)), model.start(len(texts))
    total = np.zeros(len(texts))
    for column in _columns(texts, end_id):
        said = model.score(state)[rows, np.maximum(column, 0)]
        total += np.where(column < 0, 0.0, said)
        state = model.advance(state, rows, np.where(column == end_id, -1, column))
    values: list[float] = total.tolist()
    return values


def _columns(texts: Sequence[Sequence[int]], end_id: int) -> list[NDArray[np.int64]]:
    """One [N] a step: each text's tokens, the end token, then −1."""
    longest = max((len(text) for text in texts), default=-1) + 1
    padded = [[*text, end_id] + [-1] * (longest - 1 - len(text)) for text in texts]
    return list(np.array(padded).T) if padded else []
