"""The LSTM language model: steps, training, files."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_language_model import check_language_model

from malgwi import lm
from malgwi.errors import CheckpointError, ConfigError, DataError
from malgwi.lm.neural import LstmConfig, LstmModel, write_lstm
from malgwi.lm.neural_training import LstmTraining, nats_per_token, train_lstm
from malgwi.lm.units import TextSettings
from malgwi.text.normalize import NormalizerConfig
from malgwi.tokenizers import TokenizerConfig, train

LINES = ["가나다라", "다라가나", "가나가나다", "라다", "나나가", "다가나라라"]


def made(output: str = "tied", kind: str = "syllable", layers: int = 1) -> LstmModel:
    torch.manual_seed(0)
    tokenizer = train(LINES, TokenizerConfig(kind=kind))
    config = LstmConfig(embedding=8, units=12, layers=layers, output=output)  # type: ignore[arg-type]
    return LstmModel(config, tokenizer, TextSettings(units=kind)).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["syllable", "jamo"])
@pytest.mark.parametrize("output", ["tied", "composed"])
@pytest.mark.parametrize("layers", [1, 2])
def test_steps_of_a_search_add_up_to_the_probability_of_the_text(
    kind: str, output: str, layers: int
) -> None:
    model = made(output, kind, layers)
    texts = [model.tokenizer.encode(line) for line in LINES[:3]]
    for ids in texts:
        state, total = model.start(3), 0.0
        for token in [*ids, model.tokenizer.end_id]:
            scores = model.score(state)
            np.testing.assert_allclose(np.exp(scores).sum(-1), 1.0, rtol=1e-5)
            total += float(scores[1, token])
            state = model.advance(state, np.array([2, 1, 0]), np.array([4, token, 5]))
        assert -total / (len(ids) + 1) == pytest.approx(nats_per_token(model, [ids]), rel=1e-4)
    mean = sum(nats_per_token(model, [ids]) * (len(ids) + 1) for ids in texts)
    assert nats_per_token(model, texts) == pytest.approx(mean / sum(len(t) + 1 for t in texts))


@torch.no_grad()
def test_a_frame_by_frame_search_can_hold_a_row() -> None:
    model = made()
    check_language_model(model, model.tokenizer.encode("가나다"))


def test_rows_are_chosen() -> None:
    model = made()
    one = model.advance(model.start(1), np.array([0, 0]), np.array([4, 5]))
    swapped = model.advance(one, np.array([1, 0]), np.array([6, 6]))
    alone = model.advance(one, np.array([1]), np.array([6]))
    np.testing.assert_allclose(model.score(swapped)[:1], model.score(alone), 1.3e-6, 1e-5)
    assert not np.allclose(model.score(swapped)[0], model.score(swapped)[1])


@pytest.mark.parametrize("output", ["tied", "composed"])
def test_training_learns_what_follows_what(output: str) -> None:
    model = made(output)
    ids = [model.tokenizer.encode("가나다라" * times) for times in (1, 2, 3)]
    before = math.exp(nats_per_token(model, ids))
    said: list[str] = []
    training = LstmTraining(epochs=150, learning_rate=0.02, evaluate_every=20, patience=99)
    found = train_lstm(model, ids, ids, training, said.append)
    assert found.dev_perplexity < 1.6 < 3 < before
    assert found.stopped == "all epochs done"
    assert "development perplexity" in said[0]
    assert math.exp(nats_per_token(model, ids)) == pytest.approx(found.dev_perplexity, rel=1e-5)


def test_training_stops_when_development_gets_worse_and_keeps_the_best() -> None:
    model = made()
    ids = [model.tokenizer.encode("가나다라")] * 4
    other = [model.tokenizer.encode("라라라라")]
    training = LstmTraining(epochs=500, learning_rate=0.05, evaluate_every=1, patience=3)
    found = train_lstm(model, ids, other, training)
    assert found.stopped == "no better any more"
    assert found.steps < 500
    assert math.exp(nats_per_token(model, other)) == pytest.approx(found.dev_perplexity, rel=1e-5)


def test_training_ends_in_time() -> None:
    model = made()
    ids = [model.tokenizer.encode(line) for line in LINES]
    found = train_lstm(model, ids, ids, LstmTraining(epochs=10**6, budget_s=0.3))
    assert found.stopped == "time is up"
    assert found.seconds < 5
    assert math.isfinite(found.dev_perplexity)


def test_nothing_to_train_on_is_named() -> None:
    with pytest.raises(DataError, match="needs text"):
        train_lstm(made(), [], [[4]], LstmTraining())


def test_the_files_give_the_model_back(tmp_path: Path) -> None:
    model, path = made("composed", "jamo"), tmp_path / "small.safetensors"
    write_lstm(model, path, {"dev_perplexity": 3.0})
    again = lm.load(path)
    assert again.settings == model.settings
    torch.testing.assert_close(again.score(again.start(1)), model.score(model.start(1)))
    assert again.bind(model.tokenizer, NormalizerConfig()) is again


def test_another_tokenizer_or_normaliser_is_refused() -> None:
    model = made()
    with pytest.raises(ConfigError, match="jamo"):
        model.bind(made(kind="jamo").tokenizer)
    with pytest.raises(ConfigError, match="other units"):
        model.bind(train(["바사"]))
    with pytest.raises(ConfigError, match="normaliser case"):
        model.bind(model.tokenizer, NormalizerConfig(case="keep"))
    assert model.bind(model.tokenizer, NormalizerConfig(case="keep"), strict=False) is model


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    with pytest.raises(CheckpointError, match="two files"):
        lm.load(path)
    write_lstm(made(), path)
    data = bytearray(path.read_bytes())
    data[-3] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="SHA-256"):
        lm.load(path)
    beside = path.with_suffix(".json")
    record = json.loads(beside.read_text(encoding="utf-8"))
    beside.write_text(json.dumps({**record, "format_version": 99}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="99"):
        lm.load(path)
    beside.write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match="damaged"):
        lm.load(path)
