"""How fast audio becomes features: every preset, SpecAugment, speed perturbation, cache.

    python benchmarks/front_end.py [--threads 1]

Prints × real time (seconds of audio a second). Run it on an idle machine.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
import tyro

from malgwi.augment import policy, spec_augment, speed_perturb
from malgwi.features import FrontEnd
from malgwi.front_end import PRESETS


def main(threads: int = 1, batch: int = 16, seconds: float = 5.0) -> None:
    """Time the front end on noise.

    Args:
        threads: CPU threads.
        batch: Utterances.
        seconds: Length of each.
    """
    torch.set_num_threads(threads)
    audio_s = batch * seconds
    for name, config in PRESETS.items():
        if config.normalize == "global":
            continue  # needs statistics; costs what the same bands cost under "utterance"
        front_end = FrontEnd(config)
        count = int(seconds * config.sample_rate_hz)
        waveforms = torch.randn(batch, count)
        lengths = torch.full((batch,), count)
        show(name, audio_s, lambda f=front_end, w=waveforms, n=lengths: f(w, n))
    front_end = FrontEnd(PRESETS["quick"])
    features, frames = front_end(
        torch.randn(batch, int(seconds * 16_000)), lengths_of(batch, seconds)
    )
    for name in ("LB", "LD", "SM", "SS"):
        generator = torch.Generator().manual_seed(0)
        show(
            f"SpecAugment {name}",
            audio_s,
            lambda n=name, g=generator: spec_augment(features, frames, policy(n), g),
        )
    samples = np.random.default_rng(0).standard_normal(int(seconds * 16_000)).astype(np.float32)
    show("speed × 1.1", seconds, lambda: speed_perturb(samples, 1.1))


def lengths_of(batch: int, seconds: float) -> torch.Tensor:
    """[B] samples at 16 kHz."""
    return torch.full((batch,), int(seconds * 16_000))


def show(name: str, audio_s: float, work: Callable[[], object], repeats: int = 10) -> None:
    """Print × real time: the median of some calls after one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    print(f"{name:<18} {audio_s / sorted(times)[len(times) // 2]:>8.0f} × real time")


if __name__ == "__main__":
    tyro.cli(main)
