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
    rows = "".join(_row(name, one) for name, one in found.items())
    halves = " and ".join(f"{half.ece:.3f}" for half in check.halves)
    held = (
        f" Held out: fitted on one half of the speakers, judged on the other, both ways (ECE of "
        f"the halves {halves}); the run keeps a fit on all of them."
        if check.held_out is not None
        else ""
    )
    count = len(check.given.bins)
    return (
        f"{_diagram(found)}<div><table><thead><tr><th></th><th>ECE</th>"
        f"<th>equal width</th><th>right surer than wrong</th><th>mean confidence</th>"
        f"<th>right</th><th>characters</th></tr></thead><tbody>{rows}</tbody></table>"
        f'<p class="note">ECE: mean distance of confidence from the share that is right, over '
        f"{count} bins of equal mass, which are the points of the diagram.{halves and held}</p>"
        "</div>"
    )


def _row(name: str, one: Reliability) -> str:
    auc = "–" if one.auc is None else f"{100 * one.auc:.1f} %"
    cells = (
        *(f"{one.ece:.3f}", f"{one.ece_equal_width:.3f}", auc),
        *(f"{100 * one.mean:.1f} %", f"{100 * one.accuracy:.1f} %", f"{one.count:,}"),
    )
    return f"<tr><td>{escape(name)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


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
