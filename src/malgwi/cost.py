"""What a model costs before it has cost anything: parameters and multiply-adds, part by part.

Counted, not estimated: the model runs once over some seconds of zeros while torch's own counter
looks on. The surprising choice: fused recurrent kernels, which that counter does not see into,
stand still meanwhile and are counted by formula; fused attention is taken apart into its products.

Shapes: B batch, T frames, D features.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from malgwi.nn.acoustic_model import AcousticModel, Encoded

SECONDS = 10
#: Korean has about five syllables a second; a writer's share grows with what it writes.
UNITS_PER_SECOND = 5


@dataclass(frozen=True, kw_only=True)
class PartCost:
    """One part of a model: its parameters, and multiply-adds for a second of audio."""

    name: str
    parameters: int
    multiply_adds: float


@torch.no_grad()
def measure_cost(model: AcousticModel, features: int, frame_s: float) -> list[PartCost]:
    """The cost of each part that a model names, in its order.

    Matrix products and convolutions count, element-wise work does not. A writer is counted as in
    training, one hypothesis over ``UNITS_PER_SECOND`` units a second: a beam of K costs K times
    that. A transducer is counted at every pair of frame and unit, as it is trained, though a
    search sees a few of them. What is done outside any part is not counted. Where the model hears
    less than ``SECONDS`` at once, so much is run.

    Args:
        model: Any; it is left in the mode it was in.
        features: D.
        frame_s: Seconds from frame to frame.
    """
    frames = round(SECONDS / frame_s)
    if model.max_frames is not None:
        frames = min(frames, model.max_frames)
    seconds = frames * frame_s
    training, device = model.training, next(model.parameters()).device
    model.eval()
    counted = dict.fromkeys((name for name, _ in model.named_children()), 0)
    with (
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
        _attributed(model, counter, counted),
    ):
        length = torch.tensor([frames], device=device)
        encoded = model.encode(torch.zeros(1, frames, features, device=device), length)
        if model.config.writer is not None:
            tokens = torch.zeros(
                1, round(seconds * UNITS_PER_SECOND), dtype=torch.long, device=device
            )
            _write(model, tokens, encoded)
    model.train(training)
    return [
        PartCost(name=name, parameters=size, multiply_adds=counted[name] / seconds)
        for name, part in model.named_children()
        if (size := sum(p.numel() for p in part.parameters()))
    ]


def _write(model: AcousticModel, tokens: Tensor, encoded: Encoded) -> None:
    """Teacher-forced; of a transducer, every node of its lattice."""
    if model.config.writer == "transducer":
        heard, said = model.joint_parts(tokens, encoded)
        for frame in range(heard.shape[1]):  # all at once would not fit
            model.join(heard[:, frame : frame + 1], said)
    else:
        model.write(tokens, encoded)


@contextmanager
def _attributed(
    model: nn.Module, counter: FlopCounterMode, counted: dict[str, int]
) -> Iterator[None]:
    """While inside, what the model's children compute is added to ``counted`` by name."""
    recurrent = [m for m in model.modules() if isinstance(m, nn.LSTM | nn.GRU)]
    owner = {id(m): name for name, child in model.named_children() for m in child.modules()}
    hooks = []
    for name, child in model.named_children():
        # a list of layers is never called itself
        for part in child if isinstance(child, nn.ModuleList) else [child]:
            hooks += _counting(part, name, counter, counted)
    for module in recurrent:
        # the instance's own `forward` hides the class's until it is deleted below
        stand_in = _standing_still(module, owner[id(module)], counted)
        module.forward = stand_in  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for module in recurrent:
            del module.forward


def _counting(
    part: nn.Module, name: str, counter: FlopCounterMode, counted: dict[str, int]
) -> list[torch.utils.hooks.RemovableHandle]:
    before: list[int] = []

    def enter(_module: nn.Module, _inputs: object) -> None:
        before.append(counter.get_total_flops())

    def leave(_module: nn.Module, _inputs: object, _output: object) -> None:
        counted[name] += (counter.get_total_flops() - before.pop()) // 2  # a multiply and an add

    return [part.register_forward_pre_hook(enter), part.register_forward_hook(leave)]


def _standing_still(
    module: nn.LSTM | nn.GRU, name: str, counted: dict[str, int]
) -> Callable[..., tuple[Tensor, object]]:
    """Stands in for a batch-first, one-way recurrent kernel: counts, and returns zeros."""

    def forward(x: Tensor, state: object = None) -> tuple[Tensor, object]:
        batch, frames, _ = x.shape
        sizes = sum(p.numel() for n, p in module.named_parameters() if n.startswith("weight"))
        counted[name] += batch * frames * sizes
        hidden = x.new_zeros(module.num_layers, batch, module.hidden_size)
        after: object = (hidden, hidden) if isinstance(module, nn.LSTM) else hidden
        return x.new_zeros(batch, frames, module.hidden_size), after

    return forward


def cost_table(parts: list[PartCost]) -> str:
    """The parts and their sum as lines of text.

    >>> print(cost_table([PartCost(name="ctc", parameters=2_500_000, multiply_adds=3e7)]))
    part            parameters, M   multiply-adds a second, M
    ctc                      2.50                        30.0
    in all                   2.50                        30.0
    """
    whole = PartCost(
        name="in all",
        parameters=sum(part.parameters for part in parts),
        multiply_adds=sum(part.multiply_adds for part in parts),
    )
    rows = [
        f"{part.name:14s}{part.parameters / 1e6:15.2f}{part.multiply_adds / 1e6:28.1f}"
        for part in [*parts, whole]
    ]
    return "\n".join(
        [f"{'part':14s}{'parameters, M':>15s}{'multiply-adds a second, M':>28s}", *rows]
    )
