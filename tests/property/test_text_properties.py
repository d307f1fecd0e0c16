"""What must hold for any text: round trips, idempotence, and that nothing is invented."""

import unicodedata
from dataclasses import fields
from typing import get_args

from hypothesis import example, given, settings
from hypothesis import strategies as st

from malgwi.text import hangul
from malgwi.text.normalize import NormalizerConfig, normalize
from malgwi.text.numbers import read_numbers
from malgwi.tokenizers import TokenizerConfig, canonical, from_dict, jamo_table, train

SYLLABLES = st.integers(0xAC00, 0xD7A3).map(chr)
CONJOINING = st.integers(0x1100, 0x11FF).map(chr)
LETTERS = st.integers(0x3131, 0x318E).map(chr)
MARKS = st.sampled_from(list("()/+*blonu아.,-~'\"0123456789%$:·  시명 만원AÉz℃½②²㎞\u200b\u3000"))
ANY = st.characters(exclude_categories=["Cs"])
KOREAN = st.text(st.one_of(SYLLABLES, LETTERS, MARKS), max_size=30)
WILD = st.text(st.one_of(SYLLABLES, CONJOINING, LETTERS, MARKS, ANY), max_size=30)
POLICIES = st.builds(
    NormalizerConfig,
    **{field.name: st.sampled_from(get_args(field.type)) for field in fields(NormalizerConfig)},
)


@settings(deadline=None)
@given(st.text(SYLLABLES))
def test_letters_of_any_text_join_again(text: str) -> None:
    jamo = "".join(hangul.to_jamo(ch) for ch in text)
    assert jamo == unicodedata.normalize("NFD", text)
    assert hangul.from_jamo(jamo) == text


@settings(deadline=None)
@given(st.text(st.one_of(SYLLABLES, CONJOINING, LETTERS)))
def test_from_jamo_is_canonically_neutral(text: str) -> None:
    joined = hangul.from_jamo(text)
    assert unicodedata.normalize("NFC", joined) == unicodedata.normalize("NFC", text)


@settings(max_examples=400, deadline=None)
@given(WILD, POLICIES)
@example("아/'여", NormalizerConfig(fillers="keep"))
@example("(ᄀ)/(a) b/아/+*", NormalizerConfig(dual="keep", tags="keep", fillers="keep"))
@example("가'\u11a8", NormalizerConfig())
@example("1'2,345.6,7", NormalizerConfig(digits="keep"))
@example("e'\u0301", NormalizerConfig(latin="spell"))
def test_normalising_twice_changes_nothing(text: str, config: NormalizerConfig) -> None:
    once = normalize(text, config)
    assert normalize(once, config) == once


@settings(deadline=None)
@given(WILD, POLICIES)
def test_normalised_text_is_nfc_and_trimmed(text: str, config: NormalizerConfig) -> None:
    out = normalize(text, config)
    assert unicodedata.is_normalized("NFC", out)
    assert out == " ".join(out.split())
    assert not any("\ue000" <= ch <= "\uf8ff" for ch in out)


@settings(deadline=None)
@given(WILD)
def test_decomposed_and_composed_input_agree(text: str) -> None:
    assert normalize(unicodedata.normalize("NFD", text)) == normalize(
        unicodedata.normalize("NFC", text)
    )


@settings(deadline=None)
@given(WILD, POLICIES)
def test_policies_hold(text: str, config: NormalizerConfig) -> None:
    out = normalize(text, config)
    if config.digits == "hangul":
        assert not any("0" <= ch <= "9" for ch in out)
    if config.latin == "drop" and "keep" not in (config.tags,):
        assert not any("a" <= ch.lower() <= "z" for ch in out)
    if config.jamo == "drop":
        assert not any(hangul.is_compatibility_jamo(ch) for ch in out)
    if config.whitespace == "remove":
        assert " " not in out


@settings(deadline=None)
@given(POLICIES)
def test_settings_survive_their_record(config: NormalizerConfig) -> None:
    assert NormalizerConfig.from_dict(config.to_dict()) == config


@settings(deadline=None)
@given(KOREAN)
def test_reading_numbers_leaves_no_digit_and_keeps_the_words(text: str) -> None:
    out = read_numbers(text)
    assert not any("0" <= ch <= "9" for ch in out)
    assert read_numbers(out) == out
    if not any("0" <= ch <= "9" for ch in text):
        assert out == text


@settings(deadline=None)
@given(st.lists(WILD.filter(str.strip), min_size=1, max_size=4), st.booleans())
def test_character_tokenizers_give_any_training_text_back(texts: list[str], spaces: bool) -> None:
    for kind in ("syllable", "jamo"):
        tokenizer = train(texts, TokenizerConfig(kind=kind, spaces=spaces))
        for text in texts:
            ids = tokenizer.encode(text)
            assert tokenizer.decode(ids) == canonical(text, spaces=spaces)
            assert all(4 <= token < tokenizer.size for token in ids)
        assert from_dict(tokenizer.to_dict()).encode(texts[0]) == tokenizer.encode(texts[0])


@settings(deadline=None)
@given(st.text(st.one_of(SYLLABLES, CONJOINING)))
def test_jamo_tokenizer_is_exact_for_hangul_it_never_saw(text: str) -> None:
    tokenizer = train([text, "가"], TokenizerConfig(kind="jamo"))
    unseen = train(["가"], TokenizerConfig(kind="jamo"))
    assert tokenizer.decode(tokenizer.encode(text)) == canonical(text, spaces=False)
    modern = "".join(ch for ch in canonical(text, spaces=False) if hangul.is_syllable(ch))
    assert unseen.decode(unseen.encode(modern)) == modern


@settings(max_examples=40, deadline=None)
@given(
    st.lists(KOREAN.filter(lambda text: canonical(text, spaces=False)), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from(["unigram", "bpe"]),
)
def test_subword_gives_any_training_text_back(
    texts: list[str], spaces: bool, algorithm: str
) -> None:
    config = TokenizerConfig(
        kind="subword",
        spaces=spaces,
        vocab_size=200,
        algorithm=algorithm,  # type: ignore[arg-type]
    )
    tokenizer = train(texts, config)
    for text in texts:
        assert tokenizer.decode(tokenizer.encode(text)) == canonical(text, spaces=spaces)


@settings(deadline=None)
@given(st.lists(st.integers(0, 60)))
def test_decode_takes_any_ids_and_never_invents(ids: list[int]) -> None:
    for kind in ("syllable", "jamo"):
        tokenizer = train(["가나다라 마바사 ABC"], TokenizerConfig(kind=kind))
        known = [token % tokenizer.size for token in ids]
        text = tokenizer.decode(known)
        without_specials = [token for token in known if token > 3]
        assert text == tokenizer.decode(without_specials)
        assert len(text) <= len(without_specials)


@settings(deadline=None)
@given(st.lists(SYLLABLES, min_size=1, max_size=20))
def test_jamo_table_composes_the_vocabulary(syllables: list[str]) -> None:
    tokenizer = train(syllables)
    for token, row in enumerate(jamo_table(tokenizer)):
        if token < 4:
            assert row == (-1, -1, -1)
        else:
            assert hangul.compose(*row) == tokenizer.decode([token])
