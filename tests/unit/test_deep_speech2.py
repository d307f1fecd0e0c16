"""Deep Speech 2: norms over valid frames alone, row convolution, what streaming may not see."""

import pytest
import torch
from debug_models import DEBUG, batch, make
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from malgwi.errors import ConfigError
from malgwi.models.deep_speech2 import DeepSpeech2Config, RowConvolution
from malgwi.nn.sequence_norm import SequenceNorm
from malgwi.recipes import recipe


def test_without_padding_it_is_torchs_batch_norm() -> None:
    ours, reference = SequenceNorm(4), nn.BatchNorm1d(4)
    for _ in range(3):
        x = 3 * torch.randn(2, 6, 4) + 1
        wanted = reference(x.transpose(1, 2)).transpose(1, 2)
        found = ours(x, torch.tensor([6, 6]))
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours.running_mean, reference.running_mean)
    torch.testing.assert_close(ours.running_var, reference.running_var)
    x = torch.randn(1, 5, 4)
    wanted = reference.eval()(x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(ours.eval()(x, torch.tensor([5])), wanted, atol=1e-5, rtol=1e-4)


@settings(deadline=None, max_examples=30)
@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    extra=st.integers(0, 5),
    bins=st.integers(1, 3),
)
def test_padding_moves_no_statistic(lengths: list[int], extra: int, bins: int) -> None:
    frames = [torch.randn(n, bins, 2) for n in lengths]
    padded = torch.full((len(lengths), max(lengths) + extra, bins, 2), 1e3)
    for row, values in enumerate(frames):
        padded[row, : len(values)] = values
    norm = SequenceNorm(2)
    found = norm(padded, torch.tensor(lengths))
    flat = torch.cat(frames).flatten(0, 1)
    mean, variance = flat.mean(0), flat.var(0, unbiased=False)
    for row, values in enumerate(frames):
        wanted = (values - mean) / (variance + norm.eps).sqrt()
        torch.testing.assert_close(found[row, : len(values)], wanted, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(norm.running_mean, 0.1 * mean, atol=1e-5, rtol=1e-4)


def test_a_row_convolution_weighs_each_units_own_future() -> None:
    row = RowConvolution(3, lookahead=2)
    x = torch.randn(1, 5, 3)
    weight = row.conv.weight[:, 0]  # [H, τ + 1]
    for t in range(5):
        wanted = sum(weight[:, j] * x[0, t + j] for j in range(3) if t + j < 5)
        torch.testing.assert_close(row(x)[0, t], wanted)


def test_streaming_sees_no_further_than_its_lookahead() -> None:
    config = DeepSpeech2Config(
        channels=(4, 4), cell="gru", layers=2, units=8, bidirectional=False, lookahead=3
    )
    model, (features, lengths) = make(config).eval(), (batch().features[:1], torch.tensor([61]))
    before = model.encode(features, lengths).memory
    features = features.clone()
    features[:, 50:] += 1
    after = model.encode(features, lengths).memory
    same = (before == after).all(-1)[0]
    # a step of 2 frames; 5 steps of the second convolution and 5 frames of the first see ahead
    first = (50 - 5) // 2 - 5 - 3
    assert same[:first].all()
    assert not same[first + 2 :].any()


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="lookahead is 3"):
        DeepSpeech2Config(lookahead=3)
    with pytest.raises(ConfigError, match="one to three convolutions"):
        DeepSpeech2Config(channels=())


@pytest.mark.parametrize("cell", ["rnn", "gru"])
@pytest.mark.parametrize("channels", [(4,), (4, 4), (4, 4, 6)])
def test_every_variant_is_exact_under_padding(cell: str, channels: tuple[int, ...]) -> None:
    config = DeepSpeech2Config(channels=channels, cell=cell, layers=2, units=8)  # type: ignore[arg-type]
    model, given_batch = make(config), batch()
    model.encode(given_batch.features, given_batch.lengths)
    model.eval()
    together = model.encode(given_batch.features, given_batch.lengths)
    assert together.lengths.tolist() == [31, 21, 12]
    alone = model.encode(given_batch.features[1:2, :42], given_batch.lengths[1:2])
    torch.testing.assert_close(alone.memory[0], together.memory[1, :21], atol=1e-5, rtol=1e-5)


def test_recipes_start_from_short_to_long_and_learn_from_ctc_alone() -> None:
    assert DEBUG["deep_speech2"].kind == "deep_speech2"
    for name in ("deep_speech2", "deep_speech2_streaming"):
        config = recipe(name)
        assert config.batches.curriculum_epochs == 1
        assert config.objective.ctc_weight == 1.0
        assert config.front_end.num_features == 161
