"""Hot-words against counting by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_language_model import check_language_model, score_of

from malgwi import tokenizers
from malgwi.errors import ConfigError
from malgwi.lm.hotwords import HotWords
from malgwi.types import BonusModel

END = 2
VOCABULARY_SIZE = 7

tokens = st.integers(3, 6)  # few, so that phrases overlap
phrases = st.lists(tokens, min_size=1, max_size=4).map(tuple)
boosts = st.sampled_from([0.5, 3.0, 7.25, -2.0])


def counted(text: tuple[int, ...], words: dict[tuple[int, ...], float]) -> float:
    """The longest phrase at each place, from the left, none twice."""
    at, total = 0, 0.0
    while at < len(text):
        here = [p for p in words if text[at : at + len(p)] == p]
        best = max(here, key=len, default=None)
        total += 0.0 if best is None else words[best]
        at += 1 if best is None else len(best)
    return total


def model(words: dict[tuple[int, ...], float]) -> HotWords:
    return HotWords(words, vocabulary_size=VOCABULARY_SIZE, end_id=END)


@settings(max_examples=150, deadline=None)
@given(
    words=st.dictionaries(phrases, boosts, min_size=1, max_size=5),
    text=st.lists(tokens, max_size=14).map(tuple),
)
def test_a_finished_text_has_earned_what_stands_in_it(
    words: dict[tuple[int, ...], float], text: tuple[int, ...]
) -> None:
    assert score_of(model(words), text, END) == pytest.approx(counted(text, words), abs=1e-4)


def test_all_short_texts_of_phrases_that_overlap() -> None:
    words = {(3,): 1.0, (3, 4): 2.0, (3, 4, 3, 5): 4.0, (4, 4): 8.0, (5, 3): 16.0, (4, 3): 32.0}
    hot = model(words)
    for length in range(7):
        for text in product((3, 4, 5), repeat=length):
            assert score_of(hot, text, END) == pytest.approx(counted(text, words), abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    words=st.dictionaries(phrases, boosts, min_size=1, max_size=5),
    text=st.lists(tokens, min_size=1, max_size=8),
)
def test_it_is_a_language_model_and_never_adds_more_than_it_says(
    words: dict[tuple[int, ...], float], text: list[int]
) -> None:
    hot = model(words)
    check_language_model(hot, text)
    assert isinstance(hot, BonusModel)
    state = hot.start(1)
    for token in text:
        assert float(hot.score(state).max()) <= hot.ceiling + 1e-6
        state = hot.advance(state, np.array([0]), np.array([token]))


def test_a_boost_is_spread_over_its_tokens_and_taken_back() -> None:
    hot = model({(3, 4, 5): 6.0})
    state = hot.start(1)
    for token, given_for in ((3, 2.0), (4, 2.0)):
        assert float(hot.score(state)[0, token]) == pytest.approx(given_for)
        state = hot.advance(state, np.array([0]), np.array([token]))
    left = hot.score(state)[0]
    assert left[[5, END, 6]].tolist() == pytest.approx([2.0, -4.0, -4.0])
    assert float(left[3]) == pytest.approx(2.0 - 4.0)  # given up, and begun again


def test_phrases_come_as_text() -> None:
    tokenizer = tokenizers.train(["서울역에서 만나요", "말귀를 알아듣다"])
    hot = HotWords.of_texts({"서울": 2.0, "서울역": 5.0, "서 울": 1.0}, tokenizer)
    for text, earned in (("서울에서", 2.0), ("서울역에서 서울", 7.0), ("만나요", 0.0)):
        ids = tokenizer.encode(text)
        assert score_of(hot, ids, tokenizer.end_id) == pytest.approx(earned)


def test_what_cannot_work_is_refused() -> None:
    tokenizer = tokenizers.train(["서울역"])
    with pytest.raises(ConfigError, match="'부산': this recogniser has no units"):
        HotWords.of_texts({"부산": 2.0}, tokenizer)
    with pytest.raises(ConfigError, match="a token or more"):
        model({(): 1.0})
    with pytest.raises(ConfigError, match="a token or more"):
        model({(3,): float("nan")})
