"""Sounds without speech: within bounds, various, and of the kinds that telephone lines carry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi.nonspeech import hum, knocks, nonspeech, tones

RATE = 8000


@settings(max_examples=60, deadline=None)
@given(num_samples=st.integers(0, 3 * RATE), seed=st.integers(0, 2**32 - 1))
def test_any_length_gives_finite_samples_within_bounds(num_samples: int, seed: int) -> None:
    sound = nonspeech(num_samples, RATE, np.random.default_rng(seed))
    assert sound.shape == (num_samples,)
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert np.abs(sound).max(initial=0.0) <= 1.0


def test_the_same_seed_gives_the_same_sound_and_another_another() -> None:
    one, again, other = (nonspeech(RATE, RATE, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_levels_and_silence_vary() -> None:
    peaks = [np.abs(nonspeech(RATE, RATE, np.random.default_rng(s))).max() for s in range(300)]
    silent = sum(peak == 0 for peak in peaks)
    assert 10 <= silent <= 60
    assert min(peak for peak in peaks if peak > 0) < 0.002
    assert max(peaks) > 0.15


@pytest.mark.parametrize("seed", range(5))
def test_hum_has_its_energy_at_multiples_of_the_mains(seed: int) -> None:
    power = np.abs(np.fft.rfft(hum(RATE, RATE, np.random.default_rng(seed)))) ** 2
    loud_hz = np.flatnonzero(power > 1e-6 * power.max())
    assert any((loud_hz % mains == 0).all() for mains in (50, 60))


def test_tones_pause_in_some_cadences() -> None:
    shares = [np.mean(tones(4 * RATE, RATE, np.random.default_rng(s)) == 0) for s in range(40)]
    assert min(shares) < 0.05
    assert any(0.4 < share < 0.8 for share in shares)


def test_knocks_leave_silence_between_them() -> None:
    shares = [np.mean(knocks(4 * RATE, RATE, np.random.default_rng(s)) == 0) for s in range(20)]
    assert np.median(shares) > 0.2
