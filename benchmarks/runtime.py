"""What a run and its exports cost in use: error rate, speed, start, memory, bytes.

    python benchmarks/runtime.py RUN TEST.jsonl [--utterances 200] [--export FOLDER]
        [--beams 16] [--lm MODEL.lm]

Each row is a process of its own with one thread: it starts, loads the recogniser and takes the
files one by one from disk to text, as a person would. Each kind follows CTC's likeliest path, so
that rows differ in the machinery alone; then with CTC's prefix beam (of 16, if nothing else is
said), which minds the run's own language model if it has one, and with --lm also with another,
with the weights of the run. On a busy machine believe CPU time; on an idle one both are the same.
Without --export a fresh one with int8 is made for the while.
Prints a table for docs/experiments.md.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

ROWS = {"torch": "torch, fp32", "fp32": "ONNX, fp32", "int8": "ONNX, int8"}
HEAD = (
    "| runs on | search | CER, no spaces | texts unlike torch's | × real time | × CPU time "
    "| start, s | start, CPU s | peak memory, MB | on disk, MB |"
)


@dataclass(frozen=True, kw_only=True)
class Search:
    """What every kind is searched with."""

    method: str = "ctc"
    beams: int | None = None
    lm: str | None = None

    @property
    def name(self) -> str:
        """For the table."""
        if self.beams is None:
            return "greedy"
        return f"beam {self.beams}, {'own LM if any' if self.lm is None else Path(self.lm).name}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way of running, measured."""

    name: str
    search: Search
    texts: dict[str, str]
    cer: float
    x_real_time: float
    x_cpu_time: float
    start_s: float
    start_cpu_s: float
    memory_mb: float
    disk_mb: float

    def line(self, torch: "Row") -> str:
        """One line of the table, beside the row of torch with the same search."""
        unlike = sum(text != torch.texts[name] for name, text in self.texts.items())
        return (
            f"| {self.name} | {self.search.name} | {100 * self.cer:.2f} % | {unlike} | "
            f"{self.x_real_time:.0f} | {self.x_cpu_time:.0f} | {self.start_s:.2f} | "
            f"{self.start_cpu_s:.2f} | {self.memory_mb:.0f} | {self.disk_mb:.1f} |"
        )


def work(kind: str, folder: Path, job: Path) -> dict[str, Any]:
    """In the child: load one recogniser, transcribe every file; nothing else is imported."""
    task = json.loads(job.read_text(encoding="utf-8"))
    search = Search(**task["search"])
    recogniser: Any
    language_model = None if search.lm is None else Path(search.lm)
    if kind == "torch":
        import torch

        from malgwi.cli.search_options import SearchOptions

        torch.set_num_threads(1)
        recogniser = SearchOptions(
            method=search.method, beams=search.beams, lm=language_model
        ).recogniser(folder)
    else:
        from malgwi.runtime import load

        recogniser = load(
            folder,
            precision=kind,  # type: ignore[arg-type]
            threads=1,
            method=search.method,
            beams=search.beams,
            lm=language_model,
        )
    start_s, start_cpu_s = time.time() - task["spawned"], time.process_time()
    began = time.perf_counter()
    texts = {name: recogniser.recognise_file(Path(path)).text for name, path in task["files"]}
    return {
        "start_s": start_s,
        "start_cpu_s": start_cpu_s,
        "spent_s": time.perf_counter() - began,
        "spent_cpu_s": time.process_time() - start_cpu_s,
        "memory_mb": peak_memory_mb(),
        "texts": texts,
        "torch": "torch" in sys.modules,
    }


