"""The ablation's results as Markdown, written between two markers of docs/experiments.md.

Intervals are 95 % bootstraps, the wider of resampling speakers and resampling utterances: with a
handful of test speakers the first alone can come out too narrow. Nothing is told about a variant
but its figures and whether they can be told from the baseline's.
"""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lessons_results import Result, Settings, Training, load_all, load_settings
from lessons_variants import BASELINE, BEAMS, LABELS, NAMES

from malgwi.checkpoint import write_bytes
from malgwi.errors import DataError
from malgwi.metrics.confidence import Interval, interval, paired_difference
from malgwi.metrics.error_rate import ErrorRate, total

#: Turns nothing off; what it changes is chance.
CONTROL = "another_seed"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One variant, its seeds summed: each test utterance's errors over all of them.

    Attributes:
        name: Of the variant.
        results: One a seed.
        rates: Utterance → error rate, over the seeds; empty if it was not measured.
    """

    name: str
    results: Sequence[Result]
    rates: Mapping[str, ErrorRate]


@dataclass(frozen=True, kw_only=True)
class Change:
    """CER of a variant less that of the baseline, over the seeds that both have."""

    rate: float
    interval: Interval

    @property
    def measurable(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.interval.low > 0 or self.interval.high < 0


def write_table(folder: Path, document: Path) -> None:
    """Write the table of a folder's results into a document, leaving the rest of it alone.

    Raises:
        DataError: There is no baseline to compare with, or the document has one marker only.
    """
    settings, results = load_settings(folder), load_all(folder)
    if settings is None or not any(result.name == BASELINE for result in results):
        raise DataError(f"{folder} holds no baseline result: run the ablation first")
    name = f"lessons:{settings.name}"
    title = f"## What each lesson of 2019 is worth: {settings.name}"
    old = document.read_text(encoding="utf-8") if document.is_file() else "# Experiments\n"
    new = between_markers(old, name, title, render(settings, results))
    write_bytes(document, new.encode())


def between_markers(document: str, name: str, title: str, text: str) -> str:
    """The document with ``text`` between the markers of that name; both are added if missing.

    Raises:
        DataError: Only one of them is there, or they stand the wrong way round.

    >>> print(between_markers("# E", "x", "## X", "new"))
    # E
    <BLANKLINE>
    ## X
    <BLANKLINE>
    <!-- x -->
    new
    <!-- /x -->
    <BLANKLINE>
    >>> between_markers("a <!-- x -->old<!-- /x --> b", "x", "## X", "new")
    'a <!-- x -->\\nnew\\n<!-- /x --> b'
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in document and end not in document:
        return f"{document.rstrip()}\n\n{title}\n\n{begin}\n{text}\n{end}\n"
    before, _, rest = document.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise DataError(f"the document has not both {begin} and, after it, {end}: add the other")
    return f"{before}{begin}\n{text}\n{end}{after}"


def render(settings: Settings, results: Sequence[Result]) -> str:
    """The whole text between the markers."""
    rows = [row for name in NAMES if (row := summed(name, results)) is not None]
    speakers = dict(settings.test_speakers)
    found = {row.name: change(row, rows[0], speakers) for row in rows[1:] if row.rates}
    control = found.get(CONTROL)
    chance = _CHANCE if control is not None else ""
    method = f"{_method(settings, rows[0])}{chance}"
    lines = [_origin(settings, results), "", method, "", *_HEAD]
    lines += [_line(row, rows[0], found.get(row.name), control, speakers) for row in rows]
    return "\n".join([*lines, "", *_claims(rows)])


def summed(name: str, results: Sequence[Result]) -> Row | None:
    """The row of a variant; None if there is no result."""
    own = [result for result in results if result.name == name]
    scored = [r.test["beam"].rates() for r in own if r.not_measured is None]
    rates = {key: total(rates[key] for rates in scored) for key in scored[0]} if scored else {}
    return Row(name=name, results=own, rates=rates) if own else None


