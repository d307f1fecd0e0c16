"""Mixtures of n-gram models against the formula, and fitted weights against all others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi.errors import ConfigError, DataError
from malgwi.lm.backoff import grams
from malgwi.lm.kneser_ney import train
from malgwi.lm.mixing import fitted_weights, mixed
from malgwi.lm.ngram import NgramModel
from malgwi.lm.units import UNKNOWN, TextSettings


def texts(letters: str) -> st.SearchStrategy[list[list[str]]]:
    sentence = st.lists(st.sampled_from(letters), min_size=1, max_size=6)
    return st.lists(sentence, min_size=2, max_size=20)


def prob(model: NgramModel, words: list[str]) -> float:
    """P of the last word given the rest; none of a word that the model lacks."""
    *context, last = words
    return 0.0 if last not in model.ids else float(10 ** model.log10_prob(context, last))


@settings(max_examples=40, deadline=None)
@given(
    one=texts("가나다"),
    other=texts("나다라마"),
    orders=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    share=st.floats(0.05, 0.95),
)
def test_every_ngram_of_either_has_the_probability_of_the_mixture(
    one: list[list[str]], other: list[list[str]], orders: tuple[int, int], share: float
) -> None:
    models = [train(text, order).model for text, order in zip((one, other), orders, strict=True)]
    whole = mixed(models, [share, 1 - share])
    assert whole.order == max(orders)
    held = {
        tuple(model.words[word] for word in row)
        for model in models
        for order in range(1, model.order + 1)
        for row in grams(model, order)
    }
    own = {
        tuple(whole.words[word] for word in row)
        for order in range(1, whole.order + 1)
        for row in grams(whole, order)
    }
    assert own == held
    for words in own - {("<s>",)}:
        want = sum(
            weight * prob(model, list(words))
            for weight, model in zip((share, 1 - share), models, strict=True)
        )
        assert prob(whole, list(words)) == pytest.approx(want, rel=1e-4), words


@settings(max_examples=40, deadline=None)
@given(one=texts("가나다"), other=texts("나다라마"), order=st.integers(1, 4))
def test_every_context_of_a_mixture_sums_to_one(
    one: list[list[str]], other: list[list[str]], order: int
) -> None:
    whole = mixed([train(one, order).model, train(other, 2).model], [1, 2])
    for sentence in one + other:
        nodes = whole.start_nodes(1)
        for unit in sentence:
            probs = np.exp(whole.dense(nodes)[0].astype(np.float64))
            assert probs.sum() - probs[whole.ids["<s>"]] == pytest.approx(1.0, abs=1e-4)
            nodes = whole.next_nodes(nodes, np.array([whole.id_of(unit)]))


def test_a_model_mixed_with_itself_is_itself() -> None:
    model = train([list("가나다"), list("나다가"), list("가다")] * 3, 3).model
    both = mixed([model, model], [1, 5])
    assert both.words == model.words
    text = np.array([model.id_of(word) for word in ["<s>", *"나가다나다", "</s>"]])
    np.testing.assert_allclose(both.log10_probs(text), model.log10_probs(text), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(parts=st.tuples(texts("가나다"), texts("나다라"), texts("가나다라")))
def test_no_other_weights_are_likelier(
    parts: tuple[list[list[str]], list[list[str]], list[list[str]]],
) -> None:
    one, other, judged = parts
    models = [train(text, 2).model for text in (one, other)]
    rows = []
    for sentence in judged:
        words = ["<s>", *sentence, "</s>"]
        for end in range(2, len(words) + 1):
            rows.append([prob(model, words[:end]) for model in models])
    probs = np.array([row for row in rows if any(row)])

    def nats(share: float) -> float:
        with np.errstate(divide="ignore"):
            return float(np.log(probs @ [share, 1 - share]).sum())

    weights = fitted_weights(models, judged)
    assert weights.sum() == pytest.approx(1.0)
    best = max(nats(share) for share in np.linspace(0, 1, 201))
    assert nats(weights[0]) >= best - 1e-2


def test_what_cannot_be_mixed_is_named() -> None:
    model = train([list("가나")], 2).model
    for weights in ([1.0], [1.0, 0.0], []):
        with pytest.raises(ConfigError, match="of 2 language models"):
            mixed([model, model], weights)
    cut = [train([list("가나")], 2, settings=TextSettings(spaces=s)).model for s in (True, False)]
    with pytest.raises(ConfigError, match="different ways"):
        mixed(cut, [1, 1])
    assert mixed([model, cut[0]], [1, 1]).settings == cut[0].settings
    with pytest.raises(DataError, match="nothing that the language models know"):
        fitted_weights([model], [])


def test_what_one_model_lacks_the_other_gives() -> None:
    one, other = (train([[word, word]] * 4, 2).model for word in "가나")
    whole = mixed([one, other], [1, 1])
    assert whole.log10_prob(["나"], "나") == pytest.approx(
        other.log10_prob(["나"], "나") + np.log10(0.5), abs=1e-5
    )
    assert prob(whole, [UNKNOWN]) == pytest.approx(
        (prob(one, [UNKNOWN]) + prob(other, [UNKNOWN])) / 2, rel=1e-5
    )