def peak_memory_mb() -> float:
    """The most that this process has held. On Linux getrusage would count its parent's, too."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (one for one in status.read_text().splitlines() if one.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


def measure(
    kind: str, folder: Path, search: Search, cuts: list[Any], references: dict[str, str]
) -> Row:
    """Run one row's child and score what it wrote."""
    from malgwi.evaluate import USED_FILES
    from malgwi.exported import GRAPHS, MANIFEST, TOKENIZER
    from malgwi.lm.transcripts import FILE
    from malgwi.metrics.error_rate import cer_nospace

    files = [(cut.id, cut.recording.sources[0].source) for cut in cuts]
    with tempfile.TemporaryDirectory() as scratch:
        job = Path(scratch) / "job.json"
        task = {"files": files, "search": asdict(search), "spawned": time.time()}
        job.write_text(json.dumps(task), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, __file__, "--child", kind, str(folder), str(job)],
            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found = json.loads(done.stdout)
    assert found["torch"] == (kind == "torch"), f"{kind}: the wrong machinery was imported"
    exported = (GRAPHS.get(kind, ""), TOKENIZER, MANIFEST)  # type: ignore[call-overload]
    used = [folder / name for name in (USED_FILES if kind == "torch" else exported)]
    if search.method == "ctc_beam":
        model = folder / FILE if search.lm is None else Path(search.lm)
        used += [model] if model.exists() else []
    audio_s = sum(cut.duration for cut in cuts)
    return Row(
        name=ROWS[kind],
        search=search,
        texts=found["texts"],
        cer=cer_nospace(references, found["texts"]).rate,
        x_real_time=audio_s / found["spent_s"],
        x_cpu_time=audio_s / found["spent_cpu_s"],
        start_s=found["start_s"],
        start_cpu_s=found["start_cpu_s"],
        memory_mb=found["memory_mb"],
        disk_mb=sum(path.stat().st_size for path in used) / 1e6,
    )


def whole_files(path: Path, most: int) -> list[Any]:
    """The first utterances of a manifest that are whole files of one channel."""
    from malgwi import manifest

    cuts = [
        cut
        for cut in manifest.read(path)
        if cut.start == 0 and abs(cut.duration - cut.recording.duration) < 1e-4
    ]
    if not cuts:
        raise SystemExit(f"{path}: no utterance is a whole file; this measures from file to text")
    return cuts[:most]


def main() -> None:
    """Measure every row and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("manifest", type=Path, help="utterances that are whole files")
    parser.add_argument("--export", type=Path, help="from malgwi export RUN --int8")
    parser.add_argument("--utterances", type=int, default=200)
    parser.add_argument("--beams", type=int, default=16, help="width of the prefix beam")
    parser.add_argument("--lm", type=Path, help="another language model than the run's own")
    options = parser.parse_args()
    searches = [Search(), Search(method="ctc_beam", beams=options.beams)]
    if options.lm is not None:
        searches.append(replace(searches[1], lm=str(options.lm)))

    from malgwi.config import from_yaml
    from malgwi.run import references

    cuts = whole_files(options.manifest, options.utterances)
    config = from_yaml((options.run / "config.yaml").read_text(encoding="utf-8"))
    wanted = references(cuts, config)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.export or Path(scratch) / "export"
        if options.export is None:
            make_export(options.run, folder)
        kinds = {"torch": options.run, "fp32": folder, "int8": folder}
        tables = [
            [measure(kind, where, search, cuts, wanted) for kind, where in kinds.items()]
            for search in searches
        ]
    minutes = sum(cut.duration for cut in cuts) / 60
    print(
        f"{len(cuts)} utterances, {minutes:.1f} minutes; {platform.machine()}, one thread;", end=""
    )
    print(f" {date.today()}, load {os.getloadavg()[0]:.1f} at the end\n")
    print(HEAD + "\n|---|---" + "|---:" * 8 + "|")
    print("\n".join(row.line(rows[0]) for rows in tables for row in rows))


def make_export(run: Path, folder: Path) -> None:
    """Both graphs of a run."""
    from malgwi.export import export
    from malgwi.run import load_config, load_recogniser

    export(load_recogniser(run), folder, run={}, text=load_config(run).text, int8=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(work(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))))
    else:
        main()
