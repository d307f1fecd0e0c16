"""``malgwi doctor``: what is installed, what works, and what each missing thing costs.

Nothing is believed that can be tried: packages are imported, every codec is written and read back
in memory, matrix products are timed.
"""

import importlib
import io
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from malgwi import __version__
from malgwi.errors import AudioError

if TYPE_CHECKING:
    import torch

State = Literal["ok", "note", "missing", "broken"]
MARKS: dict[State, str] = {
    "ok": "[green]ok[/]",
    "note": "[yellow]note[/]",
    "missing": "[yellow]missing[/]",
    "broken": "[bold red]broken[/]",
}

#: What goes without each extra of this package; a test holds the list to pyproject.toml.
EXTRAS = {
    "media": "MP4, M4A, AAC and WebM cannot be read; convert them to WAV or FLAC first",
    "export": "`malgwi export` cannot write ONNX files; runs are used with torch all the same",
    "runtime": "exported recognisers cannot run here; those in run folders can",
    "hf": "`malgwi train finetune` cannot run, nor can what it has trained be used",
    "tensorboard": "no TensorBoard curves; metrics.jsonl and curves.svg are written all the same",
    "dev": "the tests and checks of malgwi itself cannot run; nothing else is missing",
}
ESPEAK_COST = "`malgwi synth` cannot make speech; the corpus that ships with malgwi is there"

