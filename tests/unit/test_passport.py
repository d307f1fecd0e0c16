"""The passport: what makes two scores comparable, and what does not."""

import json
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from malgwi.errors import DataError
from malgwi.metrics.error_rate import score
from malgwi.metrics.passport import (
    Mismatch,
    Passport,
    hash_sum,
    hash_text,
    references_hash,
)
from malgwi.text.normalize import NormalizerConfig

SAID = {"a": "커피 한 잔", "b": "네."}


def passport(references=SAID, normalizer=None):
    return score(references, references, normalizer).passport


def test_same_references_in_any_form_and_order_have_the_same_fingerprint():
    other = {"b": " 네. ", "a": unicodedata.normalize("NFD", "커피  한 잔")}
    assert passport(other).fingerprint == passport().fingerprint
    assert passport().mismatches(passport(other)) == []


@pytest.mark.parametrize(
    "other", [{"a": "커피 한 잔", "b": "네"}, {"a": "네.", "b": "커피 한 잔"}, {"a": "커피 한 잔"}]
)
def test_other_references_have_another_hash(other):
    mine, theirs = passport(), passport(other)
    assert mine.fingerprint != theirs.fingerprint
    fields = {mismatch.field for mismatch in mine.mismatches(theirs)}
    assert "references.hash" in fields
    assert ("references.utterances" in fields) == (len(other) == 1)


def test_another_counting_is_named_field_by_field():
    one, other = NormalizerConfig(), NormalizerConfig(punctuation="keep")
    mine, theirs = passport({"a": "네"}, one), passport({"a": "네"}, other)
    assert mine.mismatches(theirs) == [Mismatch("normalizer.settings.punctuation", "drop", "keep")]
    assert mine.fingerprint.split("-")[0] != theirs.fingerprint.split("-")[0]
    assert mine.fingerprint.split("-")[1] == theirs.fingerprint.split("-")[1]
    assert (mine.punctuation, theirs.punctuation) == ("dropped", "counted")


def test_the_version_of_a_normaliser_counts_only_where_it_was_used():
    def versioned(found, version):
        normalizer = {**found.counting["normalizer"], "version": version}
        return replace(found, counting={**found.counting, "normalizer": normalizer})

    unused, used = passport(), passport(normalizer=NormalizerConfig())
    assert versioned(unused, "0").fingerprint == unused.fingerprint
    assert versioned(used, "0").fingerprint != used.fingerprint
    assert [m.field for m in used.mismatches(versioned(used, "0"))] == ["normalizer.version"]


def test_who_scored_and_decoded_is_recorded_but_does_not_forbid_comparison():
    found = passport()
    other = replace(found.decoded({"beams": 8}), malgwi="9.9")
    assert other.to_dict()["decoding"] == {"beams": 8}
    assert other.fingerprint == found.fingerprint
    assert found.mismatches(other) == []


def test_view_says_which_side_of_a_dual_form_counts():
    assert passport().view == "as written"
    assert passport(normalizer=NormalizerConfig()).view == "spelling"
    assert passport(normalizer=NormalizerConfig(dual="pronunciation")).view == "pronunciation"
    assert passport(normalizer=NormalizerConfig(dual="keep")).view == "as written"


def test_record_survives_json():
    found = passport(normalizer=NormalizerConfig()).decoded({"method": "beam"})
    record = json.loads(json.dumps(found.to_dict()))
    assert set(record) == {
        "fingerprint",
        "normalizer",
        "unicode",
        "spaces",
        "punctuation",
        "view",
        "references",
        "decoding",
        "malgwi",
    }
    assert Passport.from_dict(record) == found
    with pytest.raises(DataError, match=r"KeyError\('references'\): score again"):
        Passport.from_dict({})


texts = st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=6, unique=True)


@given(texts, st.integers(0, 6), st.randoms())
def test_hash_is_of_a_set_and_made_of_any_parts(pairs, cut, random):
    shuffled = random.sample(pairs, len(pairs))
    assert references_hash(shuffled) == references_hash(pairs)
    parts = hash_sum(pairs[:cut]) + hash_sum(pairs[cut:])
    assert hash_text(parts) == references_hash(pairs)


@given(texts, texts)
def test_other_texts_have_another_hash(one, other):
    assert (references_hash(one) == references_hash(other)) == (set(one) == set(other))


def test_hash_is_the_same_for_ever():
    assert references_hash([("a", "네")])[:16] == "3161c4caeca359ec"
