"""Cepstra of the frames that hold speech, in the band that a telephone passes: what a voice is.

No pitch: measured, voicing and fundamental frequency told nothing that the cepstra had not told.
No mean is removed either, though it would cancel a fixed line: within one corpus it told more of
voices than of lines. The first coefficient, loudness, is left out, so gain changes nothing.

The arithmetic is NumPy's, not torch's as in spectral.py, since an audit runs it in many processes
that need no network; a test holds the two sets of mel bands together.

Source: S. Davis and P. Mermelstein, "Comparison of Parametric Representations for Monosyllabic
Word Recognition", IEEE Transactions on Acoustics, Speech and Signal Processing 28 (1980).

Shapes: N samples, T frames, F frequency bins, M mel bands, C cepstra.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.fft
import soxr
from numpy.typing import NDArray

from malgwi.errors import AudioError, ConfigError

Floats = NDArray[np.float64]

RATE_HZ = 8000
_FRAME, _HOP, _N_FFT = 320, 80, 512  # 40 ms every 10 ms; long, as several pitch periods are wanted
#: Band energies this far below the loudest frame, in dB, are as good as silence.
_FLOOR_DB = -70.0
#: Frames transformed at a time, so that an hour of audio fits.
_BLOCK = 4096


@dataclass(frozen=True, kw_only=True)
class CepstraConfig:
    """How speech becomes cepstra.

    Args:
        num_cepstra: Coefficients a frame, from the second on.
        num_mels: Bands between the edges of ``band_hz``.
        band_hz: What a telephone line passes.
        range_db: Frames this far below the loud ones (the 95th percentile) are not speech.
    """

    num_cepstra: int = 16
    num_mels: int = 24
    band_hz: tuple[float, float] = (300.0, 3400.0)
    range_db: float = 30.0

    def __post_init__(self) -> None:
        low, high = self.band_hz
        if not 0 <= low < high <= RATE_HZ / 2:
            raise ConfigError(f"band_hz {self.band_hz}: need 0 <= low < high <= {RATE_HZ // 2}")
        if not 0 < self.num_cepstra < self.num_mels:
            raise ConfigError(
                f"num_cepstra {self.num_cepstra}: give 1 to {self.num_mels - 1}, "
                f"fewer than the {self.num_mels} of num_mels"
            )


def speech_cepstra(
    samples: NDArray[np.floating], sample_rate_hz: int, config: CepstraConfig | None = None
) -> Floats:
    """Cepstra of the frames with speech, [N] → [T, C]; no row where nothing is to be heard.

    Args:
        samples: [N] one channel, about ±1.
        sample_rate_hz: 8000 or more.
        config: Bands and coefficients.

    Raises:
        AudioError: More than one channel, values that are not finite, or too low a rate.

    >>> speech_cepstra(np.zeros(8000), 8000).shape
    (0, 16)
    >>> speech_cepstra(np.sin(np.arange(8000.0)), 8000).shape
    (97, 16)
    """
    config = config or CepstraConfig()
    _check(samples, sample_rate_hz)
    if sample_rate_hz != RATE_HZ:
        samples = soxr.resample(samples, sample_rate_hz, RATE_HZ)
    if samples.size < _FRAME:
        return np.empty((0, config.num_cepstra))
    energies, bands = _band_energies(samples.astype(np.float64), config)
    loudest = energies.max()
    if loudest <= 0:
        return np.empty((0, config.num_cepstra))
    speech = energies > np.percentile(energies, 95) * 10 ** (-config.range_db / 10)
    decibels = 10 * np.log10(np.maximum(bands[speech] / loudest, 10 ** (_FLOOR_DB / 10)))
    cepstra = scipy.fft.dct(decibels, axis=1, norm="ortho")[:, 1 : config.num_cepstra + 1]
    return np.asarray(cepstra, dtype=np.float64)


def seconds(frames: int) -> float:
    """How long that many frames last."""
    return frames * _HOP / RATE_HZ


def mel_bands(config: CepstraConfig) -> Floats:
    """Overlapping triangles, equally wide on the mel scale (HTK's): [F, M]."""
    low, high = 2595 * np.log10(1 + np.array(config.band_hz) / 700)
    edges = 700 * (10 ** (np.linspace(low, high, config.num_mels + 2) / 2595) - 1)
    bins = np.arange(_N_FFT // 2 + 1)[:, None] * (RATE_HZ / _N_FFT)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


_cached_bands = cache(mel_bands)


def _band_energies(samples: Floats, config: CepstraConfig) -> tuple[Floats, Floats]:
    """Energy of each frame [T] and of its bands [T, M]."""
    views = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    window = np.hanning(_FRAME + 1)[:-1]
    filters = _cached_bands(config)
    energies, bands = np.empty(len(views)), np.empty((len(views), config.num_mels))
    for start in range(0, len(views), _BLOCK):
        block = slice(start, start + _BLOCK)
        powers = np.abs(scipy.fft.rfft(views[block] * window, _N_FFT, axis=1)) ** 2
        energies[block], bands[block] = powers.sum(axis=1), powers @ filters
    return energies, bands


def _check(samples: NDArray[np.floating], sample_rate_hz: int) -> None:
    if samples.ndim != 1:
        raise AudioError(f"samples of shape {samples.shape}: give one channel, [N]")
    if sample_rate_hz < RATE_HZ:
        raise AudioError(
            f"speech at {sample_rate_hz} Hz: voices are compared up to 3400 Hz, "
            f"give {RATE_HZ} Hz or more"
        )
    if not np.isfinite(samples).all():
        raise AudioError("samples hold values that are not finite: decode the file again")
