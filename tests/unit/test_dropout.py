"""Dropout by random bytes: probabilities, expectation, gradients, independence, determinism."""

import pytest
import torch

from malgwi.errors import ConfigError
from malgwi.nn.dropout import Dropout


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


@pytest.mark.parametrize("p", [-0.1, 1.0])
def test_other_probabilities_are_refused(p: float) -> None:
    with pytest.raises(ConfigError, match="dropout"):
        Dropout(p)
