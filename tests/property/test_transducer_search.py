"""Transducer searches against exhaustive enumeration over all alignments."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from toy_transducer import BLANK, END, START, RandomTransducer, alignments, string_log_probs

from malgwi.decoders.beam_config import BeamConfig
from malgwi.decoders.transducer import transducer_beam, transducer_greedy
from malgwi.types import Hypothesis

IDS = {"start_id": START, "end_id": END, "blank_id": BLANK}
#: More than the strings of two letters that three frames of two can hold: nothing is pruned.
WIDE = 160


class Bigrams:
    """A LanguageModel of random scores for each pair of tokens; letter 4 never follows letter 3."""

    vocabulary_size = 5

    def __init__(self, seed: int, scale: float = 1.0) -> None:
        g = torch.Generator().manual_seed(seed)
        self.table = (scale * torch.randn(5, 5, generator=g)).numpy()
        self.table[:, BLANK] = math.nan  # of no meaning
        self.table[3, 4] = -math.inf

    def start(self, rows: int) -> NDArray[np.int64]:
        return np.full(rows, START)

    def score(self, state: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.table[state]

    def advance(
        self, state: NDArray[np.int64], rows: NDArray[np.int64], tokens: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        return np.where(tokens >= 0, tokens, state[rows])

    def contexts(self, state: NDArray[np.int64]) -> NDArray[np.uint64]:
        return state.astype(np.uint64)

    def of(self, string: tuple[int, ...]) -> float:
        pairs = zip((START, *string), (*string, END), strict=True)
        return sum(float(self.table[pair]) for pair in pairs)


def beam(
    scorer: RandomTransducer,
    beams: int,
    most: int,
    nbest: int = 1,
    language_model: Bigrams | None = None,
) -> list[list[Hypothesis]]:
    config = BeamConfig(beams=beams, nbest=nbest)
    return transducer_beam(
        scorer,
        **IDS,
        encoder_lengths=scorer.lengths,
        config=config,
        symbols_per_frame=most,
        language_model=language_model,
    )


def greedy(scorer: RandomTransducer, most: int) -> list[Hypothesis]:
    return transducer_greedy(scorer, **IDS, encoder_lengths=scorer.lengths, symbols_per_frame=most)


SEEDS = st.integers(0, 10_000)
BIASES = st.sampled_from([0.0, 1.5, 3.0])


@settings(max_examples=15, deadline=None)
@given(seed=SEEDS, bias=BIASES, most=st.integers(1, 2))
def test_a_wide_beam_sums_every_alignment_of_every_string(
    seed: int, bias: float, most: int
) -> None:
    scorer = RandomTransducer(seed=seed, lengths=[3, 1, 2], blank_bias=bias)
    for utterance, found in enumerate(beam(scorer, WIDE, most, nbest=WIDE)):
        wanted = string_log_probs(scorer, utterance, most)
        assert {h.tokens for h in found} == wanted.keys()
        for h in found:
            assert h.score == h.log_prob == pytest.approx(wanted[h.tokens], abs=1e-4)
        assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, most=st.integers(1, 2))
def test_a_wide_beam_keeps_the_frames_of_the_likeliest_alignment(seed: int, most: int) -> None:
    scorer = RandomTransducer(seed=seed, lengths=[3, 2])
    for utterance, found in enumerate(beam(scorer, WIDE, most, nbest=5)):
        paths = list(alignments(scorer, utterance, most))
        for h in found:
            own = [(p, total) for p, total in paths if tuple(k for _, k in p) == h.tokens]
            assert h.frames is not None
            (of_frames,) = (t for p, t in own if tuple(f for f, _ in p) == h.frames)
            assert of_frames == pytest.approx(max(t for _, t in own), abs=1e-4)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS, bias=BIASES)
def test_with_a_language_model_a_wide_beam_still_finds_the_best(seed: int, bias: float) -> None:
    scorer = RandomTransducer(seed=seed, lengths=[2, 3], blank_bias=bias)
    model = Bigrams(seed)
    for utterance, found in enumerate(beam(scorer, WIDE, 2, WIDE, model)):
        sums = string_log_probs(scorer, utterance, 2)
        wanted = {s: p + model.of(s) for s, p in sums.items() if math.isfinite(model.of(s))}
        assert {h.tokens for h in found} == wanted.keys()
        for h in found:
            assert h.score == pytest.approx(wanted[h.tokens], abs=1e-4)
            assert h.lm_score == pytest.approx(model.of(h.tokens), abs=1e-4)
            assert h.log_prob == pytest.approx(sums[h.tokens], abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, bias=BIASES, most=st.integers(1, 3))
def test_greedy_takes_the_likeliest_step_and_scores_its_alignment(
    seed: int, bias: float, most: int
) -> None:
    scorer = RandomTransducer(seed=seed, lengths=[4, 2], blank_bias=bias)
    for utterance, found in enumerate(greedy(scorer, most)):
        alone, total, written, frames = scorer.only(utterance), 0.0, [], []
        state = alone.start(1, START)
        for frame in range(int(alone.lengths)):
            for level in range(most + 1):
                row = alone.score(state, torch.tensor([frame]))[0]
                best = max((BLANK, 3, 4), key=lambda token: float(row[token]))
                if best == BLANK or level == most:
                    break
                total += float(row[best])
                written.append(best)
                frames.append(frame)
                state = alone.advance(state, torch.tensor([0]), torch.tensor([best]))
            total += float(row[BLANK])
        assert (found.tokens, found.frames) == (tuple(written), tuple(frames))
        assert found.log_prob == pytest.approx(total, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, bias=BIASES, beams=st.integers(1, 4), most=st.integers(1, 4))
def test_no_beam_falls_below_greedy_nor_exceeds_the_whole_sum(
    seed: int, bias: float, beams: int, most: int
) -> None:
    scorer = RandomTransducer(seed=seed, lengths=[6, 3], blank_bias=bias)
    for floor, found in zip(greedy(scorer, most), beam(scorer, beams, most, beams), strict=True):
        assert found[0].score >= floor.score - 1e-6
        assert len({h.tokens for h in found}) == len(found)
        assert math.fsum(math.exp(h.log_prob) for h in found) <= 1 + 1e-6
        for h in found:
            assert h.frames is not None
            assert len(h.frames) == len(h.tokens)
            assert list(h.frames) == sorted(h.frames)
            assert all(h.frames.count(frame) <= most for frame in h.frames)


@pytest.mark.parametrize("lm", [None, Bigrams(3, scale=0.5)], ids=["alone", "fused"])
@pytest.mark.parametrize("beams", [1, 3, 8])
def test_company_changes_nothing(beams: int, lm: Bigrams | None) -> None:
    lengths = [7, 1, 4, 9, 4]
    scorer = RandomTransducer(seed=5, lengths=lengths, blank_bias=1.0)
    together = beam(scorer, beams, 3, beams, lm)
    alone = [beam(scorer.only(u), beams, 3, beams, lm)[0] for u in range(len(lengths))]
    for a, b in zip(alone, together, strict=True):
        assert [(h.tokens, h.frames) for h in a] == [(h.tokens, h.frames) for h in b]
        assert [h.score for h in a] == pytest.approx([h.score for h in b], abs=1e-4)
    apart = [greedy(scorer.only(u), 3)[0] for u in range(len(lengths))]
    assert [h.tokens for h in apart] == [h.tokens for h in greedy(scorer, 3)]


def test_a_model_that_never_stops_is_stopped_at_each_frame() -> None:
    scorer = RandomTransducer(seed=2, lengths=[5], blank_bias=-50.0)
    for most in (1, 4):
        (found,) = greedy(scorer, most)
        assert len(found.tokens) == 5 * most
        assert all(len(h.tokens) <= 5 * most for h in beam(scorer, 4, most, 4)[0])


def test_a_model_that_says_nothing_gives_the_empty_string() -> None:
    scorer = RandomTransducer(seed=2, lengths=[5, 2], blank_bias=80.0)
    assert [h.tokens for h in greedy(scorer, 2)] == [(), ()]
    best = [found[0] for found in beam(scorer, 4, 2)]
    assert [h.tokens for h in best] == [(), ()]
    assert [h.frames for h in best] == [(), ()]
    assert best[0].log_prob == pytest.approx(0.0, abs=1e-6)
