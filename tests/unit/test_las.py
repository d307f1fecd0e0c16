"""Listen, Attend and Spell: shapes, exactness under padding, one path for training and search."""

from dataclasses import replace
from typing import get_args

import pytest
import torch

from malgwi.models.las import LAS, LASConfig, ListenerConfig, SpellerConfig, join_frames
from malgwi.nn.attention import AttentionKind
from malgwi.nn.composed_output import ComposedOutput
from malgwi.nn.initialize import InitConfig, check_start, initialize
from malgwi.recipes import RECIPES, recipe

SIZE, WIDTH = 11, 16
LISTENER = ListenerConfig(layers=2, units=8, conv_channels=4, stack=4)
SPELLER = SpellerConfig(layers=1, units=12, embedding=6, attention_units=8, heads=2)


def make(listener: ListenerConfig = LISTENER, speller: SpellerConfig = SPELLER) -> LAS:
    torch.manual_seed(0)
    model = LAS(WIDTH, SIZE, LASConfig(listener=listener, speller=speller, ctc=True))
    initialize(model, InitConfig())
    return model.eval()


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(4)
    lengths = torch.tensor([37, 21, 5])
    features = torch.randn(3, 37, WIDTH, generator=random)
    for row, length in enumerate(lengths.tolist()):
        features[row, length:] = 0
    return features, lengths, torch.randint(3, SIZE, (3, 6), generator=random)


