"""What each lesson of the 2019 team is worth: turn them off one at a time and measure.

    python benchmarks/lessons.py                                  the corpus inside the package
    python benchmarks/lessons.py --data TRAIN DEV TEST --name NAME     manifests of real speech
    python benchmarks/lessons.py --table                          only write the table again

Every variant trains as long as the baseline (equal epochs, unless ``--budget``) and is searched
by the same attention beam without CTC, as the team decoded; ``--search joint`` compares by the
beam with CTC's say instead, for corpora on which the attention model alone has learnt nothing
that could be compared. What exists under ``--out`` is not
measured again, and a training run that was killed goes on from its last checkpoint.

The surprising choice: texts are scored as the *baseline* cleans them, on both sides. A model
trained on transcripts as found may write "3시" or "세시" and is charged for neither.
"""

import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import tyro
from lessons_measure import Ablation, Data, measure
from lessons_results import (
    Result,
    Settings,
    load_settings,
    path,
    save,
    save_settings,
    shared,
    speaker,
)
from lessons_table import write_table
from lessons_variants import BASELINE, LABELS, NAMES, changes
from lhotse.cut import MonoCut

from malgwi import manifest
from malgwi.cli.train import with_end
from malgwi.config import RunConfig, from_yaml, to_yaml
from malgwi.corpora.embedded import embedded_corpus
from malgwi.errors import ConfigError, DataError, MalgwiError
from malgwi.machine import pays_bf16
from malgwi.recipes import recipe

EMBEDDED = "embedded"
EPOCHS = 20


@dataclass(frozen=True, kw_only=True)
class Options:
    """Turn each lesson of 2019 off, one at a time, and measure what it costs.

    Args:
        data: ``embedded``, or manifests of the training, development and test part.
        name: Of the corpus, in the table's markers; embedded or real by default.
        recipe: The baseline; demo for the embedded corpus, else joint_quick.
        epochs: Of every training run.
        budget: Wall-clock time of every training run instead, such as 3m.
        seeds: How many seeds; errors are summed over them.
        only: Names of variants; the baseline is added.
        search: What the variants are compared by: the attention model's beam, or the joint one.
        out: Where runs and results lie; runs/lessons-NAME by default.
        experiments: The document that holds the table.
        table: Only write the table from the results that exist.
        threads: CPU threads; all cores by default.
    """

    data: tuple[str, ...] = (EMBEDDED,)
    name: str | None = None
    recipe: str | None = None
    epochs: int | None = None
    budget: str | None = None
    seeds: int = 1
    only: tuple[str, ...] = ()
    search: Literal["attention", "joint"] = "attention"
    out: Path | None = None
    experiments: Path = Path("docs/experiments.md")
    table: bool = False
    threads: int | None = None


def main(options: Options) -> None:
    """Measure what is missing, then write the table."""
    name = options.name or ("embedded" if options.data == (EMBEDDED,) else "real")
    folder = options.out or Path("runs") / f"lessons-{name}"
    if not options.table:
        torch.set_num_threads(options.threads or os.cpu_count() or 1)
        run(prepare(options, name, folder), chosen(options.only), options.seeds)
    write_table(folder, options.experiments)
    print(f"{options.experiments} holds the table")


def prepare(options: Options, name: str, folder: Path) -> Ablation:
    """The ablation that the options ask for; its settings are kept beside its results.

    Raises:
        ConfigError: The folder holds results of other settings.
        DataError: The parts share an utterance, or one of them is empty.
    """
    if options.epochs is not None and options.budget is not None:
        raise ConfigError("--epochs or --budget: give one, so that all variants end alike")
    epochs = options.epochs or EPOCHS if options.budget is None else None
    recipe_name = options.recipe or ("demo" if options.data == (EMBEDDED,) else "joint_quick")
    data, saved = read_data(options.data), load_settings(folder)
    base = with_end(recipe(recipe_name), options.budget, epochs)
    before = None if saved is None else from_yaml(saved.config)
    base = fixed_precision(base, before)
    settings = Settings(
        name=name,
        data=options.data,
        recipe=recipe_name,
        end=("budget", options.budget) if options.budget else ("epochs", str(epochs)),
        config=to_yaml(base),
        search=options.search,
        utterances=tuple(fingerprint(part) for part in (data.train, data.dev, data.test)),
        test_speakers=tuple((cut.id, speaker(cut)) for cut in data.test),
        test_shared=shared([*data.train, *data.dev], data.test),
    )
    if saved is None:
        save_settings(settings, folder)
    elif saved != settings:
        differing = ", ".join([*changes(saved, settings), *changes(before, base)])
        raise ConfigError(
            f"{folder} holds results of other settings ({differing} differ): give the same ones, "
            "or another --out"
        )
    return Ablation(
        base=base,
        data=data,
        folder=folder,
        search=options.search,
        say=lambda text: print(text, flush=True),
    )


