"""Leaks are those that comparing every utterance with every other finds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from malgwi.errors import ConfigError
from malgwi.leakage import RELATIONS, Leak, leakage
from malgwi.manifest import Facts
from malgwi.split.components import Components
from malgwi.text.scripts import script


def facts(name: str, **values: Any) -> Facts:
    given_values = {
        "text": name, "speaker": None, "path": "", "start_s": 0.0, "duration_s": 1.0,
        "channel": 0, "sample_rate_hz": 8000, "custom": {}, "line": {}, **values,
    }  # fmt: skip
    return Facts(id=name, **given_values)


def by_relation(leaks: list[Leak]) -> dict[str, Leak]:
    return {leak.relation: leak for leak in leaks}


def test_every_relation_is_counted_with_examples() -> None:
    train = [
        facts("t1", speaker="가", text="네, 알겠습니다. 고객님!", path="/a.wav"),
        facts("t2", speaker="나", text="다른 말", path="/b.wav"),
    ]
    dev = [
        facts("d1", speaker="가", text="네 알겠습니다 고객님", path="/c.wav"),
        facts("d2", speaker="가", text="네 알겠습니다 고갱님", path="/d.wav"),
        facts("d3", speaker="다", text="새로운 말", path="/b.wav"),
        facts("d4", speaker=None, text="", path=""),
    ]
    found = by_relation(leakage({"train": train, "dev": dev}, max_distance=0.2))
    assert list(found) == list(RELATIONS)
    assert {r: (k.leaking, k.unknown, k.shared, k.distinct) for r, k in found.items()} == {
        "speaker": (2, 1, 1, 2),
        "script": (1, 1, 1, 3),
        "near_script": (2, 1, 2, 3),
        "audio": (1, 1, 1, 3),
    }
    assert found["near_script"].share == 0.5
    assert found["near_script"].to_dict() == {
        "relation": "near_script", "first": "train", "second": "dev", "leaking": 2,
        "utterances": 4, "unknown": 1, "shared": 2, "distinct": 3, "share": 0.5,
        "examples": [
            {"first": "t1", "second": "d2", "what": "네알겠습니다고갱님", "distance": 1}
        ],
    }  # fmt: skip
    assert [(e.first, e.second) for e in found["audio"].examples] == [("t2", "d3")]
    assert [(e.first, e.second) for e in found["speaker"].examples] == [("t1", "d1")]


def test_what_the_first_part_never_names_is_unknown() -> None:
    """Speakers that training does not name can be any of the later part's."""
    dev = [facts("d1", speaker="가"), facts("d2", speaker="나")]
    found = by_relation(leakage({"train": [facts("t1")], "dev": dev}))
    assert (found["speaker"].unknown, found["speaker"].judged) == (2, False)
    assert (found["script"].unknown, found["script"].judged) == (0, True)
    assert not found["audio"].judged


def test_stretches_of_a_file_leak_if_they_overlap() -> None:
    train = [facts("t", path="/call.wav", start_s=10.0, duration_s=5.0)]
    cases = {
        "same": (10.0, 5.0, True),
        "inside": (12.0, 0.3, True),
        "half": (13.0, 4.0, True),
        "around": (0.0, 60.0, True),
        "margin": (14.8, 3.0, False),
        "before": (2.0, 8.2, False),
        "far": (100.0, 5.0, False),
    }
    dev = [
        facts(name, path="/call.wav", start_s=start, duration_s=duration)
        for name, (start, duration, _) in cases.items()
    ]
    other = [
        facts("channel", path="/call.wav", channel=1, start_s=10.0, duration_s=5.0),
        facts("file", path="/call2.wav", start_s=10.0, duration_s=5.0),
    ]
    for utterance in dev:
        (leak,) = [
            k for k in leakage({"train": train, "dev": [utterance]}) if k.relation == "audio"
        ]
        assert bool(leak.leaking) == cases[utterance.id][2], utterance.id
    together = by_relation(leakage({"train": train, "dev": [*dev, *other]}))["audio"]
    assert together.leaking == sum(leaks for *_, leaks in cases.values())


