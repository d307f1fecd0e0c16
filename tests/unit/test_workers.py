"""Threads that share a model: the same gradients as one thread, in the same order every time."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from malgwi.nn.dropout import Dropout, set_dropout
from malgwi.workers import Workers


def make() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), Dropout(0.5), nn.Linear(7, 3))


def task(x: Tensor, seed: int, model: nn.Module) -> int:
    assert model.training
    set_dropout(model, generator=torch.Generator().manual_seed(seed))
    model(x).square().sum().backward()
    return seed


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("tasks", [1, 2, 5])
def test_gradients_are_those_of_one_thread(count: int, tasks: int) -> None:
    pieces = torch.randn(tasks, 4, 5, generator=torch.Generator().manual_seed(1))
    found = []
    for workers in (1, count, count):
        model = make()
        with Workers(model, workers) as several:
            for _ in range(2):  # what was there before is added to; then it is put away
                model.zero_grad(set_to_none=True)
                given = [partial(task, piece, i) for i, piece in enumerate(pieces)]
                assert several.gradients(given) == list(range(tasks))
        found.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    alone, together, again = found
    assert len(alone) == 4
    torch.testing.assert_close(alone, together)
    assert all(torch.equal(a, b) for a, b in zip(together, again, strict=True))


def test_copies_follow_the_weights_and_what_rests() -> None:
    model = make()
    with Workers(model, 2) as workers:
        for parameter in model.parameters():
            parameter.data = parameter.data + 1.0  # even where a weight was put elsewhere
        model[0].weight.requires_grad_(False)
        model.eval()
        seen = workers.gradients(
            [lambda m: (m[2].bias.detach().tolist(), m[0].weight.requires_grad, m.training)] * 2
        )
    assert seen[0] == seen[1]
    assert seen[1][1:] == (False, False)


def test_what_fails_in_a_thread_fails_for_the_caller() -> None:
    def fail(_model: nn.Module) -> None:
        raise ZeroDivisionError("in a thread")

    with Workers(make(), 2) as workers, pytest.raises(ZeroDivisionError, match="in a thread"):
        workers.gradients([fail, fail])


def test_threads_of_the_machine_are_shared_out() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        with Workers(make(), 2) as workers:
            assert workers.gradients([lambda _: torch.get_num_threads()] * 2) == [2, 2]
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)
