"""How long a million utterance pairs take to score, and how much memory.

    python benchmarks/score_speed.py [--pairs 1000000]

Writes references and hypotheses of invented Korean syllables (22 a text, a tenth of them wrong, a
space before a quarter of them) and runs ``malgwi score`` on them as a user would, a process of its
own, with and without the countings of others; prints wall-clock and processor time and the
largest memory of any one process. Then the parts of the work, in this process, a pair.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tyro

from malgwi.metrics.countings import TREATMENTS, count_treated, treatments
from malgwi.metrics.counts import count_pair
from malgwi.metrics.error_rate import countable
from malgwi.metrics.passport import references_hash
from malgwi.transcripts import read_texts


def main(pairs: int = 1_000_000, speakers: int = 1000, parts: int = 5000, seed: int = 0) -> None:
    """Measure.

    Args:
        pairs: Utterances.
        speakers: They are of.
        parts: Of these, for the parts of the work.
        seed: Of the texts.
    """
    with tempfile.TemporaryDirectory() as folder:
        ref, hyp, names = (Path(folder) / f"{name}.tsv" for name in ("ref", "hyp", "speakers"))
        write(ref, hyp, names, pairs, speakers, seed)
        files = ["--ref", str(ref), "--hyp", str(hyp), "--json"]
        print(f"{pairs:,} pairs, malgwi score --json")
        for label, options in (
            ("rates, by utterance and script", ["--countings", "no"]),
            ("and by speaker", ["--countings", "no", "--speakers", str(names)]),
            ("and as others count", ["--countings", "yes", "--speakers", str(names)]),
        ):
            print(f"  {label:<32}{command(['score', *files, *options])}")
        references, hypotheses = read_texts(ref), read_texts(hyp)
    said = list(references.values())[:parts]
    heard = [hypotheses[name] for name in list(references)[:parts]]
    both = list(zip(said, heard, strict=True))
    print(f"parts, µs a pair over {len(both):,} pairs")
    chosen = treatments(marks=False)
    for label, work in {
        "countable, both texts": lambda: [countable(text) for pair in both for text in pair],
        "count_pair": lambda: [count_pair(*pair) for pair in both],
        "hash": lambda: references_hash(zip(references, said, strict=False)),
        "all treatments": lambda: count_treated(said, heard, chosen),
        "Whisper on jamo": lambda: count_treated(
            said, heard, {"whisper_nfkd": TREATMENTS["whisper_nfkd"]}
        ),
    }.items():
        print(f"  {label:<32}{1e6 * seconds(work) / len(both):8.1f}")


def write(ref: Path, hyp: Path, names: Path, pairs: int, speakers: int, seed: int) -> None:
    """Write the three files."""
    generator = np.random.default_rng(seed)
    syllables = [chr(code) for code in generator.integers(0xAC00, 0xD7A4, 800)]
    with (
        ref.open("w", encoding="utf-8") as said,
        hyp.open("w", encoding="utf-8") as heard,
        names.open("w", encoding="utf-8") as spoken,
    ):
        for start in range(0, pairs, 10_000):
            count = min(10_000, pairs - start)
            drawn = generator.integers(len(syllables), size=(count, 22))
            wrong = np.where(generator.random(drawn.shape) < 0.1, (drawn + 1) % 800, drawn)
            spaced, heard_spaced = (generator.random(drawn.shape) < 0.25 for _ in range(2))
            heard_spaced = np.where(generator.random(drawn.shape) < 0.95, spaced, heard_spaced)
            for at in range(count):
                name = f"utterance-{start + at:07d}"
                said.write(f"{name}\t{_text(drawn[at], spaced[at], syllables)}\n")
                heard.write(f"{name}\t{_text(wrong[at], heard_spaced[at], syllables)}\n")
                spoken.write(f"{name}\tspeaker-{(start + at) % speakers}\n")


def command(arguments: list[str]) -> str:
    """Run malgwi; wall clock, processor time and memory as text."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "malgwi", *arguments], check=True, stdout=subprocess.DEVNULL
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{wall:7.1f} s, {used:7.1f} s of processors, up to {after.ru_maxrss / 1024:,.0f} MiB"


def seconds(work: Callable[[], object]) -> float:
    """Processor time of one call, the quickest of three."""
    found = []
    for _ in range(3):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def _text(drawn: "np.ndarray", spaced: "np.ndarray", syllables: list[str]) -> str:
    return "".join(
        " " * bool(space) + syllables[at] for at, space in zip(drawn, spaced, strict=True)
    ).strip()


if __name__ == "__main__":
    tyro.cli(main)
