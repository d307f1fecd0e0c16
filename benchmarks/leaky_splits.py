"""What a random split hides: one recogniser, four ways to set development data aside.

    python benchmarks/leaky_splits.py DEEPLY.jsonl EMOTIONTTS.jsonl [--epochs 20]

Of the last corpus a part that shares neither speaker nor script with anything else is set aside
first: the outside set, common to all rows. What is left of each corpus is split at random, by
speaker, by script and by both; the same small recogniser is trained on equal hours of each
training part, and its CER on its own development part stands beside its CER outside. The honest
split is the one whose development CER comes near.

Decoded by CTC, greedy: in so short a training the attention model has learnt little. A finished
row is not measured again; a training that was killed goes on from its last checkpoint.
"""

import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, get_args

import torch
import tyro
from lessons_measure import decoded, trained
from lessons_results import Scored, Shared, scored_record, shared, speaker
from lessons_table import between_markers, wider
from lessons_variants import ctc_greedy
from lhotse.cut import MonoCut

from malgwi import manifest
from malgwi.checkpoint import write_bytes
from malgwi.cli.train import with_end
from malgwi.config import RunConfig
from malgwi.errors import MalgwiError
from malgwi.metrics.confidence import interval
from malgwi.metrics.error_rate import total
from malgwi.recipes import recipe
from malgwi.run import load_recogniser
from malgwi.split import SplitConfig, split
from malgwi.text.scripts import script

