"""The alignment itself: golden choices among ties, and what every alignment must satisfy."""

import pytest

from malgwi.metrics.alignment import align


def kinds(reference, hypothesis):
    return "".join(edit.kind[0] for edit in align(reference, hypothesis))


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("", "", ""),
        ("", "가나", "ii"),
        ("가나", "", "dd"),
        ("나는", "나는", "hh"),
        ("학교에", "학교", "hhd"),
        ("커피한잔", "커피한장주", "hhhsi"),  # the substitution first, then the surplus
        ("가나다라", "가바", "hsdd"),
        ("ab", "ba", "ihd"),  # one match rather than two substitutions, as jiwer
        ("aa", "a", "hd"),  # the common beginning matches first
        ("a", "aa", "hi"),
        ("aab", "ab", "hdh"),
        ("kitten", "sitting", "shhhshi"),
    ],
)
def test_choice_among_equal_costs_is_fixed(reference, hypothesis, expected):
    assert kinds(reference, hypothesis) == expected


def test_words_are_tokens():
    edits = align(["커피", "한", "잔"], ["커피", "한잔"])
    assert [tuple(edit) for edit in edits] == [
        ("hit", "커피", "커피"),
        ("substitution", "한", "한잔"),
        ("deletion", "잔", None),
    ]


def test_one_letter_words_and_their_code_points_do_not_collide():
    # rapidfuzz compares by hash and maps single characters to code points: 65 is not "A".
    assert kinds(["A"], [65]) == "s"
    assert kinds(["A"], ["A"]) == "h"


def test_a_string_and_a_list_of_its_characters_are_the_same_tokens():
    assert align("비가 와", list("비 와요")) == align("비가 와", "비 와요")


def test_long_input_stays_optimal_and_linear_in_output():
    reference = "가나다라마바사아자차" * 300
    hypothesis = reference[:1500] + "하" + reference[1501:2500] + reference[2501:]
    edits = align(reference, hypothesis)
    assert sum(edit.kind != "hit" for edit in edits) == 2
    assert "".join(edit.reference or "" for edit in edits) == reference
    assert "".join(edit.hypothesis or "" for edit in edits) == hypothesis
