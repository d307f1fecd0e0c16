"""The n-gram model: what a search sees, and its files."""

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_language_model import check_contexts, check_language_model

from malgwi.errors import CheckpointError, ConfigError, DataError
from malgwi.lm.arpa import read_arpa, write_arpa
from malgwi.lm.binary import MAGIC, read_binary, write_binary
from malgwi.lm.kneser_ney import train
from malgwi.lm.ngram import NgramModel
from malgwi.lm.perplexity import perplexity
from malgwi.lm.pruning import prune_by_entropy
from malgwi.lm.units import TextSettings, cut, differences, fingerprint, unit_texts
from malgwi.text.normalize import NormalizerConfig
from malgwi.tokenizers import TokenizerConfig
from malgwi.tokenizers import train as train_tokenizer
from malgwi.types import Tokenizer

LINES = [
    "네 알겠습니다", "다시 한 번 말씀해 주세요", "주문 번호가 어떻게 되세요", "네 네 잠시만요",
    "번호를 다시 말씀해 주세요", "한 번 더 말씀해 주시겠어요", "주문이 어떻게 되나요",
]  # fmt: skip


def model_of(kind: str, *, spaces: bool = False, order: int = 3) -> tuple[NgramModel, Tokenizer]:
    tokenizer = train_tokenizer(
        LINES, TokenizerConfig(kind=kind, spaces=spaces, vocab_size=45, min_count=1)
    )
    kept = TextSettings(
        units=kind,  # type: ignore[arg-type]
        spaces=spaces,
        tokenizer=fingerprint(tokenizer) if kind == "subword" else "",
    )
    return train(cut(LINES, kept, tokenizer), order, settings=kept).model, tokenizer


def equal(first: NgramModel, second: NgramModel) -> bool:
    """Whether the same words, n-grams and numbers, to the bit."""
    pairs = zip(first.levels, second.levels, strict=True)
    return first.words == second.words and all(
        np.array_equal(a.words, b.words)
        and np.array_equal(a.log10, b.log10)
        and (a.backoff is None) == (b.backoff is None)
        and (a.backoff is None or np.array_equal(a.backoff, b.backoff))
        and (a.children is None or np.array_equal(a.children, b.children))
        for a, b in pairs
    )


@pytest.mark.parametrize("spaces", [False, True])
@pytest.mark.parametrize("kind", ["syllable", "jamo", "subword"])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_steps_of_a_search_add_up_to_the_probability_of_the_text(
    kind: str, spaces: bool, order: int
) -> None:
    model, tokenizer = model_of(kind, spaces=spaces, order=order)
    bound = model.bind(tokenizer, NormalizerConfig())
    texts = ["네 주문 번호가", "알겠습니다만", "한쉿 번"]  # 만 follows 다 nowhere, 쉿 is unknown
    names = unit_texts(tokenizer)
    for text in texts:
        ids = [*tokenizer.encode(text), tokenizer.end_id]
        state, total = bound.start(2), 0.0
        for token in ids:
            scores = bound.score(state)
            assert scores.shape == (2, tokenizer.size)
            assert scores.dtype == np.float32
            total += float(scores[1, token])
            state = bound.advance(state, np.array([1, 1]), np.array([token, token]))
        units = [names[token] for token in ids[:-1]]
        found = perplexity(model, [units])
        assert total == pytest.approx(-found.nats, rel=1e-5)
        assert found.tokens == len(ids)


def test_rows_are_chosen_and_states_are_never_changed() -> None:
    model, tokenizer = model_of("syllable")
    bound = model.bind(tokenizer)
    first, second = tokenizer.encode("네알")
    root = bound.start(1)
    one = bound.advance(root, np.array([0, 0]), np.array([first, second]))
    before = bound.score(one).copy()
    swapped = bound.advance(one, np.array([1, 0, 1]), np.array([second, second, first]))
    alone = bound.advance(one, np.array([0]), np.array([second]))
    assert np.array_equal(bound.score(swapped)[1], bound.score(alone)[0])
    assert not np.array_equal(bound.score(swapped)[0], bound.score(swapped)[1])
    assert np.array_equal(bound.score(one), before)


def test_a_frame_by_frame_search_can_hold_a_row() -> None:
    model, tokenizer = model_of("syllable")
    text = tokenizer.encode("네주문번호가")
    check_language_model(model.bind(tokenizer), text)
    assert check_contexts(model.bind(tokenizer), text) > 0


def test_a_small_cache_gives_the_same_scores() -> None:
    model, tokenizer = model_of("syllable")
    large, small = model.bind(tokenizer), model.bind(tokenizer, cache_bytes=1)
    assert small.capacity == 1
    tokens = np.array(tokenizer.encode("주문번호"))
    for bound in (large, small):
        state = bound.start(1)
        bound.states = [state := bound.advance(state, np.array([0]), t[None]) for t in tokens]  # type: ignore[attr-defined]
    for state in large.states + large.states[::-1]:  # type: ignore[attr-defined]
        assert np.array_equal(large.score(state), small.score(state))
    assert len(small._cache) == 1


