"""The trade-off: error rate against speed, with the size on disk as area.

A recogniser is worth what it gets right, how soon and in how little space, so one picture shows
all three, for evaluations of the same references counted in the same way. The surprising choice:
speed is by thread and on a logarithmic axis, since twice as fast is worth the same anywhere.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

from malgwi.errors import DataError
from malgwi.report.audit_charts import ticks

_LARGEST_PX = 44.0  # diameter of the largest disc


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One evaluation in the picture.

    Attributes:
        name: What was evaluated.
        search: How it was decoded.
        cer: Error rate, white space removed; NaN where there is nothing to err in.
        low: Bounds of its interval, NaN for none.
        high: See there.
        x_real_time: Seconds of audio a second and thread.
        threads: Threads that were used.
        bytes_on_disk: Of the recogniser.
        measured_on: The machine.
        date: Of the evaluation.
    """

    name: str
    search: str
    cer: float
    low: float
    high: float
    x_real_time: float
    threads: int
    bytes_on_disk: int
    measured_on: str
    date: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> "Contender":
        """From a report's record."""
        bounds = record["intervals"].get("cer_nospace", {})
        low, high = (math.nan if bounds.get(b) is None else bounds[b] for b in ("low", "high"))
        rate = record["scores"]["cer_nospace"]["rate"]
        return cls(
            name=record["title"],
            search=_search(record["decoding"]),
            cer=math.nan if rate is None else rate,
            low=low,
            high=high,
            x_real_time=record["speed"]["x_real_time_per_thread"],
            threads=record["speed"]["threads"],
            bytes_on_disk=record["size"]["bytes_on_disk"],
            measured_on=str(record["facts"].get("machine", "")),
            date=str(record["facts"].get("date", "")),
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def read_contender(path: Path, fingerprint: str) -> Contender:
    """Another evaluation, from its folder or its report.json.

    Args:
        path: Where `malgwi evaluate` wrote it.
        fingerprint: What the scores of this report are comparable by.

    Raises:
        DataError: There is no such report, it holds no speed, or it counted other references or
            counted otherwise.
    """
    file = path / "report.json" if path.is_dir() else path
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        theirs = record["scores"]["passport"]["fingerprint"]
        found = Contender.of(record) if record["speed"] and record["size"] else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} is no report of  malgwi evaluate ({type(error).__name__}: {error}): "
            "give the folder that it wrote, or its report.json"
        ) from None
    if theirs != fingerprint:
        raise DataError(
            f"{file} has the score {theirs}, this one {fingerprint}: other references, or counted "
            "otherwise, so that the rates do not compare. Evaluate both on the same manifest"
        )
    if found is None:
        raise DataError(f"{file} holds no speed: its hypotheses came from elsewhere")
    return found


def _search(decoding: Mapping[str, Any]) -> str:
    """How it was decoded, in a few words.

    >>> _search({"method": "ctc_beam", "ctc_beam": {"beams": 16}, "language_model": {}})
    'ctc_beam 16 + LM'
    """
    method = str(decoding.get("method", ""))
    beam = decoding.get("ctc_beam" if method == "ctc_beam" else "beam", {})
    width = f" {beam['beams']}" if "beam" in method and "beams" in beam else ""
    names = {"language_model": "LM", "source_model": "source LM", "hotwords": "hot-words"}
    fused = (short for part, short in names.items() if part in decoding)
    return " + ".join((f"{method}{width}", *fused))


def trade_off(contenders: Sequence[Contender]) -> str:
    """The picture and its figures; nothing without at least two to compare."""
    shown = [one for one in contenders if not math.isnan(one.cer) and one.x_real_time > 0]
    if len(shown) < 2:
        return ""
    return f'{_picture(shown)}<div class="scroll">{_table(shown)}</div>'


def _picture(shown: Sequence[Contender]) -> str:
    speeds = [one.x_real_time for one in shown]
    left, right = min(speeds) / 1.5, max(speeds) * 1.5
    highest = max(one.cer for one in shown)
    marks = ticks(0, max(100 * highest * 1.15, 1e-3))
    top = max(100 * highest * 1.15, marks[-1])
    largest = max(one.bytes_on_disk for one in shown) or 1

    def across(speed: float) -> float:
        return 100 * math.log(speed / left) / math.log(right / left)

    def down(rate: float) -> float:
        return 100 - 100 * rate / top

    discs = "".join(
        f'<span class="disc" style="left:{across(one.x_real_time):.1f}%;'
        f"top:{down(100 * one.cer):.1f}%;"
        f'--d:{_LARGEST_PX * math.sqrt(one.bytes_on_disk / largest):.1f}px" '
        f'title="{escape(_said(one))}"><b>{number}</b></span>'
        for number, one in enumerate(shown, start=1)
    )
    grid = "".join(
        f'<line x1="0" x2="100" y1="{down(mark):.1f}" y2="{down(mark):.1f}"/>' for mark in marks
    )
    heights = "".join(f'<span style="top:{down(mark):.1f}%">{mark:g} %</span>' for mark in marks)
    widths = "".join(
        f'<span style="left:{across(mark):.1f}%">{mark:g} ×</span>'
        for mark in ticks(left, right, logarithmic=True)
    )
    return (
        '<figure class="chart trade"><figcaption>CER without spaces, by × real time on one thread '
        '<span class="note">area: bytes on disk; best at the lower right</span></figcaption>'
        f'<div class="plot"><div class="ticks">{heights}</div>'
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="Error rate by speed"><g class="grid">{grid}</g></svg>{discs}</div>'
        f'<div class="marks">{widths}</div></figure>'
    )


def _said(one: Contender) -> str:
    return (
        f"{one.name}, {one.search}: {100 * one.cer:.2f} %, {one.x_real_time:.0f} × real time, "
        f"{one.bytes_on_disk / 1e6:.1f} MB"
    )


def _table(shown: Sequence[Contender]) -> str:
    rows = "".join(
        f"<tr><td><b>{number}</b> {escape(one.name)}</td><td>{escape(one.search)}</td>"
        f"<td>{100 * one.cer:.2f} %</td><td>{_bounds(one)}</td><td>{one.x_real_time:.0f} ×</td>"
        f"<td>{one.bytes_on_disk / 1e6:.1f} MB</td><td>{escape(one.measured_on)}, "
        f"{escape(one.date)}</td></tr>"
        for number, one in enumerate(shown, start=1)
    )
    titles = ("", "Search", "CER, no spaces", "95 %", "A thread", "On disk", "Measured")
    head = "".join(f"<th>{title}</th>" for title in titles)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _bounds(one: Contender) -> str:
    return "–" if math.isnan(one.low) else f"{100 * one.low:.1f} – {100 * one.high:.1f}"
