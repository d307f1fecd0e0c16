"""Perplexity, size, time and memory of ``malgwi lm``, beside KenLM's ``lmplz`` where there is one.

    python benchmarks/lm_reference.py ../shared/text/nsmc_reviews.txt --orders 4 5 --lmplz PATH

Every 50th line is held out; both trainers see the same units of the others. Both models are judged
by malgwi, lmplz's through its ARPA file. lmplz comes with KenLM's sources (``pip download kenlm
--no-binary :all:``, then cmake, which needs Boost); it is given ``--discount_fallback``, which
changes nothing where the text is large enough for discounts.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated

import tyro
from tyro.conf import Positional

from malgwi import lm
from malgwi.lm.arpa import read_arpa
from malgwi.lm.ngram import NgramModel
from malgwi.lm.perplexity import Perplexity, perplexity
from malgwi.lm.units import TextSettings, Units, cut

HELD_OUT = 50


@dataclass(frozen=True)
class Cost:
    """Of one process."""

    wall_s: float
    processor_s: float
    peak_mib: float


def main(
    texts: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="TEXT...")],
    /,
    *,
    orders: tuple[int, ...] = (4, 5),
    units: Units = "syllable",
    lmplz: Path | None = None,
    memory: str = "1G",
    prune: tuple[int, ...] = (),
    max_lines: int | None = None,
    options: tuple[str, ...] = (),
) -> None:
    """Train, judge, compare; prints rows of a table.

    Args:
        texts: One sentence a line.
        orders: Longest n-grams to try.
        units: Of the models.
        lmplz: The program to compare with.
        memory: For both trainers.
        prune: Count cut-offs for both.
        max_lines: Only so many, for a quick look.
        options: More options of malgwi lm alone, such as --quantize.
    """
    lines = [line for path in texts for line in path.read_text(encoding="utf-8").splitlines()]
    lines = lines[:max_lines]
    held_out = lines[HELD_OUT - 1 :: HELD_OUT]
    train = [line for number, line in enumerate(lines, start=1) if number % HELD_OUT]
    settings = TextSettings(units=units)
    judge = list(cut(held_out, settings))
    print(f"{len(train):,} lines to train on, {len(judge):,} sentences held out")
    print("| order | trainer | perplexity | without OOV | tokens | OOV | MB | s | peak MiB |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "train.txt").write_text("\n".join(train) + "\n", encoding="utf-8")
        if lmplz is not None:
            rows = (" ".join(units_of) for units_of in cut(train, settings))
            (folder / "units.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
        for order in orders:
            own = _own(folder, order, units, memory, prune, options, judge)
            if lmplz is not None:
                other = _theirs(folder, order, lmplz, memory, prune, judge)
                print(f"\norder {order}: relative difference {own / other - 1:+.6%}\n")


def _own(
    folder: Path, order: int, units: str, memory: str, prune: Sequence[int],
    options: Sequence[str], judge: Sequence[Sequence[str]],
) -> float:  # fmt: skip
    out = folder / "model.lm"
    command = [sys.executable, "-m", "malgwi", "lm", str(folder / "train.txt"), "--out", str(out)]
    command += ["--order", str(order), "--units", units, "--memory", memory, *options]
    command += _pruned(prune)
    cost = _run(command, None, None)
    return _row(order, "malgwi lm", lm.load(out), judge, out, cost)


def _theirs(
    folder: Path, order: int, lmplz: Path, memory: str, prune: Sequence[int],
    judge: Sequence[Sequence[str]],
) -> float:  # fmt: skip
    out = folder / "model.arpa"
    command = [str(lmplz), "-o", str(order), "-S", memory, "-T", str(folder)]
    command += ["--discount_fallback", *_pruned(prune)]
    with (folder / "units.txt").open() as read, out.open("w") as write:
        cost = _run(command, read, write)
    return _row(order, "lmplz", read_arpa(out), judge, out, cost)


def _pruned(prune: Sequence[int]) -> Iterator[str]:
    yield from ["--prune", *map(str, prune)] if prune else []


def _run(command: Sequence[str], stdin: IO[str] | None, stdout: IO[str] | None) -> Cost:
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=stdin, stdout=stdout or subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed with status {status}: {' '.join(command)}")
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _row(
    order: int, trainer: str, model: NgramModel, judge: Sequence[Sequence[str]], out: Path,
    cost: Cost,
) -> float:  # fmt: skip
    found: Perplexity = perplexity(model, judge)
    print(
        f"| {order} | {trainer} | {found.with_unknown:.4f} | {found.without_unknown:.4f} "
        f"| {found.tokens:,} | {found.unknown:,} | {out.stat().st_size / 1e6:.2f} "
        f"| {cost.wall_s:.1f} ({cost.processor_s:.1f} of processor) | {cost.peak_mib:.0f} |",
        flush=True,
    )
    return found.without_unknown


if __name__ == "__main__":
    tyro.cli(main)
