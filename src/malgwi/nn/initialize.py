"""Explicit initialisation by layer type, and a check that catches a bad one before hours are spent.

The contest of 2019 handed out code that drew every parameter from U(−0.08, 0.08), BatchNorm's
scale and shift included; 12 of 13 public teams kept it. `check_start` says so on the first batch.
"""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from malgwi.nn.clipped_recurrence import GATES, Recurrence
from malgwi.nn.composed_output import ComposedOutput
from malgwi.nn.factored_output import FactoredOutput
from malgwi.nn.sequence_norm import SequenceNorm

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, SequenceNorm)


@dataclass(frozen=True, kw_only=True)
class InitConfig:
    """How parameters start.

    Attributes:
        scheme: ``by_layer``: linear and recurrent input matrices Glorot uniform, recurrent
            matrices orthogonal, forget bias 1, convolutions He normal, embeddings N(0, 1),
            norms (1, 0), biases 0. ``uniform``: every matrix and bias from U(−scale, scale) (LAS
            uses 0.1), norms left at torch's (1, 0).
            ``uniform_everything``: norms too; the historical fault, kept for the ablation.
        scale: For the uniform schemes.
        from_run: A run folder whose weights take the place of these wherever they fit, such as one
            trained on synthetic speech or on another client's calls; what does not fit is named.
    """

    scheme: Literal["by_layer", "uniform", "uniform_everything"] = "by_layer"
    scale: float = 0.1
    from_run: str | None = None


@torch.no_grad()
def initialize(model: nn.Module, config: InitConfig) -> None:
    """Set every parameter of ``model``; draws from torch's global generator."""
    for module in model.modules():
        if config.scheme == "by_layer":
            _by_layer(module)
            continue
        norm = isinstance(module, _NORMS)
        for parameter in module.parameters(recurse=False):
            if not norm or config.scheme == "uniform_everything":
                parameter.uniform_(-config.scale, config.scale)


def _by_layer(module: nn.Module) -> None:
    if isinstance(module, ComposedOutput):
        for part in module.parts:
            part.normal_(
                std=part.shape[1] ** -0.5 / 2
            )  # three letters and a residual: variances add
    elif isinstance(module, FactoredOutput):
        for factor in module.factors:
            # a syllable sums R products of three: their variances then add up to one
            factor.normal_(std=factor.shape[1] ** (-1 / 6))
    elif isinstance(module, nn.LSTM | nn.GRU):
        _recurrent(module)
    elif isinstance(module, Recurrence):
        for gate in module.weight.chunk(GATES[module.cell]):
            nn.init.orthogonal_(gate)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
    elif isinstance(module, nn.Conv1d | nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    elif isinstance(module, nn.Embedding):
        module.weight.normal_(std=1.0)
    elif isinstance(module, _NORMS):
        module.weight.fill_(1.0)
    bias = getattr(module, "bias", None)
    if isinstance(bias, Tensor):
        bias.zero_()


def _recurrent(rnn: nn.LSTM | nn.GRU) -> None:
    gates = 4 if isinstance(rnn, nn.LSTM) else 3
    for name, parameter in rnn.named_parameters():
        if name.startswith("bias"):
            parameter.zero_()
            if gates == 4 and name.startswith("bias_ih"):
                parameter.chunk(4)[1].fill_(1.0)  # forget gate (Jozefowicz et al. 2015)
            continue
        fill = nn.init.orthogonal_ if name.startswith("weight_hh") else nn.init.xavier_uniform_
        for gate in parameter.chunk(gates):
            fill(gate)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Standard deviation of what enters a layer (NaN for ids) and of what leaves it."""

    entering: float
    leaving: float

    @property
    def gain(self) -> float:
        """Leaving over entering; NaN where nothing entered, as into location features at first."""
        return self.leaving / self.entering if self.entering > 0 else math.nan


@dataclass(frozen=True, kw_only=True)
class StartReport:
    """What the first batch showed: loss against ln V, and the activation scale of every layer."""

    initial_loss: float
    uniform_loss: float
    scales: dict[str, Scale]
    warnings: tuple[str, ...]


def check_start(
    model: nn.Module,
    loss: Callable[[], Tensor],
    vocabulary_size: int,
    trained: Collection[str] = (),
) -> StartReport:
    """Measure the first loss and each layer's activation scale, without a gradient.

    A speller that knows nothing should cost about ln V nats a unit, a norm should put out a
    standard deviation near 1, and no layer should weaken its input a thousandfold or strengthen
    it a hundredfold. BatchNorm statistics are left as they were found.

    Args:
        model: The model, as initialised.
        loss: Runs the model on one batch and returns nats a unit of its cross-entropy.
        vocabulary_size: V.
        trained: Names of parameters that were trained elsewhere; their layers are not measured.
    """
    scales: dict[str, Scale] = {}
    norms = {name for name, module in model.named_modules() if isinstance(module, _NORMS)}
    hooks = [
        module.register_forward_hook(_measure(name, scales))
        for name, module in model.named_modules()
        if name
        and not list(module.children())
        and any(f"{name}.{own}" not in trained for own, _ in module.named_parameters(recurse=False))
    ]
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with torch.no_grad():
        initial = float(loss())
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
    for hook in hooks:
        hook.remove()
    expected = math.log(vocabulary_size)
    return StartReport(
        initial_loss=initial,
        uniform_loss=expected,
        scales=scales,
        warnings=tuple(_warnings(initial, expected, scales, norms)),
    )


def _measure(name: str, scales: dict[str, Scale]) -> Callable[..., None]:
    def hook(_module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        leaving = _deviation(output[0] if isinstance(output, tuple) else output)
        scales.setdefault(name, Scale(entering=_deviation(inputs[0]), leaving=leaving))

    return hook


def _deviation(value: object) -> float:
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.numel() < 2:
        return math.nan
    return float(value.float().std())


def _warnings(
    initial: float, expected: float, scales: dict[str, Scale], norms: set[str]
) -> list[str]:
    found = []
    if not 0.7 * expected < initial < 1.5 * expected + 1:
        found.append(
            f"initial loss {initial:.2f} nats a unit, a uniform guess costs ln V = {expected:.2f}"
        )
    for name, scale in scales.items():
        if name in norms:
            if not 0.5 < scale.leaving < 2.0:
                found.append(
                    f"{name}: a norm puts out standard deviation {scale.leaving:.3f}, expected "
                    "about 1: are its scale and shift initialised like weights?"
                )
        elif scale.gain < 1e-3:
            found.append(f"{name}: passes on {scale.gain:.1e} of its input: nothing gets through")
        elif scale.gain > 100:
            found.append(f"{name}: strengthens its input {scale.gain:.0f} times: exploding")
    return found
