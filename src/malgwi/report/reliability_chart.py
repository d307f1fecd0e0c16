"""The reliability of confidence: a diagram of accuracy over confidence, and its figures."""

from collections.abc import Mapping
from html import escape

from malgwi.character_confidence import ConfidenceCheck
from malgwi.metrics.reliability import Bin, Reliability


def confidence(check: ConfidenceCheck | None) -> str:
    """The diagram and a line of figures a curve; nothing where confidence was not asked for."""
    if check is None:
        return ""
    found = check.named()
    halves = " and ".join(f"{half.ece:.3f}" for half in check.halves)
    held = (
        f" Held out: fitted on one half of the speakers, judged on the other, both ways (ECE of "
        f"the halves {halves}); the run keeps a fit on all of them."
        if check.held_out is not None
        else ""
    )
    return (
        f'{_diagram(found)}<div><div class="scroll">{_table(found)}</div>'
        f'<p class="note">ECE: mean distance of confidence from the share that is right, over '
        f"{len(check.given.bins)} bins of equal mass, which are the points of the diagram.{held}"
        "</p></div>"
    )


def _table(found: Mapping[str, Reliability]) -> str:
    """A figure a row, a curve a column."""
    rows = {
        "ECE": [f"{one.ece:.3f}" for one in found.values()],
        "ECE, bins of equal width": [f"{one.ece_equal_width:.3f}" for one in found.values()],
        "Mean confidence": [f"{100 * one.mean:.1f} %" for one in found.values()],
        "Right": [f"{100 * one.accuracy:.1f} %" for one in found.values()],
        "A right one is surer than a wrong one": [
            "–" if one.auc is None else f"{100 * one.auc:.1f} %" for one in found.values()
        ],
        "Characters": [f"{one.count:,}" for one in found.values()],
    }
    head = "".join(f"<th>{escape(name)}</th>" for name in found)
    body = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
        for name, cells in rows.items()
    )
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"


def _diagram(found: Mapping[str, Reliability]) -> str:
    """Points that lie on the diagonal are believable; below it, confidence is too high."""
    lines = "".join(
        f'<polyline class="s{place}" points="{_points(one.bins)}"/>'
        for place, one in enumerate(found.values())
    )
    keys = "".join(
        f'<span class="key s{place}">{escape(name)}</span>' for place, name in enumerate(found)
    )
    grid = "".join(f'<line x1="0" x2="100" y1="{y}" y2="{y}"/>' for y in (0, 25, 50, 75, 100))
    ticks = "".join(f'<span style="top:{100 - share}%">{share} %</span>' for share in (0, 50, 100))
    return (
        f'<figure class="chart"><figcaption>Right, by confidence {keys}</figcaption>'
        f'<div class="plot"><div class="ticks">{ticks}</div>'
        '<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="Share of right characters by confidence"><g class="grid">{grid}'
        f'<line x1="0" x2="100" y1="100" y2="0"/></g>{lines}</svg></div>'
        '<div class="axis"><span>confidence 0 %</span><span>100 %</span></div></figure>'
    )


def _points(bins: tuple[Bin, ...]) -> str:
    return " ".join(f"{100 * one.confidence:.2f},{100 - 100 * one.accuracy:.2f}" for one in bins)
