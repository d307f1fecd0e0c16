"""Near-duplicates are exactly those that comparing all pairs finds."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from malgwi.errors import ConfigError
from malgwi.text import similarity_join
from malgwi.text.scripts import NearDuplicate, near_duplicates, script
from malgwi.text.similarity_join import Ids, Mask, bound, similar_pairs


def all_pairs(scripts: list[str], max_distance: float) -> set[NearDuplicate]:
    """By comparing every script with every other."""
    found = set()
    for second, text in enumerate(scripts):
        for first, other in enumerate(scripts[:second]):
            distance = Levenshtein.distance(other, text)
            longer = max(len(text), len(other))
            if distance == 0 or distance / longer <= max_distance:
                found.add(NearDuplicate(first, second, distance))
    return found


#: Few letters, so that pieces recur; lengths about those where bounds change.
texts = st.lists(st.text("가나다", max_size=24), max_size=30)


@st.composite
def edited(draw: st.DrawFn) -> list[str]:
    """Scripts and copies of them with a few edits anywhere: what is to be found."""
    scripts = draw(st.lists(st.text("가나다라마바사", min_size=1, max_size=50), max_size=6))
    for index in draw(st.lists(st.integers(0, 40), max_size=12)) if scripts else []:
        text = scripts[index % len(scripts)]
        for place in draw(st.lists(st.integers(0, 60), max_size=4)):
            at = place % (len(text) + 1)
            what = draw(st.sampled_from(["", "하", "가", "나다"]))
            text = text[:at] + what + text[at + draw(st.integers(0, 1)) :]
        scripts.append(text)
    return scripts


distances = st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.49])


@given(scripts=texts | edited(), max_distance=distances)
@example(scripts=["", "", "가"], max_distance=0.4)
@example(scripts=["가" * 10, "가" * 9, "가" * 11], max_distance=0.1)
@settings(max_examples=300, deadline=None)
def test_near_duplicates_are_those_of_all_pairs(scripts: list[str], max_distance: float) -> None:
    found = list(near_duplicates(scripts, max_distance=max_distance))
    assert len(found) == len(set(found))
    assert set(found) == all_pairs(scripts, max_distance)


@given(scripts=texts | edited(), max_distance=st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.2]))
@example(scripts=["가" * 21] * 4 + ["나가" * 10, "다" + "가나" * 10], max_distance=0.2)
@settings(max_examples=150, deadline=None)
def test_common_pieces_and_small_blocks_change_nothing(
    scripts: list[str], max_distance: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity_join, "_COMMON", 1)
        patch.setattr(similarity_join, "_BLOCK", 3)
        patch.setattr(similarity_join, "_CHUNK", 4)
        found = set(near_duplicates(scripts, max_distance=max_distance))
    assert found == all_pairs(scripts, max_distance)


def test_a_piece_that_all_share_makes_few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    syllables = [chr(c) for c in range(0xAC00, 0xAC00 + 600)]
    scripts = [
        "안녕하세요반갑습니다" + "".join(generator.choice(syllables, 20)) for _ in range(1500)
    ]
    scripts[700] = scripts[3][:12] + "끝" + scripts[3][13:]
    asked = 0
    largest = 0

    def count(first: Ids, second: Ids) -> Mask:
        nonlocal asked, largest
        asked += len(first)
        largest = max(largest, len(first))
        return np.ones(len(first), np.bool_)

    blocks = list(similar_pairs(scripts, 0.1, count))
    assert {(3, 700)} == {(int(b.first[0]), int(b.second[0])) for b in blocks}
    assert asked < 3000  # of 1,124,250 pairs, all of which share the first piece
    monkeypatch.setattr(similarity_join, "_COMMON", 1 << 40)
    monkeypatch.setattr(similarity_join, "_BLOCK", 1 << 14)
    asked = largest = 0
    assert len(list(similar_pairs(scripts, 0.1, count))) >= 1
    assert asked > 1_000_000
    assert largest <= 1 << 14


def test_pairs_that_nobody_wants_are_not_compared() -> None:
    scripts = ["가나다라마바사아자차", "가나다라마바사아자카", "가나다라마바사아자타"]
    blocks = similar_pairs(scripts, 0.1, lambda first, second: (first == 0) & (second == 2))
    assert [(b.first.tolist(), b.second.tolist()) for b in blocks] == [([0], [2])]


def test_ill_formed_and_foreign_characters_are_characters() -> None:
    scripts = ["\ud800abc🎉defghij", "\ud800abc🎉defghiz", "\0\0\0\0\0\0\0\0\0\0", "\0" * 9]
    assert set(near_duplicates(scripts)) == {NearDuplicate(0, 1, 1), NearDuplicate(2, 3, 1)}


@pytest.mark.parametrize("max_distance", [0.1, 0.29, 0.07, 1 / 3])
def test_the_bound_is_the_largest_number_of_edits_allowed(max_distance: float) -> None:
    for length in range(1, 400):
        k = bound(length, max_distance)
        assert k / length <= max_distance < (k + 1) / length


@pytest.mark.parametrize("max_distance", [-0.1, 0.5, 1.0])
def test_distances_that_mean_nothing_are_refused(max_distance: float) -> None:
    with pytest.raises(ConfigError, match=r"0 \(exact scripts only\) to below 0.5"):
        list(near_duplicates([], max_distance=max_distance))


def test_punctuation_spaces_and_case_do_not_make_another_script() -> None:
    assert script("네, 알겠습니다! OK") == script("네 알 겠습니다. ok")
    assert script("한글") == script("한글")  # the second is decomposed
    assert script("하나") != script("둘")
