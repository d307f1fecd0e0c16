"""What the ablation measured, as values and as files: one JSON file for each variant and seed."""

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import torch
from lhotse.cut import MonoCut

from malgwi import __version__, manifest
from malgwi.checkpoint import write_bytes
from malgwi.cli.doctor import usable_cores
from malgwi.config import from_record
from malgwi.metrics.error_rate import ErrorRate, score, total
from malgwi.text.normalize import NormalizerConfig
from malgwi.text.scripts import script

#: Hits, substitutions, deletions, insertions, reference characters.
Counts = tuple[int, int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One decoding of one part, counted as CER without spaces.

    Attributes:
        hypotheses: id → text, before it is cleaned for scoring.
        counts: id → its edits.
    """

    hypotheses: dict[str, str]
    counts: dict[str, Counts]

    def rates(self) -> dict[str, ErrorRate]:
        """id → error rate."""
        return {name: ErrorRate(*counts) for name, counts in self.counts.items()}

    def rate(self) -> float:
        """Of the whole part."""
        return total(self.rates().values()).rate


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What a later part has in common with an earlier one, of how many it has."""

    speakers: int
    of_speakers: int
    scripts: int
    of_scripts: int


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a training run was.

    Attributes:
        minutes: Wall-clock time of training and development decoding.
        updates: Optimiser steps.
        best_update: The one whose weights were kept, by development CER.
        hours: Training audio after trimming.
        utterances: How many were trained on.
        changed_texts: How many of them have another reference than the baseline would give them.
        warnings: What the start-up check said.
        dev_shared: What development has in common with training.
    """

    minutes: float
    updates: int
    best_update: int
    hours: float
    utterances: int
    changed_texts: int
    warnings: tuple[str, ...]
    dev_shared: Shared


@dataclass(frozen=True, kw_only=True)
class Made:
    """When and where a result was made."""

    date: str
    version: str
    machine: str
    threads: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """One variant at one seed.

    Attributes:
        name: Of the variant.
        seed: Of the ablation; a variant may train with another.
        changed: Dotted names of the settings in which it differs from the baseline.
        made: When and where.
        test: Decoding → its score on the common test part. ``beam`` is what is compared.
        dev: Its own development part, decoded like ``beam``; None for searches.
        training: None for searches, which share the baseline's model.
        not_measured: Why there is no score.
    """

    name: str
    seed: int
    changed: tuple[str, ...]
    made: Made
    test: dict[str, Scored] = field(default_factory=dict)
    dev: Scored | None = None
    training: Training | None = None
    not_measured: str | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all results of a folder have in common.

    Attributes:
        name: Of the corpus, in the table's markers.
        data: ``embedded`` or three manifests, as given.
        recipe: The baseline's.
        end: ``epochs`` or ``budget`` and its value, as on the command line.
        config: The baseline's configuration as YAML.
        search: ``attention`` or ``joint``: the beam search that variants are compared by.
        utterances: A hash of each part's ids and texts.
        test_speakers: (utterance, speaker) of the test part.
        test_shared: What the test part has in common with training and development.
    """

    name: str
    data: tuple[str, ...]
    recipe: str
    end: tuple[str, str]
    config: str
    search: str
    utterances: tuple[str, ...]
    test_speakers: tuple[tuple[str, str], ...]
    test_shared: Shared


def save_settings(settings: Settings, folder: Path) -> None:
    """Write settings.json."""
    text = json.dumps(asdict(settings), ensure_ascii=False, indent=1)
    write_bytes(folder / "settings.json", text.encode())


def load_settings(folder: Path) -> Settings | None:
    """Undo `save_settings`; None where nothing was measured yet."""
    source = folder / "settings.json"
    if not source.is_file():
        return None
    return from_record(Settings, json.loads(source.read_text(encoding="utf-8")), str(source))


def path(folder: Path, name: str, seed: int) -> Path:
    """Where a result lies."""
    return folder / "results" / f"{name}-seed{seed}.json"


def save(result: Result, folder: Path) -> None:
    """Write a result so that it is there whole or not at all."""
    text = json.dumps(asdict(result), ensure_ascii=False, indent=1)
    write_bytes(path(folder, result.name, result.seed), text.encode())


def load(source: Path) -> Result:
    """Undo `save`.

    Raises:
        ConfigError: The file was written by another version of this benchmark.
    """
    record = json.loads(source.read_text(encoding="utf-8"))
    tests, dev = record.pop("test"), record.pop("dev")
    return replace(
        from_record(Result, record, str(source)),
        test={decoding: scored_record(value) for decoding, value in tests.items()},
        dev=None if dev is None else scored_record(dev),
    )


def load_all(folder: Path) -> list[Result]:
    """Every result that exists, by file name."""
    return [load(source) for source in sorted((folder / "results").glob("*.json"))]


def scored(
    cuts: Iterable[MonoCut], hypotheses: Mapping[str, str], cleaning: NormalizerConfig
) -> Scored:
    """Score hypotheses; they and the references are cleaned in the same way.

    Args:
        cuts: What was said.
        hypotheses: id → what was recognised.
        cleaning: The baseline's, whatever the variant trained on.
    """
    references = {cut.id: manifest.text(cut) for cut in cuts}
    utterances = score(references, hypotheses, cleaning).utterances
    rates = {name: found.cer_nospace for name, found in utterances.items()}
    return Scored(
        hypotheses=dict(hypotheses),
        counts={
            name: (r.hits, r.substitutions, r.deletions, r.insertions, r.reference)
            for name, r in rates.items()
        },
    )


def shared(earlier: Iterable[MonoCut], later: Iterable[MonoCut]) -> Shared:
    """Speakers and scripts of the later part that the earlier one has too."""
    first, second = list(earlier), list(later)
    speakers, scripts = ({key(cut) for cut in second} for key in (speaker, _script))
    return Shared(
        speakers=len(speakers & {speaker(cut) for cut in first}),
        of_speakers=len(speakers),
        scripts=len(scripts & {_script(cut) for cut in first}),
        of_scripts=len(scripts),
    )


def speaker(cut: MonoCut) -> str:
    """Who speaks; an utterance without a name is taken for a speaker of its own."""
    return manifest.speaker(cut) or f"utterance {cut.id}"


def made_now() -> Made:
    """Today, here, by this version."""
    return Made(
        date=datetime.now(UTC).date().isoformat(),
        version=__version__,
        machine=f"{_cpu_name()}, {usable_cores():g} cores",
        threads=torch.get_num_threads(),
    )


def _script(cut: MonoCut) -> str:
    return script(manifest.text(cut))


def scored_record(record: Mapping[str, Any]) -> Scored:
    counts = {name: tuple(map(int, found)) for name, found in record["counts"].items()}
    return Scored(hypotheses=record["hypotheses"], counts=cast(dict[str, Counts], counts))


def _cpu_name() -> str:
    """The processor as Linux names it, else as Python does."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
