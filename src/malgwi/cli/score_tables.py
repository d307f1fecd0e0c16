"""What ``malgwi score`` prints: rates with their intervals, and the same counted as others do."""

import math
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.table import Table

from malgwi.metrics.confidence import Interval
from malgwi.metrics.countings import (
    AVERAGES,
    COLUMN_TITLES,
    COLUMNS,
    TREATMENTS,
    Figure,
    nearest,
)
from malgwi.metrics.error_rate import TITLES, Rates
from malgwi.metrics.tally import Tally


def rates(corpus: Rates, intervals: Mapping[str, Interval]) -> Table:
    """The five metrics, each with its widest interval and its counts."""
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("", no_wrap=True)
    level = next(iter(intervals.values())).level
    for heading in ("rate", f"{level:.0%} interval", "hits", "sub", "del", "ins", "ref"):
        table.add_column(heading, justify="right", no_wrap=True)
    for metric, rate in corpus.by_name().items():
        counts = (rate.hits, rate.substitutions, rate.deletions, rate.insertions, rate.reference)
        shown = percent(rate.rate) if rate.denominator else "none"
        table.add_row(
            TITLES[metric], shown, bounds(intervals[metric]), *(f"{count:,}" for count in counts)
        )
    return table


def bounds(found: Interval) -> str:
    """An interval in percent.

    >>> bounds(Interval(low=0.01, high=0.025, level=0.95, units=9, by="speaker"))
    '1.00 – 2.50'
    """
    if math.isnan(found.width):
        return "–"
    return f"{100 * found.low:.2f} – {100 * found.high:.2f}"


def percent(rate: float | None) -> str:
    """A rate in percent; a dash where there is none."""
    return "–" if rate is None or math.isnan(rate) else f"{100 * rate:.2f} %"


def summary(scored: Tally, intervals: Mapping[str, Interval], empty: int) -> list[str]:
    """How it was counted, in lines under the table."""
    passport, lead = scored.passport, intervals["cer_nospace"]
    crr = scored.corpus.crr
    normalizer = passport.counting["normalizer"]
    settings = normalizer["settings"]
    applied = (
        "none"
        if settings is None
        else f"version {normalizer['version']}, "
        + ", ".join(f"{name}={value}" for name, value in settings.items())
    )
    without = f", {empty} with an empty reference" if empty else ""
    return [
        f"CRR {'none' if math.isnan(crr) else f'{crr:.2f}'} = (1 − CER without spaces) · 100",
        f"{passport.utterances:,} utterances{without}",
        f"CER without spaces, intervals ({lead.method.replace('_', '-')}), the widest shown above: "
        + "; ".join(f"by {i.by} ({i.units:,}) {bounds(i)}" for i in (lead, *lead.narrower)),
        f"counted over the corpus, NFC, white space collapsed; normaliser: {applied}",
        f"fingerprint {passport.fingerprint}: scores with the same may be compared",
    ]


def countings(figures: Sequence[Figure]) -> Table:
    """Text treatments by metrics, in percent; below each corpus rate the mean of utterances."""
    table = Table(
        title="The same output as others count it, in %",
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        caption="CER is without spaces, sp with them, MER ch over characters without\n"
        "them; mean: of the utterances' rates; * the same figures",
        caption_justify="left",
    )
    table.add_column("text", no_wrap=True)
    for metric in COLUMNS:
        table.add_column(COLUMN_TITLES[metric], justify="right", no_wrap=True)
    for titles, rows in _distinct(figures):
        for average, cells in zip(AVERAGES, rows, strict=True):
            table.add_row(titles[0] if average == "corpus" else "    mean", *cells)
        for title in titles[1:]:
            table.add_row(f"* {title}", *[""] * len(COLUMNS))
    return table


def conventions(figures: Iterable[Figure]) -> list[str]:
    """The figures that somebody is known to publish."""
    return [
        f"{percent(figure.rate):>9}  {figure.known_as}" for figure in figures if figure.known_as
    ]


def matches(figures: Sequence[Figure], rate: float) -> list[str]:
    """The countings nearest to a published rate."""
    lines = [f"nearest to {percent(rate)}:"]
    for figure in nearest(figures, rate):
        who = f" ({figure.known_as})" if figure.known_as else ""
        lines.append(f"{percent(figure.rate):>9}  {described(figure)}{who}")
    return lines


def described(figure: Figure) -> str:
    """A figure's three choices in words."""
    over = "over the corpus" if figure.average == "corpus" else "mean of utterances"
    return f"{_METRICS[figure.metric]}, {over}; text: {TREATMENTS[figure.text].title}"


_METRICS = {**TITLES, "mer_characters": "MER over characters"}


def _distinct(figures: Sequence[Figure]) -> list[tuple[list[str], list[list[str]]]]:
    """Titles and cells of the treatments; those that change nothing stand with their first."""
    found: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for text in dict.fromkeys(figure.text for figure in figures):
        cells = tuple(
            tuple(
                "–" if figure.rate is None else f"{100 * figure.rate:.2f}"
                for figure in figures
                if (figure.text, figure.average) == (text, average)
            )
            for average in AVERAGES
        )
        found.setdefault(cells, []).append(TREATMENTS[text].title)
    return [(titles, [list(row) for row in cells]) for cells, titles in found.items()]
