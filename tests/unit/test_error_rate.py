"""Error rates: the table of published definitions, the conventions, and what must be refused."""

import json
import math
import subprocess
import sys
import unicodedata

import pytest

from malgwi.errors import DataError
from malgwi.metrics.counts import respace
from malgwi.metrics.error_rate import (
    SPACE_POLICY,
    ErrorRate,
    cer_nospace,
    score,
    total,
    utterance_rates,
)
from malgwi.text.normalize import VERSION, NormalizerConfig

TABLE = [
    ("나는 오늘 학교에 갔다", "나는 오늘 학교 갔다", 0.1111, 0.0833, 0.25, 0.25),
    ("커피 한 잔 주세요", "커피 한잔 주세요", 0.0, 0.1, 0.5, 0.0),
    ("어제 비가 왔어요", "어제 비 왔어요", 0.1429, 0.1111, 0.3333, 0.3333),
    ("빨리 집에 가고 싶어", "빨리 집에 가고싶어", 0.0, 0.0909, 0.5, 0.0),
    ("커피 한 잔 주세요", "커피 한장 주세요", 0.1429, 0.2, 0.5, 0.5),
]


@pytest.mark.parametrize(("reference", "hypothesis", "nospace", "cer", "wer", "swer"), TABLE)
def test_published_table(reference, hypothesis, nospace, cer, wer, swer):
    rates = utterance_rates(reference, hypothesis)
    found = [rates.cer_nospace.rate, rates.cer.rate, rates.wer.rate, rates.swer.rate]
    assert found == pytest.approx([nospace, cer, wer, swer], abs=5e-5)


def test_edits_are_summed_over_the_corpus_and_divided_once():
    references = {"short": "네", "long": "가나다라마바사아자"}
    hypotheses = {"short": "아", "long": "가나다라마바사아자"}
    assert score(references, hypotheses).corpus.cer_nospace.rate == 1 / 10  # mean of rates: 1/2


def test_composed_and_decomposed_text_are_equal():
    said = "학교에 갔다"
    rates = utterance_rates(said, unicodedata.normalize("NFD", said))
    assert rates.cer.errors == rates.wer.errors == 0
    assert rates.cer.reference == 6


def test_white_space_of_any_kind_is_trimmed_and_collapsed():
    rates = utterance_rates(" 커피\t한 \u3000잔\n", "커피 한 잔")
    assert all(rate.errors == 0 for rate in rates.by_name().values())
    assert rates.cer.reference == 6


def test_empty_reference_has_no_rate_but_its_insertions_count():
    alone = utterance_rates("", "네 네")
    assert math.isnan(alone.cer_nospace.rate)
    assert alone.cer_nospace.to_dict()["rate"] is None
    assert alone.cer_nospace.insertions == 2
    assert alone.mer.rate == 1.0  # its columns are the two insertions
    scores = score({"a": "", "b": "가나다라"}, {"a": "네 네", "b": "가나다라"})
    assert scores.corpus.cer_nospace.rate == 0.5


def test_rate_may_exceed_one_and_recognition_rate_fall_below_zero():
    scores = score({"a": "네"}, {"a": "안녕하세요"})
    assert scores.corpus.cer_nospace.rate == 5.0
    assert scores.corpus.crr == -400.0
    assert scores.corpus.mer.rate == 1.0


def test_punctuation_counts_unless_the_normaliser_drops_it():
    said, heard = {"a": "네, 맞아요."}, {"a": "네 맞아요"}
    assert score(said, heard).corpus.cer_nospace.deletions == 2
    assert score(said, heard, NormalizerConfig()).corpus.cer_nospace.errors == 0


def test_characters_of_any_script_count():
    # No vocabulary is asked: KoSpeech and OpenSpeech drop what theirs lacks.
    rates = utterance_rates("뷁 Wi-Fi 😀 漢字", "와이파이")
    assert rates.cer_nospace.reference == len("뷁Wi-Fi😀漢字")
    assert rates.cer_nospace.errors == len("뷁Wi-Fi😀漢字")


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("커피 한 잔 주세요", "커피한잔주세요", "커피 한 잔 주세요"),
        ("가고싶어", "가고 싶어", "가고싶어"),
        ("가나", "다가나", "다 가나"),  # the utterance begins with a word boundary
        ("나 학교", "나교", "나교"),  # the deleted 학 takes its boundary along
        ("한 잔", "한 장", "한 장"),  # a substituted character keeps its own
        ("비 와", "비 안 와", "비 안 와"),  # so does an inserted one
        ("", "네 네", "네 네"),
        ("네 네", "", ""),
    ],
)
def test_respacing(reference, hypothesis, expected):
    assert respace(reference, hypothesis) == expected


def test_missing_and_extra_ids_are_listed_and_counted():
    references = {f"r{i}": "" for i in range(30)} | {"both": "네"}
    with pytest.raises(DataError) as caught:
        score(references, {"both": "네", "x1": "", "x2": ""})
    message = str(caught.value)
    assert "30 of 31 references have no hypothesis: 'r0', 'r1'" in message
    assert "and 20 more" in message
    assert "'r10'" not in message
    assert "2 of 3 hypotheses have no reference: 'x1', 'x2'." in message
    with pytest.raises(DataError, match="no hypothesis"):
        cer_nospace({"a": "네"}, {})


def test_order_of_ids_does_not_matter():
    references = {"a": "가나", "b": "다라"}
    one = score(references, {"a": "가", "b": "다라"})
    other = score(references, {"b": "다라", "a": "가"})
    assert one == other
    assert cer_nospace(references, {"b": "다라", "a": "가"}) == one.corpus.cer_nospace


def test_record_has_exactly_the_promised_keys():
    record = score({"a": "가 나"}, {"a": "가나"}, NormalizerConfig()).to_dict()
    assert list(record) == [*SPACE_POLICY, "crr", "counting", "passport"]
    for name in ("cer_nospace", "cer", "wer", "swer", "mer"):
        assert set(record[name]) == {
            "rate",
            "hits",
            "substitutions",
            "deletions",
            "insertions",
            "reference",
        }
    assert record["counting"]["unicode"] == "NFC"
    assert record["counting"]["normalizer"]["version"] == VERSION
    assert isinstance(record["counting"]["normalizer"]["settings"], dict)
    assert set(record["counting"]["spaces"]) == set(SPACE_POLICY)
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_nothing_to_score_has_no_rate_rather_than_a_perfect_one():
    record = score({}, {}).to_dict()
    assert record["cer"]["rate"] is None
    assert record["crr"] is None
    json.dumps(record, allow_nan=False)


def test_rates_of_different_kinds_do_not_add_up():
    with pytest.raises(ValueError, match="per columns and per reference"):
        total([ErrorRate(1, 0, 0, 0, 1), ErrorRate(1, 0, 0, 0, 1, per="columns")])


def test_impossible_counts_are_refused():
    with pytest.raises(AssertionError):
        ErrorRate(1, 0, 0, 0, 2)


def test_scoring_needs_no_torch():
    code = "import sys, malgwi.metrics.confidence; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
