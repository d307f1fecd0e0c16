"""A toy language: every syllable is a tone of its own. Learnable in seconds, made from nothing."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile as sf

from malgwi import manifest

SYLLABLES = "가나다라마바사아"
RATE = 8000


def waveform(text: str, *, seed: int = 0) -> np.ndarray:
    """0.16 s a syllable, with a little noise and a random level."""
    random = np.random.default_rng(seed)
    time = np.arange(int(0.16 * RATE)) / RATE
    fade = np.hanning(len(time)) ** 0.25
    tones = [np.sin(2 * np.pi * (300 + 350 * SYLLABLES.index(s)) * time) * fade for s in text]
    samples = np.concatenate(tones) * random.uniform(0.2, 0.5)
    return (samples + 0.003 * random.standard_normal(len(samples))).astype(np.float32)


def make_corpus(folder: Path, count: int, *, seed: int, prefix: str = "t") -> Path:
    """``count`` WAV files of 2 to 6 syllables and their manifest."""
    random = np.random.default_rng(seed)
    cuts = []
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        text = _without_repeats("".join(random.choice(list(SYLLABLES), 9)))[: random.integers(2, 7)]
        path = folder / f"{prefix}{index:03d}.wav"
        samples = waveform(text, seed=seed * 1000 + index)
        sf.write(path, samples, RATE, subtype="PCM_16")
        cuts.append(
            manifest.new_cut(
                path.stem,
                path,
                sample_rate_hz=RATE,
                num_samples=len(samples),
                text=text,
                speaker=f"{prefix}{index % 4}",
            )
        )
    target = folder / f"{prefix}.jsonl"
    manifest.write(cuts, target)
    return target


def _without_repeats(text: str) -> str:
    """One tone twice sounds like one longer tone."""
    return "".join(a for a, b in pairwise(text + " ") if a != b)