@pytest.mark.parametrize("kind", ["syllable", "jamo"])
def test_what_follows_any_context_sums_to_one(kind: str) -> None:
    model, _ = model_of(kind, order=4)
    nodes = model.start_nodes(1)
    ids = [model.id_of(unit) for unit in next(cut(LINES, model.settings or TextSettings()))]
    for word in ids:
        probs = np.exp(model.dense(nodes)[0].astype(np.float64))
        assert probs.sum() - probs[model.ids["<s>"]] == pytest.approx(1.0, abs=1e-5)
        nodes = model.next_nodes(nodes, np.array([word]))


@pytest.mark.parametrize("rows", [1, 40, 5000])
def test_look_ups_find_what_stands_in_the_trie(rows: int, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    trained, _ = model_of("jamo", order=4)
    write_binary(trained, tmp_path / "jamo.lm")
    for model in (trained, read_binary(tmp_path / "jamo.lm")):
        for order, (above, level) in enumerate(pairwise(model.levels), start=2):
            hung = zip(above.parents().tolist(), level.words.tolist(), strict=True)
            places = {pair: place for place, pair in enumerate(hung)}
            nodes = random.integers(-1, len(above.words), rows)
            words = random.integers(0, len(model.words), rows)
            known = random.random(rows) < 0.5  # half of them are there
            chosen = random.integers(0, len(level.words), rows)
            nodes[known] = above.parents()[chosen[known]]
            words[known] = level.words[chosen[known]]
            wanted = [
                places.get(pair, -1) for pair in zip(nodes.tolist(), words.tolist(), strict=True)
            ]
            assert model.child(order, nodes, words).tolist() == wanted


def test_a_model_that_does_not_fit_says_in_what() -> None:
    model, _ = model_of("syllable", spaces=True)
    _, jamo = model_of("jamo")
    assert model.settings is not None
    with pytest.raises(ConfigError, match=r"units: .* syllable.*jamo; spaces: .*left out"):
        model.bind(jamo)
    _, same = model_of("syllable", spaces=True)
    assert differences(model.settings, same, NormalizerConfig()) == []
    other = differences(model.settings, same, NormalizerConfig(case="lower"))
    assert other == ["normaliser case: the language model's is 'upper', the recogniser's 'lower'"]
    pieces, _ = model_of("subword")
    stranger = train_tokenizer(LINES[:3], TokenizerConfig(kind="subword", vocab_size=30))
    with pytest.raises(ConfigError, match=r"another tokenizer\.json"):
        pieces.bind(stranger)


def test_a_model_of_other_words_is_refused() -> None:
    _, tokenizer = model_of("syllable")
    with pytest.raises(ConfigError, match="none of the tokenizer's"):
        train([["hello", "there"]], 2).model.bind(tokenizer)


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
def test_arpa_gives_the_model_back_to_the_bit(name: str, tmp_path: Path) -> None:
    model, _ = model_of("jamo", spaces=True, order=4)
    write_arpa(model, tmp_path / name)
    again = read_arpa(tmp_path / name, model.settings)
    assert equal(model, again)
    write_arpa(again, tmp_path / f"again-{name}")
    assert (tmp_path / name).read_bytes() == (tmp_path / f"again-{name}").read_bytes()


ARPA = """
by another toolkit

\\data\\
ngram 1=5
ngram 2=2
ngram 3=1

\\1-grams:
-1.0\t</s>
-99\t<s>\t-0.3
-0.5\t나\t-0.2
-0.4\t가 -0.1
-0.7\t다

\\2-grams:
-0.2\t<s> 가\t-0.25
-0.3\t가 나\t-0.15

\\3-grams:
-0.11\t나 다 가

\\end\\
"""


def test_arpa_of_others_is_read(tmp_path: Path) -> None:
    """Unsorted, without <unk>, with an n-gram whose beginning is not there."""
    path = tmp_path / "other.arpa"
    path.write_text(ARPA, encoding="utf-8")
    model = read_arpa(path)
    for context, word, wanted in [
        ([], "가", -0.4),
        (["<s>"], "가", -0.2),
        (["<s>"], "나", -0.3 - 0.5),
        (["<s>", "가"], "나", -0.25 - 0.3),
        (["<s>", "가"], "다", -0.25 - 0.1 - 0.7),
        (["나"], "다", -0.2 - 0.7),  # put in as the beginning of 나 다 가: as backoff gives it
        (["나", "다"], "가", -0.11),
        (["나", "다"], "나", -0.5),
        (["가"], "쉿", -0.1 - 100),
    ]:
        assert model.log10_prob(context, word) == pytest.approx(wanted, abs=1e-6), (context, word)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("\\data\\", "data", r"no line \\data\\"),
        ("ngram 2=2", "ngram 3=2", "ngram 2=NUMBER"),
        ("ngram 2=2", "ngram 2=3", "3 2-grams announced, 2 found"),
        ("-0.3\t가 나\t-0.15", "-0.3\t가", "2 words"),
        ("-0.3\t가 나", "-0.3\t가 라", "'라' is not among the unigrams"),
        ("-0.3\t가 나", "x\t가 나", "not a number"),
        ("-0.3\t가 나", "-0.3\t<s> 가", "twice"),
        ("\\end\\", "", r"expected \\end\\"),
        ("-1.0\t</s>", "-1.0\t끝", "no word </s>"),
    ],
)
def test_a_faulty_arpa_file_is_named(old: str, new: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.arpa"
    path.write_text(ARPA.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=says):
        read_arpa(path)
    with pytest.raises(DataError, match="no ARPA file"):
        read_arpa(tmp_path / "absent.arpa")


def test_a_cut_off_gzip_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.arpa.gz"
    path.write_bytes(gzip.compress(ARPA.encode())[:-20])
    with pytest.raises(DataError, match="damaged"):
        read_arpa(path)


@pytest.mark.parametrize("quantize", [False, True])
def test_the_binary_form_gives_the_model_back(quantize: bool, tmp_path: Path) -> None:
    model, tokenizer = model_of("syllable")
    size = write_binary(model, tmp_path / "model.lm", quantize=quantize)
    again = read_binary(tmp_path / "model.lm")
    assert again.settings == model.settings
    assert size == (tmp_path / "model.lm").stat().st_size
    assert equal(model, again)  # so few different values that quantisation loses nothing
    state = again.bind(tokenizer).start(1)
    assert np.array_equal(again.bind(tokenizer).score(state), model.bind(tokenizer).score(state))


def test_quantisation_is_small_and_near(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    text = [[chr(0xAC00 + int(w)) for w in generator.zipf(1.3, 20) % 400] for _ in range(500)]
    model = train(text, 3).model
    whole = write_binary(model, tmp_path / "whole.lm")
    small = write_binary(model, tmp_path / "small.lm", quantize=True)
    found = read_binary(tmp_path / "small.lm")
    assert small < 0.7 * whole
    before, after = (perplexity(m, text[:100]).with_unknown for m in (model, found))
    assert after == pytest.approx(before, rel=0.01)
    assert before != after


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (0, "does not begin"),
        (8, "format version"),
        (20, "SHA-256"),
        (99, "SHA-256"),
        (-70, "SHA-256"),
    ],
)
def test_damage_is_named(place: int, says: str, tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    write_binary(model_of("syllable")[0], path)
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match=says):
        read_binary(path)


