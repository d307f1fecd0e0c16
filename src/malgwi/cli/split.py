"""``malgwi split``: manifests → training, development and test parts that do not leak."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional

from malgwi import manifest
from malgwi.errors import ConfigError
from malgwi.split import Split, SplitConfig, split


def main(
    paths: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="MANIFEST... OUT_DIR")],
    /,
    *,
    dev: float = 0.1,
    test: float = 0.0,
    how: Literal["disjoint", "random"] = "disjoint",
    seed: int = 0,
    unknown_speakers: Literal["error", "own"] = "error",
) -> None:
    """Divide manifests into parts that share neither a speaker nor a script.

    Every manifest given is represented in every part. Training utterances whose script is also
    read in another part are dropped, and counted. Writes train.jsonl, dev.jsonl, test.jsonl if
    asked for, dropped.jsonl, and split.json with sizes and overlaps.

    For example, each on one line:

        malgwi split data/mine.jsonl data/split --dev 0.1

        malgwi split data/pansori.jsonl data/emotiontts.jsonl data/split --dev 0.07 --test 0.07

        malgwi split data/mine.jsonl data/leaking --how random

    Args:
        paths: Manifests to divide, as malgwi prepare writes them; last, a folder for the parts.
        dev: Share of the duration for development.
        test: Share of the duration for test.
        how: "disjoint" in speaker and script; "random" leaks both and is there for comparison.
        seed: Another seed, another split.
        unknown_speakers: "error" refuses utterances without a speaker; "own" takes each for a
            speaker of its own.
    """
    if len(paths) < 2 or paths[-1].is_file():
        given = " ".join(map(str, paths)) or "nothing"
        raise ConfigError(f"wanted MANIFEST... OUT_DIR, the folder last; given: {given}")
    *manifests, out_dir = paths
    config = SplitConfig(dev=dev, test=test, how=how, seed=seed, unknown_speakers=unknown_speakers)
    corpora = {str(path): list(manifest.stream(path)) for path in manifests}
    result = split(corpora, config)
    if not test and (out_dir / "split.json").is_file():
        # A test part of an earlier split here would share speakers with the new training part.
        (out_dir / "test.jsonl").unlink(missing_ok=True)
    for part, cuts in {**result.parts, "dropped": result.dropped}.items():
        manifest.write(cuts, out_dir / f"{part}.jsonl")
    report = describe(result, config)
    with manifest.atomic_text(out_dir / "split.json") as file:
        json.dump(report, file, ensure_ascii=False, indent=2)
    print("\n".join(_lines(report, out_dir)))


def describe(result: Split, config: SplitConfig) -> dict[str, Any]:
    """Settings, sizes and overlaps as JSON values."""
    parts = {**result.parts, "dropped": result.dropped}
    return {
        "settings": asdict(config),
        "leaks": config.how == "random",
        "parts": {
            part: {
                "utterances": len(cuts),
                "hours": round(sum(cut.duration for cut in cuts) / 3600, 4),
                "speakers": len({manifest.speaker(cut) for cut in cuts}),
            }
            for part, cuts in parts.items()
        },
        "overlaps": [asdict(overlap) for overlap in result.overlaps],
        "warnings": result.warnings,
    }


def _lines(report: dict[str, Any], out_dir: Path) -> list[str]:
    total = sum(part["hours"] for part in report["parts"].values())
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
    if report["leaks"]:
        lines.append("RANDOM: this split leaks; a score on it says little about other speakers")
    lines += [f"note: {warning}" for warning in report["warnings"]]
    return [*lines, f"written to {out_dir}"]
