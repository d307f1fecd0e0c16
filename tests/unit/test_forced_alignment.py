"""The forced aligner against a walk over all alignments, alone and in a batch."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from malgwi.decoders.forced_alignment import CtcAlignment, align_ctc, frames_needed
from malgwi.errors import ConfigError

BLANK = 0
STRINGS = st.lists(st.integers(1, 2), max_size=4)


def random_log_probs(seed: int, B: int, T: int, V: int = 3) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(B, T, V, generator=g)).log_softmax(-1)


def merged(path: tuple[int, ...]) -> list[int]:
    kept = [v for t, v in enumerate(path) if t == 0 or v != path[t - 1]]
    return [v for v in kept if v != BLANK]


def best_path(log_probs: Tensor, string: list[int]) -> tuple[float, tuple[int, ...]] | None:
    """The likeliest of all V^T paths of [T, V] that collapse to the string."""
    T, V = log_probs.shape
    scored = [
        (float(log_probs[range(T), list(path)].double().sum()), path)
        for path in product(range(V), repeat=T)
        if merged(path) == string
    ]
    return max(scored) if scored else None


def path_of(found: CtcAlignment, string: list[int], length: int) -> tuple[int, ...]:
    """The path that the spans describe: blanks wherever no token is."""
    path = [BLANK] * length
    for span, token in zip(found.tokens, string, strict=True):
        assert span.first < span.last
        path[span.first : span.last] = [token] * (span.last - span.first)
    return tuple(path)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**31), length=st.integers(0, 6), string=STRINGS)
def test_the_path_is_the_best_of_all(seed: int, length: int, string: list[int]) -> None:
    log_probs = random_log_probs(seed, 1, 6)
    (found,) = align_ctc(log_probs, torch.tensor([length]), [string], blank_id=BLANK)
    wanted = best_path(log_probs[0, :length], string)
    if wanted is None:
        assert found is None
        assert length < frames_needed(string)
        return
    assert found is not None
    assert found.log_prob == pytest.approx(wanted[0], abs=1e-9)
    assert path_of(found, string, length) == wanted[1]
    for span, token in zip(found.tokens, string, strict=True):
        emitted = log_probs[0, span.first : span.last, token].double().sum()
        assert span.log_prob == pytest.approx(float(emitted), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    rows=st.lists(st.tuples(st.integers(0, 9), STRINGS), min_size=1, max_size=4),
)
def test_company_and_padding_change_nothing(seed: int, rows: list[tuple[int, list[int]]]) -> None:
    log_probs = random_log_probs(seed, len(rows), 9)
    lengths, strings = torch.tensor([n for n, _ in rows]), [string for _, string in rows]
    together = align_ctc(log_probs, lengths, strings, blank_id=BLANK)
    for b, (length, string) in enumerate(rows):
        alone = align_ctc(
            log_probs[b : b + 1, :length], torch.tensor([length]), [string], blank_id=BLANK
        )
        assert alone == [together[b]]


def test_frames_needed_is_just_enough() -> None:
    even = torch.full((1, 5, 3), 1 / 3).log()
    for string in ([1, 1, 2], [1, 2, 1, 2], [2, 2, 2], []):
        needed = frames_needed(string)
        assert align_ctc(even, torch.tensor([needed]), [string], blank_id=BLANK)[0] is not None
        if needed:
            too_short = torch.tensor([needed - 1])
            assert align_ctc(even, too_short, [string], blank_id=BLANK) == [None]


def test_equal_paths_are_chosen_by_rule() -> None:
    even = torch.full((1, 4, 3), 1 / 3).log()
    (found,) = align_ctc(even, torch.tensor([4]), [[1, 2]], blank_id=BLANK)
    assert found is not None
    assert [(s.first, s.last) for s in found.tokens] == [(0, 1), (1, 4)]


def test_an_impossible_string_has_no_alignment() -> None:
    sure = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]).log()
    assert align_ctc(sure, torch.tensor([2]), [[1]], blank_id=BLANK) == [None]


@pytest.mark.parametrize("token", [BLANK, 3, -1])
def test_a_token_that_cannot_be_emitted_is_named(token: int) -> None:
    even = torch.full((2, 4, 3), 1 / 3).log()
    with pytest.raises(ConfigError, match=f"utterance 1: token {token} "):
        align_ctc(even, torch.tensor([4, 4]), [[1], [2, token]], blank_id=BLANK)


def test_a_string_for_each_utterance() -> None:
    even = torch.full((2, 4, 3), 1 / 3).log()
    with pytest.raises(ConfigError, match="1 strings"):
        align_ctc(even, torch.tensor([4, 4]), [[1]], blank_id=BLANK)
    assert align_ctc(even[:0], torch.tensor([], dtype=torch.long), [], blank_id=BLANK) == []