def read_data(given: Sequence[str]) -> Data:
    """The embedded corpus, or the three manifests.

    Raises:
        ConfigError: Neither one word nor three manifests.
        DataError: An utterance stands in two parts, or a part is empty.
    """
    if tuple(given) == (EMBEDDED,):
        corpus = embedded_corpus()
        parts = [corpus.train, corpus.dev, corpus.test]
    elif len(given) == 3:
        parts = [list(manifest.read(source)) for source in given]
    else:
        raise ConfigError(f"--data: {len(given)} given; say {EMBEDDED}, or TRAIN DEV TEST")
    if not all(parts):
        raise DataError(f"--data {' '.join(given)}: a part is empty")
    ids = [cut.id for part in parts for cut in part]
    if len(set(ids)) < len(ids):
        raise DataError(
            f"--data {' '.join(given)}: {len(ids) - len(set(ids))} utterances stand twice: no "
            "score would mean anything. Split again with  malgwi split"
        )
    train_cuts, dev_cuts, test_cuts = parts
    return Data(train=train_cuts, dev=dev_cuts, test=test_cuts)


def fixed_precision(config: RunConfig, saved: RunConfig | None) -> RunConfig:
    """An "auto" decided once, since its timing may come out otherwise for another variant."""
    if config.trainer.precision != "auto":
        return config
    measured: Literal["bf16", "fp32"] = "bf16" if pays_bf16() else "fp32"
    precision = measured if saved is None else saved.trainer.precision
    return replace(config, trainer=replace(config.trainer, precision=precision))


def fingerprint(cuts: Sequence[MonoCut]) -> str:
    """A hash of what is said in a part, and where."""
    lines = [f"{cut.id}\t{cut.start}\t{cut.duration}\t{manifest.text(cut)}\n" for cut in cuts]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def chosen(only: Sequence[str]) -> list[str]:
    """The variants to measure, baseline first, in the order of the table.

    >>> chosen(["beam_unsorted", "no_trimming"])
    ['baseline', 'no_trimming', 'beam_unsorted']
    """
    for name in only:
        if name not in NAMES:
            raise ConfigError(f"--only: no variant {name!r}; known: {', '.join(NAMES)}")
    return [name for name in NAMES if not only or name == BASELINE or name in only]


def run(ablation: Ablation, names: Sequence[str], seeds: int) -> None:
    """Measure every variant at every seed that has no result yet."""
    todo = [(seed, name) for seed in range(seeds) for name in names]
    for count, (seed, name) in enumerate(todo, start=1):
        head = f"[{count}/{len(todo)}] {name}, seed {seed}"
        if path(ablation.folder, name, seed).is_file():
            ablation.say(f"{head}: measured already")
            continue
        ablation.say(f"{head}: {LABELS[name]} …")
        result = measure(ablation, name, seed)
        save(result, ablation.folder)
        ablation.say(f"{head}: {outcome(result)}")


def outcome(result: Result) -> str:
    """A line of progress."""
    if result.not_measured is not None:
        return f"not measured: {result.not_measured}"
    line = f"CER without spaces {100 * result.test['beam'].rate():.2f} %"
    if result.training is not None:
        line += f", {result.training.minutes:.1f} minutes, {result.training.updates} updates"
    return line


if __name__ == "__main__":
    try:
        main(tyro.cli(Options, description=__doc__))
    except MalgwiError as error:
        sys.exit(f"lessons: {error}")
