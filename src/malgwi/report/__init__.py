"""One evaluation as two files: report.json for programs, report.html for people.

contents.py is what a report says. page.py lays it out, out of kinds.py (what kind of errors),
confusions.py (letters taken for others), breakdown.py (where the errors are), listing.py (the
utterances), diff.py (aligned texts), charts.py (bars, curves, attention as HTML),
reliability_chart.py (whether confidence can be believed), trade_off.py (error rate, speed and size
beside others) and sound.py (audio inside the page).
figures.py draws curves and attention as files of their own. The page needs nothing but itself: no
network, no other file.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from malgwi.checkpoint import write_bytes
from malgwi.report.breakdown import breakdown
from malgwi.report.contents import Limits, Report, Utterance
from malgwi.report.figures import plot_attention, plot_curves
from malgwi.report.page import render
from malgwi.report.trade_off import Contender, read_contender

__all__ = [
    "Contender",
    "Limits",
    "Report",
    "ReportFiles",
    "Utterance",
    "plot_attention",
    "plot_curves",
    "read_contender",
    "write_report",
]


@dataclass(frozen=True, kw_only=True)
class ReportFiles:
    """Where a report was written."""

    json: Path
    html: Path


def write_report(report: Report, folder: Path, limits: Limits | None = None) -> ReportFiles:
    """Write ``report.json`` and a self-contained ``report.html`` into the folder.

    Both are written beside and renamed, so a reader never meets half a file. The JSON lists every
    utterance; the page lists, plays and draws the worst ones as far as ``limits`` go, and says so.

    Raises:
        AudioError: The audio of an utterance that is to be embedded cannot be read.
    """
    record = json.dumps(_record(report), ensure_ascii=False, indent=2, allow_nan=False)
    page = render(report, limits or Limits())
    files = ReportFiles(json=folder / "report.json", html=folder / "report.html")
    write_bytes(files.json, record.encode() + b"\n")
    write_bytes(files.html, page.encode())
    return files


def _record(report: Report) -> dict[str, Any]:
    """What report.json holds: the report, and what was found out from its texts."""
    groups = {
        name: [group.to_dict() for group in found] for name, found in breakdown(report).items()
    }
    return {
        **report.to_dict(),
        "error_kinds": report.kinds.to_dict(),
        "confusions": report.kinds.confusions.to_dict(),
        "breakdown": groups,
    }
