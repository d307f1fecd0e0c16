"""Whatever the corpus: parts share nothing, nothing is lost, and chance hangs on the seed alone."""

import os
import random
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from malgwi.errors import DataError
from malgwi.manifest import Facts
from malgwi.split import DROPPED, SplitConfig, plan
from malgwi.split.linkage import Gathering, script_groups
from malgwi.text.scripts import script

Row = tuple[str, str, str, float]  # corpus, speaker, text, duration_s

rows = st.lists(
    st.tuples(
        st.sampled_from(["가", "나"]),
        st.integers(0, 9).map(lambda s: f"speaker {s}"),
        st.integers(0, 25).map(
            lambda t: f"그래서 열두 번째 글자 {t % 13} {'을' if t % 2 else '를'}"
        ),
        st.floats(0.5, 20),
    ),
    min_size=8,
    max_size=50,
)


def assigned(named: Sequence[tuple[str, Row]], config: SplitConfig) -> dict[str, int] | None:
    """Id → place of its part; None where a part would be empty."""
    gathering = Gathering(config.stratify)
    for name, (corpus, speaker, text, duration_s) in named:
        gathering.add(corpus, Facts(
            id=name, text=text, speaker=speaker, path="", start_s=0.0, duration_s=duration_s,
            channel=0, sample_rate_hz=0, custom={}, line={},
        ))  # fmt: skip
    try:
        found = plan(gathering.linked(config.max_distance), config)
    except DataError as error:
        if "would be empty" in str(error):
            return None
        raise
    return {name: int(part) for (name, _), part in zip(named, found.part, strict=True)}


def linked(one: Row, other: Row, max_distance: float) -> bool:
    """Whether two utterances may not stand in two parts."""
    a, b = script(one[2]), script(other[2])
    longer = max(len(a), len(b))
    return one[1] == other[1] or Levenshtein.distance(a, b) / longer <= max_distance


@given(
    rows=rows,
    seed=st.integers(0, 3),
    test=st.sampled_from([0.0, 0.2]),
    max_distance=st.sampled_from([0.0, 0.1]),
)
@settings(max_examples=80, deadline=None)
def test_parts_share_nothing_and_what_is_dropped_fits_nowhere(
    rows: list[Row], seed: int, test: float, max_distance: float
) -> None:
    named = [(f"u{n:02d}", row) for n, row in enumerate(rows)]
    config = SplitConfig(
        dev=0.2, test=test, seed=seed, max_distance=max_distance, candidates=30,
        stratify=("duration",),
    )  # fmt: skip
    part_of = assigned(named, config)
    if part_of is None:
        return
    assert set(part_of) == {name for name, _ in named}
    assert set(part_of.values()) - {DROPPED} == set(range(3 if test else 2))
    for (one, first), (other, second) in combinations(named, 2):
        if DROPPED not in (part_of[one], part_of[other]) and part_of[one] != part_of[other]:
            assert not linked(first, second, max_distance)
    scripts = list(dict.fromkeys(script(row[2]) for row in rows))
    group_of = dict(zip(scripts, script_groups(scripts, max_distance).tolist(), strict=True))
    groups = [group_of[script(row[2])] for row in rows]
    kept = [n for n, (name, _) in enumerate(named) if part_of[name] != DROPPED]
    for n, (name, row) in enumerate(named):
        if part_of[name] == DROPPED:
            bound = {
                part_of[named[k][0]] for k in kept if rows[k][1] == row[1] or groups[k] == groups[n]
            }
            assert len(bound) > 1


@given(rows=rows, order=st.randoms(use_true_random=False), how=st.sampled_from(
    ["disjoint", "speaker", "script", "random"]
))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_input_does_not_matter(
    rows: list[Row], order: random.Random, how: str
) -> None:
    named = [(f"u{n:02d}", row) for n, row in enumerate(rows)]
    config = SplitConfig(dev=0.2, test=0.1, how=how, candidates=20, stratify=("duration",))
    before = assigned(named, config)
    order.shuffle(named)
    assert assigned(named, config) == before


