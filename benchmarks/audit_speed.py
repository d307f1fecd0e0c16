"""How fast an audit is: metadata of many utterances, and audio a second of one or more threads.

    python benchmarks/audit_speed.py                       # 100,000 lines in two parts
    MALGWI_SHARED=../shared python benchmarks/audit_speed.py --threads 2

Metadata is synthetic and written to a temporary folder; its audio files do not exist, so nothing is
listened to. Audio statistics run over the speech in MALGWI_SHARED: once whole, in threads, and on
some utterances step by step in one thread, which says where the time goes. Real speech is only
measured here, never stored. Run it on an idle machine.
"""

import json
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tyro

from malgwi import audio, manifest
from malgwi.audit import AuditConfig, Part, audit
from malgwi.audit.bandwidth import band
from malgwi.audit.listening import ListeningConfig, samples_of
from malgwi.audit.sound import clipped_share, digest, measure, snr_db
from malgwi.corpora.rows import Row, cuts
from malgwi.corpora.table import Table

CORPORA = ("pansori", "emotiontts", "deeply")
_WORDS = 40_000
_SYLLABLES = (
    "가거고구그기나너노누느니다더도두드디라러로루르리마머모무므미바버보부사서소수스시아어오우"
)


def main(
    utterances: int = 100_000,
    max_distance: float = 0.1,
    threads: int = 2,
    most: int | None = None,
    steps: int = 60,
    corpora: tuple[str, ...] = CORPORA,
) -> None:
    """Time both.

    Args:
        utterances: Synthetic lines, nine tenths of them training; 0 leaves metadata out.
        max_distance: For near-duplicate scripts; 0 leaves them out.
        threads: Decoding threads.
        most: Utterances of each corpus; all by default.
        steps: Utterances of each corpus to time step by step; 0 for none.
        corpora: Folders below MALGWI_SHARED/speech.
    """
    with tempfile.TemporaryDirectory() as folder:
        if utterances:
            time_metadata(Path(folder), utterances, max_distance)
        shared = Path(os.environ.get("MALGWI_SHARED", "../shared")) / "speech"
        for name in corpora:
            if not (shared / name).is_dir():
                print(f"{name}: no such folder in {shared}, set MALGWI_SHARED")
                continue
            path = manifest_of(shared / name, Path(folder) / f"{name}.jsonl", most)
            time_audio(path, threads)
            if steps:
                time_steps(path, steps)


def time_metadata(folder: Path, utterances: int, max_distance: float) -> None:
    """Time an audit without sound over two parts, one nine times as large as the other."""
    parts = []
    for name, count in (("train", utterances * 9 // 10), ("dev", utterances // 10)):
        path = folder / f"{name}.jsonl"
        write_lines(path, name, count)
        parts.append(Part(name, path))
    before_mb = peak_mb()
    with timed() as taken_s, timed(time.process_time) as cpu_s:
        audit(parts, AuditConfig(sound=False, max_distance=max_distance))
    print(
        f"metadata of {utterances:,} utterances: {taken_s():.1f} s, {cpu_s():.1f} s of one core "
        f"({1e6 * cpu_s() / utterances:.0f} µs each), near-duplicates to {max_distance:g}; "
        f"peak memory {peak_mb():.0f} MB, {before_mb:.0f} MB of it before"
    )


def write_lines(path: Path, prefix: str, count: int) -> None:
    """Lines as a manifest has them: one in eight repeats a script, one in five has digits."""
    generator = random.Random(prefix)
    words = [
        "".join(generator.choices(_SYLLABLES, k=generator.randint(1, 5))) for _ in range(_WORDS)
    ]
    texts: list[str] = []
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            text = " ".join(generator.choices(words, k=generator.randint(2, 12)))
            if number % 5 == 0:
                text += f" {generator.randint(1, 9999)}번"
            if texts and number % 8 == 0:
                text = generator.choice(texts)
            if number % 100 == 0:
                texts.append(text)
            line = _line(f"{prefix}-{number:07d}", text, f"{prefix}{number % 700}", len(text) / 7)
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _line(name: str, text: str, speaker: str, seconds: float) -> dict[str, object]:
    source = {"type": "file", "channels": [0], "source": f"wav/{name}.wav"}
    supervision = {
        "id": name,
        "recording_id": name,
        "start": 0.0,
        "duration": seconds,
        "channel": 0,
        "text": text,
        "language": "Korean",
        "speaker": speaker,
    }
    recording = {
        "id": name,
        "sources": [source],
        "sampling_rate": 16_000,
        "num_samples": int(16_000 * seconds),
        "duration": seconds,
        "channel_ids": [0],
    }
    return {
        "id": name,
        "start": 0,
        "duration": seconds,
        "channel": 0,
        "supervisions": [supervision],
        "recording": recording,
        "type": "MonoCut",
    }


def manifest_of(folder: Path, path: Path, most: int | None) -> Path:
    """The speech below a folder as a manifest."""
    rows = [
        row
        for table in sorted(folder.rglob("transcripts.tsv"))
        for row in Table().rows(table)
        if isinstance(row, Row)
    ]
    found = cuts(iter(rows[:most]), decode=False)
    manifest.write((cut for cut in found if isinstance(cut, manifest.MonoCut)), path)
    return path


def time_audio(path: Path, threads: int) -> None:
    """Time a whole audit with sound; the first decoding reads from disk."""
    hours = sum(facts.duration_s for facts in manifest.facts(path)) / 3600
    config = AuditConfig(listening=ListeningConfig(threads=threads))
    with timed() as taken_s, timed(time.process_time) as cpu_s:
        found = audit([Part(path.stem, path)], config)
    measured = found.parts[0].measured
    print(
        f"{path.stem}: {hours:.2f} h in {taken_s():.1f} s with {threads} threads: "
        f"{3600 * hours / taken_s():,.0f} × real time, {3600 * hours / cpu_s():,.0f} × a core; "
        f"{measured:,} utterances, telephone {found.parts[0].telephone_share:.1%}"
    )


def time_steps(path: Path, most: int) -> None:
    """Milliseconds of one thread for a second of audio, by step."""
    drawn = list(manifest.facts(path))
    drawn = random.Random(0).sample(drawn, min(most, len(drawn)))
    with timed(time.process_time) as decoding_s:
        decoded = [(samples_of(facts), facts.sample_rate_hz) for facts in drawn]
    seconds = sum(len(samples) / rate for samples, rate in decoded)
    print(f"  decoding       {1e3 * decoding_s() / seconds:7.3f} ms for a second of audio")
    steps: dict[str, Callable[..., object]] = {
        "all measures": measure,
        "  band": band,
        "  noise": snr_db,
        "  clipping": clipped_share,
        "  hash": digest,
        "  silent edges": lambda samples, rate: audio.trim_bounds(samples, top_db=25),
    }
    for name, step in steps.items():
        with timed(time.process_time) as taken_s:
            for samples, rate in decoded:
                step(samples, rate)
        print(f"  {name:<14} {1e3 * taken_s() / seconds:7.3f} ms")


@contextmanager
def timed(clock: Callable[[], float] = time.perf_counter) -> Iterator[Callable[[], float]]:
    """Seconds by a clock, known after the block."""
    taken: list[float] = []
    began = clock()
    yield lambda: taken[0]
    taken.append(clock() - began)


def peak_mb() -> float:
    """Most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    tyro.cli(main)
