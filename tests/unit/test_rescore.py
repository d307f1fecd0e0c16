"""N-best rescoring against scoring one hypothesis after the other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_language_model import RandomTrigram, score_of
from toy_scorer import END

from malgwi.decoders.rescore import rescore, text_log_probs
from malgwi.errors import ConfigError
from malgwi.types import Hypothesis

texts = st.lists(st.lists(st.integers(3, 6), max_size=6), max_size=5)


def hypothesis(tokens: list[int], score: float, *, ended: bool = True) -> Hypothesis:
    return Hypothesis(tokens=tuple(tokens), score=score, log_prob=score, ended=ended)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), utterances=st.lists(texts, max_size=3))
def test_hypotheses_are_scored_whole_and_ranked_anew(
    seed: int, utterances: list[list[list[int]]]
) -> None:
    model = RandomTrigram(seed=seed, vocabulary_size=7)
    given_ = [[hypothesis(t, -float(i)) for i, t in enumerate(nbest)] for nbest in utterances]
    found = rescore(given_, model, weight=0.7, insertion_bonus=0.3, end_id=END)
    for before, after in zip(given_, found, strict=True):
        assert sorted(h.tokens for h in before) == sorted(h.tokens for h in after)
        scores = [h.score for h in after]
        assert scores == sorted(scores, reverse=True)
        for h in after:
            added = 0.7 * score_of(model, h.tokens, END) + 0.3 * len(h.tokens)
            assert h.lm_score == pytest.approx(added, abs=1e-4)
            assert any(h.score == pytest.approx(b.score + added, abs=1e-4) for b in before)


def test_what_was_cut_off_stays_behind_and_earlier_models_count() -> None:
    model = RandomTrigram(seed=1, vocabulary_size=7)
    cut = hypothesis([3], 5.0, ended=False)
    fused = Hypothesis(tokens=(4,), score=-3.0, log_prob=-1.0, ended=True, lm_score=-2.0)
    ((first, second),) = rescore([[cut, fused]], model, weight=0.0, insertion_bonus=1.0, end_id=END)
    assert (first.tokens, second.tokens) == ((4,), (3,))
    assert (first.score, first.lm_score) == (-2.0, -1.0)


def test_a_text_has_its_end_and_no_other_vocabulary() -> None:
    model = RandomTrigram(seed=2, vocabulary_size=7)
    assert text_log_probs([[]], model, end_id=END) == pytest.approx([score_of(model, [], END)])
    with pytest.raises(ConfigError, match="token 9 is unknown to a language model of 7"):
        text_log_probs([[9]], model, end_id=END)
