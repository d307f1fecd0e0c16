"""The randomisation test against enumeration by hand, sample sizes against simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi.errors import ConfigError, DataError
from malgwi.metrics import significance
from malgwi.metrics.error_rate import ErrorRate
from malgwi.metrics.significance import compare, needed, randomisation
from malgwi.metrics.units import Units


def rate(errors, tokens):
    return ErrorRate(tokens - errors, errors, 0, 0, tokens)


def units(errors, tokens=10):
    errors = np.asarray(errors, dtype=np.int64)
    return Units(errors, np.broadcast_to(np.asarray(tokens, dtype=np.int64), errors.shape))


def by_hand(a, b):
    """Every way of swapping, written out."""
    observed = abs(sum(b.errors) / sum(b.tokens) - sum(a.errors) / sum(a.tokens))
    extreme, ways = 0, list(itertools.product((False, True), repeat=len(a)))
    for way in ways:
        sums = np.zeros((2, 2))
        for at, swap in enumerate(way):
            sums[int(swap)] += (a.errors[at], a.tokens[at])
            sums[1 - int(swap)] += (b.errors[at], b.tokens[at])
        if 0 in sums[:, 1]:
            continue
        extreme += abs(sums[1, 0] / sums[1, 1] - sums[0, 0] / sums[0, 1]) >= observed - 1e-12
    return extreme / len(ways)


counts = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(4, 6)), min_size=1, max_size=7
)


@given(counts)
def test_exact_test_equals_every_way_written_out(triples):
    one, other, tokens = (np.array(column) for column in zip(*triples, strict=True))
    a, b = units(one, tokens), units(other, tokens)
    found = randomisation(a, b)
    assert found.exact
    assert found.differing == np.count_nonzero(one != other)
    assert found.p == pytest.approx(by_hand(a, b))
    assert found.rounds == 2**found.differing


@given(counts)
def test_systems_that_divide_by_different_tokens_are_swapped_with_them(triples):
    one, other, tokens = (np.array(column) for column in zip(*triples, strict=True))
    a, b = units(one, tokens + one), units(other, tokens + other)  # as the match error rate does
    assert randomisation(a, b).p == pytest.approx(by_hand(a, b))


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_random_swaps_approach_the_exact_answer(monkeypatch, shift):
    generator = np.random.default_rng(shift)
    a = units(generator.integers(0, 6, 14) + shift)
    b = units(generator.integers(0, 6, 14))
    exact = randomisation(a, b)
    monkeypatch.setattr(significance, "EXACT_UNITS", 0)
    monkeypatch.setattr(significance, "CHUNK", 1000)
    found = randomisation(a, b, rounds=20_000)
    assert (exact.exact, found.exact, found.rounds) == (True, False, 20_000)
    assert found.p == pytest.approx(exact.p, abs=4 * 0.5 / math.sqrt(20_000))


def test_equal_systems_are_never_told_apart():
    a = units([1, 2, 3])
    found = randomisation(a, a)
    assert (found.p, found.differing, found.exact) == (1.0, 0, True)
    assert needed(a, a).units is None


def test_speakers_swap_as_one():
    a, b = units([2] * 40), units([1] * 40)
    speakers = [i // 10 for i in range(40)]
    assert randomisation(a, b).p < 0.001
    assert randomisation(a, b, speakers, by="speaker").p == 2 / 16
    assert randomisation(a, b, speakers, by="speaker").by == "speaker"


def test_p_is_never_zero_and_seeds_repeat():
    a, b = units([5] * 100), units([1] * 100)
    found = randomisation(a, b, rounds=99)
    assert found.p == 1 / 100
    assert randomisation(a, b, rounds=99) == found


@settings(deadline=None, max_examples=20)
@given(st.floats(0.005, 0.05), st.sampled_from([0.5, 0.8, 0.95]))
def test_more_power_and_smaller_differences_need_more(detect, power):
    generator = np.random.default_rng(1)
    a, b = units(generator.poisson(1.0, 200)), units(generator.poisson(1.1, 200))
    base = needed(a, b, detect=detect, power=power)
    assert needed(a, b, detect=detect / 2, power=power).units > 2 * base.units
    assert needed(a, b, detect=detect, power=(1 + power) / 2).units >= base.units
    assert base.utterances == base.units


def test_as_many_units_as_are_needed_do_show_the_difference():
    generator = np.random.default_rng(2)
    a, b = units(generator.poisson(1.0, 4000)), units(generator.poisson(1.0, 4000))
    size = needed(a, b, detect=0.02, power=0.8).units
    seen = []
    for _ in range(300):
        change = (generator.poisson(1.2, size) - generator.poisson(1.0, size)) / 10
        t = change.mean() / (change.std(ddof=1) / math.sqrt(size))
        seen.append(abs(t) > 1.97)
    assert np.mean(seen) == pytest.approx(0.8, abs=0.08)


def test_speakers_needed_are_told_in_utterances_too():
    generator = np.random.default_rng(3)
    hard = np.repeat(generator.poisson(3, 20), 15)
    a, b = units(hard), units(np.maximum(hard - generator.poisson(1.0, 300), 0))
    found = needed(a, b, np.repeat(np.arange(20), 15).tolist(), detect=0.01, by="speaker")
    assert found.utterances == 15 * found.units
    here = needed(a, b, np.repeat(np.arange(20), 15).tolist(), detect=found.detectable)
    assert here.units in (20, 21)  # what these 20 just show, 20 just show


def test_comparison_is_led_by_the_widest_interval():
    generator = np.random.default_rng(4)
    gain = np.repeat(generator.integers(-1, 3, 8), 20)
    a, b = units(np.full(160, 4)), units(4 - gain)
    speakers = np.repeat(np.arange(8), 20).tolist()
    found = compare(a, b, {"speaker": speakers, "one": [0] * 160}, detect=0.01)
    assert [d.interval.by for d in found.differences] == ["speaker", "utterance"]
    assert [r.by for r in found.randomisations] == [n.by for n in found.needed]
    assert found.verdict == "undecided"  # by utterance alone it would be "better"
    assert found.differences[1].interval.high < 0
    record = found.to_dict()
    assert record["differences"][0]["by"] == "speaker"
    assert record["needed"][0]["units"] > 8


def test_p_agrees_with_the_interval():
    generator = np.random.default_rng(5)
    for shift in (0.0, 0.2, 0.4, 0.6):
        a, b = units(generator.poisson(1 + shift, 60)), units(generator.poisson(1.0, 60))
        lead = compare(a, b, {}).differences[0]
        assert (lead.p < 0.05) == (lead.interval.high < 0 or lead.interval.low > 0)


def test_what_cannot_be_tested_is_refused():
    a, b = units([1]), units([1, 2])
    with pytest.raises(ConfigError, match="A has 1, B has 2"):
        randomisation(a, b)
    with pytest.raises(ConfigError, match="rounds is 0"):
        randomisation(a, a, rounds=0)
    for detect in (0.0, 5.0):
        with pytest.raises(ConfigError, match="give a rate between 0 and 1"):
            needed(a, a, detect=detect)
    with pytest.raises(ConfigError, match=r"power is 0\.05: it must lie between 0\.05 and 1"):
        needed(a, a, power=0.05)
    with pytest.raises(ConfigError, match="power is 80"):
        needed(a, a, power=80)
    with pytest.raises(DataError, match="no tokens"):
        compare(units([0], 0), units([0], 0), {})


def test_rates_and_arrays_are_the_same():
    rates_a, rates_b = [rate(1, 10), rate(3, 10)], [rate(0, 10), rate(2, 10)]
    assert randomisation(rates_a, rates_b) == randomisation(units([1, 3]), units([0, 2]))
