"""Losses against torch's and against brute force over alignments."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from malgwi.losses import (
    consistency_loss,
    count_unalignable,
    ctc_loss,
    smoothed_cross_entropy,
    unigram_prior,
)


def test_cross_entropy_is_torchs_over_the_units_that_exist() -> None:
    logits = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(1))
    targets = torch.randint(0, 7, (3, 5), generator=torch.Generator().manual_seed(2))
    lengths = torch.tensor([5, 2, 3])
    padded = targets.clone()
    for row, length in enumerate(lengths.tolist()):
        padded[row, length:] = -100
    for smoothing in (0.0, 0.1, 0.4):
        wanted = F.cross_entropy(
            logits.flatten(0, 1), padded.flatten(), label_smoothing=smoothing, ignore_index=-100
        )
        found = smoothed_cross_entropy(logits, targets, lengths, smoothing=smoothing)
        assert float(found) == pytest.approx(float(wanted), abs=1e-5)


def test_unigram_smoothing_moves_mass_to_frequent_units() -> None:
    prior = unigram_prior([[3, 3, 4], [3]], size=5, end_id=2)
    assert prior.tolist() == pytest.approx([0, 0, 2 / 6, 3 / 6, 1 / 6])
    logits = torch.zeros(1, 1, 5)
    logits[..., 3] = 2.0
    target, length = torch.tensor([[4]]), torch.tensor([1])
    log_probs = logits[0, 0].log_softmax(-1)
    wanted = -(0.8 * log_probs[4] + 0.2 * (prior @ log_probs))
    found = smoothed_cross_entropy(logits, target, length, smoothing=0.2, prior=prior)
    assert float(found) == pytest.approx(float(wanted), abs=1e-6)


def brute_force_ctc(log_probs: torch.Tensor, target: list[int]) -> float:
    total = -math.inf
    frames, size = log_probs.shape
    for path in itertools.product(range(size), repeat=frames):
        merged = [k for k, _ in itertools.groupby(path)]
        if [k for k in merged if k != 0] == target:
            score = sum(float(log_probs[t, k]) for t, k in enumerate(path))
            total = float(torch.logaddexp(torch.tensor(total), torch.tensor(score)))
    return -total


def test_ctc_is_the_sum_over_alignments_per_unit() -> None:
    log_probs = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(3)).log_softmax(-1)
    targets, lengths = torch.tensor([[1, 1], [2, 0]]), torch.tensor([2, 1])
    frames = torch.tensor([5, 3])
    wanted = brute_force_ctc(log_probs[0], [1, 1]) + brute_force_ctc(log_probs[1, :3], [2])
    found = ctc_loss(log_probs, frames, targets, lengths, blank_id=0)
    assert float(found) == pytest.approx(wanted / 3, abs=1e-4)


def test_an_utterance_without_alignment_costs_nothing_and_is_counted() -> None:
    log_probs = torch.zeros(2, 3, 4).log_softmax(-1)
    targets, lengths = torch.tensor([[1, 1, 0], [1, 2, 3]]), torch.tensor([2, 3])
    frames = torch.tensor([2, 3])  # "1 1" needs three frames
    assert count_unalignable(frames, targets, lengths) == 1
    assert math.isfinite(float(ctc_loss(log_probs, frames, targets, lengths, blank_id=0)))


def test_two_views_are_drawn_to_each_other_over_the_frames_that_exist() -> None:
    logits = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(5), requires_grad=True)
    lengths, units = torch.tensor([5, 3, 5, 3]), torch.tensor([2, 1, 2, 1])
    loss = consistency_loss(logits.log_softmax(-1), lengths, units)
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None

    p = logits.detach().softmax(-1)
    both = 0.0
    for i, length in enumerate((5, 3)):
        for t, k in itertools.product(range(length), range(3)):
            a, b = float(p[i, t, k]), float(p[2 + i, t, k])
            both += a * math.log(a / b) + b * math.log(b / a)
    assert float(loss.detach()) == pytest.approx(0.5 * both / 3, rel=1e-5)
    # the target is held fixed: what is left of the gradient is the difference, halved
    wanted = 0.5 * (p - p.roll(2, 0)) / 3
    wanted[1, 3:] = wanted[3, 3:] = 0
    torch.testing.assert_close(logits.grad, wanted)

    same = torch.cat([logits[:2], logits[:2]]).log_softmax(-1)
    assert float(consistency_loss(same, lengths, units).detach()) == pytest.approx(0, abs=1e-6)