@pytest.mark.parametrize("attention", get_args(AttentionKind))
@pytest.mark.parametrize("front", ["pyramid", "conv", "stack"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_what_an_utterance_gets_does_not_depend_on_its_batch(
    front: str, cell: str, attention: str
) -> None:
    model = make(
        replace(LISTENER, front=front, cell=cell),
        replace(SPELLER, attention=attention, cell=cell),
    )
    features, lengths, tokens = batch()
    together = model(features, lengths, tokens)
    assert together.logits.shape == (3, 6, SIZE)
    for row, length in enumerate(lengths.tolist()):
        alone = model(features[row : row + 1, :length], lengths[row : row + 1], tokens[row:][:1])
        frames = int(alone.encoded.lengths)
        assert int(together.encoded.lengths[row]) == frames
        torch.testing.assert_close(alone.logits[0], together.logits[row], atol=1e-5, rtol=1e-4)
        assert not together.attention[row, :, frames:].any()
        assert torch.allclose(together.attention[row].sum(-1), torch.ones(6), atol=1e-5)


@pytest.mark.parametrize("input_feeding", [True, False])
@pytest.mark.parametrize("attention", get_args(AttentionKind))
def test_stepping_gives_the_teacher_forced_scores(attention: str, input_feeding: bool) -> None:
    model = make(speller=replace(SPELLER, attention=attention, input_feeding=input_feeding))
    features, lengths, tokens = batch()
    output = model(features, lengths, tokens)
    beams = 3
    scorer = model.scorer(model.encode(features, lengths))
    state = scorer.start(beams)
    for step in range(tokens.shape[1]):
        rows = tokens[:, step].repeat_interleave(beams)
        log_probs, attention_weights, state = scorer.step(rows, state)
        wanted = output.logits[:, step].log_softmax(-1)
        for beam in range(beams):
            torch.testing.assert_close(log_probs[beam::beams], wanted, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(
            attention_weights[::beams], output.attention[:, step], atol=1e-5, rtol=1e-4
        )
        state = scorer.select(state, torch.arange(9).view(3, 3).flip(1).flatten())


def test_scheduled_sampling_is_drawn_a_step_and_repeatable() -> None:
    model = make()
    features, lengths, tokens = batch()

    def logits(sampling: float, seed: int = 1) -> torch.Tensor:
        encoded = model.encode(features, lengths)
        generator = torch.Generator().manual_seed(seed)
        return model.speller(tokens, encoded.memory, encoded.lengths, sampling, generator)[0]

    assert torch.equal(logits(0.5), logits(0.5))
    assert not torch.equal(logits(0.5), logits(0.5, seed=2))
    torch.testing.assert_close(logits(0.5)[:, 0], logits(0.0)[:, 0])
    differs = (logits(0.5) - logits(0.0)).abs().amax(-1) > 1e-6
    assert 0 < differs[:, 1:].float().mean() < 1  # some steps saw a sample, some the reference


def test_pyramid_divides_by_eight_as_in_the_paper() -> None:
    model = make(replace(LISTENER, layers=4))
    features, lengths, _ = batch()
    assert model.encode(features, lengths).lengths.tolist() == [5, 3, 1]


def test_joining_frames_pads_the_last() -> None:
    joined, lengths = join_frames(torch.ones(1, 5, 2), torch.tensor([5]), 3)
    assert joined.shape == (1, 2, 6)
    assert lengths.tolist() == [2]
    assert joined[0, 1].tolist() == [1, 1, 1, 1, 0, 0]


def test_composed_scores_are_sums_of_letters_and_residual() -> None:
    letters = [(-1, -1, -1), (0, 0, 0), (0, 1, 4), (18, 20, 27)]
    layer = ComposedOutput(5, 4, letters)
    torch.manual_seed(0)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, 5)
    for unit, (i, m, f) in enumerate(letters):
        weight = layer.residual.weight[unit] + sum(
            part[index] for part, index in zip(layer.parts, (i, m, f), strict=True)
        )
        wanted = x @ weight + layer.residual.bias[unit]
        torch.testing.assert_close(layer(x)[:, unit], wanted, atol=1e-5, rtol=1e-4)


def start_of(init: InitConfig, listener: ListenerConfig) -> tuple[str, ...]:
    torch.manual_seed(0)
    model = LAS(WIDTH, SIZE, LASConfig(listener=listener, speller=SPELLER))
    initialize(model, init)
    features, lengths, tokens = batch()

    def loss() -> torch.Tensor:
        logits = model(features, lengths, tokens).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens.flatten())

    return check_start(model, loss, SIZE).warnings


def test_the_start_check_catches_the_initialisation_of_2019() -> None:
    listener = replace(LISTENER, front="conv")
    assert start_of(InitConfig(), listener) == ()
    assert start_of(InitConfig(scheme="uniform", scale=0.08), listener) == ()
    warnings = start_of(InitConfig(scheme="uniform_everything", scale=0.08), listener)
    norms = [w for w in warnings if "norm" in w]
    assert len(norms) == 2
    assert "are its scale and shift initialised like weights?" in norms[0]


def test_the_start_check_leaves_batch_statistics_alone() -> None:
    model = make(replace(LISTENER, front="conv")).train()
    features, lengths, tokens = batch()
    before = {name: value.clone() for name, value in model.named_buffers()}
    check_start(model, lambda: model(features, lengths, tokens).logits.square().mean(), SIZE)
    assert all(torch.equal(before[name], value) for name, value in model.named_buffers())
    assert before


@pytest.mark.parametrize("name", [name for name in RECIPES if recipe(name).model.kind == "las"])
def test_every_recipe_starts_and_steps_at_a_tiny_size(name: str) -> None:
    config = recipe(name)
    listener = replace(config.model.listener, units=8, conv_channels=4)
    speller = replace(config.model.speller, units=8, embedding=4, attention_units=8)
    small = replace(config.model, listener=listener, speller=speller)
    letters = [(-1, -1, -1)] * 4 + [(i, 0, 0) for i in range(SIZE - 4)]
    torch.manual_seed(0)
    model = LAS(config.front_end.num_features, SIZE, small, letters)
    initialize(model, config.init)
    features = torch.randn(2, 60, config.front_end.num_features)
    output = model(features, torch.tensor([60, 40]), torch.randint(3, SIZE, (2, 4)))
    output.logits.square().mean().backward()
    assert output.logits.shape == (2, 4, SIZE)
    assert model.speller.embedding.weight.grad is not None
