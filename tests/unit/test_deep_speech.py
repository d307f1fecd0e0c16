"""Deep Speech: context windows, the clipped recurrence against torch's own, its five layers."""

import pytest
import torch
from debug_models import batch, make
from torch import nn

from malgwi.models.deep_speech import DeepSpeech, DeepSpeechConfig, windows
from malgwi.nn.clipped_recurrence import CEILING, Recurrence, SummedRecurrence
from malgwi.recipes import recipe


@pytest.mark.parametrize("context", [5, 7, 9])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_window_holds_a_frame_and_its_neighbours(context: int, stride: int) -> None:
    features = torch.randn(2, 13, 3)
    found = windows(features, context, stride)
    assert found.shape == (2, -(-13 // stride), (2 * context + 1) * 3)
    for place in range(found.shape[1]):
        middle = place * stride
        for offset in range(-context, context + 1):
            at = (offset + context) * 3
            exists = 0 <= middle + offset < 13
            wanted = features[:, middle + offset] if exists else torch.zeros(2, 3)
            assert torch.equal(found[:, place, at : at + 3], wanted)


def test_below_the_ceiling_it_is_the_plain_relu_network() -> None:
    torch.manual_seed(0)
    reference = nn.RNN(4, 6, nonlinearity="relu", batch_first=True)
    ours = Recurrence(6, "rnn")
    ours.weight.data = reference.weight_hh_l0.data
    x = torch.randn(3, 9, 4)
    bias = reference.bias_ih_l0 + reference.bias_hh_l0
    projected = x @ reference.weight_ih_l0.T + bias
    torch.testing.assert_close(ours(projected), reference(x)[0], atol=1e-6, rtol=1e-5)


def test_no_state_passes_the_ceiling() -> None:
    ours = Recurrence(2, "rnn")
    ours.weight.data = 3 * torch.eye(2)
    states = ours(torch.ones(1, 8, 2))
    assert states[0, :4, 0].tolist() == [1, 4, 13, CEILING]
    assert states.max() == CEILING


def test_the_gated_cell_is_the_papers_equations() -> None:
    torch.manual_seed(0)
    ours = Recurrence(2, "gru")
    z = torch.randn(1, 3, 6)
    state = torch.zeros(2)
    for t in range(3):
        u, r, h = (ours.weight[i : i + 2] @ state for i in (0, 2, 4))
        update, reset = torch.sigmoid(z[0, t, :2] + u), torch.sigmoid(z[0, t, 2:4] + r)
        state = (1 - update) * state + update * (z[0, t, 4:] + reset * h).clamp(0, 20)
        torch.testing.assert_close(ours(z)[0, t], state)


def test_the_direction_that_reads_from_the_end_begins_at_each_utterances_own() -> None:
    torch.manual_seed(0)
    both = SummedRecurrence(3, "rnn", bidirectional=True)
    assert both.behind is not None
    z, lengths = torch.randn(2, 5, 3), torch.tensor([5, 2])
    found = both(z, lengths)
    short = z[1:, :2]
    wanted = both.onward(short) + both.behind(short.flip(1)).flip(1)
    torch.testing.assert_close(found[1:, :2], wanted)
    assert not found[1, 2:].any()


def test_five_layers_with_one_input_matrix_for_both_directions() -> None:
    model = make(DeepSpeechConfig(context=2, stride=2, units=8))
    assert isinstance(model, DeepSpeech)
    sizes = {name: tuple(p.shape) for name, p in model.named_parameters() if p.ndim == 2}
    assert sizes == {
        "dense.0.weight": (8, 80),
        "dense.1.weight": (8, 8),
        "dense.2.weight": (8, 8),
        "projection.weight": (8, 8),
        "recurrent.onward.weight": (8, 8),
        "recurrent.behind.weight": (8, 8),
        "joined.weight": (8, 8),
        "ctc.residual.weight": (12, 8),
    }
    given = batch()
    assert model.encode(given.features, given.lengths).lengths.tolist() == [31, 21, 12]


def test_the_recipe_has_the_papers_optimiser() -> None:
    config = recipe("deep_speech")
    assert (config.optim.optimizer, config.optim.momentum) == ("sgd", 0.99)
    assert config.objective.ctc_weight == 1.0
    assert config.dev_decoding.method == config.decoding.method == "ctc"
