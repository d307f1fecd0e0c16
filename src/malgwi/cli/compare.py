"""``malgwi compare``: is B better than A, or was it luck, and what would it take to tell?

Two scores are compared only if their passports agree: the same references, counted in the same
way. Anything else is refused, with the fields that differ.
"""

import json as json_format
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from rich import box
from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

from malgwi.cli.score import normalizer_of
from malgwi.cli.score_tables import percent
from malgwi.errors import ConfigError, DataError
from malgwi.metrics.confidence import BootstrapConfig
from malgwi.metrics.error_rate import TITLES, check_ids
from malgwi.metrics.passport import Mismatch, Passport, references_hash
from malgwi.metrics.significance import Comparison, Randomisation, compare
from malgwi.metrics.tally import tally
from malgwi.metrics.units import Clusters, Units
from malgwi.text.normalize import NormalizerConfig
from malgwi.transcripts import clusters, read_texts

Metric = Literal["cer_nospace", "cer", "wer", "swer", "mer"]


def main(
    a: Positional[Path],
    b: Positional[Path],
    /,
    *,
    ref: Path | None = None,
    metric: Metric = "cer_nospace",
    normalize: tuple[str, ...] | None = None,
    manifest: Path | None = None,
    speakers: Path | None = None,
    by: tuple[str, ...] | None = None,
    detect: float | None = None,
    power: float = 0.8,
    rounds: int = 10_000,
    resamples: int = 2000,
    seed: int = 0,
    anyway: tyro.conf.FlagCreatePairsOff[bool] = False,
    json: tyro.conf.FlagCreatePairsOff[bool] = False,
) -> None:
    """Say whether system B is better than system A on the same utterances.

    A and B are two files of hypotheses with --ref, or two report.json of malgwi evaluate (or the
    folders they are in). The difference has a paired interval and two tests, by utterance and by
    speaker and script as far as they are known; the widest interval decides.

    For example, each on one line:

        malgwi compare old.tsv new.tsv --ref truth.tsv

        malgwi compare runs/first runs/second

        malgwi compare runs/first/report.json runs/second/report.json --detect 0.005 --power 0.9

        malgwi compare old.tsv new.tsv --ref truth.tsv --manifest test.jsonl --metric wer --json

    Args:
        a: The system compared against.
        b: The system that may be better.
        ref: What was said; hypotheses, those of reports too, are then scored here.
        metric: What is compared.
        normalize: With --ref: as for malgwi score.
        manifest: Lhotse cuts that say the speaker, channel and more of each utterance.
        speakers: ID<TAB>SPEAKER lines.
        by: What is resampled and swapped besides utterances, as for malgwi score.
        detect: A difference, such as 0.005 for half a point: say how many utterances and speakers
            show it. The difference found, if not given.
        power: How often they should show it.
        rounds: Of the randomisation test, where not every way can be tried.
        resamples: Of the paired bootstrap.
        seed: Of both.
        anyway: Compare though counting or references differ, and say so.
        json: Print one JSON object.
    """
    sides = _sides(a, b, ref, metric, normalize)
    one, other = sides
    check_ids(one.references, other.references)
    mismatches = one.passport.mismatches(other.passport)
    if mismatches and not anyway:
        raise DataError(_refusal(mismatches))
    groups = _groups(one, ref, manifest, speakers, by)
    result = compare(
        one.units,
        other.in_order_of(one),
        groups,
        BootstrapConfig(resamples=resamples, seed=seed),
        rounds=rounds,
        detect=detect,
        power=power,
    )
    if json:
        record = _record(result, sides, metric, mismatches)
        print(json_format.dumps(record, ensure_ascii=False, indent=2, allow_nan=False))
        return
    console = Console(highlight=False)
    console.print("\n".join(_head(result, sides, metric, mismatches)), markup=False, soft_wrap=True)
    console.print(_table(result))
    console.print("\n".join(_sizes(result)), markup=False, soft_wrap=True)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One system: its counts, and what its score was made of.

    Attributes:
        path: As given.
        references: id → what was said.
        speakers: id → speaker, as far as a report says.
        units: Counts of the metric, in the order of ``references``.
        passport: Of the score.
    """

    path: Path
    references: Mapping[str, str]
    speakers: Mapping[str, str]
    units: Units
    passport: Passport

    def in_order_of(self, other: "Side") -> Units:
        """The counts in another side's order of utterances."""
        place = {name: at for at, name in enumerate(self.references)}
        order = np.array([place[name] for name in other.references], dtype=np.int64)
        return Units(self.units.errors[order], self.units.tokens[order])


