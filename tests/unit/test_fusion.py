"""Shallow fusion: a weighted sum of language models is one language model."""

import math

import numpy as np
import pytest
from toy_language_model import RandomTrigram, check_language_model, score_of
from toy_scorer import END

from malgwi.decoders.fusion import Fusion, FusionConfig
from malgwi.errors import ConfigError
from malgwi.lm.hotwords import HotWords
from malgwi.types import BonusModel

ONE, OTHER = (RandomTrigram(seed=seed, vocabulary_size=6) for seed in (1, 2))
HOT = HotWords({(3, 4): 4.0}, vocabulary_size=6, end_id=END)


def test_the_sum_is_what_its_parts_say() -> None:
    parts = [(ONE, 0.5), (OTHER, -0.25), (HOT, 1.0), (ONE, 0.0)]
    fusion = Fusion(parts, end_id=END, insertion_bonus=0.75)
    check_language_model(fusion, [3, 4, 5])
    for text in ([], [3], [3, 4, 5, 3]):
        expected = sum(weight * score_of(model, text, END) for model, weight in parts)
        expected += 0.75 * len(text)
        assert score_of(fusion, text, END) == pytest.approx(expected, abs=1e-5)


def test_what_is_ruled_out_stays_ruled_out() -> None:
    sparse = RandomTrigram(seed=3, vocabulary_size=6, impossible=0.5)
    for weight in (0.5, -0.5):
        scores = Fusion([(sparse, weight)], end_id=END).score((1, sparse.start(1)))
        assert np.array_equal(np.isneginf(scores), np.isneginf(sparse.score(sparse.start(1))))
        assert not np.isnan(scores).any()
        assert not np.isposinf(scores).any()


def test_the_ceiling_is_known_unless_something_counts_against() -> None:
    assert Fusion([(ONE, 0.5)], end_id=END).ceiling == 0.0
    both = Fusion([(ONE, 0.5), (HOT, 2.0)], end_id=END, insertion_bonus=0.5)
    assert isinstance(both, BonusModel)
    assert both.ceiling == pytest.approx(2 * 2.0 + 0.5)
    assert math.isinf(Fusion([(ONE, 1.0), (OTHER, -0.1)], end_id=END).ceiling)


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"vocabularies of \[6, 9\] tokens"):
        Fusion([(ONE, 1.0), (RandomTrigram(seed=0, vocabulary_size=9), 1.0)], end_id=END)
    with pytest.raises(ConfigError, match="finite"):
        Fusion([(ONE, math.inf)], end_id=END)
    with pytest.raises(ConfigError, match="lm_weight"):
        FusionConfig(lm_weight=math.nan)
    alone = Fusion([(ONE, 1.0)], end_id=END).score((1, ONE.start(1)))
    assert np.array_equal(alone, ONE.table[-1:])
