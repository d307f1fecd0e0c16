"""Bars, curves and attention as HTML that follows the page's width and colours.

Labels are HTML, not parts of a picture: they keep their size on a telephone, and the browser's
own fonts draw the Hangul.

Shapes: U tokens, T encoder frames.
"""

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from malgwi.metrics.error_rate import ErrorRate
from malgwi.report.figures import CURVES, attention_png, series

Points = tuple[NDArray[np.float64], NDArray[np.float64]]


def percent(rate: ErrorRate, digits: int = 1) -> str:
    """The rate as a reader sees it.

    >>> percent(ErrorRate(3, 1, 0, 0, 4)), percent(ErrorRate(0, 0, 0, 2, 0))
    ('25.0 %', '–')
    """
    return f"{100 * rate.rate:.{digits}f} %" if rate.denominator else "–"


def clock(seconds: float) -> str:
    """Seconds as a person reads them.

    >>> clock(4.25), clock(75), clock(7300)
    ('4.2 s', '1:15 min', '2:01 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d} h"


def sortable(rate: ErrorRate) -> float:
    """The rate where there is one, else 0."""
    return rate.rate if rate.denominator else 0.0


class Bar(NamedTuple):
    """One row: label, error rate, a note, and the bounds of the rate's interval, NaN for none."""

    label: str
    rate: ErrorRate
    note: str
    low: float = math.nan
    high: float = math.nan


def bars(rows: Sequence[Bar]) -> str:
    """Horizontal bars with whiskers, one a row; the longest fills the width.

    A whisker may widen the scale to half as much again as the longest bar, and is cut beyond.
    """
    top = max((sortable(row.rate) for row in rows), default=0.0)
    reach = max((row.high for row in rows if not math.isnan(row.high)), default=0.0)
    scale = max(top, min(reach, 1.5 * top)) or 1.0
    drawn = (
        f'<div class="bar"><span class="label" title="{escape(row.label)}">{escape(row.label)}'
        f'</span><span class="track"><span class="fill" '
        f'style="width:{100 * sortable(row.rate) / scale:.1f}%"></span>{_whisker(row, scale)}'
        f'</span><span class="value">{percent(row.rate)}</span>'
        f'<span class="note">{escape(row.note)}</span></div>'
        for row in rows
    )
    return f'<div class="bars">{"".join(drawn)}</div>'


def _whisker(row: Bar, scale: float) -> str:
    if math.isnan(row.low) or math.isnan(row.high):
        return ""
    low, high = (100 * min(max(bound / scale, 0.0), 1.0) for bound in (row.low, row.high))
    return f'<span class="whisker" style="left:{low:.1f}%;width:{high - low:.1f}%"></span>'


def curves(metrics: Sequence[Mapping[str, Any]]) -> str:
    """Loss, development CER and learning rate over the steps; only what was recorded."""
    return "".join(_chart(metrics, title, names) for title, names in CURVES)


def _chart(metrics: Sequence[Mapping[str, Any]], title: str, names: Sequence[str]) -> str:
    scale = 100.0 if names == ("dev_cer",) else 1.0
    found: dict[str, Points] = {}
    for name in names:
        steps, values = series(metrics, name)
        if len(steps) > 1:
            found[name] = steps, scale * values
    if not found:
        return ""
    left = min(float(steps[0]) for steps, _ in found.values())
    right = max(float(steps[-1]) for steps, _ in found.values())
    top = _ceiling(max(float(values.max()) for _, values in found.values()))
    lines = "".join(
        f'<polyline class="s{place}" points="{_points(pair, left, right, top)}"/>'
        for place, pair in enumerate(found.values())
    )
    grid = "".join(f'<line x1="0" x2="100" y1="{y}" y2="{y}"/>' for y in (0, 25, 50, 75, 100))
    ticks = "".join(
        f'<span style="top:{100 * (1 - share):.0f}%">{top * share:.3g}</span>'
        for share in (0, 0.5, 1)
    )
    return (
        f'<figure class="chart"><figcaption>{escape(title)} {_legend(found)}</figcaption>'
        f'<div class="plot"><div class="ticks">{ticks}</div>'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}"><g class="grid">{grid}</g>{lines}</svg></div>'
        f'<div class="axis"><span>step {left:,.0f}</span><span>{right:,.0f}</span></div></figure>'
    )


def _legend(found: Mapping[str, Points]) -> str:
    """Name, last and lowest value of each series."""
    return "".join(
        f'<span class="key s{place}">{escape(name)} <b>{values[-1]:.4g}</b>'
        f" (lowest {values.min():.4g})</span>"
        for place, (name, (_, values)) in enumerate(found.items())
    )


def _points(pair: Points, left: float, right: float, top: float) -> str:
    steps, values = pair
    across = 100 * (steps - left) / max(right - left, 1e-9)
    down = 100 * (1 - np.clip(values / top, 0, 1))
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in zip(across, down, strict=True))


def _ceiling(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten.

    >>> _ceiling(7.3), _ceiling(0.021), _ceiling(0.0)
    (10.0, 0.025, 1.0)
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if value <= step * power * (1 + 1e-9))


def attention(matrix: NDArray[np.float32], tokens: Sequence[str], duration_s: float) -> str:
    """Which moment each token looked at: a row a token, time to the right.

    Args:
        matrix: [U, T] weights.
        tokens: U labels.
        duration_s: Time that the T frames cover.
    """
    picture = b64encode(attention_png(matrix)).decode()
    labels = "".join(f"<span>{escape(token)}</span>" for token in tokens)
    marks = "".join(f"<span>{duration_s * share:.1f} s</span>" for share in (0, 0.25, 0.5, 0.75, 1))
    return (
        f'<div class="attention"><div class="tokens">{labels}</div><div>'
        f'<img alt="attention over time" style="height:calc({len(tokens)} * var(--row))" '
        f'src="data:image/png;base64,{picture}"><div class="axis">{marks}</div></div></div>'
    )
