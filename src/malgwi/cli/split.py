"""``malgwi split``: manifests → training, development and test parts that do not leak."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional

from malgwi import manifest
from malgwi.audit import AuditConfig, Part, audit
from malgwi.errors import ConfigError, DataError
from malgwi.leakage import Leak, leakage
from malgwi.leakage.speaker_labels import SpeakerLabels, speaker_labels
from malgwi.manifest import Facts
from malgwi.split import DROPPED, How, Plan, SplitConfig, plan
from malgwi.split.linkage import Gathering

#: A split of more utterances is not audited on the way: that takes 10 s for each 100,000.
AUDITED = 200_000


def main(
    paths: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="MANIFEST... OUT_DIR")],
    /,
    *,
    dev: float = 0.1,
    test: float = 0.0,
    how: How = "disjoint",
    seed: int = 0,
    unknown_speakers: Literal["error", "own"] = "error",
    max_distance: float = 0.1,
    stratify: tuple[str, ...] = (),
    yields: Annotated[Literal["none", "speaker", "script"], tyro.conf.arg(name="yield")] = "none",
) -> None:
    """Divide manifests into parts that share neither a speaker nor a script.

    Every manifest given is represented in every part. Where speakers and scripts hang together so
    that parts cannot be made without loss, a search drops few utterances; with --yield it drops
    none, and few leak by one relation. Writes train.jsonl, dev.jsonl, test.jsonl if asked for,
    dropped.jsonl, and split.json with settings, sizes and what the parts share, as counted in the
    files written; up to 200,000 utterances also audit.json and audit.html of them.

    For example, each on one line:

        malgwi split data/mine.jsonl data/split --dev 0.1

        malgwi split data/pansori.jsonl data/emotiontts.jsonl data/split --dev 0.07 --test 0.07

        malgwi split data/mine.jsonl data/split --stratify duration channel

        malgwi split data/mine.jsonl data/split --yield script

        malgwi split data/mine.jsonl data/leaking --how random

    Args:
        paths: Manifests to divide, as malgwi prepare writes them; last, a folder for the parts.
        dev: Share of the duration for development.
        test: Share of the duration for test.
        how: "disjoint" in speaker and script; in "speaker" or "script" alone, or "random", which
            leaks both: these are there for comparison.
        seed: Another seed, another split.
        unknown_speakers: "error" refuses utterances without a speaker; "own" takes each for a
            speaker of its own.
        max_distance: Scripts count as one if at most this share of the longer one is edited; 0
            for exact scripts only.
        stratify: Columns of which every part is to have the same shares: duration, channel, or
            any key of the manifests' "custom".
        yields: Which relation leaks where parts cannot be disjoint in both without loss; "none"
            drops utterances instead.
    """
    if len(paths) < 2 or paths[-1].is_file():
        given = " ".join(map(str, paths)) or "nothing"
        raise ConfigError(f"wanted MANIFEST... OUT_DIR, the folder last; given: {given}")
    *manifests, out_dir = paths
    _refuse_own_outputs(manifests, out_dir)
    config = SplitConfig(
        dev=dev, test=test, how=how, seed=seed, unknown_speakers=unknown_speakers,
        max_distance=max_distance, stratify=stratify, yields=yields,
    )  # fmt: skip
    found = _planned(manifests, config)
    write_parts(manifests, found, out_dir)
    if not test and (out_dir / "split.json").is_file():
        # A test part of an earlier split here would share speakers with the new training part.
        earlier = out_dir / "test.jsonl"
        if earlier.is_file():
            earlier.unlink()
            print(f"removed {earlier}: of an earlier split, which this one would leak into")
    sizes = {name: Size() for name in (*found.names, "dropped")}
    parts = {
        name: size.count(manifest.facts(out_dir / f"{name}.jsonl")) for name, size in sizes.items()
    }
    for _ in parts.pop("dropped"):
        pass
    leaks = leakage(parts, max_distance=max_distance)
    report = {
        "manifests": [str(path) for path in manifests],
        **describe(found, config, leaks, sizes),
    }
    with manifest.atomic_text(out_dir / "split.json") as file:
        json.dump(report, file, ensure_ascii=False, indent=2)
    print("\n".join(_lines(report, leaks)))
    written = [Part(name, out_dir / f"{name}.jsonl") for name in found.names]
    audited = sum(sizes[name].utterances for name in found.names) <= AUDITED
    if audited:
        _audit(written, max_distance, out_dir)
    print(f"written to {out_dir}; {_heard(written, out_dir if audited else None)}")


def _audit(parts: Sequence[Part], max_distance: float, out_dir: Path) -> None:
    """Write audit.html and audit.json of what the manifests say."""
    from malgwi.report.audit_page import write_audit  # its package loads torch

    write_audit(audit(parts, AuditConfig(sound=False, max_distance=max_distance)), out_dir)


def _heard(parts: Sequence[Part], page_in: Path | None) -> str:
    """How to learn more of the parts, in words."""
    command = f"malgwi audit {' '.join(str(part.path) for part in parts)}"
    if page_in is None:
        return f"what is in them:  {command}"
    return f"{page_in / 'audit.html'} shows them; the audio, too:  {command}"


def _refuse_own_outputs(manifests: Sequence[Path], out_dir: Path) -> None:
    """A manifest that the split would overwrite is refused: it may be the only copy."""
    written = {
        (out_dir / f"{name}.jsonl").resolve() for name in ("train", "dev", "test", "dropped")
    }
    for path in manifests:
        if path.resolve() in written:
            raise ConfigError(f"{path} is what a split into {out_dir} writes: name another folder")


def _planned(manifests: Sequence[Path], config: SplitConfig) -> Plan:
    """Read the manifests a first time, for what links their utterances."""
    gathering = Gathering(config.stratify)
    for path in manifests:
        for utterance in manifest.facts(path):
            gathering.add(str(path), utterance)
    return plan(gathering.linked(config.max_distance), config)


def write_parts(manifests: Sequence[Path], found: Plan, out_dir: Path) -> None:
    """Read the manifests a second time, and copy each line to its part.

    All parts appear when all are complete. A million lines need no more memory than one.

    Raises:
        DataError: A manifest is not as it was at the first reading.
    """
    with ExitStack() as stack:
        files = {
            number: stack.enter_context(manifest.atomic_text(out_dir / f"{name}.jsonl"))
            for number, name in [*enumerate(found.names), (DROPPED, "dropped")]
        }
        lines = (line for path in manifests for line in manifest.rebased_lines(path, out_dir))
        try:
            for line, part in zip(lines, found.part.tolist(), strict=True):
                files[part].write(line)
        except ValueError as error:
            raise DataError(
                f"{', '.join(map(str, manifests))}: changed while being split; try again"
            ) from error


@dataclass
class Size:
    """How large a part is that goes by."""

    utterances: int = 0
    duration_s: float = 0.0
    speakers: Counter[str] = field(default_factory=Counter)
    same_as_id: int = 0

    @property
    def labels(self) -> SpeakerLabels:
        """The speaker labels, judged."""
        return speaker_labels(self.speakers.values(), self.utterances, self.same_as_id)

    def count(self, utterances: Iterable[Facts]) -> Iterator[Facts]:
        """The utterances, counted as they pass."""
        for utterance in utterances:
            self.utterances += 1
            self.duration_s += utterance.duration_s
            if utterance.speaker is not None:
                self.speakers[utterance.speaker] += 1
                self.same_as_id += utterance.speaker == utterance.id
            yield utterance


def describe(
    found: Plan, config: SplitConfig, leaks: Sequence[Leak], sizes: Mapping[str, Size]
) -> dict[str, Any]:
    """Settings, sizes and what the parts share, as JSON values."""
    return {
        "settings": asdict(config),
        "leaks": any(leak.leaking for leak in leaks),
        "parts": {
            name: {
                "utterances": size.utterances,
                "hours": round(size.duration_s / 3600, 4),
                "speakers": len(size.speakers),
            }
            for name, size in sizes.items()
        },
        "components": {
            "count": found.components,
            "largest_share": round(found.largest_component, 6),
        },
        "imbalance": found.imbalance,
        "overlaps": _overlaps(leaks),
        "leakage": [leak.to_dict() for leak in leaks],
        "warnings": [*found.warnings, *_doubts(sizes["train"].labels)],
    }


def _doubts(labels: SpeakerLabels) -> list[str]:
    """Why parts that are disjoint in such labels may share people all the same."""
    beyond = (
        ", so that people may stand in several parts: `malgwi audit --estimate-speakers` listens "
        "for them"
        if labels.numbered
        else ""
    )
    return [f"train: {doubt}{beyond}" for doubt in labels.doubts()]


def _overlaps(leaks: Sequence[Leak]) -> list[dict[str, Any]]:
    """Speakers and exact scripts that two parts share, of how many in the second."""
    by_relation = {(leak.first, leak.second, leak.relation): leak for leak in leaks}
    return [
        {
            "first": first,
            "second": second,
            "shared_speakers": leak.shared,
            "speakers": leak.distinct,
            "shared_scripts": by_relation[first, second, "script"].shared,
            "scripts": by_relation[first, second, "script"].distinct,
        }
        for (first, second, relation), leak in by_relation.items()
        if relation == "speaker"
    ]


def _lines(report: dict[str, Any], leaks: Sequence[Leak]) -> list[str]:
    total = sum(part["hours"] for part in report["parts"].values()) or 1.0
    lines = [
        f"{name:<8}{part['utterances']:>9,} utterances {part['hours']:>9.2f} hours "
        f"({part['hours'] / total:5.1%}) {part['speakers']:>6,} speakers"
        for name, part in report["parts"].items()
    ]
    lines += [
        f"{o['shared_speakers']} of {o['speakers']:,} speakers and {o['shared_scripts']} of "
        f"{o['scripts']:,} scripts of {o['second']} also stand in {o['first']}"
        for o in report["overlaps"]
    ]
    lines += [f"leak: {leak.describe()}" for leak in leaks if leak.leaking]
    return [*lines, *_notes(report)]


def _notes(report: dict[str, Any]) -> list[str]:
    settings, notes = report["settings"], []
    if settings["how"] == "random":
        notes.append("RANDOM: this split leaks; a score on it says little about other speakers")
    dropped = report["parts"]["dropped"]["utterances"]
    if dropped:
        share = dropped / sum(part["utterances"] for part in report["parts"].values())
        notes.append(
            f"note: the largest of {report['components']['count']:,} components of speakers and "
            f"scripts holds {report['components']['largest_share']:.1%} of the utterances, so "
            f"{dropped:,} ({share:.1%}) were dropped; --yield speaker or --yield script keeps all, "
            "and says what then leaks"
        )
    return notes + [f"note: {warning}" for warning in report["warnings"]]