def test_the_hash_seed_of_python_does_not_matter() -> None:
    program = """
import random
from malgwi.split.linkage import Gathering
from malgwi.manifest import Facts
from malgwi.split import SplitConfig, plan
draw = random.Random(0)
gathering = Gathering(["line"])
for n in range(300):
    gathering.add("x", Facts(
        id=f"u{n}", text=f"문장 {draw.randrange(60)}", speaker=f"s{draw.randrange(20)}", path="",
        start_s=0.0, duration_s=draw.random() + 1, channel=0, sample_rate_hz=0,
        custom={"line": draw.choice(["가", "나", "다"])}, line={},
    ))
config = SplitConfig(dev=0.2, stratify=("line",), candidates=20)
print(plan(gathering.linked(0.1), config).part.tolist())
"""
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(said) == 1
    assert "1" in said.pop()


def price(dropped: float, held: float, dev: float, count: int) -> float:
    """Utterances dropped, and five for each beyond the tolerance: what a split minimises."""
    return dropped + 5 * max(0.0, abs(held - dev * count) - 0.1 * dev * count)


def least_price(links: Sequence[tuple[int, int]], dev: float) -> float | None:
    """The least price of all ways to divide speakers and scripts of utterances of one second.

    Where all who read a script are held out, it is; nothing is dropped only for a size. That is
    required of scripts given the speakers, or of speakers given the scripts.
    """
    columns = [np.unique(side, return_inverse=True)[1] for side in np.array(links).T]
    best: float | None = None
    for one, other in (columns, columns[::-1]):
        all_others = np.array(list(product((False, True), repeat=int(other.max()) + 1)))
        for chosen in product((False, True), repeat=int(one.max()) + 1):
            inside = np.array(chosen)[one]
            free = np.bincount(other, ~inside) == 0
            others = all_others[all_others[:, free].all(axis=1)][:, other]
            held, left = (inside & others).sum(axis=1), (~inside & ~others).sum(axis=1)
            for h, rest in {(int(h), int(r)) for h, r in zip(held, left, strict=True) if h and r}:
                found = price(len(links) - h - rest, h, dev, len(links))
                best = found if best is None else min(best, found)
    return best


def test_most_small_graphs_are_divided_at_the_least_price_and_the_others_near_it() -> None:
    """With at most ten speakers all sets of them are weighed; the scripts follow greedily.

    Of 120 such graphs 77 % came out at the least price and 94 % within two utterances of it; one
    large script more or less can cost six.
    """
    draw, gaps = random.Random(1), []
    for _ in range(40):
        speakers, scripts, dev = draw.randrange(2, 7), draw.randrange(2, 8), draw.choice([0.2, 0.3])
        count = draw.randrange(10, 31)
        links = [(draw.randrange(speakers), draw.randrange(scripts)) for _ in range(count)]
        must = least_price(links, dev)
        named = [(f"u{n:02d}", ("x", f"s{s}", f"글 {t}", 1.0)) for n, (s, t) in enumerate(links)]
        part_of = assigned(named, SplitConfig(dev=dev, max_distance=0))
        assert must is not None
        assert part_of is not None
        dropped, held = (sum(part == n for part in part_of.values()) for n in (DROPPED, 1))
        gaps.append(price(dropped, held, dev, len(links)) - must)
    assert min(gaps) >= -1e-9
    assert sum(gap < 1e-9 for gap in gaps) >= 0.6 * len(gaps)
    assert sum(gap <= 2 for gap in gaps) >= 0.85 * len(gaps)
    assert max(gaps) <= 7


@pytest.mark.parametrize("seed", range(3))
def test_where_speakers_are_many_the_search_comes_near_a_planted_cut(seed: int) -> None:
    """Two halves of a corpus that only a few utterances join: one of them a fifth of it."""
    draw = random.Random(seed)
    inside = [
        (f"s{side}{draw.randrange(30)}", f"글 {side} {draw.randrange(80)}")
        for side, count in (("가", 160), ("나", 640))
        for _ in range(count)
    ]
    across = [(f"s가{draw.randrange(30)}", f"글 나 {draw.randrange(80)}") for _ in range(12)]
    named = [(f"u{n:03d}", ("x", *row, 1.0)) for n, row in enumerate(inside + across)]
    part_of = assigned(named, SplitConfig(dev=0.2, max_distance=0, seed=seed))
    assert part_of is not None
    assert sum(part == DROPPED for part in part_of.values()) <= 12