def change(row: Row, baseline: Row, speakers: Mapping[str, str]) -> Change:
    """The paired difference to the baseline."""
    seeds = {result.seed for result in row.results} & {result.seed for result in baseline.results}
    after, before = (
        summed(r.name, [result for result in r.results if result.seed in seeds])
        for r in (row, baseline)
    )
    if after is None or before is None:
        raise DataError(f"{row.name} and the baseline have no seed in common: measure the baseline")
    ids = list(before.rates)
    a, b = ([part.rates[key] for key in ids] for part in (before, after))
    clusters = [speakers[key] for key in ids]
    by_speaker, by_utterance = (paired_difference(a, b, c) for c in (clusters, None))
    return Change(rate=by_speaker.rate, interval=wider(by_speaker.interval, by_utterance.interval))


def wider(*intervals: Interval) -> Interval:
    """The widest that exists.

    >>> by_speaker = Interval(low=0.1, high=0.4, level=0.95, units=5, by="cluster")
    >>> by_utterance = Interval(low=0.1, high=0.3, level=0.95, units=50, by="utterance")
    >>> wider(by_utterance, by_speaker).by
    'cluster'
    """
    return max(intervals, key=lambda i: -1.0 if math.isnan(i.low) else i.high - i.low)


def verdict(found: Change, control: Change | None) -> str:
    """What the difference shows, in words that claim no more than it does."""
    if math.isnan(found.interval.low):
        return "too few utterances for an interval"
    if not found.measurable:
        return "no measurable difference (the interval includes 0)"
    word = "worse" if found.rate > 0 else "better"
    if control is not None and control is not found and abs(found.rate) <= abs(control.rate):
        return f"{word}, but by no more than another seed changes"
    return word


_HEAD = (
    "| variant | what changes | CER [95 %] | difference [95 %] | greedy CTC | training | outcome |",
    "|---|---|---|---|---|---|---|",
)


def _line(
    row: Row,
    baseline: Row,
    found: Change | None,
    control: Change | None,
    speakers: Mapping[str, str],
) -> str:
    if not row.rates:
        cells = ["–", "–", "–", "–", f"not measured: {row.results[0].not_measured}"]
    else:
        rates = list(row.rates.values())
        both = interval(rates, [speakers[key] for key in row.rates]), interval(rates)
        cells = [
            f"{100 * total(rates).rate:.1f} {_bounds(wider(*both))}",
            "–" if found is None else f"{100 * found.rate:+.1f} {_bounds(found.interval, '+')}",
            _greedy_ctc(row),
            _training(row),
            "; ".join(_outcome(row, baseline, found, control)),
        ]
    return f"| {' | '.join([f'`{row.name}`', LABELS[row.name], *cells])} |"


def _bounds(found: Interval, sign: str = "") -> str:
    if math.isnan(found.low):
        return "[–]"
    return f"[{100 * found.low:{sign}.1f}, {100 * found.high:{sign}.1f}]"


def _greedy_ctc(row: Row) -> str:
    found = [r.test["ctc"].rates().values() for r in row.results if "ctc" in r.test]
    return f"{100 * total(rate for rates in found for rate in rates).rate:.1f}" if found else "–"


def _training(row: Row) -> str:
    runs = [result.training for result in row.results if result.training is not None]
    if not runs:
        return "–"
    minutes, updates = (sum(values) / len(runs) for values in _columns(runs))
    return f"{minutes:.1f} min, {updates:,.0f} updates"


def _columns(runs: Sequence[Training]) -> tuple[list[float], list[float]]:
    return [run.minutes for run in runs], [float(run.updates) for run in runs]


