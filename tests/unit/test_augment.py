"""SpecAugment against the paper's definitions, speed perturbation against physics."""

import dataclasses

import librosa
import numpy as np
import pytest
import torch

from malgwi.augment import POLICIES, SpecAugmentConfig, policy, spec_augment, speed_perturb
from malgwi.errors import ConfigError

MASKS_ONLY = SpecAugmentConfig(num_freq_masks=0, num_time_masks=0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def runs(flags: torch.Tensor) -> list[int]:
    """Lengths of the runs of True."""
    edges = torch.diff(flags.int(), prepend=torch.zeros(1), append=torch.zeros(1))
    return ((edges == -1).nonzero() - (edges == 1).nonzero()).flatten().tolist()


def test_table_of_the_paper() -> None:
    table = {
        name: (
            c.time_warp,
            c.freq_mask_width,
            c.num_freq_masks,
            c.time_mask_width,
            c.max_time_fraction,
            c.num_time_masks,
        )
        for name, c in POLICIES.items()
    }
    assert table == {
        "LB": (80, 27, 1, 100, 1.0, 1),
        "LD": (80, 27, 2, 100, 1.0, 2),
        "SM": (40, 15, 2, 70, 0.2, 2),
        "SS": (40, 27, 2, 70, 0.2, 2),
    }
    assert policy("LD") is POLICIES["LD"]
    with pytest.raises(ConfigError, match="Known: LB, LD, SM, SS"):
        policy("XL")


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_masks_are_as_wide_and_as_many_as_the_policy_says(name: str) -> None:
    config = dataclasses.replace(POLICIES[name], time_warp=0)
    lengths = torch.tensor([300, 150, 61, 1] * 50)
    hidden = spec_augment(torch.ones(200, 300, 80), lengths, config, seeded()) == 0
    for example, length in zip(hidden, lengths.tolist(), strict=True):
        assert not example[length:].any()
        time, freq = example.all(1), example[:length].all(0)
        longest = min(config.time_mask_width, config.max_time_fraction * length)
        if not time[:length].all():
            assert len(runs(freq)) <= config.num_freq_masks
            assert freq.sum() <= config.num_freq_masks * (config.freq_mask_width - 1)
        assert len(runs(time)) <= config.num_time_masks
        assert time.sum() < max(1, config.num_time_masks * longest)
        rest = ~time[:length, None] & ~freq[None]
        assert not (example[:length] & rest).any()  # nothing but whole rows and columns


def test_widths_are_uniform_up_to_the_bound() -> None:
    config = dataclasses.replace(MASKS_ONLY, num_freq_masks=1, freq_mask_width=10)
    features = torch.ones(4000, 2, 80)
    hidden = spec_augment(features, torch.full((4000,), 2), config, seeded()) == 0
    counts = torch.bincount(hidden[:, 0].sum(1), minlength=10)
    assert len(counts) == 10
    assert (counts - 400).abs().max() < 5 * 400**0.5
    where = hidden[:, 0].float().mean(0)  # every bin is hidden now and then, the middle evenly
    assert where.min() > 0
    assert where[20:60].std() < 0.01


def test_a_time_mask_is_shorter_than_its_share_of_each_utterance() -> None:
    config = SpecAugmentConfig(
        num_freq_masks=0, num_time_masks=1, time_mask_width=1000, max_time_fraction=0.2
    )
    lengths = torch.tensor([20, 100, 500]).repeat(300)
    hidden = spec_augment(torch.ones(900, 500, 4), lengths, config, seeded()) == 0
    longest = hidden[:, :, 0].sum(1).reshape(300, 3).amax(0)
    assert longest.tolist() == [3, 19, 99]


def test_adaptive_multiplicity_follows_the_length() -> None:
    config = SpecAugmentConfig(
        num_freq_masks=0,
        time_mask_width=3,
        max_time_fraction=1.0,
        adaptive_multiplicity=0.04,
        max_time_masks=20,
    )
    lengths = torch.tensor([20, 100, 2000]).repeat(100)
    hidden = spec_augment(torch.ones(300, 2000, 1), lengths, config, seeded()) == 0
    number = [max(len(runs(row[:, 0])) for row in hidden[kind::3]) for kind in range(3)]
    assert number[0] == 0
    assert number[1] <= 4
    assert 15 <= number[2] <= 20
    assert 6 <= hidden[1::3].sum((1, 2)).max() <= 8


def ramp(num_frames: int) -> torch.Tensor:
    """Features that say which frame they are: [T, 1]."""
    return torch.arange(num_frames, dtype=torch.float32)[:, None]


def test_time_warp_is_two_straight_pieces_with_fixed_ends() -> None:
    furthest, lengths = 40, torch.tensor([300, 200, 90] * 40)
    config = dataclasses.replace(MASKS_ONLY, time_warp=furthest)
    features = ramp(300).expand(120, 300, 1)
    warped = spec_augment(features, lengths, config, seeded())[:, :, 0]
    moved = 0
    for row, length in zip(warped, lengths.tolist(), strict=True):
        assert row[0] == 0
        assert row[length - 1] == pytest.approx(length - 1, abs=1e-3)
        assert torch.equal(row[length:], ramp(300)[length:, 0])
        steps = row[:length].diff()
        assert (steps > 0).all()  # time never turns back
        kinks = (steps.diff().abs() > 1e-3).sum()
        assert kinks <= 2  # at one point, seen from both of its sides
        shift = (row[:length] - ramp(300)[:length, 0]).abs().max()
        assert shift <= furthest + 1e-3
        moved += int(shift > 1)
    assert moved > 100


def test_the_warped_point_lies_where_the_paper_says() -> None:
    """w0 ∈ (W, τ − W), w ∈ [−W, W]: the largest shift is |w|, at the point that was moved."""
    furthest, length, batch = 20, 120, 2000
    config = dataclasses.replace(MASKS_ONLY, time_warp=furthest)
    features = ramp(length).expand(batch, length, 1)
    warped = spec_augment(features, torch.full((batch,), length), config, seeded())[:, :, 0]
    shift = warped - ramp(length)[:, 0]
    at = shift.abs().argmax(1)
    origin = warped.gather(1, at[:, None])[:, 0]
    way = -shift.gather(1, at[:, None])[:, 0]
    real = way.abs() > 0.5
    assert origin[real].min() >= furthest + 1 - 1e-3
    assert origin[real].max() <= length - furthest - 1 + 1e-3
    assert way.min() == pytest.approx(-furthest, abs=1e-3)
    assert way.max() == pytest.approx(furthest, abs=1e-3)
    assert way.mean().abs() < 1


def test_utterances_without_room_are_not_warped() -> None:
    config = dataclasses.replace(MASKS_ONLY, time_warp=40)
    features = torch.randn(3, 81, 5)
    assert torch.equal(
        spec_augment(features, torch.tensor([81, 40, 1]), config, seeded()), features
    )


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_padding_is_left_alone(name: str) -> None:
    features, lengths = torch.randn(6, 400, 40), torch.tensor([400, 399, 250, 90, 1, 0])
    augmented = spec_augment(features, lengths, POLICIES[name], seeded())
    for before, after, length in zip(features, augmented, lengths.tolist(), strict=True):
        assert torch.equal(before[length:], after[length:])


def test_same_seed_same_result_and_the_input_stays() -> None:
    features, lengths = torch.randn(4, 300, 80), torch.tensor([300, 200, 250, 299])
    before = features.clone()
    first = spec_augment(features, lengths, POLICIES["LD"], seeded(7))
    assert torch.equal(first, spec_augment(features, lengths, POLICIES["LD"], seeded(7)))
    assert not torch.equal(first, spec_augment(features, lengths, POLICIES["LD"], seeded(8)))
    assert torch.equal(features, before)
    assert not torch.equal(first[0] == 0, first[3] == 0)  # each utterance has its own masks


def test_views_share_the_warp_and_have_masks_of_their_own() -> None:
    features = torch.randn(2, 300, 80, generator=seeded()) + 10  # nothing is 0 but by a mask
    lengths = torch.tensor([300, 120])
    seen = spec_augment(features, lengths, policy("SM"), seeded(), views=2)
    assert seen.shape == (4, 300, 80)
    first, second = seen.chunk(2)
    assert not torch.equal(first == 0, second == 0)
    both = (first != 0) & (second != 0)
    assert torch.equal(first[both], second[both])
    assert not torch.equal(first[both], features[both])  # warped


def test_a_weakened_policy_has_narrower_masks_and_as_many() -> None:
    half = policy("LD").weakened(0.5)
    assert (half.time_warp, half.freq_mask_width, half.time_mask_width) == (40, 14, 50)
    assert (half.num_freq_masks, half.num_time_masks) == (2, 2)
    assert policy("LD").weakened(1.0) == policy("LD")
    features = torch.randn(2, 30, 8)
    lengths = torch.tensor([30, 30])
    assert torch.equal(spec_augment(features, lengths, policy("LB").weakened(0.0)), features)


def test_nothing_asked_nothing_done() -> None:
    features = torch.randn(2, 50, 8)
    assert torch.equal(spec_augment(features, torch.tensor([50, 20]), MASKS_ONLY), features)


@pytest.mark.parametrize(
    "changes", [{"time_warp": -1}, {"num_time_masks": -2}, {"max_time_fraction": 1.5}], ids=str
)
def test_impossible_policies_are_errors(changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        SpecAugmentConfig(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [0.9, 1.1, 1.25])
def test_speed_changes_duration_and_pitch_alike(factor: float) -> None:
    rate_hz, pitch_hz = 16_000, 440.0
    time = np.arange(2 * rate_hz) / rate_hz
    tone = (0.5 * np.sin(2 * np.pi * pitch_hz * time)).astype(np.float32)
    faster = speed_perturb(tone, factor)
    assert faster.dtype == np.float32
    assert len(faster) == pytest.approx(len(tone) / factor, abs=2)
    peak = np.abs(np.fft.rfft(faster * np.hanning(len(faster)))).argmax() * rate_hz / len(faster)
    assert peak == pytest.approx(pitch_hz * factor, abs=0.6)
    assert np.abs(faster).max() == pytest.approx(0.5, abs=0.02)


def test_speed_equals_an_exact_resampler_below_its_band_edge() -> None:
    rng = np.random.default_rng(0)
    smooth = np.convolve(rng.standard_normal(16_000), np.hanning(25) / 12, "same")
    samples = (0.1 * smooth).astype(np.float32)
    ours = speed_perturb(samples, 1.1)
    theirs = librosa.resample(samples, orig_sr=11_000, target_sr=10_000, res_type="soxr_vhq")
    size = min(len(ours), len(theirs))
    middle = slice(200, size - 200)
    assert np.abs(ours[middle] - theirs[middle]).max() < 2e-3 * np.abs(theirs).max()


def test_speed_one_and_empty_are_untouched() -> None:
    samples = np.ones(100, np.float32)
    assert speed_perturb(samples, 1.0) is samples
    assert len(speed_perturb(samples[:0], 1.1)) == 0


@pytest.mark.parametrize("factor", [0.0, -1.0, 3.0])
def test_absurd_speeds_are_errors(factor: float) -> None:
    with pytest.raises(ConfigError, match=str(factor)):
        speed_perturb(np.ones(100, np.float32), factor)
