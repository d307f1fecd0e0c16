"""Optimisers and learning-rate schedules.

A schedule is a pure function of (step, progress), both given by the loop: papers count steps, a
time budget counts the share of the run that is over. That is why `--budget 60m` ends a cosine
exactly at its foot. Plateau is the one with memory; the loop keeps it in the checkpoint. Whether
a pretrained encoder rests is such a function too: a resumed run needs no record of it.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from malgwi.errors import ConfigError
from malgwi.nn.acoustic_model import AcousticModel


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """The optimiser and how its learning rate moves.

    Attributes:
        optimizer: ``adamw`` (Loshchilov & Hutter 2019), ``adam`` or ``sgd`` (Nesterov's, if
            ``momentum`` > 0).
        learning_rate: The peak.
        betas: Adam's decay rates.
        momentum: For ``sgd``.
        weight_decay: On matrices only, never on biases and norms, whatever the optimiser.
        schedule: ``constant``; ``cosine`` down to ``final_ratio`` at the end of the run;
            ``plateau``: × ``decay`` when development CER has not improved for ``plateau_patience``
            evaluations; ``epochs``: × ``decay`` at each of ``milestones`` (epochs; the team's);
            ``tri_stage``: up for ``warmup_share`` of the run, level for ``hold_share``, then down
            in a line (Baevski et al. 2020, §4.3);
            ``specaugment``: ramp up, hold, exponential decay over ``ramp_hold_decay_steps``
            (s_r, s_i, s_f; Park et al. 2019, §3.2).
        warmup_steps: Linear warm-up in steps.
        warmup_share: Linear warm-up as a share of the run (what ``cosine`` uses by default).
        hold_share: For ``tri_stage``.
        final_ratio: Learning rate at the end over the peak.
        decay: Factor of ``plateau`` and ``epochs``.
        milestones: For ``epochs``.
        plateau_patience: For ``plateau``.
        ramp_hold_decay_steps: For ``specaugment``; its schedules B, D and L are (500, 20000,
            80000), (1000, 40000, 160000) and (1000, 140000, 320000) with weight noise from step
            10000, 20000 and 20000.
        weight_noise: Standard deviation of noise on the weights at which gradients are taken
            (0.075 in that paper); 0 is off.
        weight_noise_start: First step with noise (s_noise).
        encoder_rate: Learning rate of a pretrained encoder over that of the heads.
        layer_decay: The same of every layer of it over the layer above (discriminative
            fine-tuning; Howard & Ruder 2018, arXiv 1801.06146, §3.2); 1 is off.
        encoder_rest_steps: Steps in which the heads are trained alone, the encoder resting.
        encoder_rest_share: The same as a share of the run; the longer of the two holds.
    """

    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.98)
    momentum: float = 0.99
    weight_decay: float = 0.01
    schedule: Literal["constant", "cosine", "plateau", "epochs", "specaugment", "tri_stage"] = (
        "cosine"
    )
    warmup_steps: int = 0
    warmup_share: float = 0.05
    hold_share: float = 0.4
    final_ratio: float = 0.01
    decay: float = 0.5
    milestones: tuple[int, ...] = ()
    plateau_patience: int = 3
    ramp_hold_decay_steps: tuple[int, int, int] = (500, 20_000, 80_000)
    weight_noise: float = 0.0
    weight_noise_start: int = 10_000
    encoder_rate: float = 1.0
    layer_decay: float = 1.0
    encoder_rest_steps: int = 0
    encoder_rest_share: float = 0.0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "decay", "encoder_rate", "layer_decay"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"optim.{name} is {getattr(self, name)}: it must be positive")
        if self.encoder_rest_steps < 0:
            raise ConfigError(
                f"optim.encoder_rest_steps is {self.encoder_rest_steps}: it must be 0 or more"
            )
        if not 0 <= self.encoder_rest_share < 1:
            raise ConfigError(
                f"optim.encoder_rest_share is {self.encoder_rest_share}, want 0 to less than 1"
            )
        if self.schedule == "tri_stage" and not self.warmup_share + self.hold_share < 1:
            raise ConfigError(
                f"optim.warmup_share {self.warmup_share} and hold_share {self.hold_share} leave "
                "tri_stage no time to come down: together they must be less than 1"
            )


def build_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """The optimiser over every trainable parameter, in the order of their names."""
    groups = _groups(model, config)
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0
        )
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.learning_rate, betas=config.betas, fused=True)


def _groups(model: nn.Module, config: OptimConfig) -> list[dict[str, object]]:
    """What starts afresh first, then a pretrained encoder from its top layer down."""
    depths = model.pretrained_depths() if isinstance(model, AcousticModel) else {}
    trained = [(depths.get(name), p) for name, p in model.named_parameters() if p.requires_grad]
    found: list[dict[str, object]] = []
    for depth in [None, *sorted({depth for depth, _ in trained if depth is not None})]:
        parameters = [p for at, p in trained if at == depth]
        factor = 1.0 if depth is None else config.encoder_rate * config.layer_decay**depth
        kind = {"rate_factor": factor, "pretrained": depth is not None}
        matrices = [p for p in parameters if p.ndim > 1]
        vectors = [p for p in parameters if p.ndim <= 1]
        found.append({"params": matrices, "weight_decay": config.weight_decay, **kind})
        found.append({"params": vectors, "weight_decay": 0.0, **kind})
    return found


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of the learning rate of a step."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_factor"]


def encoder_rests(config: OptimConfig, *, step: int, progress: float) -> bool:
    """Whether a pretrained encoder is left as it is in this step.

    >>> config = OptimConfig(encoder_rest_steps=10, encoder_rest_share=0.1)
    >>> [encoder_rests(config, step=s, progress=p) for s, p in ((9, 0.5), (10, 0.05), (10, 0.1))]
    [True, True, False]
    """
    return step < config.encoder_rest_steps or progress < config.encoder_rest_share


def rest_encoder(optimizer: torch.optim.Optimizer, resting: bool) -> None:
    """Take the pretrained groups out of training, gradients included, or put them back."""
    for group in optimizer.param_groups:
        if group["pretrained"]:
            for parameter in group["params"]:
                parameter.requires_grad_(not resting)


def learning_rate(config: OptimConfig, *, step: int, progress: float, epoch: int) -> float:
    """The learning rate of one step, plateau's factor aside.

    Args:
        config: The schedule.
        step: Optimiser steps taken before this one.
        progress: Share of the run that is over, 0 to 1.
        epoch: Epochs completed.

    >>> c = OptimConfig(learning_rate=1.0, warmup_share=0.1, final_ratio=0.0)
    >>> [round(learning_rate(c, step=0, progress=p, epoch=0), 3) for p in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if config.schedule == "specaugment":
        return config.learning_rate * _ramp_hold_decay(config, step)
    if config.schedule == "tri_stage":
        return config.learning_rate * _tri_stage(config, progress)
    factor = 1.0
    if config.warmup_steps:
        factor = min(1.0, (step + 1) / config.warmup_steps)
    elif config.warmup_share > 0:
        factor = min(1.0, max(progress, 1e-3) / config.warmup_share)
    if config.schedule == "cosine":
        start = 0.0 if config.warmup_steps else config.warmup_share
        through = min(1.0, max(0.0, (progress - start) / max(1e-9, 1.0 - start)))
        floor = config.final_ratio
        factor *= floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * through))
    elif config.schedule == "epochs":
        factor *= config.decay ** sum(epoch >= at for at in config.milestones)
    return config.learning_rate * factor


