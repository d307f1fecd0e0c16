"""The page of ``malgwi score --report``: what kind of mistakes any recogniser made, and where."""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from malgwi import __version__, manifest
from malgwi.metrics.confidence import Interval
from malgwi.metrics.error_rate import countable, score
from malgwi.report import ReportFiles, write_report
from malgwi.report.contents import Report, Utterance
from malgwi.text.normalize import NormalizerConfig


def write(
    folder: Path,
    texts: Mapping[str, tuple[str, str]],
    *,
    counting: NormalizerConfig | None,
    intervals: Mapping[str, Interval],
    facts: Mapping[str, str],
    stated: Mapping[str, Mapping[str, str]],
    manifest_path: Path | None,
) -> ReportFiles:
    """Write report.html and report.json into ``folder``.

    Args:
        folder: Where.
        texts: id → what was said and what was recognised.
        counting: The normaliser both pass through; None for none.
        intervals: metric → interval.
        facts: What stands below the title.
        stated: ``speaker`` and ``channel`` → id → which, as far as known.
        manifest_path: Cuts that say how long the utterances are, and their files.
    """
    scores = score(
        {name: said for name, (said, _) in texts.items()},
        {name: heard for name, (_, heard) in texts.items()},
        counting,
    )
    shown = _of_manifest(manifest_path, texts)
    report = Report(
        title=facts["hypotheses"],
        scores=scores,
        intervals=intervals,
        utterances=[
            Utterance(
                id=name,
                **shown.get(name, {"duration_s": None}),
                speaker=stated.get("speaker", {}).get(name),
                channel=stated.get("channel", {}).get(name),
                reference=countable(said, counting),
                hypothesis=countable(heard, counting),
            )
            for name, (said, heard) in texts.items()
        ],
        facts={
            **facts,
            "score": scores.passport.fingerprint,
            "malgwi": __version__,
            "date": datetime.date.today().isoformat(),
        },
    )
    return write_report(report, folder)


def _of_manifest(path: Path | None, wanted: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """Duration and audio of the utterances; parts of files stay mute."""
    if path is None:
        return {}
    found = [facts for facts in manifest.facts(path) if facts.id in wanted]
    return {
        facts.id: {
            "duration_s": facts.duration_s,
            "audio": Path(facts.path)
            if _is_whole_file(facts) and Path(facts.path).is_file()
            else None,
        }
        for facts in found
    }


def _is_whole_file(facts: manifest.Facts) -> bool:
    """Whether the file holds this utterance and nothing else: a stretch or a side would mislead."""
    recording = facts.line.get("recording") or {}
    channels = [one for source in recording.get("sources", ()) for one in source["channels"]]
    rest_s = recording.get("duration", 0.0) - facts.duration_s
    return facts.start_s == 0 and abs(rest_s) < 0.01 and len(channels) == 1
