"""Sounds in which nobody speaks: what a recogniser must learn to write nothing for.

A model that has only ever heard speech writes words whatever it hears; "silence transcribed as a
stock phrase" is the best known fault of the large ones. Trained with a few of these among its
utterances, each with an empty reference, it learns that there may be nothing to write.

Every sound has a floor of noise and, as a rule, one thing more that telephone lines carry: mains
hum, signalling tones (ITU-T E.180: dial, ring-back and busy cadences), knocks and clicks.

Shapes: N samples.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]
Source = Callable[[int, int, np.random.Generator], Samples]

#: Cadences of E.180 in seconds on and off; a dial tone is never off.
_CADENCES_S = ((1.0, 0.0), (1.0, 2.0), (0.5, 0.5), (0.25, 0.25), (0.1, 0.1))
_QUIETEST_DB, _LOUDEST_DB = -70.0, -10.0


def nonspeech(
    num_samples: int, sample_rate_hz: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """One sound without speech.

    Args:
        num_samples: N.
        sample_rate_hz: Rate of the result.
        generator: Of every choice: kind, spectrum, level.

    Returns:
        [N], within ±1. One in ten is digital silence.

    >>> sound = nonspeech(8000, 8000, np.random.default_rng(1))
    >>> sound.shape, sound.dtype.name, bool(abs(sound).max() <= 1)
    ((8000,), 'float32', True)
    """
    if num_samples == 0 or generator.random() < 0.1:
        return np.zeros(num_samples, dtype=np.float32)
    sound = _at_level(coloured_noise(num_samples, sample_rate_hz, generator), generator)
    if generator.random() < 0.6:
        source = _SOURCES[generator.integers(len(_SOURCES))]
        sound = sound + _at_level(source(num_samples, sample_rate_hz, generator), generator)
    return np.clip(sound, -1.0, 1.0).astype(np.float32)


def coloured_noise(
    num_samples: int, sample_rate_hz: int, generator: np.random.Generator
) -> Samples:
    """Gaussian noise whose spectrum falls, or rises, by a random slope: 3 to −9 dB an octave."""
    spectrum = np.fft.rfft(generator.standard_normal(num_samples))
    frequencies = np.fft.rfftfreq(num_samples, 1 / sample_rate_hz)
    exponent = generator.uniform(-1.5, 0.5)
    spectrum *= np.maximum(frequencies, 50.0) ** exponent
    return np.fft.irfft(spectrum, num_samples)


def hum(num_samples: int, sample_rate_hz: int, generator: np.random.Generator) -> Samples:
    """Mains hum, 50 or 60 Hz, with its overtones."""
    base_hz = generator.choice([50.0, 60.0])
    time_s = np.arange(num_samples) / sample_rate_hz
    orders = np.arange(1, int(generator.integers(3, 16)))
    strengths = generator.random(len(orders)) / orders
    phases = generator.uniform(0, 2 * np.pi, len(orders))
    tones = np.sin(2 * np.pi * base_hz * orders[:, None] * time_s + phases[:, None])
    return np.asarray(strengths @ tones)


def tones(num_samples: int, sample_rate_hz: int, generator: np.random.Generator) -> Samples:
    """One or two steady tones, on and off in a cadence of telephone signalling."""
    time_s = np.arange(num_samples) / sample_rate_hz
    pitches_hz = generator.uniform(300.0, 2000.0, int(generator.integers(1, 3)))
    sound = np.sin(2 * np.pi * pitches_hz[:, None] * time_s).sum(axis=0)
    on_s, off_s = _CADENCES_S[generator.integers(len(_CADENCES_S))]
    place_s = (time_s + generator.uniform(0, on_s + off_s)) % (on_s + off_s)
    return np.asarray(sound * (place_s < on_s))


def knocks(num_samples: int, sample_rate_hz: int, generator: np.random.Generator) -> Samples:
    """Bursts of noise that die away: a knock, a click, a receiver put down; often at a beat."""
    sound = np.zeros(num_samples)
    duration_s = num_samples / sample_rate_hz
    gap_s = generator.uniform(0.15, 1.5)
    regular = generator.random() < 0.5
    beats_s = np.arange(generator.uniform(0, gap_s), duration_s, gap_s)
    starts_s = beats_s if regular else generator.uniform(0, duration_s, len(beats_s))
    decay_s = generator.uniform(0.002, 0.1)
    burst = np.exp(-np.arange(int(5 * decay_s * sample_rate_hz) + 1) / (decay_s * sample_rate_hz))
    for start_s in starts_s:
        start = int(start_s * sample_rate_hz)
        stretch = sound[start : start + len(burst)]
        stretch += burst[: len(stretch)] * generator.standard_normal(len(stretch))
    return sound


_SOURCES: tuple[Source, ...] = (hum, tones, knocks)


def _at_level(sound: Samples, generator: np.random.Generator) -> Samples:
    """The sound with its peak at a random level."""
    peak = float(np.abs(sound).max())
    level = 10.0 ** (generator.uniform(_QUIETEST_DB, _LOUDEST_DB) / 20.0)
    return sound * (level / peak) if peak > 0 else sound
