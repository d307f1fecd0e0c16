"""Measures of one utterance, against signals whose answers are known."""

import io
import math

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from malgwi.audit.bandwidth import band, is_upsampled_telephone
from malgwi.audit.sound import clipped_share, digest, measure, snr_db

RATE = 16_000


def sine(hertz: float, seconds: float = 1.0, rate: int = RATE, amplitude: float = 1.0):
    time = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def noise(seconds: float, rate: int = RATE, rms: float = 0.1, seed: int = 0):
    random = np.random.default_rng(seed)
    return (rms * random.standard_normal(round(seconds * rate))).astype(np.float32)


def coded(samples, form: str, level: float, rate: int = RATE):
    """Through a lossy codec and back."""
    subtype = {"OGG": "OPUS", "MP3": "MPEG_LAYER_III"}[form]
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=form, subtype=subtype, compression_level=level)
    file.seek(0)
    decoded, decoded_rate = soundfile.read(file, dtype="float32")
    assert decoded_rate == rate
    return decoded


def speechlike(snr: float | None, seed: int = 0):
    """Bursts of tones with pauses for a quarter of the time, and white noise at a global ratio."""
    random = np.random.default_rng(seed)
    parts = []
    for _ in range(12):
        burst = sine(random.uniform(150, 3000), 0.3, amplitude=random.uniform(0.1, 0.4))
        parts += [burst * np.hanning(len(burst)) ** 0.3, np.zeros(1_600, np.float32)]
    clean = np.concatenate(parts).astype(np.float32)
    if snr is None:
        return clean
    rms = math.sqrt(float(np.mean(clean**2)) * 10 ** (-snr / 10))
    return clean + noise(len(clean) / RATE, rms=rms, seed=seed)


class TestClipping:
    @pytest.mark.parametrize("limit", [0.3, 0.5, 0.8])
    @pytest.mark.parametrize("scale", [1.0, 0.4])
    def test_a_clipped_sine_is_clipped_where_arithmetic_says(self, limit: float, scale: float):
        samples = scale * np.clip(sine(203.7), -limit, limit)  # no divisor of the rate
        expected = 1 - 2 / math.pi * math.asin(limit)
        assert clipped_share(samples, RATE) == pytest.approx(expected, abs=0.01)

    def test_one_side_alone(self):
        samples = np.minimum(sine(203.7), 0.5)
        assert clipped_share(samples, RATE) == pytest.approx(1 / 3, abs=0.01)

    @pytest.mark.parametrize("hertz", [100, 217, 1000, 3999])
    def test_a_whole_sine_is_not_clipped(self, hertz: float):
        in_16_bits = np.rint(sine(hertz, amplitude=0.7) * 32_767) / 32_768
        assert clipped_share(in_16_bits.astype(np.float32), RATE) == 0.0

    def test_faint_steps_are_not_clipping(self):
        in_16_bits = np.rint(sine(200) * 5) / 32_768
        assert clipped_share(in_16_bits.astype(np.float32), RATE) == 0.0

    def test_past_full_scale_after_a_codec(self):
        heard = coded(np.clip(3 * sine(200, 2.0), -1, 1), "MP3", 0.2)
        assert clipped_share(heard, RATE) > 0.3


class TestSilence:
    @pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
    @pytest.mark.parametrize(("before", "behind"), [(0.5, 0.25), (0.0, 1.0), (2.0, 0.0)])
    def test_edges_of_known_length(self, rate: int, before: float, behind: float):
        samples = np.concatenate(
            [
                noise(before, rate, 1e-4),
                sine(440, 1.5, rate, amplitude=0.3),
                noise(behind, rate, 1e-4),
            ]
        )
        found = measure(samples, rate)
        # a frame of 128 ms is loud as soon as a little of it is
        assert found.leading_s == pytest.approx(before, abs=0.13)
        assert found.trailing_s == pytest.approx(behind, abs=0.13)
        assert found.speech_s == pytest.approx(1.5, abs=0.2)

    def test_digital_silence(self):
        found = measure(np.zeros(RATE, np.float32), RATE)
        assert found.silent
        assert (found.level_dbfs, found.snr_db, found.bandwidth_hz) == (None, None, None)
        assert found.duration_s == 1.0

    def test_one_sample(self):
        found = measure(np.array([0.5], np.float32), RATE)
        assert found.bandwidth_hz is None
        assert found.peak_dbfs == pytest.approx(-6.02, abs=0.01)


