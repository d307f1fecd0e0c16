"""Distributions as pictures: one curve a part over shared bins, drawn by the page itself.

Heights are shares of a part's utterances, so that a small part can be compared with a large one.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

from malgwi.audit.histogram import Histogram

#: Colours of the page's style, one a part; more parts begin again.
COLOURS = 6
#: Bins beyond these quantiles are cut off if they are empty for all parts.
_MARGIN_BINS = 1


def distribution(title: str, parts: Mapping[str, Histogram], *, digits: int = 1) -> str:
    """A picture of one measure; empty where nothing was measured.

    Args:
        title: Above the picture; the unit is added.
        parts: Name → histogram, all with the same edges.
        digits: Decimals of the figures.
    """
    counted = {name: histogram for name, histogram in parts.items() if histogram.count}
    if not counted:
        return ""
    some = next(iter(counted.values()))
    first, last = _shown_bins(list(counted.values()))
    edges = some.edges[first : last + 1]
    heights = {name: _heights(histogram, first, last) for name, histogram in counted.items()}
    top = max(max(shares) for shares in heights.values()) or 1.0
    places = {name: place for place, name in enumerate(parts)}
    lines = "".join(
        f'<path class="p{places[name] % COLOURS}" d="{_outline(edges, shares, top, some)}"/>'
        for name, shares in heights.items()
    )
    keys = "".join(
        _key(name, histogram, places[name], digits) for name, histogram in counted.items()
    )
    return (
        f'<figure class="chart"><figcaption>{escape(title)} <span class="unit">'
        f"{escape(some.unit)}</span></figcaption>"
        f'<div class="plot tall"><svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}">{_grid()}{lines}</svg></div>'
        f"{_axis(edges, some)}"
        f'<div class="keys">{keys}</div></figure>'
    )


def _shown_bins(histograms: Sequence[Histogram]) -> tuple[int, int]:
    """First and last (exclusive) bin that is not empty for all, with a margin."""
    number = len(histograms[0].counts)
    filled = [place for place in range(number) if any(h.counts[place] for h in histograms)]
    if not filled:
        return 0, number
    return max(0, filled[0] - _MARGIN_BINS), min(number, filled[-1] + 1 + _MARGIN_BINS)


def _heights(histogram: Histogram, first: int, last: int) -> list[float]:
    """Shares of the shown bins; what lies outside of all bins stands in the legend."""
    return [count / histogram.count for count in histogram.counts[first:last]]


def _outline(edges: Sequence[float], shares: Sequence[float], top: float, scale: Histogram) -> str:
    """The stairs over the bins as an SVG path, closed along the bottom."""
    across = [_across(edge, edges, scale) for edge in edges]
    steps = [f"M{across[0]:.2f},100"]
    for left, right, share in zip(across, across[1:], shares, strict=False):
        down = 100 * (1 - share / top)
        steps.append(f"L{left:.2f},{down:.2f}L{right:.2f},{down:.2f}")
    return f"{''.join(steps)}L{across[-1]:.2f},100Z"


def _across(value: float, edges: Sequence[float], scale: Histogram) -> float:
    """Where a value lies between the outer edges, in percent."""
    low, high = edges[0], edges[-1]
    if scale.logarithmic:
        return 100 * math.log(value / low) / math.log(high / low)
    return 100 * (value - low) / (high - low)


def _grid() -> str:
    lines = "".join(f'<line x1="0" x2="100" y1="{y}" y2="{y}"/>' for y in (0, 50, 100))
    return f'<g class="grid">{lines}</g>'


def _axis(edges: Sequence[float], scale: Histogram) -> str:
    """Four or five round numbers along the bottom."""
    marks = "".join(
        f'<span style="left:{_across(value, edges, scale):.1f}%">{_short(value)}</span>'
        for value in ticks(edges[0], edges[-1], logarithmic=scale.logarithmic)
    )
    return f'<div class="marks">{marks}</div>'


def ticks(low: float, high: float, *, logarithmic: bool = False) -> list[float]:
    """Round numbers from ``low`` to ``high``, some three to six.

    >>> ticks(-3, 41), ticks(0.4, 60, logarithmic=True)
    ([0.0, 10.0, 20.0, 30.0, 40.0], [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0])
    """
    if logarithmic:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        wide = high / low > 300
        steps = (1.0,) if wide else (1.0, 2.0, 5.0)
        found = [step * 10.0**decade for decade in decades for step in steps]
    else:
        step = _round_step((high - low) / 5)
        found = [step * n for n in range(math.floor(low / step), math.ceil(high / step) + 1)]
    return [value for value in found if low <= value <= high]


def _round_step(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power * (1 + 1e-9))


def _short(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.3g}" if abs(value) < 1_000 else f"{value:g}"


def _key(name: str, histogram: Histogram, place: int, digits: int) -> str:
    """Name, median and the middle 90 % of one part, and what the picture leaves out."""
    low, middle, high = (f"{histogram.quantile(q):,.{digits}f}" for q in (0.05, 0.5, 0.95))
    outside = histogram.below + histogram.above
    left_out = f"; {outside / histogram.count:.1%} outside of the picture" if outside else ""
    return (
        f'<span class="key p{place % COLOURS}">{escape(name)} <b>{middle}</b> '
        f"(90 %: {low} to {high}{left_out})</span>"
    )
