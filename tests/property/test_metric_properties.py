"""Alignment and error rates for any text, with jiwer as the second opinion."""

import unicodedata
from itertools import pairwise

import jiwer
from hypothesis import assume, given
from hypothesis import strategies as st

from malgwi.metrics.alignment import align
from malgwi.metrics.counts import count_edits, respace
from malgwi.metrics.error_rate import SPACE_POLICY, countable, score, utterance_rates, word_starts
from malgwi.text.normalize import NormalizerConfig, normalize

# Few letters, so that ties, repetitions and matches are frequent; two jamo make a syllable.
texts = st.text(alphabet=st.sampled_from(list("가나다a. \u1100\u1161")), max_size=14)
said_texts = texts.filter(lambda text: text.strip())
anything = st.text(max_size=20)
tokens = st.lists(st.sampled_from(["가", "나", "가나", "a"]), max_size=9)


def levenshtein(a, b):
    """Wagner & Fischer's table, the definition itself."""
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            change = previous + (left != right)
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, change)
    return row[-1]


@given(tokens, tokens)
def test_alignment_is_complete_optimal_and_truthful(reference, hypothesis):
    edits = align(reference, hypothesis)
    assert [e.reference for e in edits if e.kind != "insertion"] == reference
    assert [e.hypothesis for e in edits if e.kind != "deletion"] == hypothesis
    assert sum(e.kind != "hit" for e in edits) == levenshtein(reference, hypothesis)
    for edit in edits:
        assert (edit.reference == edit.hypothesis) == (edit.kind == "hit")
        assert (edit.reference is None) == (edit.kind == "insertion")
        assert (edit.hypothesis is None) == (edit.kind == "deletion")


@given(tokens, tokens)
def test_between_matches_substitutions_come_before_the_surplus(reference, hypothesis):
    kinds = [e.kind for e in align(reference, hypothesis)]
    for left, right in pairwise(kinds):
        if right == "substitution":
            assert left in ("hit", "substitution")
        assert {left, right} != {"deletion", "insertion"}


@given(tokens, tokens)
def test_quick_counts_are_those_of_the_alignment(reference, hypothesis):
    for said, heard in ((reference, hypothesis), ("".join(reference), "".join(hypothesis))):
        kinds = [edit.kind for edit in align(said, heard)]
        wanted = [kinds.count(k) for k in ("hit", "substitution", "deletion", "insertion")]
        assert list(count_edits(said, heard)) == wanted


def respaced_by_alignment(reference, hypothesis):
    """The definition of sWER's spacing, edit by edit."""
    said, heard = iter(word_starts(reference)), iter(word_starts(hypothesis))
    pieces = []
    for edit in align("".join(reference.split()), "".join(hypothesis.split())):
        wanted = next(said) if edit.reference is not None else False
        own = next(heard) if edit.hypothesis is not None else False
        boundary = wanted if edit.kind == "hit" else own
        if edit.hypothesis is not None:
            pieces.append(" " * boundary + edit.hypothesis)
    return "".join(pieces).strip()


@given(texts, texts)
def test_respacing_takes_the_boundary_of_each_match(reference, hypothesis):
    assert respace(reference, hypothesis) == respaced_by_alignment(reference, hypothesis)


@given(said_texts, texts)
def test_character_counts_equal_jiwer(reference, hypothesis):
    said, heard = countable(reference), countable(hypothesis)
    mine, theirs = utterance_rates(reference, hypothesis).cer, jiwer.process_characters(said, heard)
    assert (mine.hits, mine.substitutions) == (theirs.hits, theirs.substitutions)
    assert (mine.deletions, mine.insertions) == (theirs.deletions, theirs.insertions)
    assert mine.rate == theirs.cer


@given(st.lists(st.tuples(said_texts, texts), min_size=1, max_size=5))
def test_corpus_rates_equal_jiwer(pairs):
    said = [countable(reference) for reference, _ in pairs]
    heard = [countable(hypothesis) for _, hypothesis in pairs]
    scores = score(
        {str(i): pair[0] for i, pair in enumerate(pairs)},
        {str(i): pair[1] for i, pair in enumerate(pairs)},
    ).corpus
    words = jiwer.process_words(said, heard)
    assert scores.wer.rate == words.wer
    assert scores.mer.rate == words.mer
    assert scores.cer.rate == jiwer.cer(said, heard)
    joined = [text.replace(" ", "") for text in said], [text.replace(" ", "") for text in heard]
    assert scores.cer_nospace.rate == jiwer.cer(*joined)


@given(said_texts, texts)
def test_spaced_word_error_rate_equals_jiwer_on_the_respaced_hypothesis(reference, hypothesis):
    said, heard = countable(reference), countable(hypothesis)
    assert utterance_rates(said, heard).swer.rate == jiwer.wer(said, respace(said, heard))


@given(said_texts)
def test_no_error_where_only_spacing_or_composition_differs(text):
    joined = unicodedata.normalize("NFC", text.replace(" ", ""))
    # a jamo at the end of a word and one at the start of the next become a syllable when joined
    assume(joined == unicodedata.normalize("NFC", text).replace(" ", ""))
    rates = utterance_rates(text, unicodedata.normalize("NFD", text.replace(" ", "")))
    assert rates.cer_nospace.errors == rates.swer.errors == 0
    assert rates.crr == 100.0


PLAIN = st.lists(st.text(st.sampled_from("가나이십만칠힣"), min_size=1), min_size=1).map(" ".join)


@given(PLAIN, st.sampled_from([None, "collapse", "remove"]))
def test_plain_hangul_is_passed_through_as_the_normaliser_would(text, whitespace):
    config = None if whitespace is None else NormalizerConfig(whitespace=whitespace)
    wanted = text if config is None else normalize(text, config)
    assert countable(text, config) == wanted


@given(anything, anything)
def test_any_text_can_be_scored(reference, hypothesis):
    rates = utterance_rates(reference, hypothesis)
    assert list(rates.by_name()) == list(SPACE_POLICY)
    for rate in rates.by_name().values():
        assert rate.reference == rate.hits + rate.substitutions + rate.deletions
    assert rates.mer.errors == rates.wer.errors
    assert rates.mer.errors <= rates.mer.denominator


@given(texts, texts)
def test_respacing_changes_nothing_but_spaces(reference, hypothesis):
    said, heard = countable(reference), countable(hypothesis)
    moved = respace(said, heard)
    assert moved.replace(" ", "") == heard.replace(" ", "")
    assert moved == " ".join(moved.split())
    assert respace(said, said) == said


@given(texts, texts)
def test_swapping_sides_swaps_deletions_and_insertions_in_cost(reference, hypothesis):
    forth = utterance_rates(reference, hypothesis).cer
    back = utterance_rates(hypothesis, reference).cer
    assert forth.errors == back.errors
    assert forth.deletions - forth.insertions == back.insertions - back.deletions
