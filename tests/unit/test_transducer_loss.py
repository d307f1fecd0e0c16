"""The transducer's loss against brute force over alignments, and what it holds in memory."""

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from malgwi.transducer_loss import lattice_log_prob, lattice_nodes, transducer_loss


def brute_force(blank: torch.Tensor, unit: torch.Tensor) -> float:
    """log p over [T, U + 1] by every order of U units and T blanks that ends in a blank."""
    frames, columns = blank.shape
    terms = []
    for places in itertools.combinations(range(frames + columns - 2), columns - 1):
        frame = before = 0
        total = 0.0
        for step in range(frames + columns - 2):
            if step in places:
                total += float(unit[frame, before])
                before += 1
            else:
                total += float(blank[frame, before])
                frame += 1
        terms.append(total + float(blank[frame, before]))
    top = max(terms)
    return top + math.log(math.fsum(math.exp(term - top) for term in terms))


def planes(seed: int, batch: int, frames: int, units: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of blank and next unit, some of them very small."""
    g = torch.Generator().manual_seed(seed)
    scores = 4 * torch.randn(batch, frames, units + 1, 3, generator=g, dtype=torch.float64)
    blank, unit, _ = scores.log_softmax(-1).unbind(-1)
    return blank, unit


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=3),
)
def test_the_lattice_sums_every_alignment_whatever_the_padding(
    seed: int, sizes: list[tuple[int, int]]
) -> None:
    frames, units = max(t for t, _ in sizes), max(u for _, u in sizes)
    blank, unit = planes(seed, len(sizes), frames, units)
    lengths, units_of = torch.tensor([t for t, _ in sizes]), torch.tensor([u for _, u in sizes])
    found = lattice_log_prob(blank, unit, lengths, units_of)
    for row, (t, u) in enumerate(sizes):
        wanted = brute_force(blank[row, :t, : u + 1], unit[row, :t, : u + 1])
        assert float(found[row]) == pytest.approx(wanted, abs=1e-9)


def test_a_lattice_of_hundreds_of_nats_stays_exact() -> None:
    frames, units = 400, 90
    even = torch.full((1, frames, units + 1), -3.0, dtype=torch.float64)
    found = lattice_log_prob(even, 4 * even, torch.tensor([frames]), torch.tensor([units]))
    count = math.lgamma(frames + units) - math.lgamma(units + 1) - math.lgamma(frames)
    assert float(found) == pytest.approx(count - 3 * frames - 12 * units, rel=1e-12)


SIZES = (torch.tensor([4, 2, 3]), torch.tensor([2, 3, 0]))


def problem(dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    """heard [3, 4, 5], said [3, 4, 5], output [5, 6] and targets [3, 3]."""
    g = torch.Generator().manual_seed(7)
    heard, said = (torch.randn(3, 4, 5, generator=g).to(dtype) for _ in range(2))
    output = torch.randn(5, 6, generator=g).to(dtype)
    targets = torch.tensor([[3, 4, 0], [5, 5, 1], [0, 0, 0]])
    return heard.requires_grad_(), said.requires_grad_(), output.requires_grad_(), targets


def loss(
    heard: torch.Tensor,
    said: torch.Tensor,
    output: torch.Tensor,
    targets: torch.Tensor,
    chunk_nodes: int = 7,
) -> torch.Tensor:
    return transducer_loss(
        lambda a, b: torch.tanh(a + b) @ output,
        heard,
        said,
        SIZES[0],
        targets,
        SIZES[1],
        blank_id=0,
        chunk_nodes=chunk_nodes,
    )


def test_the_loss_is_the_sum_over_alignments_a_unit() -> None:
    heard, said, output, targets = problem()
    wanted = 0.0
    for row, (t, u) in enumerate(zip(*(part.tolist() for part in SIZES), strict=True)):
        joint = torch.tanh(heard[row, :t, None] + said[row, None, : u + 1]) @ output
        log_probs = joint.log_softmax(-1).detach()
        following = [*targets[row, :u].tolist(), 0]
        unit = torch.stack([log_probs[:, i, k] for i, k in enumerate(following)], dim=1)
        wanted -= brute_force(log_probs[..., 0], unit)
    assert float(loss(heard, said, output, targets).detach()) == pytest.approx(wanted / 5, abs=1e-9)


@pytest.mark.parametrize("chunk_nodes", [1, 7, 1000])
def test_gradients_are_finite_differences(chunk_nodes: int) -> None:
    heard, said, output, targets = problem()
    torch.autograd.gradcheck(
        lambda a, b, c: loss(a, b, c, targets, chunk_nodes), (heard, said, output)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_chunks_change_nothing(dtype: torch.dtype) -> None:
    found = []
    for chunk_nodes in (1000, 5, 1):
        *inputs, targets = problem(dtype)
        value = loss(*inputs, targets, chunk_nodes)
        found.append([value, *torch.autograd.grad(value, inputs)])
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])


def test_padding_gets_no_gradient_and_gives_none() -> None:
    heard, said, output, targets = problem()
    value = loss(heard, said, output, targets)
    by_heard, by_said = torch.autograd.grad(value, (heard, said))
    noisy_heard, noisy_said, noisy_targets = heard.detach(), said.detach(), targets.clone()
    for row, (t, u) in enumerate(zip(*(part.tolist() for part in SIZES), strict=True)):
        assert not by_heard[row, t:].any()
        assert not by_said[row, u + 1 :].any()
        assert by_heard[row, :t].any()
        noisy_heard[row, t:], noisy_said[row, u + 1 :], noisy_targets[row, u:] = 1e4, -1e4, 2
    noisy = loss(noisy_heard, noisy_said, output, noisy_targets)
    assert float(noisy.detach()) == pytest.approx(float(value.detach()), abs=1e-12)


class Largest(TorchDispatchMode):
    """Watches the elements of every tensor that is made."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor)]
        self.elements = max([self.elements, *sizes])
        return made


@pytest.mark.parametrize("chunk_nodes", [16, 64, 10_000])
def test_no_tensor_is_larger_than_a_chunks_logits(chunk_nodes: int) -> None:
    """Forward and backward; nor are the chunks' logits kept for the gradient."""
    size, width = 200, 8
    lengths, units = torch.tensor([30, 20]), torch.tensor([9, 4])
    g = torch.Generator().manual_seed(1)
    heard = torch.randn(2, 30, width, generator=g).requires_grad_()
    said = torch.randn(2, 10, width, generator=g).requires_grad_()
    output = torch.randn(width, size, generator=g).requires_grad_()
    targets = torch.randint(1, size, (2, 9), generator=g)
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with Largest() as largest, torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        value = transducer_loss(
            lambda a, b: (a + b).tanh() @ output,
            heard,
            said,
            lengths,
            targets,
            units,
            blank_id=0,
            chunk_nodes=chunk_nodes,
        )
        value.backward()
    nodes = len(lattice_nodes(lengths, units, 30, 10))
    assert nodes == 30 * 10 + 20 * 5
    assert largest.elements == max(min(chunk_nodes, nodes) * size, size * width)
    assert value.isfinite()
    forward_kept = max(kept)
    assert forward_kept <= max(min(chunk_nodes, nodes) * size, size * width, 2 * nodes)
