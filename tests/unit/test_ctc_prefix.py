"""CTC prefix scores against the sum over every path, and against torch's CTC loss."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_search import ctc_table
from torch import Tensor

from malgwi.decoders.ctc_prefix import CtcPrefixScorer, CtcPrefixState
from malgwi.errors import ConfigError

BLANK, END = 0, 1


def random_log_probs(seed: int, B: int, T: int, V: int, sharpness: float = 2.0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return (sharpness * torch.randn(B, T, V, generator=g)).log_softmax(-1)


def feed(scorer: CtcPrefixScorer, tokens: list[int], batch: int = 1) -> CtcPrefixState:
    """The state after ``tokens`` on one row an utterance."""
    state, rows = scorer.start(1), torch.arange(batch)
    for token in tokens:
        state = scorer.advance(state, rows, torch.full((batch,), token))
    return state


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    frames=st.integers(1, 5),
    prefix=st.lists(st.integers(2, 3), max_size=4),
)
def test_scores_are_sums_over_all_alignments(seed: int, frames: int, prefix: list[int]) -> None:
    log_probs = random_log_probs(seed, 1, frames, 4)
    table = ctc_table(log_probs[0])
    scorer = CtcPrefixScorer(log_probs, torch.tensor([frames]), blank_id=BLANK, end_id=END)
    scores = scorer.score(feed(scorer, prefix)).exp()[0]
    n = len(prefix)
    for token in (2, 3):
        begins = [p for s, p in table.items() if s[: n + 1] == (*prefix, token)]
        assert float(scores[token]) == pytest.approx(sum(begins), rel=1e-5, abs=1e-9)
    assert float(scores[END]) == pytest.approx(table.get(tuple(prefix), 0.0), rel=1e-5, abs=1e-9)
    assert float(scores[BLANK]) == 0.0


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    tokens=st.lists(st.integers(2, 5), max_size=30),
    sharpness=st.sampled_from([0.5, 3.0, 12.0]),
)
def test_a_whole_string_scores_as_torchs_ctc_loss_says(
    seed: int, tokens: list[int], sharpness: float
) -> None:
    """Long and peaky, with repeats: what a closed form in the log domain could get wrong."""
    log_probs = random_log_probs(seed, 1, 80, 6, sharpness)
    scorer = CtcPrefixScorer(log_probs, torch.tensor([80]), blank_id=BLANK, end_id=END)
    ours = float(scorer.score(feed(scorer, tokens))[0, END])
    loss = torch.nn.functional.ctc_loss(
        log_probs.double().transpose(0, 1),
        torch.tensor([tokens], dtype=torch.long).reshape(1, -1),
        torch.tensor([80]),
        torch.tensor([len(tokens)]),
        blank=BLANK,
        reduction="sum",
    )
    assert ours == pytest.approx(-float(loss), rel=1e-5, abs=1e-4)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), steps=st.integers(1, 8))
def test_a_longer_prefix_is_never_likelier(seed: int, steps: int) -> None:
    """On this rests the search's stopping rule."""
    log_probs = random_log_probs(seed, 3, 12, 5)
    scorer = CtcPrefixScorer(log_probs, torch.tensor([12, 7, 1]), blank_id=BLANK, end_id=END)
    state, rows, total = scorer.start(1), torch.arange(3), torch.zeros(3)
    g = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        scores = scorer.score(state)
        assert (scores <= total[:, None] + 1e-6).all()
        assert not scores.isnan().any()
        tokens = torch.randint(2, 5, (3,), generator=g)
        total = scores.gather(1, tokens[:, None])[:, 0]
        state = scorer.advance(state, rows, tokens)


def test_padding_and_company_change_nothing() -> None:
    log_probs = random_log_probs(5, 3, 9, 6)
    lengths = torch.tensor([9, 4, 6])
    together = CtcPrefixScorer(log_probs, lengths, blank_id=BLANK, end_id=END)
    scores = together.score(feed(together, [2, 4, 4], batch=3))
    for b, length in enumerate(lengths.tolist()):
        alone = CtcPrefixScorer(
            log_probs[b : b + 1, :length], lengths[b : b + 1], blank_id=BLANK, end_id=END
        )
        torch.testing.assert_close(scores[b], alone.score(feed(alone, [2, 4, 4]))[0])


def test_rows_can_be_reordered_dropped_and_doubled() -> None:
    log_probs = random_log_probs(6, 2, 7, 6)
    scorer = CtcPrefixScorer(log_probs, torch.tensor([7, 5]), blank_id=BLANK, end_id=END)
    state = scorer.advance(
        scorer.start(3), torch.tensor([0, 1, 2, 3, 4, 5]), torch.tensor([2, 3, 4, 2, 3, 4])
    )
    state = scorer.advance(
        state, torch.tensor([2, 2, 0, 4, 3, 3]), torch.tensor([4, 2, 2, 5, 5, 2])
    )
    scores = scorer.score(state)
    strings = [[4, 4], [4, 2], [2, 2], [3, 5], [2, 5], [2, 2]]
    for row, string in enumerate(strings):
        expected = scorer.score(feed(scorer, string, batch=2))[row // 3]
        torch.testing.assert_close(scores[row], expected)


def test_impossible_tokens_and_strings_too_long_for_the_frames_make_no_nan() -> None:
    log_probs = torch.full((1, 3, 4), -torch.inf)
    log_probs[0, :, 2] = 0.0  # the path "2 2 2" is certain
    scorer = CtcPrefixScorer(log_probs, torch.tensor([3]), blank_id=BLANK, end_id=END)
    scores = scorer.score(scorer.start(1))[0].exp()
    assert scores.tolist() == pytest.approx([0, 0, 1, 0])
    scores = scorer.score(feed(scorer, [2]))[0].exp()
    assert scores.tolist() == pytest.approx([0, 1, 0, 0])
    scores = scorer.score(feed(scorer, [2, 3, 2, 3, 2]))
    assert not scores.isnan().any()
    assert scores.exp().tolist() == [[0, 0, 0, 0]]


def test_ids_outside_the_vocabulary_are_named() -> None:
    with pytest.raises(ConfigError, match="end_id 9 is outside the CTC vocabulary of 4"):
        CtcPrefixScorer(torch.zeros(1, 2, 4), torch.tensor([2]), blank_id=0, end_id=9)
