"""Beam search against exhaustive search, teacher forcing, greedy decoding and its own promises."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_search import (
    MAX_LENGTH,
    SCORINGS,
    WIDE,
    Batch,
    ctc_table,
    exhaustive,
    log_of,
)
from toy_scorer import BLANK, END, START, CyclingSpeller, EvenSpeller, RandomSpeller, forced

from malgwi.decoders.attention_beam import BeamConfig, beam_search
from malgwi.errors import ConfigError, MalgwiError
from malgwi.types import StepScorer

seeds = st.integers(0, 2**31)
scorings = pytest.mark.parametrize("config", SCORINGS.values(), ids=SCORINGS.keys())


def search(scorer: StepScorer, batch: int, max_length: int, config: BeamConfig):  # type: ignore[no-untyped-def]
    return beam_search(
        scorer,
        start_id=START,
        end_id=END,
        encoder_lengths=torch.full((batch,), 4),
        max_lengths=torch.full((batch,), max_length),
        config=config,
        blank_id=BLANK,
    )


@scorings
@settings(max_examples=12, deadline=None)
@given(seed=seeds, sharpness=st.sampled_from([0.5, 3.0]))
def test_a_wide_beam_finds_what_exhaustive_search_finds(
    config: BeamConfig, seed: int, sharpness: float
) -> None:
    batch = Batch.of(seed, [4], [MAX_LENGTH], sharpness)
    truth = exhaustive(batch, config)
    (hypotheses,) = batch.search(replace(config, beams=WIDE, nbest=5))
    assert len(hypotheses) >= min(5, len(truth))
    for (ended, score, string), hypothesis in zip(truth, hypotheses, strict=False):
        assert hypothesis.score == pytest.approx(score, abs=1e-4)
        assert hypothesis.ended == ended
        same_score = [s for _, other, s in truth if abs(other - score) < 1e-4]
        assert hypothesis.tokens in same_score or hypothesis.tokens == string


@scorings
@settings(max_examples=12, deadline=None)
@given(seed=seeds, beams=st.integers(1, 6))
def test_each_log_prob_is_the_teacher_forced_one(config: BeamConfig, seed: int, beams: int) -> None:
    batch = Batch.of(seed, [5, 3], [8, 6])
    for b, hypotheses in enumerate(batch.search(replace(config, beams=beams, nbest=beams))):
        alone = batch.only(b)
        table = ctc_table(alone.ctc_log_probs[0]) if config.ctc_weight else {}
        for hypothesis in hypotheses:
            log_probs, attention = forced(alone.scorer, [hypothesis.tokens])
            labels = list(hypothesis.tokens) + [END] * hypothesis.ended
            expected = sum(float(log_probs[0, u, v]) for u, v in enumerate(labels))
            assert hypothesis.log_prob == pytest.approx(expected, abs=1e-4)
            assert hypothesis.attention is not None
            torch.testing.assert_close(
                hypothesis.attention, attention[0, : len(labels)], atol=1e-5, rtol=1e-5
            )
            if config.ctc_weight and hypothesis.ended:
                assert hypothesis.ctc_log_prob == pytest.approx(
                    log_of(table.get(hypothesis.tokens, 0.0)), abs=1e-4
                )


@scorings
@settings(max_examples=12, deadline=None)
@given(seed=seeds, beams=st.integers(1, 5))
@example(seed=561, beams=2)  # CTC rules the greedy path out: it must not keep its place
def test_a_result_does_not_depend_on_the_rest_of_the_batch(
    config: BeamConfig, seed: int, beams: int
) -> None:
    batch = Batch.of(seed, [9, 2, 5], [3, 12, 7])
    config = replace(config, beams=beams, nbest=beams)
    together = batch.search(config)
    for b, hypotheses in enumerate(together):
        (alone,) = batch.only(b).search(config)
        assert [h.tokens for h in hypotheses] == [h.tokens for h in alone]
        assert [h.ended for h in hypotheses] == [h.ended for h in alone]
        assert [h.finished_at for h in hypotheses] == [h.finished_at for h in alone]
        for ours, theirs in zip(hypotheses, alone, strict=True):
            assert ours.score == pytest.approx(theirs.score, abs=1e-5)
            assert ours.attention is not None
            assert theirs.attention is not None
            torch.testing.assert_close(ours.attention, theirs.attention, atol=1e-5, rtol=1e-5)


class WithoutNarrowing:
    """A StepScorer that keeps all its utterances to the end."""

    def __init__(self, scorer: RandomSpeller) -> None:
        self.vocabulary_size = scorer.vocabulary_size
        self.start, self.step, self.select = scorer.start, scorer.step, scorer.select


@scorings
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_letting_go_of_settled_utterances_changes_nothing(config: BeamConfig, seed: int) -> None:
    batch = Batch.of(seed, [4, 9, 2, 5, 6], [12, 3, 6, 1, 9])
    config = replace(config, beams=3, nbest=3)
    stubborn = replace(batch, scorer=WithoutNarrowing(batch.scorer))  # type: ignore[arg-type]
    stubborn.scorer.lengths = batch.scorer.lengths
    for ours, theirs in zip(batch.search(config), stubborn.search(config), strict=True):
        assert [(h.tokens, h.ended) for h in ours] == [(h.tokens, h.ended) for h in theirs]
        assert [h.score for h in ours] == pytest.approx([h.score for h in theirs], abs=1e-5)
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a.attention, b.attention, atol=1e-5, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, beams=st.integers(1, 6), sharpness=st.sampled_from([0.3, 1.0, 4.0]))
@example(seed=1021, beams=1, sharpness=4.0)
def test_never_a_lower_score_than_greedy(seed: int, beams: int, sharpness: float) -> None:
    batch = Batch.of(seed, [4, 6, 3], [5, 12, 20], sharpness)
    beam = batch.search(BeamConfig(beams=beams, length_normalization=0.0))
    for (best,), greedy in zip(beam, batch.greedy(), strict=True):
        # Ended outranks cut off; of two of a kind the score decides. The search adds up in
        # float32, greedy decoding in float64: each addition rounds by up to 2**-24 of the sum.
        rounding = (len(greedy.tokens) + 1) * abs(greedy.log_prob) * 2**-24
        assert (best.ended, best.score) >= (greedy.ended, greedy.log_prob - rounding)


def test_a_plain_beam_search_can_lose_to_greedy_and_this_one_does_not() -> None:
    """The trap: two good continuations of a second-best start push the greedy path out."""
    chance = torch.full((8, 8), 1e-9)
    chance[START, [3, 4]] = torch.tensor([0.5, 0.5 - 1e-3])
    chance[3, [5, 6, 7]] = torch.tensor([0.4, 0.3, 0.3])  # greedy: 3 5 end, 0.5 × 0.4
    chance[4, [6, 7]] = torch.tensor([0.49, 0.49])  # each 0.245 now, and then nothing good
    chance[5, END] = 1.0
    chance[6, [3, 4, 5, 6, 7, END]] = 1 / 6
    chance[7, [3, 4, 5, 6, 7, END]] = 1 / 6
    scorer = EvenSpeller(vocabulary_size=8)
    scorer._table = chance.log()
    ((best,),) = search(scorer, 1, 10, BeamConfig(beams=2, length_normalization=0.0))
    assert best.tokens == (3, 5)
    assert best.score == pytest.approx(log_of(0.2), abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, sharpness=st.sampled_from([0.3, 1.0, 4.0]), gamma=st.sampled_from([None, 1.5]))
def test_one_beam_is_greedy_decoding(seed: int, sharpness: float, gamma: float | None) -> None:
    batch = Batch.of(seed, [4, 6, 3], [5, 12, 20], sharpness)
    config = BeamConfig(beams=1, length_normalization=0.0, end_threshold=gamma)
    for (best,), greedy in zip(batch.search(config), batch.greedy(), strict=True):
        assert best.tokens == greedy.tokens
        assert best.ended == greedy.ended
        assert best.log_prob == pytest.approx(greedy.log_prob, abs=1e-4)
        torch.testing.assert_close(best.attention, greedy.attention)


@scorings
@settings(max_examples=12, deadline=None)
@given(seed=seeds, beams=st.integers(1, 6), nbest=st.integers(1, 9))
def test_nbest_is_sorted_distinct_and_no_longer_than_asked(
    config: BeamConfig, seed: int, beams: int, nbest: int
) -> None:
    batch = Batch.of(seed, [4, 7], [4, 9], sharpness=1.0)
    for hypotheses in batch.search(replace(config, beams=beams, nbest=nbest)):
        assert 1 <= len(hypotheses) <= nbest
        ranks = [(h.ended, h.score) for h in hypotheses]
        assert ranks == sorted(ranks, reverse=True)
        assert len({h.tokens for h in hypotheses}) == len(hypotheses)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, alpha=st.sampled_from([0.0, 0.7, 1.0]), coverage=st.sampled_from([0.0, 0.3]))
def test_stopping_early_changes_nothing(seed: int, alpha: float, coverage: float) -> None:
    """One n-best so long that the search never stops early gives the same first places."""
    batch = Batch.of(seed, [4, 7], [9, 12])
    config = BeamConfig(beams=3, length_normalization=alpha, coverage_weight=coverage)
    for short, long in zip(
        batch.search(replace(config, nbest=2)),
        batch.search(replace(config, nbest=1000)),
        strict=True,
    ):
        assert [h.tokens for h in short] == [h.tokens for h in long][: len(short)]
        assert len(short) == 2


@pytest.mark.parametrize("beams", [1, 4, 8])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_model_that_never_ends_is_cut_off_and_returned(beams: int, alpha: float) -> None:
    config = BeamConfig(beams=beams, length_normalization=alpha)
    for (best,) in search(CyclingSpeller(batch=2), 2, 15, config):
        assert not best.ended
        assert best.tokens == tuple(3 + u % 9 for u in range(15))
        assert best.log_prob == pytest.approx(15 * log_of(0.9), abs=1e-4)
        assert best.score == pytest.approx(best.log_prob / 15**alpha, abs=1e-4)
        assert best.attention is not None
        assert best.attention.shape == (15, 4)


def test_a_looping_model_that_could_end_is_ended() -> None:
    """Whoever ended competes first, however sure the loop is of itself."""
    scorer = CyclingSpeller(certainty=0.95, end_probability=0.04)
    ((best,),) = search(scorer, 1, 30, BeamConfig(beams=4))
    assert best.ended


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("beams", [1, 4, 8])
def test_a_model_without_a_clue_says_little(alpha: float, beams: int) -> None:
    config = BeamConfig(beams=beams, length_normalization=alpha)
    ((best,),) = search(EvenSpeller(), 1, 40, config)
    assert best.ended
    assert best.tokens == ()


def test_equal_scores_go_to_the_lower_token_ids() -> None:
    config = BeamConfig(beams=3, length_normalization=0.0, nbest=4)
    first, second = (search(EvenSpeller(), 1, 4, config)[0] for _ in range(2))
    assert (
        [h.tokens for h in first]
        == [h.tokens for h in second]
        == [
            (),
            (3,),
            (3, 3),
            (3, 3, 3),
        ]
    )


def test_no_room_for_a_token_still_returns_something() -> None:
    ((best,),) = search(CyclingSpeller(), 1, 0, BeamConfig())
    assert best.tokens == ()
    assert not best.ended
    ((best,),) = search(EvenSpeller(), 1, 0, BeamConfig(beams=8))
    assert best.ended


def test_patience_stops_after_that_many_and_lists_them_in_leaving_order() -> None:
    config = BeamConfig(beams=4, nbest=99, patience=1.0)
    (hypotheses,) = search(EvenSpeller(), 1, 40, config)
    assert 4 <= len(hypotheses) < 8
    assert sorted(h.finished_at or 0 for h in hypotheses) == list(range(len(hypotheses)))


def test_too_early_ends_are_held_back() -> None:
    """End at 0.3 beside 0.6: log 0.3 / log 0.6 is 2.36, so γ = 2 forbids it and 3 does not."""
    scorer = CyclingSpeller(certainty=0.6, end_probability=0.3)
    strict = BeamConfig(beams=4, length_normalization=0.0, end_threshold=2.0)
    assert not search(scorer, 1, 6, strict)[0][0].ended
    assert search(scorer, 1, 6, replace(strict, end_threshold=3.0))[0][0].tokens == ()


def test_errors_say_what_to_change() -> None:
    with pytest.raises(ConfigError, match="beams is 0, want at least 1"):
        BeamConfig(beams=0)
    with pytest.raises(ConfigError, match=r"ctc_weight is 1\.5, want from 0 to 1"):
        BeamConfig(ctc_weight=1.5)
    with pytest.raises(ConfigError, match="train with the auxiliary CTC"):
        search(EvenSpeller(), 1, 4, BeamConfig(ctc_weight=0.3))
    broken = EvenSpeller()
    broken._table = broken._table * torch.nan
    with pytest.raises(MalgwiError, match="NaN at step 0"):
        search(broken, 1, 4, BeamConfig())


@scorings
def test_a_configuration_survives_json(config: BeamConfig) -> None:
    assert BeamConfig(**json.loads(json.dumps(asdict(config)))) == config
