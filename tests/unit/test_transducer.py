"""The transducer: exact under padding, one path for training and search, and how it learns."""

from dataclasses import replace

import debug_models
import pytest
import torch
from debug_models import BLANK, END, SIZE, START, WIDTH, batch, make

from malgwi.batching import Batch
from malgwi.decoders.beam_config import BeamConfig
from malgwi.decoders.transducer import transducer_beam
from malgwi.errors import ConfigError
from malgwi.models.transducer import (
    PredictorConfig,
    Transducer,
    TransducerConfig,
)
from malgwi.nn.initialize import InitConfig, check_start, initialize
from malgwi.objective import Objective, ObjectiveConfig
from malgwi.optim import OptimConfig, build_optimizer
from malgwi.transcribe import DecodingConfig, check_method

DEBUG = debug_models.DEBUG["transducer"]
assert isinstance(DEBUG, TransducerConfig)
STATELESS = replace(DEBUG, predictor=PredictorConfig(context=2, embedding=6, units=10))
KINDS = pytest.mark.parametrize("config", [DEBUG, STATELESS], ids=["lstm", "stateless"])


def objective(ctc_weight: float = 0.5, chunk_nodes: int = 50) -> Objective:
    config = ObjectiveConfig(ctc_weight=ctc_weight, chunk_nodes=chunk_nodes)
    return Objective(config, start_id=START, end_id=END, blank_id=BLANK)


@KINDS
def test_what_an_utterance_costs_does_not_depend_on_its_batch(config: TransducerConfig) -> None:
    model, whole = make(config).eval(), batch()
    together, parts = objective(0.0)(model, whole, 0.0, None)
    total = 0.0
    for row in range(3):
        frames, units = int(whole.lengths[row]), int(whole.token_lengths[row])
        alone = Batch(
            ids=whole.ids[row : row + 1],
            features=whole.features[row : row + 1, :frames],
            lengths=whole.lengths[row : row + 1],
            tokens=whole.tokens[row : row + 1, :units],
            token_lengths=whole.token_lengths[row : row + 1],
            audio_s=0.4,
        )
        total += units * float(objective(0.0)(model, alone, 0.0, None)[0].detach())
    assert float(together.detach()) == pytest.approx(total / 13, rel=1e-5)
    assert parts["loss_transducer"] == pytest.approx(total / 13, rel=1e-5)


@KINDS
def test_stepping_gives_the_scores_that_were_trained(config: TransducerConfig) -> None:
    model, whole = make(config).eval(), batch()
    encoded = model.encode(whole.features, whole.lengths)
    inputs = torch.nn.functional.pad(whole.tokens, (1, 0), value=START)
    heard, said = model.joint_parts(inputs, encoded)
    wanted = model.join(heard[:, :, None], said[:, None]).log_softmax(-1)  # [B, S, U + 1, V]
    scorer, beams = model.transducer(encoded), 2
    state = scorer.start(beams, START)
    for before in range(inputs.shape[1]):
        for frame in (0, 5, 11):
            found = scorer.score(state, torch.full((6,), frame))
            for row in range(6):
                torch.testing.assert_close(found[row], wanted[row // 2, frame, before])
        if before < 6:
            tokens = whole.tokens[:, before].repeat_interleave(beams)
            moved = scorer.advance(state, torch.tensor([1, 0, 3, 2, 5, 4]), tokens)
            tokens[::2] = -1  # a row that is copied, then advanced by itself
            halved = scorer.advance(state, torch.arange(6), tokens)
            copied = scorer.score(halved, torch.zeros(6, dtype=torch.long))[::2]
            torch.testing.assert_close(copied, wanted[:, 0, before])
            state = moved


@KINDS
@pytest.mark.parametrize("composed", [False, True])
def test_the_gradient_reaches_every_parameter(config: TransducerConfig, composed: bool) -> None:
    letters = [(-1, -1, -1)] * 3 + [(i, i, i) for i in range(SIZE - 3)]
    model = Transducer(WIDTH, SIZE, replace(config, composed_output=composed), letters)
    initialize(model, InitConfig())
    assert len(model.output.parts) == 3 * composed
    objective()(model, batch(), 0.0, None)[0].backward()
    unmoved = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert unmoved == []


def test_composed_output_needs_letters() -> None:
    with pytest.raises(ConfigError, match="letters"):
        Transducer(WIDTH, SIZE, replace(DEBUG, composed_output=True))


@KINDS
def test_the_start_check_has_nothing_to_say_of_a_sound_start(config: TransducerConfig) -> None:
    model = make(config).train()
    report = check_start(model, lambda: objective().at_start(model, batch()), SIZE)
    assert report.warnings == ()


def test_a_stateless_network_forgets_what_is_older() -> None:
    model = make(STATELESS).eval()
    said = model.predictor(torch.tensor([[START, 3, 4, 5], [START, 9, 4, 5]]))
    torch.testing.assert_close(said[0, 3], said[1, 3])
    assert not torch.allclose(said[0, 2], said[1, 2])


def test_chunks_of_the_lattice_change_neither_loss_nor_gradient() -> None:
    found = []
    for chunk_nodes in (10_000, 37):
        model = make(DEBUG).eval()
        value, _ = objective(0.3, chunk_nodes)(model, batch(), 0.0, None)
        value.backward()
        found.append([value.detach(), *(p.grad for p in model.parameters())])
    torch.testing.assert_close(found[1], found[0])


def test_a_search_for_another_head_is_an_error_that_names_the_right_ones() -> None:
    with pytest.raises(ConfigError, match=r"decoding\.method is beam.*transducer_beam or"):
        check_method(DecodingConfig(), "transducer", "decoding")
    with pytest.raises(ConfigError, match="set it to beam or attention"):
        check_method(DecodingConfig(method="transducer"), "attention", "decoding")
    with pytest.raises(ConfigError, match="set it to ctc"):
        check_method(DecodingConfig(method="transducer_beam"), None, "decoding")
    check_method(DecodingConfig(method="ctc"), "transducer", "decoding")
    with pytest.raises(ConfigError, match="symbols_per_frame"):
        DecodingConfig(symbols_per_frame=0)


def test_it_learns_three_utterances_by_heart_and_the_beam_writes_them() -> None:
    model, whole = make(STATELESS).train(), batch()
    loss_of = objective(0.0, 1000)
    optimizer = build_optimizer(model, OptimConfig(learning_rate=1e-2))
    for _ in range(150):
        loss, _ = loss_of(model, whole, 0.0, None)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        encoded = model.encode(whole.features, whole.lengths)
    found = transducer_beam(
        model.transducer(encoded),
        start_id=START,
        end_id=END,
        blank_id=BLANK,
        encoder_lengths=encoded.lengths,
        config=BeamConfig(beams=4),
    )
    units = whole.token_lengths.tolist()
    for tokens, wanted, length in zip(found, whole.tokens.tolist(), units, strict=True):
        assert tokens[0].tokens == tuple(wanted[:length])
    own = sum(best[0].log_prob for best in found)  # a lower bound of the references' own sum
    assert own <= -float(loss_of(model, whole, 0.0, None)[0].detach()) * sum(units) + 1e-3
