"""Which utterances to hold out: of the wanted size, alike in kind, and at the least cost.

Finding the cheapest speakers and scripts of a given size is a balanced minimum cut and NP hard
(M. R. Garey, D. S. Johnson, L. Stockmeyer, "Some simplified NP-complete graph problems",
Theoretical Computer Science 1(3), 1976). So this is a search: all choices where units are few,
else draws and then changes at random for as long as they help. How far it can miss is not
bounded; tests hold it against exhaustive search on small graphs.

The surprising choice: what is drawn are clusters of speakers, components of the graph after the
scripts that more than so many speakers read are taken away, for a falling number. At first these
are whole components, which lose nothing; then a few greetings that everybody says are cut; at
last single speakers.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.sparse import coo_array, csr_array

from malgwi.split.components import Ids
from malgwi.split.division import Goal, Mask, Outcome, Problem, Seconds
from malgwi.split.linkage import size

#: A second beyond the tolerance weighs as much as this many seconds' worth of lost utterances.
_SIZE_WEIGHT = 5.0
#: A part that has nothing in common with the strata wanted weighs as this share of utterances.
_STRATA_WEIGHT = 0.1
#: Within the tolerance a size is nearly free.
_CLOSENESS_WEIGHT = 0.001
#: Below this there is nothing left to gain.
_GOOD_ENOUGH = 1e-5
#: Up to so many units all sets are weighed.
_EXHAUSTIVE = 10
#: Clusters of at most this share of a corpus's wanted size are taken by the armful.
_SMALL = 0.05
#: A part is full when so little of it is missing.
_FULL = 0.01
#: Of the others, and to fill up, so many are weighed one by one.
_WEIGHED = 2000


@dataclass(frozen=True)
class HeldOut:
    """A choice.

    Attributes:
        cost: Corpora of which nothing is held out, and twice those of which nothing is left; then
            what else is to be kept small.
        fits: Every corpus is represented, at a size within the tolerance.
        units: [U] which units are held out.
        outcome: What that does.
    """

    cost: tuple[int, float]
    fits: bool
    units: Mask
    outcome: Outcome


def hold_out(
    problem: Problem,
    goal: Goal,
    generator: np.random.Generator,
    *,
    evaluations: int,
    starts: tuple[Mask, ...] = (),
) -> HeldOut:
    """The best choice found.

    Args:
        problem: What holding out units entails.
        goal: What is wanted.
        generator: Equal problem, goal and generator give an equal choice.
        evaluations: How many choices to weigh; up to `_EXHAUSTIVE` units, all of them.
        starts: [U] choices to begin with.
    """
    search, count = _Search(problem, goal), size(problem.unit)
    if count <= _EXHAUSTIVE:
        for choice in product((False, True), repeat=count):
            search.weigh(np.array(choice, np.bool_))
        return search.best
    for start in (np.zeros(count, np.bool_), *starts):
        search.weigh(start)
    clusterings = _draw(search, generator, evaluations // 2)
    _climb(search, clusterings, generator, evaluations - evaluations // 2)
    return search.best


@dataclass
class _Search:
    """The best choice so far."""

    problem: Problem
    goal: Goal
    _best: HeldOut | None = None

    @property
    def best(self) -> HeldOut:
        assert self._best is not None, "weigh comes first"
        return self._best

    @property
    def done(self) -> bool:
        return self.best.fits and self.best.cost[1] < _GOOD_ENOUGH

    def weigh(self, units: Mask) -> bool:
        """Keep the choice if it is better than all before."""
        rows, goal = self.problem.rows, self.goal
        outcome = self.problem.outcome(units, goal)
        held_s = rows.total_s(len(goal.wanted_s), outcome.held)
        rest = np.bincount(rows.cells[0], outcome.rest, goal.column_sizes[0])
        corpora = goal.columns[0]
        missing = int((held_s[corpora] <= 0).sum() + 2 * (rest <= 0).sum())
        excess = goal.excess(held_s)
        close = abs(held_s[corpora].sum() / goal.wanted_s[corpora].sum() - 1)
        price = (
            outcome.cost / max(len(outcome.held), 1)
            + _SIZE_WEIGHT * excess
            + _STRATA_WEIGHT * goal.imbalance(held_s)
            + _CLOSENESS_WEIGHT * float(close)
        )
        cost = (missing, price)
        if self._best is not None and cost >= self._best.cost:
            return False
        fits = missing == 0 and excess <= 0
        self._best = HeldOut(cost, fits, units, outcome)
        return True


def _draw(search: _Search, generator: np.random.Generator, count: int) -> list[Ids]:
    """Weigh sets of clusters of the wanted size, or larger, at random; give the clusterings.

    Of a set larger than wanted only some of the scripts are taken, which loses less where every
    speaker reads the same: shares x of speakers and y of scripts hold out x·y and lose
    x + y − 2·x·y, least where both are the root of what is wanted.
    """
    clusterings = list(search.problem.clusterings())
    fillers = [_Filler(search.problem, clusters, search.goal) for clusters in clusterings]
    factors = search.goal.share ** -np.linspace(0, 0.5, 4)
    plans = [(fillers[0], 1.0)] if fillers else []
    plans += [(filler, float(f)) for f in factors for filler in fillers[1:]]
    for n in range(count):
        filler, factor = plans[n * len(plans) // count if count < len(plans) else n % len(plans)]
        search.weigh(filler.fill(generator, factor))
        if search.done:
            break
    return clusterings


def _climb(
    search: _Search, clusterings: list[Ids], generator: np.random.Generator, count: int
) -> None:
    """Add, remove or exchange clusters at random, until a third of all tries in a row failed."""
    failed = 0
    for _ in range(count):
        if search.done or failed > count / 3:
            return
        units = search.best.units.copy()
        clusters = clusterings[int(generator.integers(len(clusterings)))]
        move = int(generator.integers(3))
        for leaving in ((True,), (False,), (True, False))[move]:
            candidates = np.flatnonzero(search.best.units == leaving)
            if len(candidates):
                one = candidates[int(generator.integers(len(candidates)))]
                units[clusters == clusters[one]] = not leaving
        failed = 0 if search.weigh(units) else failed + 1


class _Filler:
    """Draws sets of clusters that hold about what is wanted of every corpus and stratum."""

    def __init__(self, problem: Problem, clusters: Ids, goal: Goal) -> None:
        rows, self._clusters, self._wanted_s = problem.rows, clusters, goal.wanted_s
        shape = (size(clusters), len(goal.wanted_s))
        at = (np.tile(clusters[problem.unit], len(rows.cells)), rows.cells.ravel())
        durations_s = np.tile(rows.duration_s, len(rows.cells))
        self._table = csr_array(coo_array((durations_s, at), shape))
        by_corpus = self._table[:, goal.columns[0]]
        self._size_s: Seconds = np.asarray(by_corpus.sum(axis=1)).ravel()
        self._homes = rows.home(clusters[problem.unit])
        self._corpora = goal.column_sizes[0]

    def fill(self, generator: np.random.Generator, factor: float) -> Mask:
        """[U] units of a random set of clusters that holds ``factor`` times the wanted size.

        Small clusters are taken up to nine tenths of it; then, one by one, those that bring every
        corpus and stratum nearer to what is wanted, by chi square.
        """
        wanted_s = self._wanted_s * factor
        order = generator.permutation(len(self._size_s))
        taken = self._armful(order, wanted_s)
        missing_s = wanted_s - self._table.T @ taken.astype(np.float64)
        weights = 1 / np.maximum(wanted_s, 1e-9)
        for cluster in order[~taken[order]][:_WEIGHED].tolist():
            row = slice(self._table.indptr[cluster], self._table.indptr[cluster + 1])
            at, brings_s = self._table.indices[row], self._table.data[row]
            if (brings_s * (2 * missing_s[at] - brings_s) * weights[at]).sum() > 0:
                taken[cluster] = True
                missing_s[at] -= brings_s
                if (np.abs(missing_s) <= _FULL * wanted_s).all():
                    break
        self._represent(taken)
        chosen: Mask = taken[self._clusters]
        return chosen

    def _armful(self, order: Ids, wanted_s: Seconds) -> Mask:
        """Small clusters in this order up to nine tenths of what is wanted of their corpus."""
        taken = np.zeros(len(order), np.bool_)
        for corpus in range(self._corpora):
            small = (self._homes == corpus) & (self._size_s <= _SMALL * wanted_s[corpus])
            here = order[small[order]]
            taken[here[np.cumsum(self._size_s[here]) <= 0.9 * wanted_s[corpus]]] = True
        return taken

    def _represent(self, taken: Mask) -> None:
        """Of a corpus of which nothing is taken, take the smallest cluster if it has several."""
        for corpus in range(self._corpora):
            here = np.flatnonzero(self._homes == corpus)
            if len(here) > 1 and not taken[here].any():
                taken[here[np.argmin(self._size_s[here])]] = True
