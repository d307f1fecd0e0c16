"""What follows from holding out some speakers or scripts: the three ways to divide utterances.

Speakers and scripts are the two sides of a graph whose edges are utterances. `Whole` holds out
units of one side (or whole components, or single utterances) and minds nothing else. `Yielding`
does the same and counts the held-out utterances whose other side is also left: what leaks. `Cut`
divides both sides and loses the utterances of which only one side is held out.

The surprising choice: in a cut only one side is chosen, the other follows. Given the speakers,
taking the scripts whose loss is least for what they bring, until the size is reached, is the
greedy solution of a knapsack, within one script of the best. A script that only held-out speakers
read is always taken: nothing is lost for the sake of a smaller part.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from malgwi.split.components import Ids
from malgwi.split.linkage import Rows, size

Mask = NDArray[np.bool_]
Seconds = NDArray[np.float64]

#: A part may be this much (of its wanted size) larger or smaller than wanted.
TOLERANCE = 0.1
#: Levels of clusters, from whole components to single units.
_LEVELS = 8
#: Where a part is nearly full, so many units are tried for what still fits.
_TRIED = 2000


@dataclass(frozen=True)
class Goal:
    """What a part should hold.

    Attributes:
        wanted_s: [V] duration by value of each column, corpora first.
        column_sizes: [K] how many values each column has.
        share: Of everything, what is wanted.
    """

    wanted_s: Seconds
    column_sizes: tuple[int, ...]
    share: float

    @cached_property
    def columns(self) -> tuple[slice, ...]:
        ends = np.cumsum(self.column_sizes).tolist()
        return tuple(slice(end - n, end) for end, n in zip(ends, self.column_sizes, strict=True))

    def excess(self, held_s: Seconds) -> float:
        """Seconds beyond the tolerance, of every corpus and of all together, over the whole."""
        wanted_s = self.wanted_s[self.columns[0]]
        got_s = held_s[self.columns[0]]
        beyond_s = np.abs(got_s - wanted_s) - TOLERANCE * wanted_s
        together_s = abs(got_s.sum() - wanted_s.sum()) - TOLERANCE * wanted_s.sum()
        whole_s = wanted_s.sum() / self.share
        return float((np.maximum(beyond_s, 0).sum() + max(together_s, 0.0)) / whole_s)

    def imbalance(self, held_s: Seconds) -> float:
        """How far the strata's shares are off: total variation, mean over columns, 0 to 1."""
        total_s = max(held_s[self.columns[0]].sum(), 1e-9)
        wanted_s = max(self.wanted_s[self.columns[0]].sum(), 1e-9)
        off = [
            float(np.abs(held_s[c] / total_s - self.wanted_s[c] / wanted_s).sum()) / 2
            for c in self.columns[1:]
        ]
        return float(sum(off) / len(off)) if off else 0.0


@dataclass(frozen=True)
class Outcome:
    """What holding out some units does.

    Attributes:
        held: [N] utterances held out.
        rest: [N] utterances left; those in neither are lost.
        cost: How many utterances are lost, or leak.
        others: [W] the other side's units that are held out.
    """

    held: Mask
    rest: Mask
    cost: int
    others: Mask


class Problem(Protocol):
    """Utterances to divide by units of one side."""

    @property
    def rows(self) -> Rows:
        """The N utterances."""

    @property
    def unit(self) -> Ids:
        """[N] the unit of each, from 0."""

    def clusterings(self) -> Iterator[Ids]:
        """[U] clusters of units that had better stay together, the coarsest first."""

    def outcome(self, units: Mask, goal: Goal) -> Outcome:
        """What holding out these of the [U] units does."""


@dataclass(frozen=True)
class Whole:
    """Units are held out with all their utterances, which costs nothing.

    Attributes:
        rows: The N utterances.
        unit: [N] of each utterance.
    """

    rows: Rows
    unit: Ids

    def clusterings(self) -> Iterator[Ids]:
        yield np.arange(size(self.unit))

    def outcome(self, units: Mask, goal: Goal) -> Outcome:
        held = units[self.unit]
        return Outcome(held, ~held, 0, units)


