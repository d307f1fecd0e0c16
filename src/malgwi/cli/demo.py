"""`malgwi demo`: the whole road on the corpus that ships with the package."""

import itertools
import time
from dataclasses import replace
from pathlib import Path

import soundfile as sf
import torch
from rich.console import Console

from malgwi import manifest
from malgwi.audio import load_cut
from malgwi.cli.evaluate import evaluate_run
from malgwi.cli.train import TrainOptions, parse_duration, train_run
from malgwi.corpora.embedded import embedded_corpus
from malgwi.recipes import recipe
from malgwi.run import load_recogniser


def main(
    *,
    out: Path = Path("demo"),
    budget: str = "280s",
    seed: int = 0,
    threads: int | None = None,
    files: int = 5,
) -> None:
    """Prepare, train, evaluate and transcribe the embedded synthetic telephone corpus.

    Under six minutes on two CPU cores. The corpus is synthetic (its README says how it was made),
    so the error rate says that the machinery works, not how real calls would fare.

    For example, each on one line:

    malgwi demo

    malgwi demo --out /tmp/demo --budget 60s

    Args:
        out: Folder for manifests, the run and the report; numbered where it exists already.
        budget: Time for training.
        seed: Of the training.
        threads: CPU threads; all cores by default.
        files: Test utterances to write as WAV files and transcribe.
    """
    console = Console()
    out = free_folder(out)
    if threads is not None:
        torch.set_num_threads(threads)
    began = time.perf_counter()

    console.rule("prepare")
    corpus = embedded_corpus()
    parts = {"train": corpus.train, "dev": corpus.dev, "test": corpus.test}
    for name, cuts in parts.items():
        manifest.write(cuts, out / f"{name}.jsonl")
        hours = sum(cut.duration for cut in cuts) / 60
        voices = len({manifest.speaker(cut) for cut in cuts})
        console.print(f"{name:<6}{len(cuts):>5} utterances, {hours:5.1f} minutes, {voices} voices")

    console.rule("train")
    config = recipe("demo")
    options = TrainOptions(
        train=(out / "train.jsonl",),
        dev=(out / "dev.jsonl",),
        out=out / "run",
        config=replace(
            config, trainer=replace(config.trainer, seed=seed, budget_s=parse_duration(budget))
        ),
    )
    train_run(options, console)

    console.rule("evaluate: unseen voices, unseen sentences")
    evaluate_run(out / "run", [out / "test.jsonl"], out / "report", console=console)

    console.rule("transcribe")
    transcribe(out, files, console)
    console.print(f"\nall of it in {time.perf_counter() - began:.0f} s", highlight=False)


def free_folder(wanted: Path) -> Path:
    """``wanted``, or the first of wanted-2, wanted-3, … that does not exist: nothing is lost."""
    names = (wanted.with_name(f"{wanted.name}-{number}") for number in itertools.count(2))
    return wanted if not wanted.exists() else next(path for path in names if not path.exists())


def transcribe(out: Path, count: int, console: Console) -> None:
    """Write a few test utterances as files, as a caller's would be, and transcribe them."""
    recogniser = load_recogniser(out / "run")
    cuts = list(manifest.read(out / "test.jsonl"))
    for cut in cuts[:: max(1, len(cuts) // count)][:count] if count else []:
        path = out / "samples" / f"{cut.id}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, load_cut(cut, sample_rate_hz=8000), 8000, subtype="PCM_16")
        result = recogniser.recognise_file(path)
        console.print(
            f"{path}\n  said   {manifest.text(cut)}\n  heard  {result.text}", highlight=False
        )