def _ramp_hold_decay(config: OptimConfig, step: int) -> float:
    ramp, hold, final = config.ramp_hold_decay_steps
    if not ramp <= hold < final:
        raise ConfigError(
            f"ramp_hold_decay_steps {ramp, hold, final}: expected ramp ≤ hold < final"
        )
    if step < ramp:
        return (step + 1) / ramp
    if step < hold:
        return 1.0
    return float(config.final_ratio ** min(1.0, (step - hold) / (final - hold)))


def _tri_stage(config: OptimConfig, progress: float) -> float:
    level = config.warmup_share + config.hold_share
    if progress < config.warmup_share:
        return max(progress, 1e-3) / config.warmup_share
    through = min(1.0, max(0.0, (progress - level) / (1.0 - level)))
    return 1.0 - (1.0 - config.final_ratio) * through


class Plateau:
    """Multiplies the rate by ``decay`` after ``patience`` evaluations without improvement."""

    def __init__(self, decay: float, patience: int) -> None:
        self.decay, self.patience = decay, patience
        self.factor, self.best, self.waited = 1.0, math.inf, 0

    def update(self, value: float) -> None:
        """Note one development error rate."""
        if value < self.best:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.factor, self.waited = self.factor * self.decay, 0


class MovingAverage:
    """Exponential moving average of a model's state, quick at first (Polyak & Juditsky 1992).

    What is not floating point is copied; with ``decay`` 0 everything is.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {name: value.clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after ``step`` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if self.decay > 0 and value.is_floating_point():
                self.tensors[name].lerp_(value, 1 - decay)
            else:
                self.tensors[name].copy_(value)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with averaged weights, in evaluation mode; its own come back afterwards."""
        own = {name: value.clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.tensors)
        model.eval()
        try:
            yield
        finally:
            model.load_state_dict(own)


@contextmanager
def weight_noise(model: nn.Module, config: OptimConfig, step: int) -> Iterator[None]:
    """Gaussian noise on the weights while gradients are taken (Graves 2011; Park 2019, §3.2)."""
    if config.weight_noise == 0 or step < config.weight_noise_start:
        yield
        return
    parameters = [p for p in model.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in parameters]
    with torch.no_grad():
        for p in parameters:
            p.add_(torch.randn_like(p), alpha=config.weight_noise)
    yield
    with torch.no_grad():
        for p, value in zip(parameters, before, strict=True):
            p.copy_(value)
