"""CTC prefix beam search against all strings, all paths, greedy decoding and its own promises."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from toy_language_model import RandomTrigram, score_of
from toy_scorer import BLANK, END, START

from malgwi.decoders.ctc_beam import CtcBeamConfig, ctc_beam
from malgwi.decoders.greedy import ctc_greedy
from malgwi.errors import ConfigError, MalgwiError
from malgwi.types import Hypothesis, LanguageModel

TOKENS = (3, 4, 5)
VOCABULARY_SIZE = 6
EXACT = CtcBeamConfig(beams=400, nbest=400, shortlist=None, min_log_prob=None, skip_blank=None)


def narrow(beams: int) -> CtcBeamConfig:
    return replace(EXACT, beams=beams, nbest=1)


seeds = st.integers(0, 2**31)


def matrix(seed: int, lengths: list[int], sharpness: float = 1.5) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(len(lengths), max(lengths), VOCABULARY_SIZE, generator=g)
    return logits.log_softmax(-1)


def search(
    log_probs: Tensor,
    lengths: list[int],
    config: CtcBeamConfig,
    model: LanguageModel | None = None,
) -> list[list[Hypothesis]]:
    return ctc_beam(
        log_probs.numpy(),
        np.array(lengths),
        blank_id=BLANK,
        start_id=START,
        end_id=END,
        config=config,
        language_model=model,
    )


def all_strings(log_probs: Tensor) -> dict[tuple[int, ...], float]:
    """P(string) by walking every path of [T, V] that has no start and no end token."""
    table: dict[tuple[int, ...], float] = {}
    for path in product((BLANK, *TOKENS), repeat=len(log_probs)):
        merged = [v for t, v in enumerate(path) if t == 0 or v != path[t - 1]]
        string = tuple(v for v in merged if v != BLANK)
        chance = float(log_probs[range(len(path)), list(path)].double().sum().exp())
        table[string] = table.get(string, 0.0) + chance
    return table


class RemembersAll(RandomTrigram):
    """The same scores, and no word about when two texts are one to it."""

    def contexts(self, state: object) -> None:  # type: ignore[override]
        return None


def best_scores(log_probs: Tensor, beams: int, model: LanguageModel) -> list[float]:
    """What the strings found are worth, exactly."""
    found = search(log_probs, [log_probs.size(1)] * len(log_probs), narrow(beams), model)
    strings = [nbest[0].tokens for nbest in found]
    sums = [
        -float(
            torch.nn.functional.ctc_loss(
                row[:, None].double(),
                torch.tensor([string], dtype=torch.long).reshape(1, -1),
                torch.tensor([len(row)]),
                torch.tensor([len(string)]),
                blank=BLANK,
                reduction="sum",
            )
        )
        for row, string in zip(log_probs, strings, strict=True)
    ]
    return [s + score_of(model, t, END) for s, t in zip(sums, strings, strict=True)]


def test_a_narrow_beam_finds_more_by_keeping_one_of_what_is_the_same_from_here_on() -> None:
    """Scores as a trained model gives them: peaks, blanks between, and doubt about which peak."""
    random, letters = np.random.default_rng(7), 12
    written = random.integers(3, 3 + letters, (60, 12))
    path = np.stack([written, written, np.zeros_like(written)], 2).reshape(60, 36)
    logits = 3 * random.normal(size=(*path.shape, 3 + letters))
    np.put_along_axis(
        logits, path[..., None], 9 + np.take_along_axis(logits, path[..., None], 2), 2
    )
    log_probs = torch.from_numpy(logits).log_softmax(-1)
    for beams in (4, 8, 16):
        kept, apart = (
            np.array(best_scores(log_probs, beams, kind(seed=3, vocabulary_size=3 + letters)))
            for kind in (RandomTrigram, RemembersAll)
        )
        better, worse = (kept > apart + 1e-6).sum(), (kept < apart - 1e-6).sum()
        assert better > 4 * worse, (beams, better, worse)
        assert (kept - apart).mean() > 0.1


@settings(max_examples=25, deadline=None)
@given(seed=seeds, frames=st.integers(0, 5), sharpness=st.sampled_from([0.3, 1.5, 6.0]))
def test_a_wide_beam_finds_all_strings_and_their_sums(
    seed: int, frames: int, sharpness: float
) -> None:
    log_probs = matrix(seed, [5], sharpness)
    truth = all_strings(log_probs[0, :frames])
    (found,) = search(log_probs, [frames], EXACT)
    assert {h.tokens for h in found} == truth.keys()
    scores = [h.score for h in found]
    assert scores == sorted(scores, reverse=True)
    for hypothesis in found:
        assert np.exp(hypothesis.score) == pytest.approx(truth[hypothesis.tokens], rel=1e-5)
        assert hypothesis.ctc_log_prob == hypothesis.log_prob == hypothesis.score


@settings(max_examples=25, deadline=None)
@given(seed=seeds, impossible=st.sampled_from([0.0, 0.5]))
def test_a_language_model_is_added_token_by_token(seed: int, impossible: float) -> None:
    log_probs = matrix(seed, [4])
    model = RandomTrigram(seed=seed + 1, vocabulary_size=VOCABULARY_SIZE, impossible=impossible)
    added = {s: score_of(model, s, END) for s in all_strings(log_probs[0])}
    truth = {s: np.log(p) + added[s] for s, p in all_strings(log_probs[0]).items()}
    truth = {s: score for s, score in truth.items() if score > -np.inf}
    (found,) = search(log_probs, [4], EXACT, model)
    assert {h.tokens for h in found} == truth.keys()
    for hypothesis in found:
        assert hypothesis.score == pytest.approx(truth[hypothesis.tokens], abs=1e-4)
        assert hypothesis.lm_score == pytest.approx(added[hypothesis.tokens], abs=1e-4)
        assert hypothesis.lm_score is not None
        parts = hypothesis.log_prob + hypothesis.lm_score
        assert hypothesis.score == pytest.approx(parts, abs=1e-9)
    best = max(truth.values())
    assert found[0].score == pytest.approx(best, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, beams=st.integers(1, 6), fused=st.booleans())
def test_a_narrow_beam_claims_no_more_than_there_is(seed: int, beams: int, fused: bool) -> None:
    log_probs = matrix(seed, [6], 2.0)
    truth = all_strings(log_probs[0])
    model = RandomTrigram(seed=seed, vocabulary_size=VOCABULARY_SIZE) if fused else None
    (found,) = search(log_probs, [6], CtcBeamConfig(beams=beams, nbest=9), model)
    assert 1 <= len(found) <= beams
    assert len({h.tokens for h in found}) == len(found)
    for hypothesis in found:
        assert hypothesis.log_prob <= np.log(truth[hypothesis.tokens]) + 1e-6


@settings(max_examples=30, deadline=None)
@given(
    seed=seeds,
    beams=st.integers(1, 5),
    fused=st.booleans(),
    sharpness=st.sampled_from([1.0, 4.0]),
    skip_blank=st.sampled_from([None, 0.8]),
)
def test_a_result_does_not_depend_on_the_rest_of_the_batch(
    seed: int, beams: int, fused: bool, sharpness: float, skip_blank: float | None
) -> None:
    lengths = [9, 2, 0, 12, 5]
    log_probs = matrix(seed, lengths, sharpness)
    model = RandomTrigram(seed=seed, vocabulary_size=VOCABULARY_SIZE) if fused else None
    config = CtcBeamConfig(beams=beams, nbest=beams, min_log_prob=-3.0, skip_blank=skip_blank)
    together = search(log_probs, lengths, config, model)
    for b, hypotheses in enumerate(together):
        alone = search(log_probs[b : b + 1, : lengths[b]], lengths[b : b + 1], config, model)[0]
        assert [h.tokens for h in hypotheses] == [h.tokens for h in alone]
        assert [h.score for h in hypotheses] == pytest.approx([h.score for h in alone], abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    beams=st.integers(1, 5),
    fused=st.booleans(),
    sharpness=st.sampled_from([0.5, 2.0, 5.0]),
    min_log_prob=st.sampled_from([None, -0.5, -3.0]),
)
@example(seed=0, beams=1, fused=True, sharpness=0.5, min_log_prob=-0.5)
def test_never_a_lower_score_than_greedy(
    seed: int, beams: int, fused: bool, sharpness: float, min_log_prob: float | None
) -> None:
    lengths = [7, 20, 40]
    log_probs = matrix(seed, lengths, sharpness)
    log_probs[:, :, [START, END]] = -torch.inf  # no decoder should propose them, greedy would
    model = RandomTrigram(seed=seed, vocabulary_size=VOCABULARY_SIZE) if fused else None
    config = CtcBeamConfig(beams=beams, min_log_prob=min_log_prob, skip_blank=None)
    greedy = ctc_greedy(log_probs, torch.tensor(lengths), blank_id=BLANK)
    for (best,), path in zip(search(log_probs, lengths, config, model), greedy, strict=True):
        added = 0.0 if model is None else score_of(model, path.tokens, END)
        assert best.score >= path.score + added - 1e-3
        if beams == 1:
            assert best.tokens == path.tokens


def test_what_a_plain_beam_would_prune_greedy_keeps() -> None:
    """Of a beam of two the greedy prefix would go: others sum more, until the last frame."""
    chances = torch.zeros(3, 9)
    chances[0, [3, 4, 5]] = torch.tensor([0.4, 0.35, 0.25])
    chances[1, [6, 7, 8]] = torch.tensor([0.4, 0.3, 0.3])
    chances[2, BLANK] = 1.0
    model = RandomTrigram(seed=0, vocabulary_size=9)
    model.table = np.full_like(model.table, -1.0)
    after = {3: -9.0, 4: -1.0, 5: -1.0}
    for token, score in after.items():
        model.table[90 + 9, token] = score  # at the beginning (9, 9)
        model.table[9 * 10 + token, END] = -1.0
    model.table[3 * 10 + 6, END] = 20.0  # only at the end does it pay
    (best,), *_ = search(chances.log()[None], [3], CtcBeamConfig(beams=2), model)
    assert best.tokens == (3, 6)


def test_equal_tokens_need_a_blank_between_them() -> None:
    one = torch.full((4, VOCABULARY_SIZE), -20.0)
    one[[0, 1, 2, 3], [3, 3, BLANK, 3]] = 0.0
    ((best,),) = search(one.log_softmax(-1)[None], [4], CtcBeamConfig())
    assert best.tokens == (3, 3)
    one[2] = -20.0
    one[2, 3] = 0.0
    ((best,),) = search(one.log_softmax(-1)[None], [4], CtcBeamConfig())
    assert best.tokens == (3,)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, runs=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_sure_blanks_may_be_merged_and_still_part_equal_tokens(seed: int, runs: list[int]) -> None:
    """Frames that are wholly blank, in runs: with and without `skip_blank` all sums agree."""
    blank = torch.full((VOCABULARY_SIZE,), -torch.inf)
    blank[BLANK] = 0.0
    heard = matrix(seed, [len(runs)])[0]
    frames = torch.cat([torch.stack([heard[i], *([blank] * n)]) for i, n in enumerate(runs)])
    exact = replace(EXACT, beams=100, nbest=100)
    (plain,) = search(frames[None], [len(frames)], exact)
    (merged,) = search(frames[None], [len(frames)], replace(exact, skip_blank=1.0))
    sums = {h.tokens: h.score for h in plain}
    assert sums.keys() == {h.tokens for h in merged}
    assert all(h.score == pytest.approx(sums[h.tokens], abs=1e-9) for h in merged)


def test_no_frames_and_no_sound_are_the_empty_string() -> None:
    log_probs = matrix(1, [4, 4])
    for hypotheses in search(log_probs, [0, 0], CtcBeamConfig(nbest=3)):
        assert [(h.tokens, h.score) for h in hypotheses] == [((), 0.0)]
    assert search(log_probs[:, :0], [0, 0], CtcBeamConfig())[1][0].tokens == ()


@pytest.mark.parametrize(("beams", "seed"), [(3, 11), (3, 180), (4, 5), (4, 56)])
def test_a_string_that_leaves_the_beam_and_comes_back_is_one_string(beams: int, seed: int) -> None:
    """Children outlive their parent, which is found again: they must not be counted twice.

    These matrices bring that about, as a search that names strings by their places shows.
    """
    log_probs = matrix(seed, [16], 2.5)
    log_probs[:, :, BLANK] -= 2
    model = RandomTrigram(seed=seed, vocabulary_size=VOCABULARY_SIZE, sharpness=4.0)
    config = replace(EXACT, beams=beams, nbest=beams)
    (found,) = search(log_probs.log_softmax(-1), [16], config, model)
    assert len({h.tokens for h in found}) == len(found) == beams


def test_what_cannot_work_is_refused() -> None:
    log_probs = matrix(0, [3])
    with pytest.raises(ConfigError, match="beams is 0"):
        CtcBeamConfig(beams=0)
    with pytest.raises(ConfigError, match="bind it to the recogniser's own tokenizer"):
        search(log_probs, [3], CtcBeamConfig(), RandomTrigram(seed=0, vocabulary_size=9))
    with pytest.raises(MalgwiError, match="NaN"):
        search(log_probs * torch.nan, [3], CtcBeamConfig())
