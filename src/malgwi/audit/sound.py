"""What one utterance sounds like in numbers: level, clipping, silent edges, noise, band.

Everything is measured on the samples as the file holds them, at its own rate, decoded once. The
estimates ask nothing of a model: they are rough for one utterance, and good for a corpus.

Noise is what is left in the pauses: the power of the quietest frames (tenth percentile, 20 ms
each). The signal is the rest of the mean power. So the ratio is that of whole utterance to noise,
as noise is usually mixed in; an utterance without any pause counts its quietest sounds as noise
and comes out too low. Frames of digital silence (codecs and gates make them) are no noise and are
left out.

Shapes: N samples, F frames.
Sources: edge silence as ``malgwi.audio.trim_bounds`` (librosa's trim); percentile noise floor
after R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum
statistics", IEEE TSAP 9(5), 2001, section I, in its plainest form.
"""

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from malgwi.audio import trim_bounds
from malgwi.audit.bandwidth import band, is_upsampled_telephone

Samples = NDArray[np.float32]

#: Below this peak (-80 dB of full scale) nothing can be heard.
SILENT_PEAK = 1e-4
#: At or beyond this a sample is at full scale; lossy codecs go past 1 where the source touched it.
FULL_SCALE = 0.9995
#: Flat tops below full scale count from this peak (-26 dB) on: a faint signal has few levels.
_LOUD_ENOUGH = 0.05
#: Half a step of 16 bits: neighbours this close are equal.
_STEP = 0.5 / 32_768
#: How long a flat top lasts at least, in samples and in seconds.
_FLAT_SAMPLES, _FLAT_S = 3, 1.5e-4
_NOISE_FRAME_S = 0.02
_FEWEST_NOISE_FRAMES = 10
_DIGITAL_SILENCE = 1e-10
#: Estimates of the ratio beyond this say only "no noise" or "no speech".
_SNR_RANGE_DB = (-20.0, 80.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sound:
    """The measures of one utterance.

    Attributes:
        sample_rate_hz: At which it was measured: the file's own.
        duration_s: Of the decoded samples.
        leading_s: Silence before the speech.
        trailing_s: Silence behind it.
        level_dbfs: Root mean square between the silent edges; a sine at full scale has -3.01.
            None where all is silent.
        peak_dbfs: Of the loudest sample; None likewise.
        clipped_share: Samples at full scale or in flat tops, of all.
        snr_db: Estimate, from -20 to 80; None where no noise is left to measure.
        bandwidth_hz: Where the spectrum ends; half the sample rate where it does not. None where
            the utterance is silent or too short.
        share_above_4khz: Of the energy; None likewise, or where the file cannot hold any.
        digest: Hash of rate and samples, 64 bits: equal for equal audio, whatever the file.
    """

    sample_rate_hz: int
    duration_s: float
    leading_s: float
    trailing_s: float
    level_dbfs: float | None
    peak_dbfs: float | None
    clipped_share: float
    snr_db: float | None
    bandwidth_hz: float | None
    share_above_4khz: float | None
    digest: int

    @property
    def speech_s(self) -> float:
        """Between the silent edges."""
        return self.duration_s - self.leading_s - self.trailing_s

    @property
    def silent(self) -> bool:
        """Whether nothing can be heard at all."""
        return self.peak_dbfs is None

    @property
    def upsampled_telephone(self) -> bool:
        """Whether it ends where a telephone line does, though its file could hold more."""
        return self.bandwidth_hz is not None and is_upsampled_telephone(
            self.bandwidth_hz, self.sample_rate_hz
        )


def measure(samples: Samples, sample_rate_hz: int, *, edge_db: float = 25.0) -> Sound:
    """All measures of one utterance.

    Args:
        samples: [N] mono, about ±1, N at least 1.
        sample_rate_hz: Of the samples.
        edge_db: How far below the loudest frame the edges count as silent; frames are those of
            ``trim_bounds`` at 16 kHz (128 ms, every 32 ms), whatever the rate.

    >>> time = np.arange(16_000) / 16_000
    >>> tone = (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    >>> found = measure(tone, 16_000)
    >>> round(found.level_dbfs, 2), round(found.peak_dbfs, 2), found.clipped_share
    (-9.03, -6.02, 0.0)
    """
    peak = float(max(samples.max(), -samples.min()))
    silent = peak < SILENT_PEAK
    start, end = _speech_bounds(samples, sample_rate_hz, edge_db)
    filled = None if silent else band(samples, sample_rate_hz)
    return Sound(
        sample_rate_hz=sample_rate_hz,
        duration_s=len(samples) / sample_rate_hz,
        leading_s=start / sample_rate_hz,
        trailing_s=(len(samples) - end) / sample_rate_hz,
        level_dbfs=None if silent else _decibels(_power(samples[start:end])),
        peak_dbfs=None if silent else _decibels(peak**2),
        clipped_share=clipped_share(samples, sample_rate_hz),
        snr_db=None if silent else snr_db(samples, sample_rate_hz),
        bandwidth_hz=None if filled is None else filled.edge_hz,
        share_above_4khz=None if filled is None else filled.share_above_4khz,
        digest=digest(samples, sample_rate_hz),
    )


def clipped_share(samples: Samples, sample_rate_hz: int) -> float:
    """Samples that were cut off, of all: at full scale, or flat tops at the signal's own extreme.

    Only runs of neighbours count (three, and 0.15 ms), on each side of zero alone. Clipping that
    happened before a lossy codec or a resampler, and below full scale, leaves no flat top and is
    not found.

    >>> clipped_share(np.array([0, .2, .5, .5, .5, .5, .1, 0], dtype=np.float32), 16_000)
    0.5
    """
    shortest = max(_FLAT_SAMPLES, math.ceil(_FLAT_S * sample_rate_hz))
    cut = 0
    for high, beyond in (
        (float(samples.max()), np.greater_equal),
        (float(samples.min()), np.less_equal),
    ):
        if abs(high) >= _LOUD_ENOUGH:
            limit = math.copysign(min(abs(high) - _STEP, FULL_SCALE), high)
            cut += _in_runs(np.flatnonzero(beyond(samples, limit)), shortest)
    return cut / len(samples)


def snr_db(samples: Samples, sample_rate_hz: int) -> float | None:
    """Power of the utterance over that of its pauses, in dB; None where there is no telling.

    >>> rng = np.random.default_rng(0)
    >>> noise = rng.standard_normal(32_000).astype(np.float32)
    >>> noise[:16_000] *= 0.01
    >>> round(snr_db(noise, 16_000))  # half of the time at 0 dB, half of it at -40 dB
    37
    """
    length = round(_NOISE_FRAME_S * sample_rate_hz)
    frames = samples[: len(samples) // length * length].reshape(-1, length)
    power = np.einsum("fl,fl->f", frames, frames) / length
    power = power[power > _DIGITAL_SILENCE]
    if len(power) < _FEWEST_NOISE_FRAMES:
        return None
    noise, total = float(np.quantile(power, 0.1)), float(power.mean(dtype=np.float64))
    low, high = _SNR_RANGE_DB
    ratio = max((total - noise) / noise, 10 ** (low / 10))
    return min(10 * math.log10(ratio), high)


def digest(samples: Samples, sample_rate_hz: int) -> int:
    """A hash of rate and samples, 64 bits and not 0.

    >>> digest(np.zeros(3, np.float32), 8000) == digest(np.zeros(3, np.float32), 16000)
    False
    """
    found = hashlib.blake2b(sample_rate_hz.to_bytes(4, "little"), digest_size=8)
    found.update(np.ascontiguousarray(samples).data)
    return int.from_bytes(found.digest(), "little") or 1


def _speech_bounds(samples: Samples, sample_rate_hz: int, edge_db: float) -> tuple[int, int]:
    hop = max(1, round(0.032 * sample_rate_hz))
    return trim_bounds(samples, top_db=edge_db, frame_length=4 * hop, hop_length=hop)


def _in_runs(places: NDArray[np.intp], shortest: int) -> int:
    """How many of the ascending places stand in runs of at least ``shortest`` neighbours."""
    if len(places) < shortest:
        return 0
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    lengths = np.diff(np.concatenate(([0], breaks, [len(places)])))
    return int(lengths[lengths >= shortest].sum())


def _power(samples: Samples) -> float:
    return float(np.dot(samples, samples)) / max(1, len(samples))


def _decibels(power: float) -> float:
    return 10 * math.log10(max(power, 1e-12))
