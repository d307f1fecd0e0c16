"""How long ``malgwi split`` takes on a manifest of many utterances, and how much memory.

    python benchmarks/split_scale.py --utterances 1000000 --shape calls

The manifest is synthetic: no audio stands behind it. "calls" is a contact centre: agents with many
calls and callers with one, a few greetings that everybody says, templates with a number in them
(near-duplicates), and free talk; speakers and scripts form one giant component. "books" has
readers who share lists of sentences in small groups, so whole components can be assigned.

Prints wall and processor seconds and the peak resident memory of the command, and its output.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

Said = tuple[str, str, str]  # id, speaker, text


def main(
    utterances: int = 1_000_000,
    shape: Literal["calls", "books"] = "calls",
    seed: int = 0,
    options: tuple[str, ...] = ("--dev", "0.05", "--test", "0.05"),
) -> None:
    """Write a manifest, split it, report.

    Args:
        utterances: How many lines.
        shape: Of the corpus.
        seed: Of its texts.
        options: Of malgwi split.
    """
    generator = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.jsonl"
        rows = {"calls": calls, "books": books}[shape](utterances, generator)
        write(rows, path, generator)
        command = [sys.executable, "-m", "malgwi", "split", str(path), f"{folder}/parts", *options]
        started = time.perf_counter()
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        wall_s = time.perf_counter() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        size_mb = path.stat().st_size / 1e6
    print(said)
    print(
        f"{shape}: {utterances:,} utterances ({size_mb:,.0f} MB): {wall_s:.1f} s, "
        f"{used.ru_utime + used.ru_stime:.1f} s of processor, "
        f"{used.ru_maxrss / 1024 / 1024:.2f} GiB at most"
    )


def calls(count: int, generator: np.random.Generator) -> Iterator[Said]:
    """An agent for every 2,000 utterances, a caller for every 15."""
    greetings = [sentence(generator, 3) for _ in range(200)]
    templates = [sentence(generator, 6) for _ in range(300)]
    rarity = 1 / np.arange(1, len(greetings) + 1)
    for number in range(count):
        agent = number % 2 == 0
        desk = number // 2 % max(count // 2000, 4)
        speaker = f"agent{desk}" if agent else f"caller{number // 30}"
        kind = generator.random()
        if kind < 0.15:
            text = greetings[generator.choice(len(greetings), p=rarity / rarity.sum())]
        elif kind < 0.35:
            text = f"{templates[generator.integers(len(templates))]} {generator.integers(10_000)}"
        else:
            text = sentence(generator, int(generator.integers(2, 12)))
        yield f"call{number:07d}", speaker, text


def books(count: int, generator: np.random.Generator) -> Iterator[Said]:
    """Lists of 100 sentences, each read by four of its own readers; one in ten misreads."""
    sentences: list[str] = []
    for number in range(count):
        book, reader, line = number // 400, number % 400 // 100, number % 100
        if number % 400 == 0:
            sentences = [sentence(generator, int(generator.integers(4, 12))) for _ in range(100)]
        text = sentences[line]
        if generator.random() < 0.1:
            at = int(generator.integers(len(text)))
            text = text[:at] + word(generator)[0] + text[at + 1 :]
        yield f"book{number:07d}", f"reader{book}-{reader}", text


def sentence(generator: np.random.Generator, words: int) -> str:
    """Words of a vocabulary in which some are common."""
    return " ".join(vocabulary()[rank] for rank in generator.zipf(1.3, words) % 20_000)


@cache
def vocabulary() -> list[str]:
    """The same for every corpus."""
    generator = np.random.default_rng(0)
    return [word(generator) for _ in range(20_000)]


def word(generator: np.random.Generator) -> str:
    """Two to four syllables."""
    codes = 0xAC00 + generator.integers(0, 400, int(generator.integers(2, 5))) * 28
    return "".join(map(chr, codes))


def write(rows: Iterator[Said], path: Path, generator: np.random.Generator) -> None:
    """Lines as malgwi prepare writes them."""
    with path.open("w", encoding="utf-8") as file:
        for name, speaker, text in rows:
            duration_s = round(float(generator.lognormal(1.2, 0.5)), 3)
            said = {
                "id": name, "recording_id": name, "start": 0.0, "duration": duration_s,
                "channel": 0, "text": text, "language": "Korean", "speaker": speaker,
            }  # fmt: skip
            recording = {
                "id": name,
                "sources": [{"type": "file", "channels": [0], "source": f"audio/{name}.wav"}],
                "sampling_rate": 8000, "num_samples": round(duration_s * 8000),
                "duration": duration_s, "channel_ids": [0],
            }  # fmt: skip
            cut = {
                "id": name, "start": 0.0, "duration": duration_s, "channel": 0,
                "supervisions": [said], "recording": recording, "type": "MonoCut",
            }  # fmt: skip
            file.write(json.dumps(cut, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    tyro.cli(main)
