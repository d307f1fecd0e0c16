"""How fast the training engine is: audio and GFLOP a second, and where a step's time goes.

    python benchmarks/training_engine.py TRAIN.jsonl [--recipes quick conformer_quick] [--steps 60]

The loop is the one that `malgwi train` runs; clocks hang on its own calls. GFLOP/s count the
model's multiply-adds for the audio of a step (`malgwi train --dry-run` prints them), twice for the
forward and four times for the backward pass, and as often again for a second view of the audio,
which a recipe whose noise grows does not have yet in its first steps; padding and element-wise work
earn nothing. The machine's own matrix product is measured in the same process, in the run's
precision. Ten steps go by before the clocks start. --operators profiles: it names the costliest
operations of each recipe, and counts what the large layers reach while their kernels run, recurrent
ones and products. Prints a table for docs/experiments.md; wants an idle machine.
"""

import argparse
import os
import platform
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from malgwi import manifest
from malgwi.cli.doctor import gigaflops
from malgwi.cost import measure_cost
from malgwi.optim import MovingAverage
from malgwi.recipes import recipe
from malgwi.run import Built, build
from malgwi.trainer import train
from malgwi.training_log import TrainingLog

WARM_UP = 10
HEAD = (
    "| recipe | precision | audio s / s | GFLOP/s | of a matrix product | large layers alone "
    "| load | forward | backward | step | outside |"
)
#: What does the multiplications that are counted.
KERNELS = {
    *("aten::mkldnn_rnn_layer", "aten::mkldnn_rnn_layer_backward"),
    *("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"),
    *("aten::mkldnn_convolution", "aten::convolution_backward"),
}


def measure(name: str, cuts: Path, steps: int, operators: int, max_batch_s: float | None) -> str:
    """One line of the table."""
    config = recipe(name)
    if max_batch_s is not None:
        config = replace(config, batches=replace(config.batches, max_batch_s=max_batch_s))
    trainer = replace(
        config.trainer,
        max_steps=WARM_UP + steps,
        epochs=None,
        budget_s=None,
        evaluations=1,
        checkpoint_steps=10**9,
    )
    every = list(manifest.read(cuts))
    with tempfile.TemporaryDirectory() as folder:
        built = build(
            replace(config, trainer=trainer), every[4:], every[:4], Path(folder), lambda _: None
        )
        model, front_end = built.parts.model, config.front_end
        parts = measure_cost(model, front_end.num_features, front_end.frame_s)
        dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[built.trainer.precision]
        peak = product(dtype)
        spent, total_s, audio = timed_training(built, Path(folder), operators)
    views = built.parts.batches.views(0.0 if trainer.ramp_epochs else 1.0)
    flops = 6 * views * sum(part.multiply_adds for part in parts)
    audio_s, peak = sum(audio[WARM_UP:]), max(peak, product(dtype))
    inside = [spent[part] for part in ("load", "forward", "backward", "step")]
    achieved = 1e-9 * flops * audio_s / (inside[1] + inside[2])
    large = 1e-9 * flops * sum(audio) / spent["kernels"] if operators else None
    shares = [f"{100 * seconds / total_s:.0f} %" for seconds in (*inside, total_s - sum(inside))]
    return (
        " | ".join(
            (
                f"| {name}",
                built.trainer.precision,
                f"{audio_s / total_s:.0f}",
                f"{achieved:.0f}",
                f"{100 * achieved / peak:.0f} % of {peak:.0f}",
                "–" if large is None else f"{large:.0f}, {100 * large / peak:.0f} %",
                *shares,
            )
        )
        + " |"
    )


def product(dtype: torch.dtype) -> float:
    """The best of several large matrix products, GFLOP/s: one alone may meet a busy moment."""
    return max(gigaflops(dtype, size=2048, budget_s=0.5) for _ in range(4))


def timed_training(
    built: Built, folder: Path, operators: int
) -> tuple[Counter[str], float, list[float]]:
    """Train with clocks on load, forward, backward and step.

    Seconds are wall clock: what several workers do side by side counts for its share.

    Returns:
        Their seconds, all seconds, and the audio of each step in seconds.
    """
    spans: list[tuple[str, float]] = []
    audio = [0.0]
    began = ended = 0.0
    workers, lock = built.trainer.workers or 1, threading.Lock()

    def clocked(name: str, call: Callable[..., Any], side_by_side: int = 1) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            value = call(*args, **options)
            if len(audio) > WARM_UP:
                spans.append((name, (time.perf_counter() - start) / side_by_side))
            return value

        return timed

    load, clip = built.parts.batches.load, nn.utils.clip_grad_norm_

    def loaded(*args: Any) -> Any:
        batch = load(*args)
        with lock:
            audio[-1] += batch.audio_s
        return batch

    def clipped(*args: Any) -> Any:
        nonlocal began
        value = clip(*args)
        audio.append(0.0)
        if len(audio) == WARM_UP + 1:
            began = time.perf_counter()
        return value

    def evaluate(_model: torch.nn.Module) -> float:
        nonlocal ended
        ended = time.perf_counter()
        return 1.0

    objective = clocked("forward", built.parts.objective, workers)
    parts = replace(built.parts, objective=objective, evaluate=evaluate)
    backward = clocked("backward", torch.Tensor.backward, workers)
    threads = torch.profiler._ExperimentalConfig(profile_all_threads=True)
    with (
        patch.object(parts.batches, "load", clocked("load", loaded, workers)),
        patch.object(torch.Tensor, "backward", backward),
        patch.object(nn.utils, "clip_grad_norm_", clocked("step", clipped)),
        patch.object(torch.optim.AdamW, "step", clocked("step", torch.optim.AdamW.step)),
        patch.object(torch.optim.Adam, "step", clocked("step", torch.optim.Adam.step)),
        patch.object(MovingAverage, "update", clocked("step", MovingAverage.update)),
        TrainingLog(folder) as log,
        torch.profiler.profile(experimental_config=threads) if operators else nullcontext() as seen,
    ):
        train(parts, built.trainer, folder, log)
    spent: Counter[str] = Counter()
    for name, seconds in spans:
        spent[name] += seconds
    if seen is not None:
        found = seen.key_averages()
        print(found.table(sort_by="self_cpu_time_total", row_limit=operators))
        kernels_us = sum(o.self_cpu_time_total for o in found if o.key in KERNELS)
        spent["kernels"] = 1e-6 * kernels_us / workers
    return spent, ended - began, audio


def main() -> None:
    """Measure the recipes that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cuts", type=Path, help="manifest of a training split")
    parser.add_argument("--recipes", nargs="+", default=["quick", "conformer_quick"])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--max-batch-s", type=float, help="batches of so many seconds instead")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--operators", type=int, default=0, help="name so many operations")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{date.today()}, {options.threads} threads of {platform.processor() or 'this machine'}")
    print("\n".join((HEAD, "|---" * (HEAD.count("|") - 1) + "|")), flush=True)
    for name in options.recipes:
        row = measure(name, options.cuts, options.steps, options.operators, options.max_batch_s)
        print(row, flush=True)


if __name__ == "__main__":
    main()
