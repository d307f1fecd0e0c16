"""An audit on the terminal: totals, distributions, suspicions, leakage, and what to know first."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from malgwi.audit import Audit, PartAudit
from malgwi.audit.ranking import KINDS
from malgwi.leakage import RELATIONS, Leak

_COLOURS = {"error": "bold red", "check": "yellow", "note": "cyan"}
_QUANTILES = (0.05, 0.5, 0.95)
#: Rows of the table of distributions: measure → label, decimals.
_SHOWN = {
    "duration_s": ("duration, s", 1),
    "characters_per_second": ("characters/s", 1),
    "level_dbfs": ("loudness, dBFS", 0),
    "snr_db": ("signal to noise, dB", 0),
    "leading_silence_s": ("silence before, s", 2),
    "trailing_silence_s": ("silence behind, s", 2),
    "bandwidth_hz": ("bandwidth, Hz", 0),
}


def show(found: Audit, console: Console) -> None:
    """Print it; what to know first comes last, where the eye is."""
    console.print(_totals(found.parts))
    console.print(_distributions(found.parts))
    if found.suspicions:
        console.print(_suspicions(found))
    if found.leaks:
        console.print(_leaks(found))
    for finding in found.findings:
        colour = _COLOURS[finding.weight]
        console.print(f"[{colour}]{finding.weight:<5}[/] {escape(finding.text)}")
    if not found.findings:
        console.print("nothing stands out")


def _table(first: str, *headings: str) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _totals(parts: Sequence[PartAudit]) -> Table:
    table = _table("part", "utterances", "hours", "speakers", "scripts", "characters", "words")
    for part in parts:
        totals = part.totals()
        table.add_row(
            escape(part.part.name),
            f"{totals['utterances']:,}",
            f"{totals['hours']:.2f}",
            *(f"{totals[name]:,}" for name in ("speakers", "scripts", "characters", "words")),
        )
    return table


def _distributions(parts: Sequence[PartAudit]) -> Table:
    table = _table("5 % · median · 95 %", *(escape(part.part.name) for part in parts))
    for name, (label, digits) in _SHOWN.items():
        rows = [part.distributions[name] for part in parts]
        if any(row.count for row in rows):
            cells = (
                " · ".join(f"{row.quantile(share):.{digits}f}" for share in _QUANTILES)
                if row.count
                else "–"
                for row in rows
            )
            table.add_row(label, *cells)
    return table


def _suspicions(found: Audit) -> Table:
    table = _table("suspicious", "count")
    table.expand = True  # with a ratio, only the last column gives way to a narrow terminal
    table.add_column("the worst", overflow="ellipsis", no_wrap=True, ratio=1)
    for suspicion in found.suspicions:
        kind = KINDS[suspicion.kind]
        worst = suspicion.suspects[0] if suspicion.suspects else None
        said = "" if worst is None else f"{worst.reason}: {worst.facts.id}"
        title = f"[{_COLOURS[kind.weight]}]{kind.title}[/]"
        table.add_row(title, f"{suspicion.count:,}", escape(said))
    return table


def _leaks(found: Audit) -> Table:
    table = _table("leakage", *(name.replace("_", " ") for name in RELATIONS))
    bound, unjudged = found.config.max_leakage, found.unjudged
    pairs = list(dict.fromkeys((leak.first, leak.second) for leak in found.leaks))
    for first, second in pairs:
        of_pair = (leak for leak in found.leaks if (leak.first, leak.second) == (first, second))
        by_relation = {leak.relation: leak for leak in of_pair}
        cells = (_share(by_relation[name], bound, unjudged) for name in RELATIONS)
        table.add_row(escape(f"{second} in {first}"), *cells)
    return table


def _share(leak: Leak, bound: float, unjudged: Sequence[Leak]) -> str:
    if not leak.judged or (leak in unjudged and not leak.leaking):
        return "[yellow]unknown[/]"
    unknown = f" [yellow]({leak.unknown:,} unknown)[/]" if leak.unknown else ""
    share = f"[bold red]{leak.share:.1%}[/]" if leak.share > bound else f"{leak.share:.1%}"
    return f"{share}{unknown}"