@pytest.mark.parametrize("length", [4, len(MAGIC) + 30, 48, 60, -200])
def test_a_file_cut_off_is_named(length: int, tmp_path: Path) -> None:
    path = tmp_path / "model.lm"
    write_binary(model_of("syllable")[0], path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=str(path)):
        read_binary(path)


@settings(max_examples=15, deadline=None)
@given(
    text=st.lists(
        st.lists(st.sampled_from("가나다라"), min_size=1, max_size=8), min_size=5, max_size=40
    ),
    threshold=st.sampled_from([1e-4, 1e-2, 1.0]),
)
def test_entropy_pruning_leaves_sums_at_one(text: list[list[str]], threshold: float) -> None:
    model = train(text, 3).model
    small = prune_by_entropy(model, threshold)
    assert [len(level.words) for level in small.levels] <= [
        len(level.words) for level in model.levels
    ]
    for units in text[:5]:
        nodes = small.start_nodes(1)
        for unit in units:
            probs = np.exp(small.dense(nodes)[0].astype(np.float64))
            assert probs.sum() - probs[small.ids["<s>"]] == pytest.approx(1.0, abs=1e-4)
            nodes = small.next_nodes(nodes, np.array([small.id_of(unit)]))
    if threshold == 1.0:
        assert (
            len(small.levels[2].words) < len(model.levels[2].words)
            or not model.levels[2].words.size
        )


def test_one_pruned_ngram_costs_what_was_foretold() -> None:
    """D by its definition, summed over the context's words, against the closed form."""
    model = train([list("가나다"), list("가나라"), list("나다"), list("가라나")] * 2, 2).model
    context, word = "가", "나"
    rest = [w for w in model.words if w != "<s>"]
    with_it = {w: 10 ** model.log10_prob([context], w) for w in rest}
    unigram = {w: 10 ** model.log10_prob([], w) for w in rest}
    held = [
        w
        for w in rest
        if model.child(2, np.array([model.ids[context]]), np.array([model.ids[w]]))[0] >= 0
    ]
    left = [w for w in held if w != word]
    weight = (1 - sum(with_it[w] for w in left)) / (1 - sum(unigram[w] for w in left))
    without = {w: with_it[w] if w in left else weight * unigram[w] for w in rest}
    divergence = unigram[context] * sum(p * np.log(p / without[w]) for w, p in with_it.items())
    rise = float(np.expm1(divergence))
    for threshold, stays in ((rise * 0.99, True), (rise * 1.01, False)):
        small = prune_by_entropy(model, threshold)
        node = small.child(2, np.array([small.ids[context]]), np.array([small.ids[word]]))
        assert (node[0] >= 0) == stays