def _outcome(
    row: Row, baseline: Row, found: Change | None, control: Change | None
) -> Iterator[str]:
    """What is worth saying of a row, all of it computed.

    Searches share the baseline's model: no seed stands between them.
    """
    run, usual = row.results[0].training, baseline.results[0].training
    if found is not None:
        yield verdict(found, control if run is not None else None)
    if len(row.results) > 1:
        rates = [100 * result.test["beam"].rate() for result in row.results]
        yield f"by seed: {', '.join(f'{rate:.1f}' for rate in rates)}"
    if run is None or usual is None:
        return
    if row is baseline or abs(run.hours / usual.hours - 1) > 0.005:
        yield f"trained on {run.hours:.2f} h of audio"
    if run.changed_texts:
        yield f"{run.changed_texts:,} of {run.utterances:,} training transcripts differ"
    if run.warnings:
        yield f"the start-up check warned {len(run.warnings)} times"


def _origin(settings: Settings, results: Sequence[Result]) -> str:
    """Command, machine, date and version."""
    flag, value = settings.end
    words = ["--data", *settings.data, "--name", settings.name, "--recipe", settings.recipe]
    words += ["--search", settings.search] if settings.search != "attention" else []
    seeds = len({result.seed for result in results})
    command = shlex.join([*words, f"--{flag}", value, "--seeds", str(seeds)])
    made = [result.made for result in results]
    machines = "; ".join(sorted({f"{m.machine}, torch threads: {m.threads}" for m in made}))
    versions = ", ".join(sorted({m.version for m in made}))
    dates = " to ".join(sorted({min(m.date for m in made), max(m.date for m in made)}))
    return f"`python benchmarks/lessons.py {command}`  \n{machines}; {dates}; malgwi {versions}."


def _method(settings: Settings, baseline: Row) -> str:
    """How to read the table."""
    characters = total(baseline.results[0].test["beam"].rates().values()).reference
    leak = settings.test_shared
    return _METHOD.format(
        utterances=len(settings.test_speakers),
        speakers=len({speaker for _, speaker in settings.test_speakers}),
        characters=characters,
        decoding=_DECODING[settings.search].format(beams=BEAMS),
        leak=f"{leak.speakers} of its {leak.of_speakers} speakers and {leak.scripts} of its "
        f"{leak.of_scripts} sentences",
    )


_METHOD = """\
CER without spaces, in %, on one test part for all: {utterances:,} utterances, {characters:,} \
characters, {speakers} speakers; training and development contain {leak}. Decoded by \
{decoding}. References are cleaned as in the baseline whatever a variant \
trained on, and so is every hypothesis before it is scored. Each difference is to the baseline, in \
points, on the same utterances. Brackets are 95 % bootstrap intervals, the wider of resampling \
speakers and utterances: how far another test set would move the figure, not how far another \
training would."""

_DECODING = {
    "attention": "attention beam search ({beams} beams, no CTC; rows from `greedy` on search the "
    "baseline's model otherwise)",
    "joint": "joint beam search ({beams} beams, the attention model and CTC)",
}

_CHANCE = " How far another training may move it, `another_seed` shows by one example a seed."


def _claims(rows: Sequence[Row]) -> Iterator[str]:
    """What each way to split claims, beside what the test part says of the same model."""
    yield "What a development score claims, beside the test score of the same model:"
    yield ""
    yield (
        "| split | development CER | test CER | test − development | development speakers seen "
        "in training | development sentences seen in training |"
    )
    yield "|---|---|---|---|---|---|"
    for row in rows:
        if row.name in (BASELINE, "random_split") and row.rates:
            yield _claim(row)


def _claim(row: Row) -> str:
    devs = [result.dev.rates().values() for result in row.results if result.dev is not None]
    dev = total(rate for rates in devs for rate in rates).rate
    test = total(row.rates.values()).rate
    seen = [result.training.dev_shared for result in row.results if result.training is not None]
    cells = [
        f"`{row.name}`",
        f"{100 * dev:.1f}",
        f"{100 * test:.1f}",
        f"{100 * (test - dev):+.1f}",
        f"{sum(s.speakers for s in seen)} of {sum(s.of_speakers for s in seen)}",
        f"{sum(s.scripts for s in seen)} of {sum(s.of_scripts for s in seen)}",
    ]
    return f"| {' | '.join(cells)} |"
