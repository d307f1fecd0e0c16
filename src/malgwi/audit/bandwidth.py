"""How high the spectrum of an utterance reaches, whatever the rate of its file.

Telephone speech holds nothing above 4 kHz. Upsampled to 16 kHz it looks like any other file, and
a recogniser trained on both learns to tell them apart instead of listening. What gives it away is
a cliff: a frequency above which everything lies far below what lies just under it. Speech itself
has no such cliff, since its hiss (ㅅ, ㅈ, ㅊ) and the room's noise go on to the top.

The mean power spectrum is taken, not the loudest frames: the hiss is in few frames, and the mean
keeps it. Lossy codecs fill the empty band with noise of their own, at low rates so much that the
cliff is no longer steep; then the second sign counts, that hardly any energy lies above 4 kHz.

Shapes: N samples, F frames of L samples, B bands of 125 Hz.
Source for the width of the line: ITU-T G.712 (300-3400 Hz).
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Samples = NDArray[np.float32]

#: A spectral edge up to here, in a file that could hold more, is telephone audio upsampled.
TELEPHONE_EDGE_HZ = 4_250.0
#: What counts as a cliff, in dB.
CLIFF_DB = 20.0
#: With less of the energy above 4 kHz than this (-42 dB) the line ends there, steep or not. Chosen
#: on 180 utterances: wide Korean speech had -38 to -16 dB, simulated telephone speech through Opus
#: or MP3 as a rule below -50 dB, at most -38.
_HARDLY_ANY = 10**-4.2
_BAND_HZ = 125.0
#: No edge is looked for below: between two formants speech has valleys.
_LOWEST_EDGE_HZ = 2_750.0
#: Bands on either side of an edge: the mean of three below, all from two above.
_BELOW, _GAP = 3, 2
#: Under a third of a second the mean is no spectrum but one sound.
_FEWEST_FRAMES = 10
#: Frames transformed at a time, so that an hour of audio fits.
_BLOCK = 1024
#: Direct current and hum are not speech.
_LOWEST_HZ = 100.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """What of the spectrum is there.

    Attributes:
        edge_hz: Where the cliff stands, or half the sample rate where there is none.
        share_above_4khz: Of the energy above 100 Hz; None where the file cannot hold any.
    """

    edge_hz: float
    share_above_4khz: float | None


def band(samples: Samples, sample_rate_hz: int) -> Band | None:
    """The band that [N] samples fill; None where they are silent or shorter than a third of 1 s.

    >>> rng = np.random.default_rng(0)
    >>> band(rng.standard_normal(16_000).astype(np.float32), 16_000).edge_hz
    8000.0
    >>> band(np.zeros(16_000, dtype=np.float32), 16_000) is None
    True
    """
    length = _frame_length(sample_rate_hz)
    if len(samples) < _FEWEST_FRAMES * length:
        return None
    power = _mean_power(samples, length)
    hertz = np.arange(len(power), dtype=np.float64) * (sample_rate_hz / length)
    total = float(power[hertz >= _LOWEST_HZ].sum())
    if total <= 0.0:
        return None
    share = float(power[hertz > 4_000].sum()) / total if sample_rate_hz > 8_200 else None
    steepest_hz, drop_db = _cliff(power, hertz, sample_rate_hz / 2)
    empty = share is not None and share < _HARDLY_ANY
    if drop_db < CLIFF_DB:
        steepest_hz = 4_000.0 if empty else sample_rate_hz / 2
    return Band(edge_hz=steepest_hz, share_above_4khz=share)


def is_upsampled_telephone(edge_hz: float, sample_rate_hz: int) -> bool:
    """Whether a file that could hold more ends where a telephone line does.

    >>> is_upsampled_telephone(3_625.0, 16_000), is_upsampled_telephone(4_000.0, 8_000)
    (True, False)
    """
    return edge_hz <= TELEPHONE_EDGE_HZ < 0.45 * sample_rate_hz


def _frame_length(sample_rate_hz: int) -> int:
    """A power of two, from 21 to 43 ms at usual rates."""
    return 1 << max(8, math.floor(math.log2(sample_rate_hz * 0.043)))


def _mean_power(samples: Samples, length: int) -> NDArray[np.float64]:
    """The mean of the power spectra of Hann frames side by side, [L // 2 + 1]."""
    frames = samples[: len(samples) // length * length].reshape(-1, length)
    window = np.hanning(length + 1)[:-1].astype(np.float32)
    total = np.zeros(length // 2 + 1)
    for first in range(0, len(frames), _BLOCK):
        spectra = scipy.fft.rfft(frames[first : first + _BLOCK] * window, axis=1)
        total += (spectra.real**2 + spectra.imag**2).sum(axis=0, dtype=np.float64)
    return total / len(frames)


def _cliff(
    power: NDArray[np.float64], hertz: NDArray[np.float64], top_hz: float
) -> tuple[float, float]:
    """Where the spectrum falls by the most and never comes back, and by how many dB."""
    bands = np.arange(0.0, top_hz - _BAND_HZ / 2, _BAND_HZ)
    starts = np.searchsorted(hertz, bands)
    widths = np.diff(np.append(starts, len(hertz)))
    level = 10 * np.log10(np.add.reduceat(power, starts) / widths + 1e-20)
    highest_from = np.maximum.accumulate(level[::-1])[::-1]  # [B] the loudest from a band upwards
    places = np.arange(int(_LOWEST_EDGE_HZ / _BAND_HZ), len(level) - _GAP)
    if not len(places):
        return top_hz, 0.0
    below = np.mean([level[places - step] for step in range(1, _BELOW + 1)], axis=0)
    drops = below - highest_from[places + _GAP]
    steepest = int(np.argmax(drops))
    return float(bands[places[steepest]]), float(drops[steepest])
