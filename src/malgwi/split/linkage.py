"""Utterances as numbers, and what links them: a speaker, a script, nearly the same script.

What a split has to know of a million utterances fits into a few arrays. Rows are put into the
order of their ids and everything is numbered by first appearance there, so nothing that follows
depends on the order in which the utterances came.

The surprising choice: being nearly the same is passed on. If A is near B and B near C, all three
are one script here even where A and C are further apart, since B can only stand in one part.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from malgwi.errors import ConfigError, DataError
from malgwi.manifest import Facts
from malgwi.split.components import Components, Ids
from malgwi.text.scripts import check_distance, script
from malgwi.text.similarity_join import similar_pairs

#: Numbers are stratified by as many equally filled bins.
_BINS = 5


@dataclass(frozen=True)
class Rows:
    """N utterances.

    Attributes:
        speaker: [N] who speaks, from 0.
        script: [N] the group of nearly equal scripts, from 0.
        duration_s: [N].
        cells: [K, N] for each column to stratify by, the corpus first, the utterance's value; no
            two columns have a number in common.
    """

    speaker: Ids
    script: Ids
    duration_s: NDArray[np.float64]
    cells: Ids

    def take(self, rows: NDArray[Any]) -> "Rows":
        """Some of the utterances; their speakers and scripts are numbered anew, in order."""
        speaker, script_ = (
            np.unique(side[rows], return_inverse=True)[1] for side in (self.speaker, self.script)
        )
        return Rows(speaker, script_, self.duration_s[rows], self.cells[:, rows])

    def home(self, unit: Ids) -> Ids:
        """[U] the corpus in which each unit has most, where ``unit`` [N] is of each utterance."""
        home = np.zeros(size(unit), np.int64)
        most_s = np.zeros(size(unit))
        for corpus in range(size(self.cells[0])):
            here_s = np.bincount(unit, self.duration_s * (self.cells[0] == corpus), len(home))
            home[here_s > most_s] = corpus
            most_s = np.maximum(most_s, here_s)
        return home

    def components(self) -> Ids:
        """[N] the component of each utterance: those that speakers and scripts link, directly or
        through others, are in one."""
        speakers, scripts = size(self.speaker), size(self.script)
        ones = np.ones(len(self.speaker), np.int64)
        links = coo_array((ones, (self.speaker, speakers + self.script)), (speakers + scripts,) * 2)
        labels: Ids = connected_components(links, directed=False)[1].astype(np.int64)
        return labels[self.speaker]

    def total_s(self, values: int, rows: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """[V] duration of (some of) the utterances by value of any column."""
        weights = self.duration_s if rows is None else self.duration_s * rows
        total_s = np.zeros(values)
        for column in self.cells:
            total_s += np.bincount(column, weights, values)
        return total_s


def size(numbers: Ids) -> int:
    """How many things are numbered, from 0 on."""
    return int(numbers.max(initial=-1)) + 1


@dataclass(frozen=True)
class Linked:
    """All utterances of a split.

    Attributes:
        rows: The utterances in the order of their ids.
        place: [N] which utterance of the input each row is.
        column_sizes: [K] how many values each column of ``rows.cells`` has.
        corpora: Name of each corpus, by its number in the first column.
        unnamed: The id of an utterance whose speaker is not known, if there is one; each of
            these counts as a speaker of its own.
        num_scripts: Distinct scripts, before nearly equal ones are put together.
    """

    rows: Rows
    place: Ids
    column_sizes: tuple[int, ...]
    corpora: tuple[str, ...]
    unnamed: str | None
    num_scripts: int


class Gathering:
    """Takes utterances one at a time.

    Args:
        stratify: Names of columns: "duration", "channel", or a key of ``custom``.
    """

    def __init__(self, stratify: Sequence[str] = ()) -> None:
        self._ids: list[str] = []
        self._corpus = array("q")
        self._speaker = array("q")
        self._script = array("q")
        self._duration_s = array("d")
        self._corpora: dict[str, int] = {}
        self._speakers: dict[str, int] = {}
        self._scripts: dict[str, int] = {}
        self._strata = {name: _Column() for name in stratify}
        self._known = {"duration", "channel"}

    def add(self, corpus: str, utterance: Facts) -> None:
        """One more utterance of a corpus."""
        self._ids.append(utterance.id)
        self._corpus.append(self._corpora.setdefault(corpus, len(self._corpora)))
        name, key = utterance.speaker, script(utterance.text)
        self._speaker.append(self._speakers.setdefault(name, len(self._speakers)) if name else -1)
        self._script.append(self._scripts.setdefault(key, len(self._scripts)) if key else -1)
        self._duration_s.append(utterance.duration_s)
        self._known.update(utterance.custom)
        for column, values in self._strata.items():
            values.add(_value(utterance, column))

    def linked(self, max_distance: float) -> Linked:
        """The utterances so far as numbers.

        Args:
            max_distance: Scripts up to this share of the longer one apart count as one; 0 for
                none.

        Raises:
            ConfigError: A column that no utterance has, or ``max_distance`` out of bounds.
            DataError: An id that occurs twice.
        """
        for column in self._strata:
            if column not in self._known:
                known = ", ".join(sorted(self._known))
                raise ConfigError(f"no utterance has a column {column!r} to stratify by: {known}")
        order = sorted(range(len(self._ids)), key=self._ids.__getitem__)
        self._refuse_doubles(order)
        place = np.array(order, np.int64)
        groups = np.append(script_groups(list(self._scripts), max_distance), -1)
        corpus = np.array(self._corpus)[place]
        names = [list(self._corpora)[n] for n in corpus[_first_appearances(corpus)]]
        columns = [_renumbered(corpus)]
        columns += [values.codes()[place] for values in self._strata.values()]
        sizes = [size(column) for column in columns]
        starts = np.cumsum([0, *sizes[:-1]])
        speaker = np.array(self._speaker)[place]
        unnamed = np.flatnonzero(speaker < 0)
        return Linked(
            rows=Rows(
                speaker=_renumbered(_each_its_own(speaker)),
                script=_renumbered(_each_its_own(groups[np.array(self._script)[place]])),
                duration_s=np.array(self._duration_s)[place],
                cells=np.stack([c + start for c, start in zip(columns, starts, strict=True)]),
            ),
            place=place,
            column_sizes=tuple(sizes),
            corpora=tuple(names),
            unnamed=self._ids[place[unnamed[0]]] if len(unnamed) else None,
            num_scripts=len(self._scripts),
        )

    def _refuse_doubles(self, order: Sequence[int]) -> None:
        corpora = list(self._corpora)
        for one, other in pairwise(order):
            if self._ids[one] == self._ids[other]:
                first, second = (corpora[self._corpus[row]] for row in (one, other))
                raise DataError(
                    f"utterance {self._ids[one]} stands in {first} and in {second}: "
                    "prepare one of them with --prefix, or give it only once"
                )


def script_groups(scripts: Sequence[str], max_distance: float) -> Ids:
    """[S] the group of each script: scripts are in one if a chain of near-duplicates joins them.

    Raises:
        ConfigError: ``max_distance`` below 0, or 0.5 and above.

    >>> script_groups(["저식당음식이맛있나봐요", "다른말", "저식당음식이맛있나봐"], 0.1).tolist()
    [0, 1, 0]
    """
    check_distance(max_distance)
    groups = Components(len(scripts))

    def apart(first: Ids, second: Ids) -> NDArray[np.bool_]:
        differ: NDArray[np.bool_] = groups.find(first) != groups.find(second)
        return differ

    for pairs in similar_pairs(scripts, max_distance, apart) if max_distance else ():
        groups.link(pairs.first, pairs.second)
    return groups.labels()


class _Column:
    """The values of one column, as they come."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._rows = array("q")

    def add(self, value: Any) -> None:
        self._rows.append(self._numbers.setdefault(value, len(self._numbers)))

    def codes(self) -> Ids:
        """[N] numbers of the values in sorted order; many numbers are put into bins."""
        rows, values = np.array(self._rows), list(self._numbers)
        if len(values) > 2 * _BINS and all(isinstance(v, float) for v in values):
            numbers = np.array(values)[rows]
            edges = np.quantile(numbers, np.arange(1, _BINS) / _BINS)
            bins: Ids = np.unique(np.searchsorted(edges, numbers), return_inverse=True)[1]
            return bins
        in_order = sorted(values, key=lambda v: (str(v), isinstance(v, str)))
        rank = {value: n for n, value in enumerate(in_order)}
        codes: Ids = np.array([rank[value] for value in values], np.int64)[rows]
        return codes


def _value(utterance: Facts, column: str) -> float | str:
    """Of a column, in a form that can be counted: numbers as such, all else as text."""
    if column == "duration":
        return utterance.duration_s
    value = utterance.custom.get(column, utterance.channel if column == "channel" else "")
    return float(value) if isinstance(value, int | float) else str(value)


def _each_its_own(codes: Ids) -> Ids:
    """Codes where every −1 is a new one."""
    new = codes.max(initial=-1) + 1 + np.arange(len(codes))
    return np.where(codes < 0, new, codes)


def _first_appearances(codes: Ids) -> Ids:
    """Where each code comes first, in that order."""
    return np.sort(np.unique(codes, return_index=True)[1])


def _renumbered(codes: Ids) -> Ids:
    """The same classes as 0, 1, 2 … in order of first appearance."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
