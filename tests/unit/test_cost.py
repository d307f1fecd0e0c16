"""Multiply-adds: against counts made by hand, recurrent kernels included."""

import pytest
import torch
from debug_models import DEBUG, SIZE, WIDTH, make

from malgwi.cost import SECONDS, UNITS_PER_SECOND, cost_table, measure_cost
from malgwi.models.deep_speech import DeepSpeechConfig
from malgwi.models.las import LASConfig, ListenerConfig, SpellerConfig


def test_a_bidirectional_lstm_and_its_speller_are_counted_by_hand() -> None:
    config = LASConfig(
        listener=ListenerConfig(front="stack", stack=8, layers=2, units=10),
        speller=SpellerConfig(
            attention="dot", layers=1, units=12, embedding=6, attention_units=8, input_feeding=False
        ),
        ctc=True,
    )
    parts = {part.name: part for part in measure_cost(make(config), WIDTH, 0.01)}
    frames = 1000 // 8
    layers = 2 * 4 * 10 * (8 * WIDTH + 10) + 2 * 4 * 10 * (20 + 10)
    assert parts["listener"].multiply_adds == frames * layers / SECONDS
    assert parts["ctc"].multiply_adds == frames * 20 * SIZE / SECONDS
    units = SECONDS * UNITS_PER_SECOND
    rnn = units * 4 * 12 * (6 + 12)
    attention = units * 12 * 8 + frames * 20 * 8 + units * frames * (8 + 20)
    written = units * ((12 + 20) * 12 + 12 * SIZE)
    assert parts["speller"].multiply_adds == (rnn + attention + written) / SECONDS
    assert parts["ctc"].parameters == (20 + 1) * SIZE


def test_lists_of_layers_and_loops_are_counted_by_hand() -> None:
    model = make(DeepSpeechConfig(context=2, stride=2, units=8))
    parts = {
        part.name: part.multiply_adds * SECONDS / 500 for part in measure_cost(model, 16, 0.01)
    }
    assert parts == {
        "dense": 80 * 8 + 2 * 64,
        "projection": 64,
        "recurrent": 2 * 64,
        "joined": 64,
        "ctc": 8 * SIZE,
    }


@pytest.mark.parametrize("name", DEBUG)
def test_counting_leaves_the_model_as_it_was(name: str) -> None:
    model = make(DEBUG[name]).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    parts = measure_cost(model, WIDTH, 0.01)
    assert sum(part.parameters for part in parts) == sum(p.numel() for p in model.parameters())
    assert all(part.multiply_adds > 0 for part in parts if part.name != "norm")
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not any("forward" in vars(module) for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    assert cost_table(parts).count("\n") == len(parts) + 1