#: Name, soundfile's container and subtype, rate in Hz.
CODECS = (
    ("WAV 8 bit", "WAV", "PCM_U8", 16_000),
    ("WAV 16 bit", "WAV", "PCM_16", 16_000),
    ("WAV 24 bit", "WAV", "PCM_24", 48_000),
    ("WAV 32 bit", "WAV", "PCM_32", 16_000),
    ("WAV float", "WAV", "FLOAT", 44_100),
    ("WAV µ-law", "WAV", "ULAW", 8_000),
    ("WAV A-law", "WAV", "ALAW", 8_000),
    ("WAV GSM 6.10", "WAV", "GSM610", 8_000),
    ("FLAC", "FLAC", "PCM_16", 16_000),
    ("Ogg Vorbis", "OGG", "VORBIS", 16_000),
    ("Ogg Opus", "OGG", "OPUS", 16_000),
    ("MP3", "MP3", "MPEG_LAYER_III", 16_000),
)
#: Distributions whose module has another name.
MODULES = {"pyyaml": "yaml"}
LITTLE_DISK_GB = 2.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report; only ``broken`` makes the command fail."""

    name: str
    state: State
    found: str
    advice: str = ""


def main(*, as_json: Annotated[bool, tyro.conf.arg(name="json")] = False) -> None:
    """Say what is installed, what works, and what each missing thing costs.

    Exits with 0 if all that malgwi needs works, with 1 if not.

    For example, each on one line:

    malgwi doctor

    malgwi doctor --json > doctor.json

    Args:
        as_json: Print JSON for other programs and for bug reports.
    """
    sections = examine()
    healthy = not any(f.state == "broken" for found in sections.values() for f in found)
    if as_json:
        body = {name: [asdict(finding) for finding in found] for name, found in sections.items()}
        print(json.dumps({"ok": healthy, **body}, ensure_ascii=False, indent=2))
    else:
        _print(sections, healthy)
    if not healthy:
        raise SystemExit(1)


def examine() -> dict[str, list[Finding]]:
    """Every finding, by section. Takes about three seconds, most of them importing torch."""
    found = {"versions": list(versions())}
    broken = {finding.name for finding in found["versions"] if finding.state == "broken"}
    trials: dict[str, tuple[set[str], Callable[[], Iterator[Finding]]]] = {
        "codecs": ({"soundfile", "libsndfile", "soxr"}, codecs),
        "threads": ({"torch"}, threads),
        "devices": ({"torch"}, devices),
        "extras": (set(), extras),
        "storage": (set(), storage),
    }
    for section, (needs, trial) in trials.items():
        if hindered := needs & broken:
            found[section] = [
                Finding(name=section, state="broken", found=f"not tried without {name}")
                for name in sorted(hindered)
            ]
        else:
            found[section] = list(trial())
    return found


def versions() -> Iterator[Finding]:
    """Python, malgwi and all that it requires: present, new enough, importable."""
    yield Finding(name="python", state="ok", found=platform.python_version())
    yield Finding(name="malgwi", state="ok", found=__version__)
    try:
        requirements = metadata.requires("malgwi") or []
    except metadata.PackageNotFoundError:
        yield Finding(
            name="malgwi",
            state="broken",
            found="not installed as a package",
            advice="pip install malgwi, or  pip install -e .  in its checkout",
        )
        return
    for requirement in requirements:
        if "extra ==" not in requirement:
            yield package(requirement, state_if_absent="broken")
    yield _libsndfile()


def package(requirement: str, *, state_if_absent: State) -> Finding:
    """One requirement such as ``torch>=2.13``, tried by importing it.

    >>> package("numpy>=1.0", state_if_absent="broken").state
    'ok'
    >>> package("numpy>=9999", state_if_absent="broken").state
    'broken'
    """
    name, floor = _parse(requirement)
    install = f"pip install '{requirement.split(';')[0].strip()}'"
    try:
        version = metadata.version(name)
        importlib.import_module(MODULES.get(name, name.replace("-", "_")))
    except metadata.PackageNotFoundError:
        return Finding(name=name, state=state_if_absent, found="not installed", advice=install)
    except (ImportError, OSError) as error:  # OSError: a shared library that does not load
        found = f"does not import: {error}"
        return Finding(name=name, state="broken", found=found, advice=install)
    if _numbers(version) < _numbers(floor):
        found = f"{version}, older than {floor}"
        return Finding(name=name, state="broken", found=found, advice=install)
    return Finding(name=name, state="ok", found=version)


def codecs() -> Iterator[Finding]:
    """Every kind of file that malgwi promises to read."""
    for row in CODECS:
        yield codec(*row)


def codec(name: str, container: str, subtype: str, rate_hz: int) -> Finding:
    """Write a tone, read it back the way training does, compare."""
    import soundfile

    from malgwi import audio

    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate_hz // 2) / rate_hz)
    tone[: rate_hz // 8] = 0.0  # so that a shift in time shows
    try:
        buffer = io.BytesIO()
        soundfile.write(buffer, tone, rate_hz, format=container, subtype=subtype)
        heard = audio.load(buffer.getvalue(), sample_rate_hz=rate_hz)
    except (soundfile.LibsndfileError, ValueError, AudioError) as error:
        advice = "pip install --force-reinstall soundfile  brings a libsndfile that has it"
        return Finding(name=name, state="broken", found=str(error), advice=advice)
    size = min(len(tone), len(heard))
    likeness = float(np.corrcoef(tone[:size], heard[:size])[0, 1])
    if size < 0.9 * len(tone) or likeness < 0.95:
        return Finding(name=name, state="broken", found=f"comes back wrong ({likeness:.2f} alike)")
    return Finding(name=name, state="ok", found=f"{rate_hz} Hz there and back")


def threads() -> Iterator[Finding]:
    """Cores that this process may use, against the threads that torch would start."""
    import torch

    usable = usable_cores()
    yield Finding(name="cores", state="ok", found=f"{usable:g} usable of {os.cpu_count()}")
    quota = cgroup_quota()
    if quota is not None:
        yield Finding(name="cgroup quota", state="ok", found=f"{quota:g} cores")
    started = torch.get_num_threads()
    crowded = started > max(1.0, usable)
    advice = f"they wait for each other: set OMP_NUM_THREADS={max(1, int(usable))}"
    yield Finding(
        name="torch threads",
        state="note" if crowded else "ok",
        found=str(started),
        advice=advice if crowded else "",
    )
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        yield Finding(name=name, state="ok", found=os.environ.get(name, "not set"))


def usable_cores() -> float:
    """Cores after affinity and, in a container, its quota."""
    if hasattr(os, "sched_getaffinity"):
        cores: float = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = cgroup_quota()
    return cores if quota is None else min(cores, quota)


def cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """Cores that a container may use by its CPU quota (cgroup v2, then v1); None for no limit."""
    unified, legacy = root / "cpu.max", root / "cpu" / "cpu.cfs_quota_us"
    if unified.is_file():
        quota, _, period = unified.read_text().strip().partition(" ")
    elif legacy.is_file():
        quota = legacy.read_text().strip()
        period = legacy.with_name("cpu.cfs_period_us").read_text().strip()
    else:
        return None
    return None if quota in {"max", "-1"} else int(quota) / int(period or 100_000)


def devices() -> Iterator[Finding]:
    """The CPU's speed in both precisions, and what accelerators there are."""
    import torch

    single = half = 0.0
    for _ in range(3):  # in turn, so that a busy moment does not fall on one of them alone
        single = max(single, gigaflops(torch.float32))
        half = max(half, gigaflops(torch.bfloat16))
    pays = "pays" if half > 1.3 * single else "does not pay"
    yield Finding(
        name="cpu",
        state="ok",
        found=f"{single:.0f} GFLOP/s in fp32, {half:.0f} in bf16",
        advice=f"bf16 autocast {pays} here",
    )
    if not torch.cuda.is_available():
        yield Finding(name="cuda", state="note", found="none", advice="models train on the CPU")
    for index in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(index)
        bf16 = "bf16" if torch.cuda.is_bf16_supported() else "no bf16"
        found = f"{card.name}, {card.total_memory / 2**30:.0f} GiB, {bf16}"
        yield Finding(name=f"cuda:{index}", state="ok", found=found)
    if torch.backends.mps.is_available():
        yield Finding(name="mps", state="ok", found="Apple GPU")