def _sides(
    a: Path, b: Path, ref: Path | None, metric: str, normalize: Sequence[str] | None
) -> tuple[Side, Side]:
    if ref is not None:
        references, normalizer = read_texts(ref), normalizer_of(normalize)
        one, other = (_scored(path, references, metric, normalizer) for path in (a, b))
        return one, other
    if normalize is not None:
        raise ConfigError("--normalize needs --ref: reports are compared as they were counted")
    one, other = (_reported(path, metric) for path in (a, b))
    return one, other


def _scored(
    path: Path, references: Mapping[str, str], metric: str, normalizer: NormalizerConfig | None
) -> Side:
    report = _report_path(path)
    if report is None:
        hypotheses = read_texts(path)
    else:
        hypotheses = {u["id"]: u["hypothesis"] for u in _read_report(report)["utterances"]}
    scored = tally(references, hypotheses, normalizer)
    return Side(
        path=path,
        references=references,
        speakers={},
        units=scored.units(metric),
        passport=scored.passport,
    )


def _reported(path: Path, metric: str) -> Side:
    report = _report_path(path)
    if report is None:
        raise ConfigError(
            f"{path} is no report.json and no folder with one: hypotheses need --ref TRUTH"
        )
    record = _read_report(report)
    utterances = record["utterances"]
    try:
        references = {u["id"]: u["reference"] for u in utterances}
        counts = np.array(
            [[u[metric][kind] for kind in _KINDS] for u in utterances], dtype=np.int64
        ).reshape(-1, len(_KINDS))
        speakers = {u["id"]: u["speaker"] for u in utterances if u["speaker"] is not None}
        passport = _passport(record["scores"], references)
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{report}: not a report of malgwi evaluate, {error!r}: evaluate again"
        ) from None
    errors = counts[:, 1:].sum(axis=1)
    tokens = counts[:, 0] + errors if metric == "mer" else counts[:, :3].sum(axis=1)
    return Side(
        path=path,
        references=references,
        speakers=speakers,
        units=Units(errors, tokens),
        passport=passport,
    )


_KINDS = ("hits", "substitutions", "deletions", "insertions")


def _passport(scores: Mapping[str, Any], references: Mapping[str, str]) -> Passport:
    """A report's passport; of one that has none yet, what its counting and references make."""
    if "passport" in scores:
        return Passport.from_dict(scores["passport"])
    return Passport(
        counting=scores["counting"],
        references=references_hash(references.items()),
        utterances=len(references),
        malgwi="unknown",
    )


def _report_path(path: Path) -> Path | None:
    if path.is_dir():
        return path / "report.json"
    return path if path.suffix == ".json" else None


def _read_report(path: Path) -> dict[str, Any]:
    try:
        record = json_format.loads(path.read_bytes())
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}; malgwi evaluate writes it"
        ) from None
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error})") from None
    if not isinstance(record, dict) or not isinstance(record.get("utterances"), list):
        raise DataError(f"{path}: not a report of malgwi evaluate: it lists no utterances")
    return record


