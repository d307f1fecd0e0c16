"""`malgwi evaluate`: decode a manifest, score it, time it, weigh it, and write the report."""

import datetime
import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from lhotse.cut import MonoCut
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from malgwi import __version__, calibration, manifest
from malgwi.character_confidence import ConfidenceCheck, check, judge, pieces_of
from malgwi.checkpoint import write_bytes
from malgwi.cli.score_tables import percent
from malgwi.cli.search_options import AS_SAVED, SearchOptions
from malgwi.evaluate import Evaluation, evaluate
from malgwi.evaluate import Utterance as Decoded
from malgwi.lm import transcripts
from malgwi.metrics.confidence import Interval, widest
from malgwi.metrics.error_rate import Scores, score
from malgwi.metrics.unseen import Unseen, unseen
from malgwi.report import (
    Contender,
    Limits,
    Report,
    Utterance,
    plot_attention,
    read_contender,
    write_report,
)
from malgwi.run import load_config, references, training_characters
from malgwi.text.normalize import NormalizerConfig
from malgwi.text.scripts import script
from malgwi.training_log import read_metrics
from malgwi.transcribe import Recogniser


def main(
    run: Annotated[Path, tyro.conf.Positional],
    manifests: Annotated[tuple[Path, ...], tyro.conf.Positional],
    /,
    *,
    out: Path | None = None,
    search: Annotated[SearchOptions, tyro.conf.arg(name="")] = AS_SAVED,
    confidence: bool = False,
    calibrate: bool = False,
    beside: tuple[Path, ...] = (),
    threads: int | None = None,
) -> None:
    """Score a trained recogniser on a manifest and write report.json and report.html.

    References are normalised as the run's transcripts were; how it was counted stands in the
    report. Decoding takes the path that `malgwi transcribe` takes.

    For example, each on one line:

    malgwi evaluate runs/first data/test.jsonl

    malgwi evaluate runs/first data/test.jsonl --method ctc --out reports/greedy

    malgwi evaluate runs/first data/test.jsonl --threads 1

    malgwi evaluate runs/first data/dev.jsonl --calibrate

    malgwi evaluate runs/first data/test.jsonl --out reports/beam --beside reports/greedy

    Args:
        run: A run folder.
        manifests: What to decode.
        out: Folder of the report; the run folder if not given.
        search: How to search.
        confidence: Check how far the confidence of each character can be believed; the time that
            it takes counts as decoding.
        calibrate: Fit that confidence on this speech, which should be development speech, and
            keep the fit in the run folder for `malgwi transcribe`. It is checked on speakers that
            it was not fitted on.
        beside: Folders of other reports on the same manifest: error rate, speed and size of all
            are drawn together.
        threads: CPU threads.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    evaluate_run(
        run,
        manifests,
        out or run,
        search=search,
        confidence=confidence,
        calibrate=calibrate,
        beside=beside,
    )


def evaluate_run(
    run: Path,
    manifests: Sequence[Path],
    out: Path,
    *,
    search: SearchOptions = AS_SAVED,
    confidence: bool = False,
    calibrate: bool = False,
    beside: Sequence[Path] = (),
    console: Console | None = None,
) -> Report:
    """Decode, score and write ``out``/report.json, report.html and hypotheses.jsonl."""
    console = console or Console()
    config = load_config(run)
    recogniser = search.recogniser(run)
    if confidence or calibrate:
        recogniser = replace(recogniser, timestamps=True)
    if calibrate:
        recogniser = replace(recogniser, calibrations={})
    cuts = {cut.id: cut for cut in manifest.read_all(manifests)}
    others = _others(beside, references(cuts.values(), config), config.text)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("decoding", total=len(cuts))
        found = evaluate(
            recogniser,
            cuts.values(),
            config.text,
            run,
            advance=lambda count: progress.advance(task, count),
        )
    scores = score(found.references(), found.hypotheses(), config.text)
    own = run / transcripts.FILE if recogniser.minds_transcripts else None
    decoding = asdict(recogniser.decoding) | search.record(own)
    scores = replace(scores, passport=scores.passport.decoded(decoding))
    played = worst(scores, Limits().played)
    report = Report(
        title=f"{run.name} on {', '.join(path.name for path in manifests)}",
        scores=scores,
        intervals=intervals(scores, found),
        decoding=decoding,
        speed=found.speed,
        size=replace(
            found.size, bytes_on_disk=found.size.bytes_on_disk + search.bytes_on_disk(own)
        ),
        utterances=[
            _shown(u, recogniser, cuts[u.id], played=u.id in played) for u in found.utterances
        ],
        curves=_curves(run),
        confidence=_confidence(run, recogniser, found, calibrate=calibrate),
        unseen=_unseen(run, found),
        beside=others,
        facts={
            "run": str(run),
            "manifests": ", ".join(map(str, manifests)),
            "score": scores.passport.fingerprint,
            "malgwi": __version__,
            "torch": torch.__version__,
            "machine": f"{platform.machine()}, {platform.system()}, {found.speed.on}",
            "date": datetime.date.today().isoformat(),
        },
    )
    files = write_report(report, out)
    write_hypotheses(found, out / "hypotheses.jsonl")
    _draw_attention(report, out / "attention.svg")
    summarise(report, console)
    console.print(f"report: {files.html}", highlight=False, soft_wrap=True)
    return report


def _others(
    beside: Sequence[Path], said: Mapping[str, str], counting: NormalizerConfig
) -> list[Contender]:
    """The reports to compare with, refused before hours of decoding rather than after."""
    if not beside:
        return []
    fingerprint = score(said, said, counting).passport.fingerprint
    return [read_contender(path, fingerprint) for path in beside]


def _confidence(
    run: Path, recogniser: Recogniser, found: Evaluation, *, calibrate: bool
) -> ConfidenceCheck | None:
    """How far confidence can be believed, if asked for; a calibration goes into the run folder."""
    if not recogniser.timestamps:
        return None
    method, judged = recogniser.decoding.method, judge(found)
    calibrated = method in recogniser.calibrations
    checked = check(judged, method, calibrated=calibrated, refit=calibrate)
    if calibrate:
        calibration.save(run, method, calibration.fit(pieces_of(judged)))
    return checked


def intervals(scores: Scores, found: Evaluation) -> dict[str, Interval]:
    """95 % intervals of every metric: by utterance, speaker and script, the widest first."""
    clusters = {
        "speaker": [u.speaker or u.id for u in found.utterances],
        "script": [script(u.reference) for u in found.utterances],
    }
    of = {u.id: scores.utterances[u.id].by_name() for u in found.utterances}
    return {
        name: widest([rates[name] for rates in of.values()], clusters)
        for name in scores.corpus.by_name()
    }


def _unseen(run: Path, found: Evaluation) -> Unseen | None:
    """Characters that training never saw; None for a run that did not keep what it saw."""
    seen = training_characters(run)
    return None if seen is None else unseen(found.references(), found.hypotheses(), seen)


def worst(scores: Scores, count: int) -> set[str]:
    """The utterances with the most errors: those whose audio the report plays."""
    errors = {name: rates.cer_nospace.errors for name, rates in scores.utterances.items()}
    return set(sorted(errors, key=lambda name: -errors[name])[:count])


def channel_of(cut: MonoCut) -> str | None:
    """What the manifest calls the channel, else its number where a file has several."""
    named = (cut.custom or {}).get("channel")
    if named is not None:
        return str(named)
    several = cut.recording is not None and cut.recording.num_channels > 1
    return f"channel {cut.channel}" if several else None


def _shown(decoded: Decoded, recogniser: Recogniser, cut: MonoCut, *, played: bool) -> Utterance:
    """An utterance for the report; attention where it was decoded in one piece."""
    segments = decoded.recognition.segments
    best = segments[0].hypotheses[0] if len(segments) == 1 and segments[0].hypotheses else None
    matrix: NDArray[np.float32] | None = None
    tokens: tuple[str, ...] = ()
    if best is not None and best.attention is not None:
        matrix = best.attention.float().numpy()
        tokens = tuple(recogniser.tokenizer.decode([t]) or "?" for t in best.tokens)
        tokens = (*tokens, "⏹")[: len(matrix)]
    sure = [one.confidence for segment in segments for one in segment.characters]
    return Utterance(
        id=decoded.id,
        duration_s=decoded.duration_s,
        reference=decoded.reference,
        hypothesis=decoded.hypothesis,
        speaker=decoded.speaker,
        channel=channel_of(cut),
        silent=decoded.silent,
        audio=recogniser.front_end.cut_waveform(cut) if played else None,
        sample_rate_hz=recogniser.front_end.config.sample_rate_hz,
        attention=matrix,
        tokens=tokens,
        score=None if best is None else best.score,
        confidence=float(np.mean(sure)) if sure else None,
    )


def _curves(run: Path) -> list[dict[str, Any]]:
    path = run / "metrics.jsonl"
    return read_metrics(path) if path.exists() else []


def _draw_attention(report: Report, path: Path) -> None:
    """The attention of the longest correct utterance, or of the longest there is."""
    drawn = [u for u in report.utterances if u.attention is not None]
    if drawn:
        right = [u for u in drawn if u.reference.replace(" ", "") == u.hypothesis.replace(" ", "")]
        best = max(right or drawn, key=lambda u: len(u.tokens))
        assert best.attention is not None
        plot_attention(best.attention, best.tokens, path)


def write_hypotheses(found: Evaluation, path: Path) -> None:
    """One JSON object a line: id, text, score; `malgwi score` reads it."""
    lines = [
        json.dumps({"id": u.id, "text": u.hypothesis, "reference": u.reference}, ensure_ascii=False)
        for u in found.utterances
    ]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def summarise(report: Report, console: Console) -> None:
    """The figures that belong together: accuracy, speed, size."""
    assert report.speed is not None
    assert report.size is not None
    for name, rate in report.scores.corpus.by_name().items():
        found = report.intervals[name]
        shown = f"95 % interval {100 * found.low:.2f} to {100 * found.high:.2f} (by {found.by})"
        interval = "no interval" if math.isnan(found.width) else shown
        console.print(f"{name:<12} {percent(rate.rate):>8}   {interval}", highlight=False)
    if report.unseen is not None:
        strange = report.unseen.to_dict()
        console.print(
            f"{strange['said']} of {strange['of_characters']} characters were never seen in "
            f"training; {strange['recognised']} of these were recognised",
            highlight=False,
        )
    speed, size = report.speed, report.size
    console.print(
        f"{speed.x_real_time:.0f} × real time on {speed.on} "
        f"({speed.x_real_time_per_thread:.0f} a thread), {size.parameters / 1e6:.2f} M parameters, "
        f"{size.bytes_on_disk / 1e6:.1f} MB",
        highlight=False,
    )
    if report.confidence is not None:
        for name, one in report.confidence.named().items():
            console.print(
                f"confidence {name}: ECE {one.ece:.3f} ({len(one.bins)} bins of equal mass), "
                f"{one.ece_equal_width:.3f} of equal width; mean {100 * one.mean:.1f} %, right "
                f"{100 * one.accuracy:.1f} % of {one.count} characters",
                highlight=False,
            )