def gigaflops(dtype: "torch.dtype", size: int = 512, budget_s: float = 0.1) -> float:
    """The best of matrix products of ``size`` × ``size`` within ``budget_s`` seconds."""
    import torch

    left, right = (torch.rand(size, size).to(dtype) for _ in range(2))
    left @ right  # the first one sets up
    best, end = float("inf"), time.perf_counter() + budget_s
    while (begin := time.perf_counter()) < end:
        left @ right
        best = min(best, time.perf_counter() - begin)
    return 2 * size**3 / best / 1e9


def extras() -> Iterator[Finding]:
    """Optional parts and what goes without each."""
    try:
        requirements = metadata.requires("malgwi") or []
    except metadata.PackageNotFoundError:  # already reported under versions
        requirements = []
    for extra, cost in EXTRAS.items():
        wanted = [r for r in requirements if re.search(rf"extra == ['\"]{extra}['\"]", r)]
        found = [_installed(requirement) for requirement in wanted]
        absent = [name for name, version in found if version is None]
        present = ", ".join(f"{name} {version}" for name, version in found if version)
        install = f"{cost}. Get it:  pip install 'malgwi[{extra}]'"
        yield Finding(
            name=extra,
            state="missing" if absent else "ok",
            found=f"without {', '.join(absent)}" if absent else present,
            advice=install if absent else "",
        )
    program = shutil.which("espeak-ng")
    yield Finding(
        name="espeak-ng",
        state="ok" if program else "missing",
        found=program or "no such program on the PATH",
        advice="" if program else f"{ESPEAK_COST}. Get it:  apt install espeak-ng",
    )


def storage(folder: Path | None = None) -> Iterator[Finding]:
    """Free disk where runs would be written, and memory."""
    folder = folder or Path.cwd()
    free_gb = shutil.disk_usage(folder).free / 1e9
    little = free_gb < LITTLE_DISK_GB
    advice = "an hour of audio takes 0.12 GB in the cache, a checkpoint up to 1 GB"
    yield Finding(
        name="free disk",
        state="note" if little else "ok",
        found=f"{free_gb:.1f} GB at {folder}",
        advice=advice if little else "",
    )
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        memory_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
        yield Finding(name="memory", state="ok", found=f"{memory_gb:.1f} GB")


def _installed(requirement: str) -> tuple[str, str | None]:
    """Name and version of a requirement's distribution, None if it is absent."""
    name, _ = _parse(requirement)
    try:
        return name, metadata.version(name)
    except metadata.PackageNotFoundError:
        return name, None


def _libsndfile() -> Finding:
    """The C library under soundfile, which decides what can be decoded."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        return Finding(name="libsndfile", state="broken", found=str(error))
    return Finding(name="libsndfile", state="ok", found=soundfile.__libsndfile_version__)


def _parse(requirement: str) -> tuple[str, str]:
    """Name and lowest version of a requirement.

    >>> _parse("torch>=2.13"), _parse('av>=14; extra == "media"'), _parse("rich")
    (('torch', '2.13'), ('av', '14'), ('rich', '0'))
    """
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    floor = re.search(r">=\s*([0-9.]+)", requirement)
    return name[0] if name else requirement, floor[1] if floor else "0"


def _numbers(version: str) -> tuple[int, ...]:
    """A version as numbers that compare: 2.13.0+cpu → (2, 13, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0]))


def _print(sections: dict[str, list[Finding]], healthy: bool) -> None:
    console = Console()
    for section, found in sections.items():
        console.print(f"[bold]{section}[/]")
        table = Table(box=None, show_header=False, padding=(0, 1, 0, 1))
        table.add_column(min_width=7)
        table.add_column(min_width=15, no_wrap=True)
        table.add_column(min_width=24, ratio=2, overflow="fold")
        table.add_column(ratio=3, overflow="fold")
        for finding in found:
            row = (finding.name, finding.found, finding.advice)
            table.add_row(MARKS[finding.state], *map(escape, row))
        console.print(table)
    verdict = "all that malgwi needs works" if healthy else "something that malgwi needs is broken"
    console.print(f"{'[bold green]' if healthy else '[bold red]'}{verdict}[/]")
