"""``malgwi score``: any recogniser's output against the truth, with its counting said aloud.

Starts fast and needs no torch: it is meant for the output of other systems too.
"""

import json as json_format
from collections.abc import Sequence
from dataclasses import asdict, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tyro
from rich.console import Console

from malgwi.cli import score_tables
from malgwi.errors import ConfigError, DataError
from malgwi.metrics.confidence import BootstrapConfig, Interval, Method, widest
from malgwi.metrics.countings import KEEP, nearest
from malgwi.metrics.error_rate import SPACE_POLICY
from malgwi.metrics.tally import Tally, tally
from malgwi.text.normalize import NormalizerConfig
from malgwi.transcripts import clusters, read_texts, stated

#: field → its values
_POLICIES = {field.name: get_args(field.type) for field in fields(NormalizerConfig)}
#: With more utterances the other countings must be asked for: they take as long as all the rest.
COUNTINGS_UP_TO = 100_000


def main(
    *,
    ref: Path,
    hyp: Path,
    json: tyro.conf.FlagCreatePairsOff[bool] = False,
    normalize: Annotated[
        tuple[str, ...] | None, tyro.conf.arg(metavar="[default] [FIELD=VALUE ...]")
    ] = None,
    manifest: Path | None = None,
    speakers: Path | None = None,
    by: tuple[str, ...] | None = None,
    countings: Literal["auto", "yes", "no"] = "auto",
    match: float | None = None,
    report: Path | None = None,
    method: Method = "bootstrap_t",
    resamples: int = 2000,
    seed: int = 0,
) -> None:
    """Score hypotheses against references: error rates, how sure they are, and how counted.

    Files hold one utterance a line, ID<TAB>TEXT, or JSON lines with "id" and "text". The ids of
    both must be the same; an utterance where nothing was recognised has an empty text. Without
    --normalize nothing is changed but Unicode form (NFC) and white space, so punctuation counts.

    Intervals resample utterances, scripts if any is read twice, and speakers if they are known;
    the widest is shown. Below stands the same output as others would count it.

    For example, each on one line:

        malgwi score --ref truth.tsv --hyp system.tsv

        malgwi score --ref truth.jsonl --hyp system.jsonl --json

        malgwi score --ref truth.tsv --hyp system.tsv --normalize punctuation=drop digits=hangul

        malgwi score --ref truth.tsv --hyp system.tsv --manifest test.jsonl --by speaker channel

        malgwi score --ref truth.tsv --hyp system.tsv --match 0.0733

        malgwi score --ref truth.tsv --hyp system.tsv --manifest test.jsonl --report mistakes

    Args:
        ref: What was said.
        hyp: What was recognised.
        json: Print one JSON object instead of tables.
        normalize: Pass both sides through the text normaliser: FIELD=VALUE changes that policy
            and keeps everything else; "default" starts from the policies of training instead.
        manifest: Lhotse cuts that say the speaker, channel and more of each utterance.
        speakers: ID<TAB>SPEAKER, as for ref.
        by: What intervals resample besides utterances: speaker, script, channel, any custom fact
            of the manifest, any key of a JSON-lines ref. Speaker and script if not given, as far
            as known.
        countings: Also count as others do; "auto" does unless there are more than 100,000
            utterances.
        match: A published rate, such as 0.0733: say which counting comes nearest.
        report: Folder for report.html and report.json: kinds of error, letters taken for others,
            every utterance; by speaker and channel where a file says them, by duration where
            --manifest does.
        method: Of the intervals; "percentile" is the customary one, too narrow with few speakers.
        resamples: Test sets drawn for the 95 % intervals.
        seed: Of those draws.
    """
    if match is not None and countings == "no":
        raise ConfigError("--match compares countings, and --countings no asks for none: leave one")
    if match is not None and not 0.0 <= match <= 1.0:
        raise ConfigError(f"--match {match:g}: give a rate between 0 and 1, such as 0.0733")
    if report is not None and any(p.exists() and not p.is_dir() for p in (report, *report.parents)):
        raise ConfigError(f"--report {report}: a file stands there, or where a folder should")
    references = read_texts(ref)
    hypotheses = read_texts(hyp, references)
    if not references:
        raise DataError(f"{ref} holds no utterance: there is nothing to score")
    as_others = countings == "yes" or match is not None
    if countings == "auto":
        as_others |= len(references) <= COUNTINGS_UP_TO
    config = BootstrapConfig(resamples=resamples, seed=seed, method=method)
    groups = clusters(references, ref=ref, manifest=manifest, speakers=speakers, by=by)
    scored = tally(references, hypotheses, normalizer_of(normalize), figures=as_others)
    intervals = {name: widest(scored.units(name), groups, config) for name in SPACE_POLICY}
    if report is not None:
        from malgwi.cli import score_report  # its page's package loads torch

        files = score_report.write(
            report,
            {name: (text, hypotheses[name]) for name, text in references.items()},
            counting=normalizer_of(normalize),
            intervals=intervals,
            facts={"hypotheses": str(hyp), "references": str(ref)},
            stated=stated(
                references, ("speaker", "channel"), ref=ref, manifest=manifest, speakers=speakers
            ),
            manifest_path=manifest,
        )
    if json:
        record = score_json(scored, intervals, match)
        print(json_format.dumps(record, ensure_ascii=False, indent=2, allow_nan=False))
        return
    empty = sum(not text.strip() for text in references.values())
    console = Console(highlight=False)
    console.print(score_tables.rates(scored.corpus, intervals))
    _print(console, score_tables.summary(scored, intervals, empty))
    if as_others:
        console.print(score_tables.countings(scored.figures))
        lines = score_tables.conventions(scored.figures)
        lines += [] if match is None else score_tables.matches(scored.figures, match)
        _print(console, lines)
    if report is not None:
        _print(console, [f"\nreport: {files.html}"])


