"""Listen, Attend and Spell: shapes, exactness under padding, one path for training and search."""

from dataclasses import replace
from typing import Any, get_args

import debug_models
import pytest
import torch

from malgwi import tokenizers
from malgwi.errors import ConfigError
from malgwi.losses import ctc_loss
from malgwi.models.las import LAS, LASConfig, ListenerConfig, SpellerConfig
from malgwi.nn.attention import AttentionKind
from malgwi.nn.composed_output import ComposedOutput
from malgwi.nn.factored_output import FactoredOutput
from malgwi.nn.initialize import InitConfig, check_start, initialize
from malgwi.nn.subsampling import join_frames
from malgwi.objective import Objective, ObjectiveConfig
from malgwi.recipes import RECIPES, recipe
from malgwi.tokenizers import TokenizerConfig

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


@pytest.mark.parametrize("rank", [0, 3])
def test_factored_scores_are_sums_over_letters_and_products_of_them(rank: int) -> None:
    letters = [(0, 0, 0), (-1, -1, -1), (0, 1, 4), (18, 20, 27), (-1, -1, -1)]
    layer = FactoredOutput(5, letters, rank=rank)
    torch.manual_seed(0)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, 5)
    found = layer(x)
    assert found.shape == (2, 5)
    torch.testing.assert_close(found[:, [1, 4]], layer.others(x))
    said = layer.letters(x)
    for unit in (0, 2, 3):
        i, m, f = letters[unit]
        wanted = said[:, i] + said[:, 19 + m] + said[:, 40 + f]
        if layer.mix is not None:
            one, two, three = layer.factors
            wanted = wanted + (layer.mix(x) * one[i] * two[m] * three[f]).sum(-1)
        torch.testing.assert_close(found[:, unit], wanted, atol=1e-5, rtol=1e-4)


def test_a_factored_output_writes_a_syllable_that_training_never_saw() -> None:
    """각, 간 and 막 were seen; 만 was not, but its letters were."""
    tokenizer = tokenizers.train(["각간막"], TokenizerConfig(kind="hangul_block"))
    ids = torch.tensor(tokenizer.encode("각간막만"))
    heard = torch.tensor([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1.0]])
    layer = FactoredOutput(4, tokenizers.jamo_table(tokenizer))
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(layer(heard[:3]), ids[:3]).backward()
        optimizer.step()
    assert layer(heard).argmax(-1).tolist() == ids.tolist()


def test_a_rank_without_letters_or_syllables_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"output_rank is for model\.composed_output"):
        LAS(WIDTH, SIZE, LASConfig(output_rank=4))
    with pytest.raises(ConfigError, match="none is one"):
        FactoredOutput(4, [(-1, -1, -1)])
    with pytest.raises(ConfigError, match="output_rank is -1"):
        FactoredOutput(4, [(0, 0, 0)], rank=-1)


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


@pytest.mark.parametrize("name", [n for n in RECIPES if recipe(n).model.kind == "las"])
def test_every_recipe_starts_and_steps_at_a_tiny_size(name: str) -> None:
    config = recipe(name)
    assert isinstance(config.model, LASConfig)
    listener = replace(config.model.listener, units=8, conv_channels=4)
    speller = config.model.speller
    if speller is not None:
        speller = replace(speller, units=8, embedding=4, attention_units=8)
    small = replace(config.model, listener=listener, speller=speller)
    letters = [(-1, -1, -1)] * 4 + [(i, 0, 0) for i in range(SIZE - 4)]
    torch.manual_seed(0)
    model = LAS(config.front_end.num_features, SIZE, small, letters)
    initialize(model, config.init)
    features = torch.randn(2, 60, config.front_end.num_features)
    heard = model.encode(features, torch.tensor([60, 40]))
    if speller is None:
        assert heard.ctc_log_probs.shape[::2] == (2, SIZE)
        heard.ctc_log_probs.square().mean().backward()
    else:
        logits = model.write(torch.randint(3, SIZE, (2, 4)), heard)
        assert logits.shape == (2, 4, SIZE)
        logits.square().mean().backward()
        assert model.speller.embedding.weight.grad is not None
    assert next(model.listener.parameters()).grad is not None