class TestLevel:
    @given(st.floats(-60, 0), st.sampled_from([8_000, 16_000, 22_050]))
    def test_of_a_sine(self, decibels: float, rate: int):
        found = measure(sine(440, rate=rate, amplitude=10 ** (decibels / 20)), rate)
        assert found.peak_dbfs == pytest.approx(decibels, abs=0.1)
        assert found.level_dbfs == pytest.approx(decibels - 3.01, abs=0.1)

    def test_silent_edges_do_not_count(self):
        speech = noise(2.0, rms=0.1)
        padded = np.concatenate([np.zeros(RATE, np.float32), speech, np.zeros(RATE, np.float32)])
        assert measure(padded, RATE).level_dbfs == pytest.approx(-20, abs=0.6)


class TestNoise:
    @pytest.mark.parametrize("snr", [0, 10, 20, 30, 40])
    @pytest.mark.parametrize("seed", [0, 1])
    def test_noise_at_a_known_ratio(self, snr: float, seed: int):
        assert snr_db(speechlike(snr, seed), RATE) == pytest.approx(snr, abs=1.0)

    def test_the_ratio_does_not_depend_on_the_level(self):
        samples = speechlike(20)
        assert snr_db(samples * 0.05, RATE) == pytest.approx(snr_db(samples, RATE), abs=0.05)

    def test_noise_alone(self):
        assert snr_db(noise(3.0), RATE) < 0

    def test_inserted_zeros_are_no_noise_floor(self):
        samples = np.concatenate([speechlike(20), np.zeros(2 * RATE, np.float32)])
        assert snr_db(samples, RATE) == pytest.approx(20, abs=1.0)

    def test_no_pause_measured_in_no_noise(self):
        assert snr_db(np.zeros(RATE, np.float32), RATE) is None


class TestBand:
    upsampled = staticmethod(lambda: soxr.resample(noise(3.0, 8_000), 8_000, RATE, quality="HQ"))

    def test_upsampled_noise_is_telephone(self):
        found = band(self.upsampled(), RATE)
        assert found.edge_hz == pytest.approx(3_900, abs=150)
        assert is_upsampled_telephone(found.edge_hz, RATE)
        assert found.share_above_4khz < 1e-6

    def test_true_noise_is_not(self):
        found = band(noise(3.0), RATE)
        assert found.edge_hz == 8_000
        assert not is_upsampled_telephone(found.edge_hz, RATE)
        assert found.share_above_4khz == pytest.approx(0.5, abs=0.03)

    @pytest.mark.parametrize(("form", "level"), [("OGG", 0.5), ("OGG", 0.97), ("MP3", 0.5)])
    def test_both_through_a_codec(self, form: str, level: float):
        for samples, telephone in ((self.upsampled(), True), (noise(3.0), False)):
            found = measure(coded(samples, form, level), RATE)
            assert found.upsampled_telephone is telephone, (form, level, found.bandwidth_hz)

    @pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
    def test_at_any_rate(self, rate: int):
        narrow = soxr.resample(noise(3.0, 8_000), 8_000, rate, quality="HQ")
        assert measure(narrow, rate).upsampled_telephone
        wide = soxr.resample(noise(3.0, 16_000), 16_000, rate, quality="HQ")
        found = measure(wide, rate)
        assert not found.upsampled_telephone
        assert found.bandwidth_hz == pytest.approx(min(8_000, rate / 2), abs=350)

    def test_a_file_at_8_khz_is_what_it_says(self):
        found = measure(noise(3.0, 8_000), 8_000)
        assert (found.bandwidth_hz, found.share_above_4khz) == (4_000, None)
        assert not found.upsampled_telephone

    def test_a_hiss_above_keeps_speech_wide(self):
        """Vowels of telephone band and a tenth of the time hiss, as speech is."""
        samples = self.upsampled()
        samples[::1][: len(samples) // 10] += noise(0.3, rms=0.05)[: len(samples) // 10]
        assert not measure(samples, RATE).upsampled_telephone


class TestDigest:
    def test_equal_samples_in_other_files(self):
        in_16_bits = np.rint(noise(0.5) * 32_767) / 32_768
        decoded = []
        for form in ("WAV", "FLAC"):
            file = io.BytesIO()
            soundfile.write(file, in_16_bits, RATE, format=form, subtype="PCM_16")
            file.seek(0)
            decoded.append(soundfile.read(file, dtype="float32")[0])
        assert digest(decoded[0], RATE) == digest(decoded[1], RATE)

    def test_one_step_makes_another(self):
        samples = noise(0.5)
        other = samples.copy()
        other[100] += 2**-15
        assert digest(samples, RATE) != digest(other, RATE)

    def test_a_strided_view_hashes_as_its_samples(self):
        both = np.stack([noise(0.1), noise(0.1, seed=1)], axis=1)
        assert digest(both[:, 1], RATE) == digest(both[:, 1].copy(), RATE)
