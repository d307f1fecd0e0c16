"""What a line does to a signal, measured on tones, speech-like noise and steps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi.errors import ConfigError
from malgwi.telephone import (
    TELEPHONE_RATE_HZ,
    Call,
    Codec,
    TelephoneConfig,
    draw,
    round_trip,
    simulate,
    transmit,
)

CLEAN = Call(band_hz=(300.0, 3400.0), codec="none", level_dbfs=-20.0, snr_db=120.0)


def tone(frequency_hz: float, rate_hz: int = TELEPHONE_RATE_HZ, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(int(rate_hz * seconds)) / rate_hz
    return (0.3 * np.sin(2 * np.pi * frequency_hz * time)).astype(np.float32)


def level_db(samples: np.ndarray) -> float:
    middle = samples[samples.size // 4 : -samples.size // 4].astype(np.float64)
    return float(10 * np.log10((middle**2).mean() + 1e-12))


def power_at(samples: np.ndarray, frequency_hz: float, rate_hz: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size))) ** 2
    return float(10 * np.log10(spectrum[round(frequency_hz * samples.size / rate_hz)] + 1e-12))


@pytest.mark.parametrize("frequency_hz", [60, 100])
def test_hum_below_the_band_is_gone(frequency_hz: int) -> None:
    mixed = tone(1000) + tone(frequency_hz)
    line = transmit(mixed, CLEAN, np.random.default_rng(0), sample_rate_hz=TELEPHONE_RATE_HZ)
    assert power_at(line, frequency_hz, 8000) - power_at(line, 1000, 8000) < -30


@pytest.mark.parametrize("frequency_hz", [400, 1000, 2000, 3200])
def test_the_band_passes(frequency_hz: int) -> None:
    mixed = tone(1500) + tone(frequency_hz)
    line = transmit(mixed, CLEAN, np.random.default_rng(0), sample_rate_hz=TELEPHONE_RATE_HZ)
    assert abs(power_at(line, frequency_hz, 8000) - power_at(line, 1500, 8000)) < 1.5


def test_nothing_above_four_kilohertz_survives_at_sixteen() -> None:
    mixed = tone(1000, 16000) + tone(5000, 16000)
    line = transmit(mixed, CLEAN, np.random.default_rng(0), sample_rate_hz=16000)
    assert line.size == mixed.size
    assert power_at(line, 5000, 16000) - power_at(line, 1000, 16000) < -60


@pytest.mark.parametrize("level", [-30.0, -20.0, -16.0])
def test_speech_arrives_at_the_asked_level(level: float) -> None:
    call = Call(band_hz=(300.0, 3400.0), codec="none", level_dbfs=level, snr_db=60.0)
    line = transmit(tone(1000), call, np.random.default_rng(0), sample_rate_hz=8000)
    assert level_db(line) == pytest.approx(level, abs=0.3)


@pytest.mark.parametrize("snr", [15.0, 30.0])
def test_noise_lies_that_far_below_the_speech(snr: float) -> None:
    call = Call(band_hz=(300.0, 3400.0), codec="none", level_dbfs=-20.0, snr_db=snr)
    quiet = np.concatenate([tone(1000), np.zeros(8000, np.float32)])
    line = transmit(quiet, call, np.random.default_rng(0), sample_rate_hz=8000)
    pause = line[9000:15000].astype(np.float64)
    measured = 10 * np.log10((pause**2).mean())
    in_band = 10 * np.log10((3400 - 300) / 4000)  # the noise is white before the band limit
    assert measured == pytest.approx(-20.0 - snr + in_band, abs=1.0)


@pytest.mark.parametrize(("codec", "least_db"), [("mulaw", 30), ("alaw", 30), ("gsm", 5)])
def test_codecs_keep_the_signal_and_its_timing(codec: Codec, least_db: float) -> None:
    rng = np.random.default_rng(1)
    speech = np.convolve(rng.standard_normal(8001), np.hanning(9) / 4.5, "valid")
    samples = (0.05 * speech * (1 + np.sin(np.arange(speech.size) / 400))).astype(np.float32)
    coded = round_trip(samples, codec)
    assert coded.size == samples.size
    assert not np.array_equal(coded, samples)
    lag = int(np.argmax(np.correlate(coded, samples, "full"))) - (samples.size - 1)
    assert lag == 0
    error = ((coded - samples) ** 2).mean()
    assert 10 * np.log10((samples**2).mean() / error) > least_db


def test_the_echo_comes_back_later_and_weaker() -> None:
    click = np.zeros(4000, np.float32)
    click[1000:1400] = tone(1000)[:400]
    call = Call(
        band_hz=(300.0, 3400.0),
        codec="none",
        level_dbfs=-20.0,
        snr_db=120.0,
        echo_delay_s=0.2,
        echo_db=-20.0,
    )
    line = transmit(click, call, np.random.default_rng(0), sample_rate_hz=8000)
    direct, echo = line[1100:1300], line[2700:2900]
    ratio = 10 * np.log10((echo**2).mean() / (direct**2).mean())
    assert ratio == pytest.approx(-20, abs=0.5)


def test_clipping_flattens_peaks() -> None:
    call = Call(band_hz=(300.0, 3400.0), codec="none", level_dbfs=-12, snr_db=120, clip_share=0.5)
    line = transmit(tone(700), call, np.random.default_rng(0), sample_rate_hz=8000)
    assert power_at(line, 2100, 8000) - power_at(line, 700, 8000) > -20  # third harmonic


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3000), st.sampled_from([8000, 11025, 16000, 44100]))
def test_length_range_and_repeatability(seed: int, size: int, rate_hz: int) -> None:
    samples = np.random.default_rng(seed).uniform(-1, 1, size).astype(np.float32)
    first, second = (
        simulate(samples, TelephoneConfig(), np.random.default_rng(seed), sample_rate_hz=rate_hz)
        for _ in range(2)
    )
    assert first.size == size
    assert first.dtype == np.float32
    assert np.array_equal(first, second)
    assert np.isfinite(first).all()
    assert size == 0 or np.abs(first).max() < 1.5


def test_silence_stays_silence_but_for_noise() -> None:
    silence = np.zeros(8000, np.float32)
    line = simulate(silence, TelephoneConfig(), np.random.default_rng(0), sample_rate_hz=8000)
    assert 0 < np.abs(line).max() < 0.1


def test_draws_stay_in_their_ranges_and_use_every_codec() -> None:
    rng, config = np.random.default_rng(0), TelephoneConfig()
    calls = [draw(config, rng) for _ in range(400)]
    assert {call.codec for call in calls} == set(config.codecs)
    assert all(-30 <= call.level_dbfs <= -16 and 24 <= call.snr_db <= 44 for call in calls)
    echoes = sum(call.echo_delay_s is not None for call in calls) / 400
    assert 0.08 < echoes < 0.22


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"band_hz": (300.0, 5000.0)}, "band_hz"),
        ({"codecs": ("amr",)}, "mulaw, alaw, gsm, none"),
        ({"codecs": ()}, "codecs"),
        ({"snr_db": (40.0, 20.0)}, "snr_db"),
    ],
)
def test_settings_that_cannot_work_are_refused(setting: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TelephoneConfig(**setting)  # type: ignore[arg-type]
