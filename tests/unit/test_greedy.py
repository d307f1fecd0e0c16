"""Greedy decoding, step by step and as CTC's likeliest path."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_scorer import BLANK, END, START, CyclingSpeller, RandomSpeller, forced

from malgwi.decoders.greedy import attention_greedy, ctc_greedy
from malgwi.types import Hypothesis, StepScorer


def greedy(scorer: StepScorer, lengths: list[int], limits: list[int]) -> list[Hypothesis]:
    return attention_greedy(
        scorer,
        start_id=START,
        end_id=END,
        encoder_lengths=torch.tensor(lengths),
        max_lengths=torch.tensor(limits),
        blank_id=BLANK,
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), sharpness=st.sampled_from([0.5, 2.0]))
def test_each_token_is_the_best_that_may_be_proposed(seed: int, sharpness: float) -> None:
    lengths, limits = [5, 2, 7], [6, 12, 3]
    scorer = RandomSpeller(seed=seed, lengths=lengths, vocabulary_size=7, sharpness=sharpness)
    for b, hypothesis in enumerate(greedy(scorer, lengths, limits)):
        log_probs, attention = forced(scorer.only(b), [hypothesis.tokens])
        log_probs[:, :, [BLANK, START]] = -torch.inf
        best, choice = log_probs[0].max(-1)
        labels = list(hypothesis.tokens) + [END] * hypothesis.ended
        assert choice[: len(labels)].tolist() == labels
        assert hypothesis.log_prob == pytest.approx(float(best[: len(labels)].sum()), abs=1e-5)
        assert hypothesis.score == hypothesis.log_prob
        assert hypothesis.ended or len(hypothesis.tokens) == limits[b]
        assert hypothesis.attention is not None
        torch.testing.assert_close(
            hypothesis.attention, attention[0, : len(labels)], atol=1e-5, rtol=1e-5
        )


def test_padding_and_company_change_nothing() -> None:
    lengths, limits = [9, 2, 5], [3, 12, 7]
    scorer = RandomSpeller(seed=3, lengths=lengths)
    for b, hypothesis in enumerate(greedy(scorer, lengths, limits)):
        (alone,) = greedy(scorer.only(b), lengths[b : b + 1], limits[b : b + 1])
        assert hypothesis.tokens == alone.tokens
        assert hypothesis.score == pytest.approx(alone.score, abs=1e-5)


def test_a_model_that_never_ends_is_cut_off() -> None:
    first, second = greedy(CyclingSpeller(batch=2), [4, 4], [20, 3])
    assert not first.ended
    assert not second.ended
    assert first.tokens == tuple(3 + u % 9 for u in range(20))
    assert second.tokens == (3, 4, 5)


def test_the_scorers_own_numbers_are_left_alone() -> None:
    scorer = CyclingSpeller()
    before = scorer._table.clone()
    greedy(scorer, [4], [5])
    torch.testing.assert_close(scorer._table, before)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), frames=st.integers(1, 5))
def test_the_ctc_path_is_the_likeliest_of_all(seed: int, frames: int) -> None:
    g = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(2, 5, 3, generator=g).log_softmax(-1)
    paths = list(product(range(3), repeat=frames))
    scores = [float(log_probs[0, range(frames), list(path)].sum()) for path in paths]
    path = paths[scores.index(max(scores))]
    merged = [v for t, v in enumerate(path) if t == 0 or v != path[t - 1]]
    found = ctc_greedy(log_probs, torch.tensor([frames, 5]), blank_id=BLANK)[0]
    assert found.tokens == tuple(v for v in merged if v != BLANK)
    assert found.score == pytest.approx(max(scores), abs=1e-5)


def test_the_ctc_path_merges_repeats_but_not_across_a_blank() -> None:
    path = torch.tensor([[1, 1, 0, 1, 2, 2, 0, 0], [0, 0, 2, 0, 1, 1, 1, 1]])
    log_probs = torch.nn.functional.one_hot(path, 3).float().mul(9).log_softmax(-1)
    first, second = ctc_greedy(log_probs, torch.tensor([8, 4]), blank_id=0)
    assert first.tokens == (1, 1, 2)
    assert second.tokens == (2,)
    assert first.ended
    assert ctc_greedy(log_probs, torch.tensor([0, 1]), blank_id=0)[0].tokens == ()