def _groups(
    side: Side,
    ref: Path | None,
    manifest: Path | None,
    speakers: Path | None,
    by: Sequence[str] | None,
) -> dict[str, Clusters]:
    """Clusters by kind; the speakers of a report where nothing else says them."""
    told = len(side.speakers) == len(side.references) and manifest is None and speakers is None
    if not told or (by is not None and "speaker" not in by):
        return {**clusters(side.references, ref=ref, manifest=manifest, speakers=speakers, by=by)}
    others = [kind for kind in by or ("script",) if kind != "speaker"]
    found = clusters(side.references, by=others)
    return {"speaker": [side.speakers[name] for name in side.references], **found}


def _refusal(mismatches: Sequence[Mismatch]) -> str:
    fields = "; ".join(
        f"{field} is {one!r} of A and {other!r} of B" for field, one, other in mismatches
    )
    return (
        f"these scores were not counted alike: {fields}. Score both with the same --ref and "
        "--normalize, or add --anyway"
    )


# --- what is shown ----------------------------------------------------------------------------


def _record(
    result: Comparison, sides: tuple[Side, Side], metric: str, mismatches: Sequence[Mismatch]
) -> dict[str, Any]:
    return {
        "metric": metric,
        **result.to_dict(),
        "files": [str(side.path) for side in sides],
        "passports": [side.passport.to_dict() for side in sides],
        "mismatches": [mismatch._asdict() for mismatch in mismatches],
    }


def _head(
    result: Comparison, sides: tuple[Side, Side], metric: str, mismatches: Sequence[Mismatch]
) -> list[str]:
    lead = result.differences[0]
    change = f"{100 * lead.rate:+.2f} points"
    if result.a:
        change += f" ({lead.rate / result.a:+.1%} of A)"
    verdict = {
        "better": "B is better",
        "worse": "B is worse",
        "undecided": "cannot be told apart by these utterances",
    }[result.verdict]
    lines = [
        f"A {percent(result.a)}  {sides[0].path}",
        f"B {percent(result.b)}  {sides[1].path}",
        f"{TITLES[metric]}, {len(sides[0].references):,} utterances, fingerprint "
        f"{sides[0].passport.fingerprint}",
        f"B − A {change}: {verdict}",
    ]
    if mismatches:
        fields = ", ".join(mismatch.field for mismatch in mismatches)
        lines.append(f"warning: not counted alike, this comparison means little: {fields}")
    return lines


def _table(result: Comparison) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    level = result.differences[0].interval.level
    table.add_column("by", no_wrap=True)
    for heading in ("units", f"B − A, {level:.0%}", "p", "B better", "swapped p", "differ"):
        table.add_column(heading, justify="right", no_wrap=True)
    for found, swapped in zip(result.differences, result.randomisations, strict=True):
        low, high = found.interval.low, found.interval.high
        known = not math.isnan(low)
        table.add_row(
            found.interval.by,
            f"{found.interval.units:,}",
            f"{100 * low:+.2f} to {100 * high:+.2f}" if known else "–",
            _probability(found.p),
            f"{found.improvement:.1%}" if known else "–",
            _swapped(swapped),
            f"{swapped.differing:,}",
        )
    return table


def _probability(p: float) -> str:
    """A p-value.

    >>> _probability(0.0312), _probability(0.00001), _probability(math.nan)
    ('0.031', '<0.001', '–')
    """
    if math.isnan(p):
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _swapped(found: Randomisation) -> str:
    return _probability(found.p) + (" exact" if found.exact else "")


def _sizes(result: Comparison) -> list[str]:
    lines = []
    for size in result.needed:
        lead = f"by {size.by}: to see {100 * size.detect:.2f} points {size.power:.0%} of the time"
        if size.units is None:
            lines.append(f"{lead}: not known, the systems differ too little")
            continue
        assert size.utterances is not None
        wanted = f"{size.units:,} {size.by}s"
        if size.by != "utterance":
            wanted += f" ({size.utterances:,} utterances at as many each)"
        seen = "" if size.detectable is None else f"; these show {100 * size.detectable:.2f}"
        lines.append(f"{lead}: {wanted}{seen}")
    return lines