How = Literal["random", "speaker", "script", "disjoint"]
HOWS: tuple[How, ...] = get_args(How)
LABELS = {
    "random": "at random",
    "speaker": "by speaker",
    "script": "by script",
    "disjoint": "by speaker and script",
}
DEV_SHARE = 0.12
Parts = Mapping[str, Sequence[MonoCut]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One corpus, split one way.

    Attributes:
        corpus: Its name.
        how: The way.
        hours: Trained on, before trimming.
        dev: CER of the development part.
        outside: CER of the outside set.
        dev_shared: What development shares with training.
        speakers: Of every utterance decoded.
    """

    corpus: str
    how: str
    hours: float
    dev: Scored
    outside: Scored
    dev_shared: Shared
    speakers: Mapping[str, str]


def main(
    manifests: Annotated[tuple[Path, ...], tyro.conf.Positional],
    /,
    *,
    epochs: int = 20,
    recipe_name: str = "demo",
    outside_share: float = 0.15,
    seed: int = 0,
    out: Path = Path("runs/leaky-splits"),
    experiments: Path = Path("docs/experiments.md"),
    threads: int = 2,
    only: tuple[str, ...] = (),
    table: bool = False,
) -> None:
    """Train and score every corpus under every split, then write the table.

    Args:
        manifests: Corpora; the outside set comes from the last one.
        epochs: Of each training.
        recipe_name: The small recogniser.
        outside_share: Of the last corpus, by duration.
        seed: Of splits and training.
        out: Where runs and rows lie.
        experiments: The document that holds the table.
        threads: CPU threads.
        only: Names of the corpora to train on; all by default. Two processes, one thread and one
            corpus each, take less time than one after the other.
        table: Only write the table from the rows that exist.
    """
    torch.set_num_threads(threads)
    base = with_end(recipe(recipe_name), None, epochs)
    corpora = {path.stem: list(manifest.read(path)) for path in manifests}
    outside, pools = set_aside(corpora, outside_share, seed)
    rows = []
    for name, pool in pools.items():
        for how, parts in equal_hours(pool, seed).items():
            target = out / f"{name}-{how}.json"
            if not target.is_file() and not table and (not only or name in only):
                print(f"{name}, {LABELS[how]}: {hours(parts['train']):.2f} h …", flush=True)
                write(measure(name, how, parts, outside, base, out), target)
            if target.is_file():
                rows.append(read(target))
    text = render(rows, outside, f"--epochs {epochs} --recipe-name {recipe_name} --seed {seed}")
    document = experiments.read_text(encoding="utf-8")
    title = "## What a random split hides"
    write_bytes(experiments, between_markers(document, "leaky-splits", title, text).encode())
    print(text)


def set_aside(
    corpora: Parts, share: float, seed: int
) -> tuple[Sequence[MonoCut], dict[str, list[MonoCut]]]:
    """The outside set of the last corpus, and what of every corpus shares nothing with it."""
    last = list(corpora)[-1]
    config = SplitConfig(dev=share, how="disjoint", seed=seed + 1)
    parts = split({last: corpora[last]}, config).parts
    scripts = {script(manifest.text(cut)) for cut in parts["dev"]}
    pools = {
        name: [c for c in cuts if script(manifest.text(c)) not in scripts]
        for name, cuts in {**corpora, last: parts["train"]}.items()
    }
    return parts["dev"], pools


def equal_hours(pool: Sequence[MonoCut], seed: int) -> dict[str, dict[str, list[MonoCut]]]:
    """The pool split in all ways, every training part cut down at random to the smallest one's."""
    ways = {
        how: dict(split({"pool": pool}, SplitConfig(dev=DEV_SHARE, how=how, seed=seed)).parts)
        for how in HOWS
    }
    least = min(hours(parts["train"]) for parts in ways.values())
    for parts in ways.values():
        cuts = list(parts["train"])
        random.Random(seed).shuffle(cuts)
        while hours(cuts) > least:
            cuts.pop()
        parts["train"] = cuts
    return ways


def hours(cuts: Sequence[MonoCut]) -> float:
    """Of audio."""
    return sum(cut.duration for cut in cuts) / 3600


def measure(
    corpus: str,
    how: str,
    parts: Parts,
    outside: Sequence[MonoCut],
    config: RunConfig,
    folder: Path,
) -> Row:
    """Train on one training part; decode its development part and the outside set."""
    name = f"{corpus}-{how}"
    config = replace(config, trainer=replace(config.trainer, evaluations=3))
    trained(folder, name, 0, config, (parts["train"], parts["dev"]))
    recogniser = load_recogniser(folder / "runs" / f"{name}-seed0")
    return Row(
        corpus=corpus,
        how=how,
        hours=hours(parts["train"]),
        dev=decoded(recogniser, parts["dev"], config, ctc_greedy),
        outside=decoded(recogniser, outside, config, ctc_greedy),
        dev_shared=shared(parts["train"], parts["dev"]),
        speakers={cut.id: speaker(cut) for cut in [*parts["dev"], *outside]},
    )


def write(row: Row, path: Path) -> None:
    """One JSON file a row, whole or not at all."""
    write_bytes(path, json.dumps(asdict(row), ensure_ascii=False, indent=1).encode())


def read(path: Path) -> Row:
    """Undo `write`."""
    record = json.loads(path.read_text(encoding="utf-8"))
    scored = {name: scored_record(record.pop(name)) for name in ("dev", "outside")}
    seen = Shared(**record.pop("dev_shared"))
    return Row(**record, **scored, dev_shared=seen)


def render(rows: Sequence[Row], outside: Sequence[MonoCut], options: str) -> str:
    """The table and how to read it."""
    return "\n".join([*_head(outside, options), *(_line(row) for row in rows)])


def _head(outside: Sequence[MonoCut], options: str) -> Iterator[str]:
    speakers = len({speaker(cut) for cut in outside})
    yield f"`python benchmarks/leaky_splits.py deeply.jsonl emotiontts.jsonl {options}`"
    yield ""
    yield (
        f"CER without spaces in %, greedy CTC. The outside set: {len(outside):,} utterances of "
        f"{speakers} speakers, whose voices and sentences stand in no other part. Training parts "
        "of a corpus have equal hours. Brackets are 95 % bootstrap intervals, the wider of "
        "resampling speakers and utterances."
    )
    yield ""
    yield (
        "| corpus | development set aside | hours trained on | speakers of it seen in training | "
        "sentences of it seen | development CER | outside CER |"
    )
    yield "|---|---|---|---|---|---|---|"


def _line(row: Row) -> str:
    seen = row.dev_shared
    cells = [
        row.corpus,
        LABELS[row.how],
        f"{row.hours:.2f}",
        f"{seen.speakers} of {seen.of_speakers}",
        f"{seen.scripts} of {seen.of_scripts}",
        _rate(row.dev, row.speakers),
        _rate(row.outside, row.speakers),
    ]
    return f"| {' | '.join(cells)} |"


def _rate(found: Scored, speakers: Mapping[str, str]) -> str:
    rates = found.rates()
    values = list(rates.values())
    wide = wider(interval(values), interval(values, [speakers[name] for name in rates]))
    return f"{100 * total(values).rate:.1f} [{100 * wide.low:.1f}, {100 * wide.high:.1f}]"


if __name__ == "__main__":
    try:
        tyro.cli(main, description=__doc__)
    except MalgwiError as error:
        sys.exit(f"leaky_splits: {error}")
