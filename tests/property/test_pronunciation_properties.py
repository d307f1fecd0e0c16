"""Pronunciation: what holds of every text, whatever its words."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from malgwi.text.hangul import is_syllable, letters
from malgwi.text.pronounce import explain, pronounce, pronunciations

#: Syllables that most rules, endings and listed words have something to say about.
TELLING = (
    "가각값강갈감것권길꽃냇낳닭달담도되듯람량력맛면물밟밖법볼북산살수습신실않안약어없었여역열요용"
    "울월을의이일있잎적전점정지져좋줄증집책천철칠콩핥할합햇향히"
)
KOREAN = st.text(st.sampled_from(TELLING + "   ."), max_size=12)
SYLLABLES = st.text(
    st.sampled_from(TELLING) | st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=8
)


@given(
    st.text(
        st.sampled_from("가각갂값갔강낳놓닭밟많앉없있좋핥 이어여야히하나마라다사자.")
        | st.characters()
    )
)
def test_length_and_vowels_are_kept(text: str) -> None:
    for linked in (False, True):
        said = pronounce(text, linked=linked)
        assert len(said) == len(text)
        for before, after in zip(text, said, strict=True):
            assert is_syllable(before) == is_syllable(after)
            if not is_syllable(before):
                assert before == after
            else:
                change = {letters(before)[1], letters(after)[1]}
                assert len(change) == 1 or change in ({"ㅕ", "ㅓ"}, {"ㅢ", "ㅣ"})


@given(SYLLABLES)
def test_finals_that_are_heard_are_seven(text: str) -> None:
    assert {letters(ch)[2] for ch in pronounce(text)} <= set("ㄱㄴㄷㄹㅁㅂㅇ") | {""}


@given(SYLLABLES)
def test_no_forbidden_neighbours_remain(text: str) -> None:
    said = [letters(ch) for ch in pronounce(text)]
    for (_, _, final), (initial, _, _) in pairwise(said):
        assert not (final in "ㄱㄷㅂ" and final and initial in "ㄴㅁㄹㅎ")
        assert (final, initial) not in {("ㄹ", "ㄴ"), ("ㅁ", "ㄹ"), ("ㅇ", "ㄹ")}
        assert final in {"", "ㅇ"} or initial != "ㅇ"


@given(st.text(st.sampled_from("가각값강낳닭밟않없핥의계 이여히나라사자져.") | st.characters()))
def test_the_explained_steps_lead_from_spelling_to_sound(text: str) -> None:
    for linked in (False, True):
        said = text
        for change in explain(text, linked=linked):
            end = change.position + len(change.before)
            assert said[change.position : end] == change.before != change.after
            assert len(change.before) == len(change.after)
            assert change.before[0] != change.after[0]
            assert change.before[-1] != change.after[-1]
            said = said[: change.position] + change.after + said[end:]
        assert said == pronounce(text, linked=linked)


@given(KOREAN)
def test_words_said_apart_one_by_one_are_the_text_said_at_once(text: str) -> None:
    """The cache of chunks parts a text only where no rule looks across."""
    said = list(text)
    for change in explain(text):
        said[change.position : change.position + len(change.before)] = change.after
    assert pronounce(text) == "".join(said)


@given(KOREAN)
def test_the_first_pronunciation_is_among_all_and_all_are_of_one_length(text: str) -> None:
    for linked in (False, True):
        forms = pronunciations(text, linked=linked)
        assert pronounce(text, linked=linked) in forms
        assert {len(form) for form in forms} == {len(text)}


@given(KOREAN)
def test_heard_finals_are_seven_in_every_pronunciation(text: str) -> None:
    for form in pronunciations(text):
        heard = {letters(ch)[2] for ch in form if is_syllable(ch)}
        assert heard <= set("ㄱㄴㄷㄹㅁㅂㅇ") | {""}


@given(st.sampled_from(["가", "나무", "서울"]), KOREAN)
def test_what_stands_beyond_punctuation_changes_nothing(word: str, text: str) -> None:
    assert pronounce(f"{word}, {text}") == f"{pronounce(word)}, {pronounce(text)}"
