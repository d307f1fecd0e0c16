"""Dropout by random bytes: probabilities, expectation, gradients, independence, determinism."""

import pytest
import torch

from malgwi.errors import ConfigError
from malgwi.nn.dropout import Dropout, set_dropout


@pytest.mark.parametrize("p", [0.004, 0.1, 0.3, 0.5, 0.999])
def test_zeros_come_as_often_as_asked_and_the_expectation_stays(p: float) -> None:
    torch.manual_seed(1)
    dropped = Dropout(p)(torch.ones(1000, 1001))
    rounded = min(255, round(256 * p)) / 256
    assert abs(rounded - p) <= 1 / 256
    share = float((dropped == 0).double().mean())
    spread = (rounded * (1 - rounded) / dropped.numel()) ** 0.5
    assert share == pytest.approx(rounded, abs=5 * spread)
    assert dropped.max() == pytest.approx(1 / (1 - rounded))
    assert float(dropped.double().mean()) == pytest.approx(1, abs=5 * spread / (1 - rounded))


def test_the_eight_elements_of_a_word_are_independent_of_each_other() -> None:
    torch.manual_seed(2)
    kept = (Dropout(0.5)(torch.ones(200_000, 8)) > 0).double()
    correlation = torch.corrcoef(kept.T) - torch.eye(8)
    assert correlation.abs().max() < 5 / 200_000**0.5


def test_gradients_pass_where_values_pass() -> None:
    torch.manual_seed(3)
    x = torch.randn(7, 13, dtype=torch.bfloat16, requires_grad=True)
    dropped = Dropout(0.25)(x)
    dropped.sum().backward()
    assert dropped.dtype == torch.bfloat16
    assert torch.equal(x.grad != 0, dropped.detach() != 0)
    torch.testing.assert_close(dropped.detach(), x.detach() * x.grad)


def test_the_same_seed_drops_the_same() -> None:
    layer, x = Dropout(0.3), torch.ones(5, 9)
    first, second = (layer(x) for _ in range(2) if torch.manual_seed(4))
    assert torch.equal(first, second)
    assert not torch.equal(second, layer(x))


def test_nothing_is_dropped_in_use_or_at_zero() -> None:
    x = torch.randn(3, 4)
    assert Dropout(0.9).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_weakened_dropout_drops_its_share_until_it_is_told_otherwise() -> None:
    model = torch.nn.Sequential(Dropout(0.5), torch.nn.Sequential(Dropout(0.25)))
    x = torch.ones(1000, 1000)
    set_dropout(model, strength=0.5)
    torch.manual_seed(5)
    assert float((model(x) == 0).double().mean()) == pytest.approx(1 - 0.75 * 0.875, abs=0.01)
    set_dropout(model, strength=0.0)
    assert model(x) is x
    set_dropout(model)
    assert float((model(x) == 0).double().mean()) == pytest.approx(1 - 0.5 * 0.75, abs=0.01)


def test_a_generator_of_its_own_leaves_the_global_one_alone() -> None:
    model, x = torch.nn.Sequential(Dropout(0.5)), torch.ones(5, 9)
    set_dropout(model, generator=torch.Generator().manual_seed(6))
    torch.manual_seed(7)
    first = model(x)
    after = torch.rand(3)
    torch.manual_seed(7)
    assert torch.equal(after, torch.rand(3))
    set_dropout(model, generator=torch.Generator().manual_seed(6))
    assert torch.equal(model(x), first)


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_other_probabilities_are_refused(p: float) -> None:
    with pytest.raises(ConfigError, match="dropout"):
        Dropout(p)
