"""Bootstrap intervals against formulas they must approach, and their conventions."""

import math

import numpy as np
import pytest

from malgwi.errors import ConfigError
from malgwi.metrics import resampling
from malgwi.metrics.confidence import BootstrapConfig, interval, paired_difference
from malgwi.metrics.error_rate import ErrorRate


def rate(errors, tokens):
    return ErrorRate(tokens - errors, errors, 0, 0, tokens)


def binomial(n, share, seed, tokens=1):
    drawn = np.random.default_rng(seed).random(n) < share
    return [rate(int(wrong) * tokens, tokens) for wrong in drawn]


def test_interval_approaches_the_normal_approximation():
    utterances = binomial(2000, 0.2, seed=1)
    share = sum(u.errors for u in utterances) / 2000
    found = interval(utterances, config=BootstrapConfig(resamples=4000))
    half = 1.96 * math.sqrt(share * (1 - share) / 2000)
    assert found.low == pytest.approx(share - half, abs=0.002)
    assert found.high == pytest.approx(share + half, abs=0.002)
    assert (found.units, found.by, found.level) == (2000, "utterance", 0.95)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    config = BootstrapConfig(resamples=300, level=0.9)
    covered = [
        found.low <= 0.3 <= found.high
        for seed in range(150)
        if (found := interval(binomial(150, 0.3, seed), config=config))
    ]
    assert 0.80 < np.mean(covered) < 0.98


def test_long_utterances_weigh_by_their_tokens():
    utterances = [rate(0, 1)] * 50 + [rate(50, 100)] * 50
    found = interval(utterances)
    assert found.low > 0.45  # the mean of utterance rates is 0.25


def test_same_seed_same_interval_other_seed_other_interval():
    utterances = binomial(60, 0.3, seed=2, tokens=7)
    assert interval(utterances) == interval(utterances)
    other = interval(utterances, config=BootstrapConfig(seed=1, level=0.9, resamples=500))
    assert other != interval(utterances)


def test_chunks_do_not_change_the_number_of_resamples(monkeypatch):
    monkeypatch.setattr(resampling, "CHUNK", 100)
    found = interval(binomial(60, 0.5, seed=3), config=BootstrapConfig(resamples=1000))
    assert 0.2 < found.low < 0.5 < found.high < 0.8


def test_utterances_of_a_speaker_err_alike_so_clusters_widen_the_interval():
    utterances = [rate(errors, 10) for errors in (0, 1, 2, 8, 9) for _ in range(40)]
    speakers = [name for name in "가나다라마" for _ in range(40)]
    by_utterance = interval(utterances)
    by_speaker = interval(utterances, speakers)
    assert by_speaker.units == 5
    assert by_speaker.by == "cluster"
    assert by_speaker.high - by_speaker.low > 3 * (by_utterance.high - by_utterance.low)


def test_clusters_of_one_utterance_are_utterances():
    utterances = binomial(40, 0.4, seed=4)
    alone, clustered = interval(utterances), interval(utterances, range(40))
    assert (alone.low, alone.high) == (clustered.low, clustered.high)


@pytest.mark.parametrize("utterances", [[], [rate(1, 2)]])
def test_one_unit_says_nothing_about_spread(utterances):
    found = interval(utterances)
    assert math.isnan(found.low)
    assert found.to_dict()["high"] is None


def test_resamples_without_any_reference_are_left_out():
    config = BootstrapConfig(method="percentile")
    found = interval([ErrorRate(0, 0, 0, 1, 0), rate(1, 2)], config=config)
    assert found.low == 0.5  # drawn twice, the second utterance alone
    assert found.high == 1.0  # both: two errors over two tokens
    for other in (config, BootstrapConfig()):
        assert math.isnan(interval([ErrorRate(0, 0, 0, 1, 0)] * 3, config=other).low)


def test_nothing_can_be_said_where_one_unit_holds_all_tokens():
    found = interval([ErrorRate(0, 0, 0, 1, 0), rate(1, 2)])
    assert (found.to_dict()["low"], found.to_dict()["high"]) == (None, None)


def test_pairing_finds_what_separate_intervals_hide():
    a = [rate(errors, 20) for errors in (1, 15) * 50]
    b = [rate(errors, 20) for errors in (0, 14) * 50]
    found = paired_difference(a, b)
    assert found.rate == pytest.approx(-0.05)
    assert found.interval.high < 0
    assert found.improvement == 1.0
    assert interval(a).low < interval(b).high  # they overlap


def test_equal_systems_do_not_differ():
    a = binomial(50, 0.3, seed=5)
    found = paired_difference(a, a)
    assert (found.rate, found.interval.low, found.interval.high) == (0.0, 0.0, 0.0)
    assert found.improvement == 0.5


def test_difference_changes_sign_with_the_order():
    a, b = binomial(80, 0.3, seed=6), binomial(80, 0.4, seed=7)
    speakers = [i // 8 for i in range(80)]
    forth, back = paired_difference(a, b, speakers), paired_difference(b, a, speakers)
    assert forth.rate == -back.rate
    assert forth.interval.low == pytest.approx(-back.interval.high)
    assert forth.improvement == pytest.approx(1 - back.improvement)


def test_what_cannot_be_paired_or_resampled_is_refused():
    with pytest.raises(ConfigError, match="A has 1, B has 2"):
        paired_difference([rate(0, 1)], [rate(0, 1)] * 2)
    with pytest.raises(ConfigError, match="2 utterances with 1 cluster names"):
        interval([rate(0, 1)] * 2, ["s"])
    with pytest.raises(ConfigError, match=r"level is 95"):
        BootstrapConfig(level=95)
    with pytest.raises(ConfigError, match="resamples is 0"):
        BootstrapConfig(resamples=0)
