"""The exported graph against torch: every front end, every encoder, other lengths and batches."""

import math
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi import tokenizers
from malgwi.decoders.greedy import ctc_greedy
from malgwi.errors import ConfigError
from malgwi.exported_search import ctc_greedy as ctc_greedy_of_one
from malgwi.features import FrontEnd
from malgwi.front_end import PRESETS, FrontEndConfig, preset
from malgwi.models.las import LAS, LASConfig, ListenerConfig, SpellerConfig
from malgwi.nn.initialize import InitConfig, initialize
from malgwi.onnx_graph import MatrixFrontEnd, compared, to_onnx
from malgwi.runtime import open_session

SYLLABLES = "가나다라마바사아자차카타파하"
SPELLER = SpellerConfig(
    attention="dot", units=8, layers=1, embedding=4, attention_units=4, input_feeding=False
)
SMALL = ListenerConfig(front="stack", stack=4, layers=1, units=12)


def make_model(front_end: FrontEnd, listener: ListenerConfig = SMALL, *, ctc: bool = True) -> LAS:
    """A listener that holds opinions, so that differences would show."""
    torch.manual_seed(1)
    tokenizer = tokenizers.train([SYLLABLES])
    config = LASConfig(listener=listener, speller=SPELLER, ctc=ctc, composed_output=True)
    letters = tokenizers.jamo_table(tokenizer)
    model = LAS(front_end.config.num_features, tokenizer.size, config, letters)
    initialize(model, InitConfig(scheme="uniform", scale=0.4))
    return model.eval()


def speech(config: FrontEndConfig, seconds: float, seed: int = 0) -> np.ndarray:
    """A gliding tone in noise. Against a purer tone, weak bands err by more in either transform."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * config.sample_rate_hz)) / config.sample_rate_hz
    tone = 0.3 * np.sin(2 * np.pi * (300 + 200 * np.sin(3 * time)) * time)
    return (tone + 0.06 * random.standard_normal(len(time))).astype(np.float32)


def fitted(config: FrontEndConfig) -> FrontEnd:
    front_end = FrontEnd(config)
    if config.normalize == "global":
        front_end.fit_global([speech(config, 1.0)])
    return front_end


@pytest.mark.parametrize("name", PRESETS)
def test_two_products_are_as_exact_as_the_fourier_transform(name: str) -> None:
    """Both against float64: to 1e-4, or where float32 cannot tell a weak band, twice torch's error.

    The unit is that of a natural logarithm; decibels are smaller, 16-bit magnitudes run to 1e6.
    """
    front_end = fitted(PRESETS[name])
    rate = front_end.config.sample_rate_hz
    waveforms = torch.zeros(4, rate)
    lengths = torch.tensor([rate, rate // 3, 700, rate // 2])
    for row, length in zip(waveforms[:3], lengths.tolist(), strict=False):  # the last is silence
        row[:length] = torch.from_numpy(speech(front_end.config, 1.0)[:length])
    exact, exact_lengths = deepcopy(front_end).double()._unnormalized(waveforms.double(), lengths)
    found, found_lengths = MatrixFrontEnd(front_end)._unnormalized(waveforms, lengths)
    assert found_lengths.equal(exact_lengths)
    unit = {"db": 10 / math.log(10), "linear": float(exact.max())}.get(front_end.config.scale, 1)
    ours = (found - exact).abs() / unit
    theirs = (front_end._unnormalized(waveforms, lengths)[0] - exact).abs() / unit
    assert ours.max() < max(1e-4, 2 * float(theirs.max()))
    assert ours.mean() < 1e-6


@pytest.mark.parametrize("name", PRESETS)
def test_every_front_end_exports(name: str) -> None:
    front_end = fitted(PRESETS[name])
    model = make_model(front_end)
    assert compared(to_onnx(front_end, model), front_end, model) < 1e-3


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(
    "listener",
    [
        ListenerConfig(front="pyramid", layers=3, units=8),
        ListenerConfig(front="conv", conv_channels=4, layers=2, units=8),
        ListenerConfig(front="stack", stack=8, layers=2, units=8, layer_norm=True),
        ListenerConfig(front="stack", stack=4, layers=2, units=8, bidirectional=False),
    ],
    ids=["pyramid", "conv", "stack", "one way"],
)
def test_every_listener_exports(listener: ListenerConfig, cell: str) -> None:
    front_end = FrontEnd(replace(preset("telephone"), num_mels=16))
    model = make_model(front_end, replace(listener, cell=cell))
    assert compared(to_onnx(front_end, model), front_end, model) < 1e-4


def test_any_length_and_batch_size_and_company_changes_nothing() -> None:
    front_end = FrontEnd(replace(preset("telephone"), num_mels=16))
    model = make_model(front_end)
    session = open_session(to_onnx(front_end, model), threads=1)
    lengths = [1, 79, 80, 81, 8000, 31999]
    padded = np.random.default_rng(1).normal(0, 9, (6, 32000)).astype(np.float32)  # dirt past ends
    for row, length in zip(padded, lengths, strict=True):
        row[:length] = speech(front_end.config, 4.0, seed=length)[:length]
    together, frames = session.run(None, {"waveforms": padded, "lengths": np.array(lengths)})
    for row, length, scores, count in zip(padded, lengths, together, frames, strict=True):
        inputs = {"waveforms": row[None, :length], "lengths": np.array([length])}
        alone, (alone_count,) = session.run(None, inputs)
        assert alone_count == count == alone.shape[1]
        np.testing.assert_allclose(scores[:count], alone[0], atol=1e-4)
        features = front_end(torch.from_numpy(row[None, :length]), torch.tensor([length]))
        torch_scores = model.encode(*features).ctc_log_probs
        np.testing.assert_allclose(alone, torch_scores.detach().numpy(), atol=1e-4)


def test_the_graph_is_folded_to_what_ctc_needs() -> None:
    """Composed output weights are one matrix, and the speller is gone."""
    import onnx

    front_end = FrontEnd(replace(preset("telephone"), num_mels=16))
    graph = onnx.load_from_string(to_onnx(front_end, make_model(front_end))).graph
    assert not [one.name for one in graph.initializer if "speller" in one.name]
    output = [node for node in graph.node if "/ctc/" in node.name]
    assert {node.op_type for node in output} <= {"MatMul", "Add", "Gemm"}


def test_a_model_without_ctc_is_refused_with_the_remedy() -> None:
    front_end = FrontEnd(preset("telephone"))
    with pytest.raises(ConfigError, match=r"no CTC output.*--model\.ctc"):
        to_onnx(front_end, make_model(front_end, ctc=False))


def test_a_graph_of_another_model_is_refused() -> None:
    front_end = FrontEnd(replace(preset("telephone"), num_mels=16))
    model = make_model(front_end)
    graph = to_onnx(front_end, model)
    with torch.no_grad():
        model.ctc.residual.bias[5] += 0.1
    with pytest.raises(ConfigError, match="nothing is written"):
        compared(graph, front_end, model)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 12), st.integers(2, 5), st.integers(0, 999))
def test_greedy_paths_are_those_of_the_decoder(frames: int, size: int, seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(frames, size)).astype(np.float32)
    found = ctc_greedy_of_one(scores, blank_id=0)
    (wanted,) = ctc_greedy(torch.from_numpy(scores)[None], torch.tensor([frames]), blank_id=0)
    assert found.tokens == wanted.tokens
    assert found.score == pytest.approx(wanted.score)
