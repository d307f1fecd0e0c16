"""The arrays of a big corpus hold the counts of a small one, whatever the process."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi.metrics import tally as tally_module
from malgwi.metrics.confidence import interval
from malgwi.metrics.error_rate import SPACE_POLICY, score
from malgwi.metrics.tally import tally
from malgwi.text.normalize import NormalizerConfig

texts = st.text(alphabet=st.sampled_from(list("가나다 a.3\u1100\u1161")), max_size=12)
corpora = st.dictionaries(st.text(max_size=3), st.tuples(texts, texts), min_size=1, max_size=6)


@settings(deadline=None)
@given(corpora, st.sampled_from([None, NormalizerConfig(), NormalizerConfig(digits="keep")]))
def test_a_tally_is_the_score(pairs, normalizer):
    said = {name: pair[0] for name, pair in pairs.items()}
    heard = {name: pair[1] for name, pair in pairs.items()}
    found, wanted = tally(said, heard, normalizer), score(said, heard, normalizer)
    assert found.to_dict() == wanted.to_dict()
    assert found.passport == wanted.passport
    for metric in SPACE_POLICY:
        units, rates = found.units(metric), wanted.of(metric)
        assert units.errors.tolist() == [rate.errors for rate in rates]
        assert units.tokens.tolist() == [rate.denominator for rate in rates]


def corpus(size, seed=0):
    generator = np.random.default_rng(seed)
    words = ["네", "커피", "한 잔", "주세요.", "어제", "비가", "왔어요"]
    said = {
        str(i): " ".join(generator.choice(words, generator.integers(0, 5))) for i in range(size)
    }
    heard = {name: text.replace(*generator.choice(words, 2)) for name, text in said.items()}
    return said, heard


def test_chunks_and_processes_change_nothing(monkeypatch):
    said, heard = corpus(50)
    wanted = tally(said, heard, figures=True)
    monkeypatch.setattr(tally_module, "CHUNK", 7)
    for workers in (1, 2):
        found = tally(said, heard, figures=True, workers=workers)
        assert np.array_equal(found.counts, wanted.counts)
        assert found.passport == wanted.passport
        assert rates_of(found) == pytest.approx(rates_of(wanted))


def rates_of(found):
    return {(f.text, f.metric, f.average): f.rate for f in found.figures}


@pytest.mark.parametrize("normalizer", [NormalizerConfig(), NormalizerConfig(whitespace="remove")])
def test_what_others_count_does_not_depend_on_how_we_count(normalizer):
    said, heard = corpus(50, seed=1)
    assert rates_of(tally(said, heard, normalizer, figures=True)) == pytest.approx(
        rates_of(tally(said, heard, figures=True))
    )


def test_intervals_take_the_arrays():
    said, heard = corpus(80)
    arrays, rates = tally(said, heard).units("cer"), score(said, heard).of("cer")
    assert interval(arrays) == interval(rates)
