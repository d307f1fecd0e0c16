"""Splits never share a speaker or a script, keep every corpus and cost little."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse.cut import MonoCut

from malgwi import manifest
from malgwi.errors import ConfigError, DataError
from malgwi.manifest import new_cut
from malgwi.split import Split, SplitConfig, split
from malgwi.text.scripts import script


def utterance(name: str, speaker: str | None, text: str, duration_s: float = 1.0) -> MonoCut:
    return new_cut(
        name, Path(f"/{name}.wav"), sample_rate_hz=1_000, num_samples=round(1_000 * duration_s),
        text=text, speaker=speaker,
    )  # fmt: skip


def corpus(name: str, speakers: int, each: int, shared_texts: int = 0) -> list[MonoCut]:
    """Speakers who each read ``each`` texts, the first ``shared_texts`` of them all alike."""
    return [
        utterance(
            f"{name}-{s}-{i}", f"{name}{s}", f"함께 {i}" if i < shared_texts else f"{name} {s} {i}"
        )
        for s in range(speakers)
        for i in range(each)
    ]


def speakers(cuts: list[MonoCut]) -> set[str | None]:
    return {manifest.speaker(c) for c in cuts}


def scripts(cuts: list[MonoCut]) -> set[str]:
    return {script(manifest.text(c)) for c in cuts}


def assert_disjoint(result: Split) -> None:
    parts = list(result.parts.values())
    for i, first in enumerate(parts):
        for second in parts[i + 1 :]:
            assert not speakers(first) & speakers(second)
            assert not scripts(first) & scripts(second)


corpora = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 40), st.floats(0.5, 20)),
        min_size=8,
        max_size=60,
    ),
    min_size=1,
)


@given(given_corpora=corpora, seed=st.integers(0, 5), test=st.sampled_from([0.0, 0.2]))
@settings(max_examples=150, deadline=None)
def test_parts_are_always_disjoint_and_nothing_is_lost(
    given_corpora: dict[str, list[tuple[int, int, float]]], seed: int, test: float
) -> None:
    cuts = {
        name: [
            utterance(f"{name}{i}", f"speaker {s}", f"글 {t}", d)
            for i, (s, t, d) in enumerate(rows)
        ]
        for name, rows in given_corpora.items()
    }
    config = SplitConfig(dev=0.2, test=test, seed=seed, candidates=30)
    try:
        result = split(cuts, config)
    except DataError as error:
        if "would be empty" in str(error):
            return
        raise
    assert_disjoint(result)
    assert all(o.shared_speakers == o.shared_scripts == 0 for o in result.overlaps)
    out = [c.id for part in result.parts.values() for c in part] + [c.id for c in result.dropped]
    assert Counter(out) == Counter(c.id for members in cuts.values() for c in members)
    assert split(cuts, config) == result


def test_every_corpus_is_represented_at_about_the_asked_size() -> None:
    cuts = {"가": corpus("가", 30, 10), "나": corpus("나", 40, 5)}
    result = split(cuts, SplitConfig(dev=0.1, test=0.1))
    for part in ("dev", "test"):
        sizes = Counter(str(c.id)[0] for c in result.parts[part])
        assert sizes["가"] == pytest.approx(30, rel=0.16)
        assert sizes["나"] == pytest.approx(20, rel=0.16)
    assert not result.dropped
    assert not result.warnings


def test_speakers_whose_texts_nobody_else_reads_are_preferred() -> None:
    common = [utterance(f"c{s}-{i}", f"c{s}", f"공통 {i}") for s in range(20) for i in range(5)]
    alone = [utterance(f"a{s}-{i}", f"a{s}", f"혼자 {s} {i}") for s in range(4) for i in range(5)]
    result = split({"x": common + alone}, SplitConfig(dev=0.08))
    assert speakers(result.parts["dev"]) <= {f"a{s}" for s in range(4)}
    assert not result.dropped


def test_dropped_utterances_are_those_whose_script_is_held_out() -> None:
    cuts = corpus("x", 20, 10, shared_texts=2)
    result = split({"x": cuts}, SplitConfig(dev=0.1))
    assert_disjoint(result)
    assert result.dropped
    assert scripts(result.dropped) == {script("함께 0"), script("함께 1")}
    assert not scripts(result.dropped) & scripts(result.parts["train"])


def test_a_speaker_of_two_corpora_stays_in_one_part() -> None:
    first = [utterance(f"a{s}{i}", f"s{s}", f"가 {s} {i}") for s in range(10) for i in range(4)]
    second = [utterance(f"b{s}{i}", f"s{s}", f"나 {s} {i}") for s in range(10) for i in range(4)]
    result = split({"a": first, "b": second}, SplitConfig(dev=0.2, test=0.2))
    assert_disjoint(result)
    assert len(result.parts["dev"]) == len(result.parts["test"]) == 16


def test_random_splits_leak_and_say_so() -> None:
    cuts = corpus("x", 10, 30, shared_texts=15)
    result = split({"x": cuts}, SplitConfig(dev=0.1, how="random"))
    (overlap,) = result.overlaps
    assert overlap.shared_speakers == overlap.speakers > 5
    assert overlap.shared_scripts > 5
    assert len(result.parts["dev"]) == 30
    assert not result.dropped
    other = split({"x": cuts}, SplitConfig(dev=0.1, how="random", seed=1))
    assert other.parts["dev"] != result.parts["dev"]


def test_punctuation_spaces_and_case_do_not_make_another_script() -> None:
    assert script("네, 알겠습니다! OK") == script("네 알 겠습니다. ok")
    assert script("한글") == script("한글")  # the second is decomposed
    assert script("하나") != script("둘")


def test_a_speaker_too_large_is_reported() -> None:
    cuts = [utterance(f"{s}{i}", s, f"{s} {i}") for s in "ab" for i in range(10)]
    result = split({"둘": cuts}, SplitConfig(dev=0.1))
    (warning,) = result.warnings
    assert warning == "둘: dev has 50.0% of it, 10.0% was asked; its 2 speakers allow no better"


def test_what_cannot_be_split_is_refused() -> None:
    config = SplitConfig(dev=0.1)
    with pytest.raises(DataError, match="the dev part would be empty"):
        split({"x": corpus("x", 1, 10)}, config)
    same = [utterance(f"{s}", f"s{s}", "모두 같은 말") for s in range(10)]
    with pytest.raises(DataError, match=r"the train part would be empty \(9 of 10"):
        split({"x": same}, config)
    with pytest.raises(DataError, match="utterance x-0-0 stands in a and in b"):
        split({"a": corpus("x", 3, 3), "b": corpus("x", 3, 3)}, config)
    for sizes in ({"dev": 0.0}, {"dev": 0.6, "test": 0.5}, {"dev": 0.1, "test": -0.1}):
        with pytest.raises(ConfigError, match="are shares of the whole"):
            SplitConfig(**sizes)


def test_unknown_speakers_are_refused_or_taken_for_themselves() -> None:
    cuts = [utterance(f"u{i}", None, f"글 {i}") for i in range(40)]
    with pytest.raises(DataError, match="utterance u0 has no speaker"):
        split({"x": cuts}, SplitConfig(dev=0.1))
    result = split({"x": cuts}, SplitConfig(dev=0.1, unknown_speakers="own"))
    assert len(result.parts["dev"]) == pytest.approx(4, abs=1)
