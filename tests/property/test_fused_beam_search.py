"""Beam search with a language model, hot-words or both inside, against exhaustive search."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_search import (
    MAX_LENGTH,
    SCORINGS,
    VOCABULARY_SIZE,
    WIDE,
    Batch,
    added,
    exhaustive,
    log_of,
)
from toy_language_model import RandomTrigram
from toy_scorer import BLANK, END, START, EvenSpeller

from malgwi.decoders.attention_beam import BeamConfig, beam_search
from malgwi.decoders.fusion import Fusion
from malgwi.errors import ConfigError
from malgwi.lm.hotwords import HotWords
from malgwi.types import LanguageModel

seeds = st.integers(0, 2**31)


def fusions(seed: int) -> dict[str, LanguageModel]:
    """Every way to add something: it may fall only, rise by so much, or rise without bound."""
    one, other = (RandomTrigram(seed=seed + i, vocabulary_size=VOCABULARY_SIZE) for i in range(2))
    words = {(3, 4): 4.0, (4,): -1.0, (5, 5, 3): 9.0}
    hot = HotWords(words, vocabulary_size=VOCABULARY_SIZE, end_id=END)
    return {
        "language model": one,
        "weighted, with a bonus": Fusion([(one, 0.5)], end_id=END, insertion_bonus=1.5),
        "hot-words": hot,
        "density ratio": Fusion([(one, 0.6), (other, -0.4)], end_id=END),
        "all": Fusion([(one, 0.6), (other, -0.2), (hot, 1.0)], end_id=END, insertion_bonus=0.4),
    }


fused = pytest.mark.parametrize("fusion", fusions(0).keys())


@fused
@pytest.mark.parametrize("scoring", ["plain", "length", "coverage", "all"])
@settings(max_examples=6, deadline=None)
@given(seed=seeds)
def test_with_what_is_fused_a_wide_beam_finds_what_exhaustive_search_finds(
    fusion: str, scoring: str, seed: int
) -> None:
    batch = replace(Batch.of(seed, [4], [MAX_LENGTH]), language_model=fusions(seed)[fusion])
    config = SCORINGS[scoring]
    truth = exhaustive(batch, config)
    (hypotheses,) = batch.search(replace(config, beams=WIDE, nbest=5))
    assert len(hypotheses) >= min(5, len(truth))
    assert batch.language_model is not None
    for (ended, score, string), hypothesis in zip(truth, hypotheses, strict=False):
        assert hypothesis.score == pytest.approx(score, abs=1e-4)
        assert hypothesis.ended == ended
        same_score = [s for _, other, s in truth if abs(other - score) < 1e-4]
        assert hypothesis.tokens in same_score or hypothesis.tokens == string
        labels = [*hypothesis.tokens] + [END] * ended
        assert hypothesis.lm_score == pytest.approx(added(batch.language_model, labels), abs=1e-4)


@fused
@settings(max_examples=10, deadline=None)
@given(seed=seeds, alpha=st.sampled_from([0.0, 0.7, 1.0]), sharpness=st.sampled_from([1.0, 3.0]))
def test_with_what_is_fused_stopping_early_changes_nothing(
    fusion: str, seed: int, alpha: float, sharpness: float
) -> None:
    model = fusions(seed)[fusion]
    batch = replace(Batch.of(seed, [4, 7], [9, 12], sharpness), language_model=model)
    config = BeamConfig(beams=3, length_normalization=alpha)
    short = batch.search(replace(config, nbest=2))
    long = batch.search(replace(config, nbest=1000))
    for ours, theirs in zip(short, long, strict=True):
        assert [h.tokens for h in ours] == [h.tokens for h in theirs][: len(ours)]
        assert len(ours) == 2


@fused
@settings(max_examples=6, deadline=None)
@given(seed=seeds, beams=st.integers(1, 4))
def test_with_what_is_fused_company_changes_nothing(fusion: str, seed: int, beams: int) -> None:
    model = fusions(seed)[fusion]
    batch = replace(Batch.of(seed, [9, 2, 5], [3, 12, 7]), language_model=model)
    config = replace(SCORINGS["all"], beams=beams, nbest=beams)
    for b, together in enumerate(batch.search(config)):
        (alone,) = batch.only(b).search(config)
        assert [h.tokens for h in together] == [h.tokens for h in alone]
        assert [h.score for h in together] == pytest.approx([h.score for h in alone], abs=1e-4)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0])
def test_what_pays_late_is_waited_for(alpha: float) -> None:
    """Ended at once a text is worth 1; with a token more and the end behind it far more."""
    chance = torch.full((6, 6), 1e-9)
    chance[START, [END, 3]] = torch.tensor([0.6, 0.2])
    chance[3, END] = 1.0
    scorer = EvenSpeller(vocabulary_size=6)
    scorer._table = chance.log()
    late = RandomTrigram(seed=0, vocabulary_size=6)
    late.table[:] = 0.0
    late.table[6 * 7 + 6, END] = 1.0 - log_of(0.6)
    late.table[6 * 7 + 3, END] = 9.0
    ((best,),) = beam_search(
        scorer,
        start_id=START,
        end_id=END,
        encoder_lengths=torch.tensor([4]),
        max_lengths=torch.tensor([12]),
        config=BeamConfig(beams=2, length_normalization=alpha),
        blank_id=BLANK,
        language_model=AtMost(late, 9.0),
    )
    assert best.tokens == (3,)
    assert best.score == pytest.approx((log_of(0.2) + 9.0) / 2**alpha, abs=1e-4)


class AtMost:
    """A model that adds at most so much a token."""

    def __init__(self, model: RandomTrigram, ceiling: float) -> None:
        self.vocabulary_size, self.ceiling = model.vocabulary_size, ceiling
        self.start, self.score, self.advance = model.start, model.score, model.advance
        self.contexts = model.contexts


def test_a_language_model_that_adds_nothing_changes_no_bit() -> None:
    silent = RandomTrigram(seed=0, vocabulary_size=VOCABULARY_SIZE)
    silent.table[:] = 0.0
    for config in SCORINGS.values():
        batch = Batch.of(5, [4, 9, 6], [6, 12, 8])
        config = replace(config, beams=4, nbest=4)
        plain, with_it = batch.search(config), replace(batch, language_model=silent).search(config)
        for ours, theirs in zip(plain, with_it, strict=True):
            assert [(h.tokens, h.score) for h in ours] == [(h.tokens, h.score) for h in theirs]
            assert [h.lm_score for h in theirs] == [0.0] * len(theirs)


def test_a_language_model_of_another_vocabulary_is_refused() -> None:
    model = RandomTrigram(seed=0, vocabulary_size=9)
    with pytest.raises(ConfigError, match="language model has 9 tokens, the recogniser 6"):
        replace(Batch.of(0, [4], [3]), language_model=model).search(BeamConfig())