def test_a_listener_alone_is_a_ctc_model() -> None:
    torch.manual_seed(0)
    whole = make()
    alone = LAS(WIDTH, SIZE, LASConfig(listener=LISTENER, speller=None, ctc=True)).eval()
    alone.load_state_dict(
        {k: v for k, v in whole.state_dict().items() if not k.startswith("speller.")}
    )
    features, lengths, tokens = batch()
    heard, expected = alone.encode(features, lengths), whole.encode(features, lengths)
    assert torch.equal(heard.ctc_log_probs, expected.ctc_log_probs)
    assert alone.config.writer is None
    with pytest.raises(TypeError, match="no speller"):
        alone.write(tokens, heard)
    with pytest.raises(ConfigError, match="no output"):
        LASConfig(speller=None, ctc=False)


@pytest.mark.parametrize("front", ["stack", "pyramid"])
def test_an_early_output_is_trained_and_nothing_of_it_is_left_in_use(front: str) -> None:
    listener = replace(LISTENER, front=front, layers=3)
    config = LASConfig(listener=listener, speller=None, ctc=True, early_ctc=2)
    torch.manual_seed(0)
    model = LAS(debug_models.WIDTH, debug_models.SIZE, config)
    initialize(model, InitConfig())
    plain = LAS(debug_models.WIDTH, debug_models.SIZE, replace(config, early_ctc=0))
    plain.load_state_dict(model.state_dict())  # not a parameter more
    batch = debug_models.batch()
    model.eval(), plain.eval()
    heard, expected = (m.encode(batch.features, batch.lengths) for m in (model, plain))
    assert heard.early is None
    assert heard.ctc_log_probs is not None
    assert torch.equal(heard.ctc_log_probs, expected.ctc_log_probs)

    model.train(), plain.train()
    encoded = model.encode(batch.features, batch.lengths)
    assert encoded.early is not None
    log_probs, lengths = encoded.early
    assert torch.equal((lengths + 1) // 2 if front == "pyramid" else lengths, encoded.lengths)
    assert log_probs.shape[1] == int(lengths.max())

    ids = {"start_id": 1, "end_id": 2, "blank_id": 0}
    weighed = Objective(ObjectiveConfig(ctc_weight=1.0, early_ctc_weight=0.25), **ids)
    loss, parts = weighed(model, batch, 0.0, None)
    last, _ = weighed(plain, batch, 0.0, None)
    early = ctc_loss(log_probs, lengths, batch.tokens, batch.token_lengths, 0)
    assert parts["loss_early_ctc"] == pytest.approx(float(early.detach()), rel=1e-5)
    assert float(loss) == pytest.approx(0.75 * float(last) + 0.25 * float(early), rel=1e-5)


def test_two_views_cost_their_mean_and_what_they_disagree_about() -> None:
    config = debug_models.DEBUG["las"]
    model, batch = debug_models.make(config), debug_models.batch()
    model.eval()  # no dropout: what differs is the features alone
    other = replace(batch, features=batch.features * 0.5)
    fields = ("features", "lengths", "tokens", "token_lengths")
    both = {name: torch.cat([getattr(batch, name), getattr(other, name)]) for name in fields}
    weighed = Objective(
        ObjectiveConfig(ctc_weight=0.4, consistency=0.3), start_id=1, end_id=2, blank_id=0
    )
    first, second = (float(weighed(model, one, 0.0, None)[0]) for one in (batch, other))
    together, parts = weighed(model, replace(batch, **both, views=2), 0.0, None)
    assert parts["loss_consistency"] > 0
    extra = 0.4 * 0.3 * parts["loss_consistency"]
    assert float(together) == pytest.approx((first + second) / 2 + extra, rel=1e-5)


@pytest.mark.parametrize("changes", [{"early_ctc": 2}, {"early_ctc": -1}, {"ctc": False}])
def test_an_early_output_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    given = {"ctc": True, "early_ctc": 1, **changes}
    with pytest.raises(ConfigError, match="a layer below the last, which is 2"):
        LASConfig(listener=LISTENER, **given)