@dataclass(frozen=True)
class Yielding:
    """Units are held out whole; held-out utterances whose other side is also left are the cost.

    Attributes:
        rows: The N utterances.
        unit: [N] of the side that is kept apart.
        other: [N] of the side that yields.
    """

    rows: Rows
    unit: Ids
    other: Ids

    def clusterings(self) -> Iterator[Ids]:
        yield from _clusterings(self.unit, self.other)

    def outcome(self, units: Mask, goal: Goal) -> Outcome:
        held = units[self.unit]
        left = np.zeros(size(self.other), np.bool_)
        left[self.other[~held]] = True
        return Outcome(held, ~held, int((held & left[self.other]).sum()), ~left)


@dataclass(frozen=True)
class Cut:
    """Both sides are divided; utterances of which only one side is held out are lost.

    Attributes:
        rows: The N utterances.
        unit: [N] of the side that is chosen.
        other: [N] of the side that follows.
    """

    rows: Rows
    unit: Ids
    other: Ids

    def clusterings(self) -> Iterator[Ids]:
        yield from _clusterings(self.unit, self.other)

    @cached_property
    def _home(self) -> Ids:
        return self.rows.home(self.other)

    @cached_property
    def _count(self) -> Ids:
        """[W] utterances of each unit of the other side."""
        return np.bincount(self.other)

    def outcome(self, units: Mask, goal: Goal) -> Outcome:
        chosen = units[self.unit]
        inside = np.bincount(self.other, chosen)
        outside = self._count - inside
        inside_s = np.bincount(self.other, chosen * self.rows.duration_s)
        others = (inside > 0) & (outside == 0)
        for corpus, wanted_s in enumerate(goal.wanted_s[goal.columns[0]].tolist()):
            home = self._home == corpus
            own_s = float(inside_s[others & home].sum())
            here = np.flatnonzero((inside > 0) & (outside > 0) & home)
            least_s, most_s = ((1 + sign * TOLERANCE) * wanted_s - own_s for sign in (-1, 1))
            loss = outside[here] - inside[here]
            others[here[_followers(loss, inside_s[here], least_s, most_s)]] = True
        follows = others[self.other]
        held, rest = chosen & follows, ~chosen & ~follows
        return Outcome(held, rest, len(held) - int(held.sum()) - int(rest.sum()), others)


def _followers(loss: NDArray[Any], brought_s: NDArray[Any], least_s: float, most_s: float) -> Ids:
    """Which units to take for the least loss: all that lose nothing, and others up to the size.

    Args:
        loss: [n] utterances lost if a unit is taken rather than left; negative where fewer.
        brought_s: [n] what it brings.
        least_s: The size from which only gain is taken.
        most_s: The size that is not passed.
    """
    order = np.lexsort((brought_s, loss / np.maximum(brought_s, 1e-9)))
    reached_s = np.cumsum(brought_s[order])
    fit = int(np.searchsorted(reached_s, least_s, "right"))
    taken, size_s = order[:fit].tolist(), float(reached_s[fit - 1]) if fit else 0.0
    for n in order[fit : fit + _TRIED].tolist():
        if size_s >= least_s and loss[n] >= 0:
            break
        if size_s + brought_s[n] <= most_s:
            taken.append(n)
            size_s += float(brought_s[n])
    return np.array(taken, np.int64)


def _clusterings(unit: Ids, other: Ids) -> Iterator[Ids]:
    """Components of units as the other side's busiest units are taken away."""
    units, others = size(unit), size(other)
    links = np.unique(unit * others + other)
    unit, other = links // others, links % others
    degree = np.bincount(other, minlength=others)
    before = -1
    for most in np.unique(np.geomspace(1, max(degree.max(initial=1), 1), _LEVELS).round())[::-1]:
        near = degree[other] <= most
        ones = np.ones(int(near.sum()), np.int64)
        graph = coo_array((ones, (unit[near], units + other[near])), (units + others,) * 2)
        clusters = np.unique(connected_components(graph, False)[1][:units], return_inverse=True)[1]
        if (count := size(clusters)) != before:
            yield clusters
        before = count
