"""The same audio twice, the same audio with another text, the same text at very different length.

All of it is found by sorting hashes on disk; the facts of the few that are shown are read again.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from malgwi.audit.ranking import Suspect, Suspicion
from malgwi.manifest import Facts
from malgwi.utterance_table import UtteranceTable

Row = tuple[Any, ...]
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


def repeats(table: UtteranceTable, names: Sequence[str], size: int) -> dict[str, Found]:
    """Kind → what was found over all parts, at most ``size`` pairs of each, longest audio first.

    Args:
        table: Of the utterances of all parts, one part after the other.
        names: Of the parts, by their numbers in the table.
        size: Pairs shown of each kind.
    """
    starts = dict(table.select("part, min(row) FROM utterance GROUP BY part"))

    def pair(found: _Rows, reason: str) -> Pair:
        score, *places = found
        first, second = ((names[part], row - starts[part]) for part, row in places)
        return Pair(first, second, score, reason)

    found = {}
    for kind, same_text in (("repeated_audio", True), ("same_audio_other_text", False)):
        count, rows = _again(table, size, same_text=same_text)
        found[kind] = Found(count, tuple(pair(each, "the samples are equal") for each in rows))
    count, apart = _other_pace(table, size)
    found["same_text_other_pace"] = Found(
        count,
        tuple(
            pair(
                _Rows(far.ratio, far.shortest[1:], far.longest[1:]),
                f"{far.longest[0]:.2f} s here, {far.shortest[0]:.2f} s there",
            )
            for far in apart
        ),
    )
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


class _Rows(NamedTuple):
    """A pair, each by part and row of the table."""

    score: float
    first: tuple[int, int]
    second: tuple[int, int]


class _Far(NamedTuple):
    """A script's shortest and longest recording as (seconds, part, row)."""

    ratio: float
    shortest: tuple[float, int, int]
    longest: tuple[float, int, int]


def _again(table: UtteranceTable, size: int, *, same_text: bool) -> tuple[int, list[_Rows]]:
    """Recordings whose samples stood before, with the same text or another; the longest of them."""
    before = "OVER (ORDER BY sound, script, row)"
    table.execute("DROP TABLE IF EXISTS again")
    table.execute(
        "CREATE TABLE again AS SELECT min(row, earlier) AS first, max(row, earlier) AS second FROM"
        f" (SELECT row, sound, script, lag(row) {before} AS earlier, lag(sound) {before} AS heard,"
        f" lag(script) {before} AS said FROM utterance WHERE sound IS NOT NULL)"
        f" WHERE sound = heard AND (script IS said) = {int(same_text)}"
    )
    rows = table.select(
        "b.seconds, a.part, a.row, b.part, b.row FROM again JOIN utterance a ON a.row = first"
        " JOIN utterance b ON b.row = second ORDER BY b.seconds DESC, first, second LIMIT ?",
        size,
    )
    shown = [_Rows(s, (part, row), (other, later)) for s, part, row, other, later in rows]
    return table.value("count(*) FROM again"), shown


def _other_pace(table: UtteranceTable, size: int) -> tuple[int, list[_Far]]:
    """Scripts whose recordings differ in length by far: shortest and longest of each."""
    rows = table.select(
        "script, seconds, part, row FROM utterance"
        " WHERE script IS NOT NULL AND seconds > 0 AND characters >= ?"
        " ORDER BY script, seconds, row",
        _FEWEST_CHARACTERS,
    )
    count, worst = 0, list[_Far]()
    for _, recordings in groupby(rows, itemgetter(0)):
        (_, *shortest), (_, *longest) = _ends(recordings)
        ratio = np.float32(longest[0]) / np.float32(shortest[0])  # as the seconds are kept
        if ratio >= _FAR_APART:
            count += 1
            worst.append(_Far(float(ratio), tuple(shortest), tuple(longest)))
            if len(worst) > 2 * size:
                worst = _furthest(worst, size)
    return count, _furthest(worst, size)


def _ends(rows: Iterable[Row]) -> tuple[Row, Row]:
    """First and last."""
    remaining = iter(rows)
    first = next(remaining)
    (last,) = deque(remaining, maxlen=1) or (first,)
    return first, last


def _furthest(found: list[_Far], size: int) -> list[_Far]:
    return sorted(found, key=lambda far: (-far.ratio, far.longest[2]))[:size]