def test_copied_audio_is_found_by_its_samples() -> None:
    train = [facts("t0", path="/a.wav"), facts("t1", path="/b.wav")]
    dev = [facts("d0", path="/copy.wav"), facts("d1", path="/own.wav")]
    samples = {"/b.wav": "same", "/copy.wav": "same", "/own.wav": "other"}
    leaks = leakage({"train": train, "dev": dev}, content_hash=lambda u: samples.get(u.path))
    audio = by_relation(leaks)["audio"]
    assert (audio.leaking, audio.distinct) == (1, 2)
    assert [(e.first, e.second) for e in audio.examples] == [("t1", "d0")]
    assert by_relation(leakage({"train": train, "dev": dev}))["audio"].leaking == 0


rows = st.lists(
    st.tuples(
        st.sampled_from([None, "가", "나", "다", "라"]),
        st.text("말글해 ", max_size=12),
        st.integers(0, 5),
    ),
    max_size=12,
)


@given(parts=st.lists(rows, min_size=1, max_size=3), max_distance=st.sampled_from([0.0, 0.1, 0.3]))
@settings(max_examples=150, deadline=None)
def test_leaks_are_those_of_all_pairs(parts: list[Any], max_distance: float) -> None:
    named = {
        f"part{p}": [
            facts(f"{p}-{i}", speaker=who, text=text, path=f"/{file}.wav" if file else "")
            for i, (who, text, file) in enumerate(members)
        ]
        for p, members in enumerate(parts)
    }
    leaks = leakage(named, max_distance=max_distance)
    assert len(leaks) == 4 * len(parts) * (len(parts) - 1) // 2
    for leak in leaks:
        first, second = named[leak.first], named[leak.second]
        leaking = [
            other for other in second if any(related(leak, u, other, max_distance) for u in first)
        ]
        assert leak.leaking == len(leaking)
        assert leak.utterances == len(second)
        ids = {u.id: u for u in [*first, *second]}
        for example in leak.examples:
            assert related(leak, ids[example.first], ids[example.second], max_distance)
        assert bool(leak.examples) == bool(leaking) or leak.relation == "near_script"


@given(
    parts=st.lists(st.lists(st.text("가나", max_size=14), max_size=10), min_size=2, max_size=3),
    max_distance=st.sampled_from([0.1, 0.2, 0.3]),
)
@settings(max_examples=60, deadline=None)
def test_little_memory_finds_the_same(parts: list[list[str]], max_distance: float) -> None:
    """Scripts are read one at a time, again and again, and forgotten in between."""
    named = {
        f"part{p}": [facts(f"{p}-{i}", text=text, speaker=text[:1]) for i, text in enumerate(texts)]
        for p, texts in enumerate(parts)
    }
    much = leakage(named, max_distance=max_distance)
    little = leakage(named, max_distance=max_distance, memory_bytes=1)
    assert [replace(leak, examples=()) for leak in much] == [
        replace(leak, examples=()) for leak in little
    ]
    for leak in little:
        every = {u.id: u for u in [*named[leak.first], *named[leak.second]]}
        for example in leak.examples:
            assert related(leak, every[example.first], every[example.second], max_distance)


def related(leak: Leak, one: Facts, other: Facts, max_distance: float) -> bool:
    """Whether two utterances share what the leak is about."""
    a, b = script(one.text), script(other.text)
    distance = Levenshtein.distance(a, b)
    return {
        "speaker": bool(one.speaker) and one.speaker == other.speaker,
        "script": bool(a) and a == b,
        "near_script": bool(a and b) and distance / max(len(a), len(b), 1) <= max_distance,
        "audio": bool(one.path) and one.path == other.path,
    }[leak.relation]


def test_distances_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"max_distance=0\.7"):
        leakage({"train": [], "dev": []}, max_distance=0.7)
    assert all(leak.share == 0 for leak in leakage({"train": [], "dev": []}))


@given(
    count=st.integers(1, 30),
    links=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40),
    batch=st.integers(1, 10),
)
@settings(max_examples=150, deadline=None)
def test_components_linked_in_batches_are_those_of_the_whole_graph(
    count: int, links: list[tuple[int, int]], batch: int
) -> None:
    pairs = np.array([(a % count, b % count) for a, b in links], np.int64).reshape(-1, 2)
    components = Components(count)
    for start in range(0, len(pairs), batch):
        components.link(*pairs[start : start + batch].T)
    graph = coo_array((np.ones(len(pairs)), tuple(pairs.T)), (count, count))
    assert components.labels().tolist() == connected_components(graph)[1].tolist()
