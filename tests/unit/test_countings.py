"""Others' conventions, against the programs they come from or their definitions."""

import re
import unicodedata

import jiwer
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from malgwi.metrics.countings import (
    AVERAGES,
    COLUMNS,
    CONVENTIONS,
    TREATMENTS,
    Figure,
    Sums,
    count_treated,
    has_marks,
    nearest,
    treatments,
)
from malgwi.metrics.error_rate import is_plain

texts = st.text(alphabet=st.sampled_from(list("가나다 aB.,%(3)\u1100\u1161")), max_size=12)
# jiwer takes one white space character for all
said_texts = texts.filter(lambda text: text.strip())
NLPTUTTI = jiwer.Compose([jiwer.RemoveWhiteSpace(), jiwer.RemovePunctuation()])
pairs = st.lists(st.tuples(said_texts, texts), min_size=1, max_size=4)


def figures(corpus, text):
    said, heard = zip(*corpus, strict=True)
    sums = count_treated(said, heard, {text: TREATMENTS[text]})[text]
    return {(f.metric, f.average): f.rate for f in sums.figures(text)}


@given(pairs)
def test_text_as_written_equals_jiwer(corpus):
    said, heard = map(list, zip(*corpus, strict=True))
    found = figures(corpus, "raw")
    assert found["cer", "corpus"] == pytest.approx(jiwer.cer(said, heard))
    words = jiwer.process_words(said, heard)
    assert found["wer", "corpus"] == pytest.approx(words.wer)
    assert found["mer", "corpus"] == pytest.approx(words.mer)


@given(pairs)
def test_means_are_of_the_utterances_rates(corpus):
    found = figures(corpus, "raw")
    rates = [jiwer.cer(said, heard) for said, heard in corpus]
    assert found["cer", "mean"] == pytest.approx(sum(rates) / len(rates))


@given(pairs)
def test_nlptutti_divides_by_all_columns_of_characters(corpus):
    rates = []
    for said, heard in corpus:
        one, other = NLPTUTTI(said), NLPTUTTI(heard)
        assume(one)
        counts = jiwer.process_characters(one, other)
        edits = counts.substitutions + counts.deletions + counts.insertions
        rates.append(edits / (edits + counts.hits))
    found = figures(corpus, "jiwer_punctuation")
    assert found["mer_characters", "mean"] == pytest.approx(sum(rates) / len(rates))


def whisper_basic(text, form, accents):
    """openai/whisper's BasicTextNormalizer, by its description."""
    text = re.sub(r"\(([^)]+?)\)", "", re.sub(r"[<\[][^>\]]*[>\]]", "", text.lower()))
    kept = []
    for ch in unicodedata.normalize(form, text):
        category = unicodedata.category(ch)
        if not accents and category == "Mn":
            continue
        kept.append(" " if category[0] in "MSP" else ch)
    return " ".join("".join(kept).lower().split())


@given(texts)
def test_whisper_texts(text):
    assert TREATMENTS["whisper"].apply(text) == whisper_basic(text, "NFKC", accents=True)
    assert TREATMENTS["whisper_nfkd"].apply(text) == whisper_basic(text, "NFKD", accents=False)


def test_on_jamo_two_syllables_are_five_tokens():
    found = figures([("학교", "학규")], "whisper_nfkd")
    assert found["cer", "corpus"] == 1 / 5
    assert figures([("학교", "학규")], "whisper")["cer", "corpus"] == 1 / 2


@given(st.lists(st.text(st.sampled_from("가힣나"), min_size=1), min_size=1).map(" ".join))
def test_plain_text_comes_out_of_plain_treatments_as_it_went_in(text):
    assert is_plain(text)
    for name, treatment in TREATMENTS.items():
        assert (treatment.apply(text) == text) == treatment.plain, name


def test_views_are_counted_only_where_there_are_marks():
    assert has_marks(["네", "(3시)/(세 시)"])
    assert has_marks(["그+ 그게"])
    assert not has_marks(["네", "km/h", "1+1", "(웃음)"])
    assert "pronunciation" not in treatments(marks=False)
    assert set(treatments(marks=True)) == set(TREATMENTS)


def test_figures_without_anything_to_divide_by_are_none():
    found = figures([("", "네"), ("...", "")], "jiwer_punctuation")
    assert found["cer", "corpus"] is None
    assert found["mer_characters", "corpus"] == 1.0
    assert nearest([Figure("nfc", "cer", "corpus", None)], 0.1) == []


def test_known_conventions_name_figures_that_exist():
    for text, metric, average in CONVENTIONS:
        assert text in TREATMENTS
        assert metric in COLUMNS
        assert average in AVERAGES


def test_nearest_prefers_who_is_known_among_equals():
    alike = [Figure("training", "cer", "corpus", 0.1), Figure("raw", "cer", "corpus", 0.1)]
    assert nearest(alike, 0.1)[0].known_as == "jiwer.cer, Hugging Face"
    far = [*alike, Figure("nfc", "wer", "mean", 0.2)]
    assert nearest(far, 0.19, most=1) == [far[2]]


def test_sums_of_parts_add_up():
    one, other = [("가나 다", "가 다")], [("라", "라마"), ("", "")]
    chosen = {"nfc": TREATMENTS["nfc"]}
    whole, *parts = (
        count_treated(*zip(*corpus, strict=True), chosen)["nfc"]
        for corpus in (one + other, one, other)
    )
    assert (parts[0] + parts[1]).figures("nfc") == whole.figures("nfc")
    assert isinstance(whole, Sums)
