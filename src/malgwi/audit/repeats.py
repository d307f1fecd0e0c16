"""The same audio twice, the same audio with another text, the same text at very different length.

All of it is found by sorting hashes; texts and ids are read again for the few that are shown.

Shapes: N utterances of all parts.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from malgwi.audit.fingerprints import Columns, Hashes
from malgwi.audit.ranking import Suspect, Suspicion
from malgwi.manifest import Facts

Rows = NDArray[np.intp]
#: One script's longest recording lasts this many times its shortest.
_FAR_APART = 2.5
#: Shorter texts last as long as their speakers please.
_FEWEST_CHARACTERS = 4


@dataclass(frozen=True)
class Pair:
    """Two utterances by part and row; the second is the one to look at."""

    first: tuple[str, int]
    second: tuple[str, int]
    score: float
    reason: str


@dataclass(frozen=True)
class Found:
    """How many utterances (or scripts) of one kind, and the pairs to show."""

    count: int
    pairs: tuple[Pair, ...]


class _Table:
    """The columns of all parts, one below the other."""

    def __init__(self, columns: Mapping[str, Columns]) -> None:
        self.names = list(columns)
        sizes = [len(each) for each in columns.values()]
        self._starts = np.cumsum([0, *sizes])
        parts = list(columns.values())
        empty = Columns()
        self.sound = np.concatenate([each.sound for each in [*parts, empty]])
        self.script = np.concatenate([each.script for each in [*parts, empty]])
        self.seconds = np.concatenate([each.seconds for each in [*parts, empty]])
        self.characters = np.concatenate([each.characters for each in [*parts, empty]])

    def place(self, row: int) -> tuple[str, int]:
        part = int(np.searchsorted(self._starts, row, "right")) - 1
        return self.names[part], int(row - self._starts[part])


def repeats(columns: Mapping[str, Columns], size: int) -> dict[str, Found]:
    """Kind → what was found over all parts, at most ``size`` pairs of each, longest audio first."""
    table = _Table(columns)
    order = np.lexsort((np.arange(len(table.sound)), table.script, table.sound))
    again = _same_as_before(table.sound[order])
    same_text = np.concatenate(([False], np.diff(table.script[order]) == 0))[: len(order)]
    found = {}
    for kind, here in (
        ("repeated_audio", again & same_text),
        ("same_audio_other_text", again & ~same_text),
    ):
        places = np.flatnonzero(here)
        pairs = list(zip(order[places - 1].tolist(), order[places].tolist(), strict=True))
        pairs = [(min(pair), max(pair)) for pair in pairs]
        pairs.sort(key=lambda pair: (-table.seconds[pair[1]], pair))
        found[kind] = Found(len(places), tuple(_audio_pair(table, p) for p in pairs[:size]))
    found["same_text_other_pace"] = _other_pace(table, size)
    return found


def look_up(
    found: Mapping[str, Found], parts: Mapping[str, Iterable[Facts]]
) -> Iterable[Suspicion]:
    """The found pairs as suspects, with texts and ids; goes once through the parts concerned."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for each in found.values():
        for pair in each.pairs:
            for part, row in (pair.first, pair.second):
                wanted[part].add(row)
    facts = {
        (part, row): facts
        for part, rows in wanted.items()
        for row, facts in enumerate(parts[part])
        if row in rows
    }
    for kind, each in found.items():
        yield Suspicion(
            kind=kind,
            count=each.count,
            suspects=tuple(
                Suspect(
                    part=pair.second[0],
                    facts=facts[pair.second],
                    score=round(pair.score, 3),
                    reason=pair.reason,
                    other=(pair.first[0], facts[pair.first]),
                )
                for pair in each.pairs
            ),
        )


def _audio_pair(table: _Table, rows: tuple[int, int]) -> Pair:
    first, second = rows
    seconds = float(table.seconds[second])
    return Pair(table.place(first), table.place(second), seconds, "the samples are equal")


def _other_pace(table: _Table, size: int) -> Found:
    """Scripts whose recordings differ in length by far: shortest and longest of each."""
    judged = (table.script != 0) & (table.seconds > 0) & (table.characters >= _FEWEST_CHARACTERS)
    rows: Rows = np.flatnonzero(judged)
    rows = rows[np.lexsort((rows, table.seconds[rows], table.script[rows]))]
    if not len(rows):
        return Found(0, ())
    starts = np.flatnonzero(~_same_as_before(table.script[rows]))
    ends = np.append(starts[1:], len(rows)) - 1
    shortest, longest = rows[starts], rows[ends]
    ratios = table.seconds[longest] / table.seconds[shortest]
    groups = np.flatnonzero(ratios >= _FAR_APART)
    groups = groups[np.lexsort((longest[groups], -ratios[groups]))]
    pairs = tuple(
        Pair(
            table.place(shortest[group]),
            table.place(longest[group]),
            float(ratios[group]),
            f"{table.seconds[longest[group]]:.2f} s here, "
            f"{table.seconds[shortest[group]]:.2f} s there",
        )
        for group in groups[:size]
    )
    return Found(len(groups), pairs)


def _same_as_before(hashes: Hashes) -> NDArray[np.bool_]:
    """[N] whether a sorted hash equals the one before it, and is not 0 for "none"."""
    if not len(hashes):
        return np.empty(0, np.bool_)
    return np.concatenate(([False], (hashes[1:] == hashes[:-1]) & (hashes[1:] != 0)))
