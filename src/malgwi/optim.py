"""Optimisers and learning-rate schedules.

A schedule is a pure function of (step, progress), both given by the loop: papers count steps, a
time budget counts the share of the run that is over. That is why `--budget 60m` ends a cosine
exactly at its foot. Plateau is the one with memory; the loop keeps it in the checkpoint.
"""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from malgwi.errors import ConfigError


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
            ``specaugment``: ramp up, hold, exponential decay over ``ramp_hold_decay_steps``
            (s_r, s_i, s_f; Park et al. 2019, §3.2).
        warmup_steps: Linear warm-up in steps.
        warmup_share: Linear warm-up as a share of the run (what ``cosine`` uses by default).
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
    """

    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.98)
    momentum: float = 0.99
    weight_decay: float = 0.01
    schedule: Literal["constant", "cosine", "plateau", "epochs", "specaugment"] = "cosine"
    warmup_steps: int = 0
    warmup_share: float = 0.05
    final_ratio: float = 0.01
    decay: float = 0.5
    milestones: tuple[int, ...] = ()
    plateau_patience: int = 3
    ramp_hold_decay_steps: tuple[int, int, int] = (500, 20_000, 80_000)
    weight_noise: float = 0.0
    weight_noise_start: int = 10_000

    def __post_init__(self) -> None:
        for name in ("learning_rate", "decay"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"optim.{name} is {getattr(self, name)}: it must be positive")


def build_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """The optimiser over every trainable parameter, in the order of their names."""
    groups = _decay_groups(model.named_parameters(), config.weight_decay)
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0
        )
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.learning_rate, betas=config.betas, fused=True)


def _decay_groups(
    named: Iterable[tuple[str, nn.Parameter]], weight_decay: float
) -> list[dict[str, object]]:
    parameters = [p for _, p in named if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


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