def _print(console: Console, lines: Sequence[str]) -> None:
    console.print("\n".join(lines), markup=False, soft_wrap=True)


def score_json(
    scored: Tally, intervals: dict[str, Interval], match: float | None
) -> dict[str, Any]:
    """The record of ``--json``: five metrics, ``crr``, ``counting``, and what stands beside."""
    record = scored.to_dict()
    record["intervals"] = {name: found.to_dict() for name, found in intervals.items()}
    if scored.figures:
        record["countings"] = [figure.to_dict() for figure in scored.figures]
    if match is not None:
        close = [figure.to_dict() for figure in nearest(scored.figures, match)]
        record["match"] = {"rate": match, "nearest": close}
    return record


def normalizer_of(words: Sequence[str] | None) -> NormalizerConfig | None:
    """What ``--normalize`` asks for.

    Raises:
        ConfigError: An unknown field or value.

    >>> normalizer_of(None) is None, normalizer_of(["default"]) == NormalizerConfig()
    (True, True)
    >>> normalizer_of(["case=lower"]).case, normalizer_of(["case=lower"]).punctuation
    ('lower', 'keep')
    """
    if words is None:
        return None
    from_default = not words or "default" in words
    settings: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if word == "default":
            continue
        if not equals or name not in _POLICIES:
            raise ConfigError(_unknown_setting(word, name))
        settings[name] = value
    base = NormalizerConfig() if from_default else KEEP
    return NormalizerConfig.from_dict({**asdict(base), **settings})


def _unknown_setting(word: str, name: str) -> str:
    near = get_close_matches(name, _POLICIES, n=1)
    hint = f"did you mean {near[0]}={'|'.join(_POLICIES[near[0]])}? " if near else ""
    return (
        f"--normalize {word}: {hint}Give 'default', or FIELD=VALUE with a FIELD of "
        f"{', '.join(_POLICIES)}"
    )
