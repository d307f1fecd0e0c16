"""The training loop. `train` reads like the pseudocode of a paper; what it calls stands below it.

The surprising choice: every random draw of step i is a function of (seed, i). Each piece of a
step has generators of its own, seeded anew, for dropout, for masks and for samples, and the global
one is reseeded for what draws from that, so a checkpoint needs no generator state, and a run killed
anywhere ends bit for bit where the undisturbed run ends.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from malgwi.batching import Batches, Draw
from malgwi.checkpoint import (
    Checkpoint,
    discard_later,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
    save_tensors,
)
from malgwi.errors import CheckpointError, ConfigError, TrainingError
from malgwi.machine import interruptible
from malgwi.nn.acoustic_model import AcousticModel
from malgwi.nn.dropout import set_dropout
from malgwi.objective import Objective
from malgwi.optim import (
    MovingAverage,
    OptimConfig,
    Plateau,
    build_optimizer,
    encoder_rests,
    learning_rate,
    rest_encoder,
    set_rate,
    weight_noise,
)
from malgwi.training_log import TrainingLog
from malgwi.workers import Workers


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """How long, how carefully and how often.

    Attributes:
        epochs: Passes over the data; None with ``budget_s`` or ``max_steps``.
        max_steps: Optimiser steps, at most.
        budget_s: Wall-clock seconds for training and development decoding together. Schedules
            end where the last decoding has to begin, as long as the ones before it took.
        seed: Of every draw.
        precision: ``bf16`` runs matrix products under autocast; ``auto`` (do so where it pays) is
            decided when a run is built, once, so that a resumed run computes the same.
        workers: Threads that take a share of every batch each, on a CPU; None, as many as pay, is
            decided when a run is built.
        clip_norm: Gradients are scaled down to this norm.
        ramp_epochs: Epochs over which dropout, masks and other speeds grow to what they are set to,
            linearly, from none in the first; several views come after. What was heard a few times
            only is not known by heart. 0: all from the start.
        ema_decay: Of the moving average of weights, which is what is evaluated and kept; 0 is off.
        evaluations: Development decodings over the whole run, evenly spread.
        patience: Stop after so many evaluations in a row without improvement; None never.
        checkpoint_steps: Steps between checkpoints (one is also written at each evaluation).
        keep_checkpoints: How many stay on disk.
        log_steps: Steps between records.
        max_skipped_steps: Steps with a non-finite loss or gradient that are skipped before the run
            is stopped.
    """

    epochs: int | None = None
    max_steps: int | None = None
    budget_s: float | None = None
    seed: int = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    workers: int | None = None
    clip_norm: float = 5.0
    ramp_epochs: int = 0
    ema_decay: float = 0.999
    evaluations: int = 20
    patience: int | None = None
    checkpoint_steps: int = 500
    keep_checkpoints: int = 2
    log_steps: int = 20
    max_skipped_steps: int = 20

    def __post_init__(self) -> None:
        if self.epochs is None and self.max_steps is None and self.budget_s is None:
            raise ConfigError("training needs an end: give epochs, max_steps or a budget")
        least = {
            "epochs": 1,
            "max_steps": 1,
            "ramp_epochs": 0,
            "workers": 1,
            "evaluations": 1,
            "patience": 1,
            "checkpoint_steps": 1,
            "keep_checkpoints": 1,
            "log_steps": 1,
            "max_skipped_steps": 0,
        }
        for name, bound in least.items():
            value = getattr(self, name)
            if value is not None and value < bound:
                raise ConfigError(f"trainer.{name} is {value}: it must be {bound} or more")
        if self.budget_s is not None and self.budget_s <= 0:
            raise ConfigError(f"trainer.budget_s is {self.budget_s}: it must be positive")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The built objects that training works on; ``evaluate`` decodes the development split."""

    model: Any
    objective: Objective
    batches: Batches
    optim: OptimConfig
    evaluate: Callable[[nn.Module], float]


@dataclass
class State:
    """All that changes while training, tensors apart. Counters count what is done."""

    step: int = 0
    epoch: int = 0
    position: int = 0  # steps of this epoch that are done
    evaluations: int = 0
    since_best: int = 0
    best_cer: float = math.inf
    best_step: int = 0
    evaluation_s: float = 0.0  # the slowest so far
    skipped: int = 0
    elapsed_s: float = 0.0
    audio_s: float = 0.0
    stopped: str = ""


def train(
    parts: Parts,
    config: TrainerConfig,
    folder: Path,
    log: TrainingLog,
    *,
    resume: Path | None = None,
) -> State:
    """Train until the epochs, the steps, the budget or the patience are spent.

    The best weights by development CER stand in ``folder/weights.safetensors`` afterwards.

    Args:
        parts: Model, objective, batches, optimiser settings, development decoding.
        config: See there.
        folder: The run folder.
        log: Records and progress.
        resume: JSON file of the checkpoint to go on from.

    Raises:
        TrainingError: Too many non-finite steps, or an interruption (a checkpoint is written).
        CheckpointError: ``resume`` is damaged.
    """
    loop = _Loop(parts, config, folder, log)
    if resume is None:
        log.rewind(-1)
    else:
        loop.restore(resume)
    state = loop.state
    with interruptible() as interrupted, loop.workers:
        while not state.stopped:
            plan = parts.batches.plan(state.epoch, loop.strength())
            for draws in plan[state.position :]:
                loop.progress = loop.share_done(len(plan))
                if loop.evaluation_due():
                    loop.evaluate()
                if loop.over() or interrupted.is_set():
                    break
                loop.step(draws)
                state.position += 1
                if state.step % config.checkpoint_steps == 0:
                    loop.checkpoint()
            if interrupted.is_set():
                raise TrainingError(f"interrupted; go on with  --resume {loop.checkpoint()}")
            if not loop.over():
                state.epoch, state.position = state.epoch + 1, 0
                loop.progress = loop.share_done(len(plan))
            if loop.over() and not state.stopped:
                loop.progress = 1.0
                loop.evaluate()
                state.stopped = state.stopped or "completed"
    loop.checkpoint()
    state.elapsed_s = loop.elapsed()
    return state


@dataclass(frozen=True)
class _Learned:
    """A piece of a step: its utterances and its shares of the losses."""

    ids: tuple[str, ...]
    audio_s: float
    loss: float
    losses: dict[str, float]


class _Loop:
    """The steps of `train`, on shared state."""

    def __init__(self, parts: Parts, config: TrainerConfig, folder: Path, log: TrainingLog) -> None:
        self.parts, self.config, self.folder, self.log = parts, config, folder, log
        self.model = parts.model
        self.device: torch.device = next(self.model.parameters()).device
        self.optimizer = build_optimizer(self.model, parts.optim)
        self.workers = Workers(self.model, 1 if self.device.type != "cpu" else config.workers or 1)
        self.plateau = Plateau(parts.optim.decay, parts.optim.plateau_patience)
        self.average = MovingAverage(self.model, config.ema_decay)
        self.state = State()
        self.progress = 0.0
        self.began = time.monotonic()
        self.smoothed_loss = math.nan
        self.autocast = config.precision == "bf16"

    # --- one step -------------------------------------------------------------------------------

    def step(self, draws: Sequence[Sequence[Draw]]) -> None:
        """One optimiser step over its batches; a non-finite one is named and skipped."""
        state, config = self.state, self.config
        torch.manual_seed(_mixed(config.seed, state.step))
        rate = self.plateau.factor * learning_rate(
            self.parts.optim, step=state.step, progress=self.progress, epoch=state.epoch
        )
        set_rate(self.optimizer, rate)
        resting = encoder_rests(self.parts.optim, step=state.step, progress=self.progress)
        rest_encoder(self.optimizer, resting)
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        with weight_noise(self.model, self.parts.optim, state.step):
            learned = self._gradients(draws)
        loss = sum(part.loss for part in learned)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        if math.isfinite(loss) and bool(torch.isfinite(norm)):
            self.optimizer.step()
            self.average.update(self.model, state.step)
        else:
            for name, buffer in self.model.named_buffers():
                buffer.copy_(buffers[name])  # a norm's running statistics have seen the batch
            self._skip([name for part in learned for name in part.ids], loss, float(norm))
        state.step += 1
        state.audio_s += sum(part.audio_s for part in learned)
        names = {name: 0.0 for part in learned for name in part.losses}
        losses = {name: sum(part.losses.get(name, 0.0) for part in learned) for name in names}
        self._report(loss, losses, rate, float(norm))

    def _gradients(self, draws: Sequence[Sequence[Draw]]) -> "list[_Learned]":
        """Add up gradients; pieces of a step weigh by their units, as if they were one batch."""
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        lanes = self.workers.count
        pieces = [part[i::lanes] for part in draws for i in range(min(lanes, len(part)))]
        units = [self.parts.batches.units(piece) for piece in pieces]
        tasks = [  # a loss is a sum over its units or, of sounds without speech alone, over one
            partial(self._learn, piece, number, max(1, count) / max(1, sum(units)))
            for number, (piece, count) in enumerate(zip(pieces, units, strict=True))
        ]
        return self.workers.gradients(tasks)

    def _learn(
        self, piece: Sequence[Draw], number: int, share: float, model: AcousticModel
    ) -> "_Learned":
        """Load a piece of a step and take its share of the gradients."""
        seeds = (_mixed(self.config.seed + i, self.state.step, number) for i in range(3))
        chance = torch.Generator().manual_seed(next(seeds))
        masks = torch.Generator().manual_seed(next(seeds))
        samples = torch.Generator(self.device).manual_seed(next(seeds))
        strength = self.strength()
        set_dropout(model, strength=strength, generator=chance)
        batch = self.parts.batches.load(piece, masks, strength).to(self.device)
        with self._precision():
            loss, parts = self.parts.objective(model, batch, self.progress, samples)
        (loss * share).backward()  # type: ignore[no-untyped-call]
        return _Learned(
            ids=batch.ids,
            audio_s=batch.audio_s,
            loss=share * float(loss.detach()),
            losses={name: share * value for name, value in parts.items()},
        )

    def _precision(self) -> AbstractContextManager[object]:
        if not self.autocast:
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _skip(self, ids: Sequence[str], loss: float, norm: float) -> None:
        self.state.skipped += 1
        named = ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
        message = (
            f"step {self.state.step}: loss {loss}, gradient norm {norm}: skipped; batch: {named}"
        )
        self.log.say(message)
        self.log.record(self.state.step, {"skipped": list(ids), "loss": str(loss)})
        if self.state.skipped > self.config.max_skipped_steps:
            raise TrainingError(
                f"{self.state.skipped} steps had a non-finite loss or gradient (bound: "
                f"max_skipped_steps={self.config.max_skipped_steps}); last: {message}. "
                "Lower the learning rate, or look at these utterances"
            )

    def _report(self, loss: float, parts: dict[str, float], rate: float, norm: float) -> None:
        state = self.state
        if math.isfinite(loss):
            fresh = math.isnan(self.smoothed_loss)
            self.smoothed_loss = loss if fresh else 0.98 * self.smoothed_loss + 0.02 * loss
        elapsed = self.elapsed()
        left = elapsed / self.progress - elapsed if self.progress > 0 else math.inf
        if self.config.budget_s is not None:
            left = min(left, self.config.budget_s - elapsed)
        speed = state.audio_s / elapsed
        self.log.show(
            progress=self.progress,
            epoch=state.epoch,
            loss=self.smoothed_loss,
            speed=speed,
            left_s=left,
        )
        if state.step % self.config.log_steps == 0:
            values = {"loss": loss, **parts}
            numbers = {"learning_rate": rate, "gradient_norm": norm, "x_real_time": speed}
            self.log.record(
                state.step, {"epoch": state.epoch, **values, **numbers, "elapsed_s": elapsed}
            )

    # --- when -----------------------------------------------------------------------------------

    def elapsed(self) -> float:
        """Seconds of this run, those before a resume included."""
        return self.state.elapsed_s + time.monotonic() - self.began

    def share_done(self, steps_in_epoch: int) -> float:
        """Share of the run that is over, by whichever end comes first."""
        shares = [0.0]
        if self.config.epochs is not None:
            done = self.state.epoch + self.state.position / steps_in_epoch
            shares.append(done / self.config.epochs)
        if self.config.max_steps is not None:
            shares.append(self.state.step / self.config.max_steps)
        if self.config.budget_s is not None:
            left_for_training = self.config.budget_s - self.state.evaluation_s
            shares.append(self.elapsed() / max(1e-9, left_for_training))
        return min(1.0, max(shares))

    def strength(self) -> float:
        """Share of regularisation that this epoch trains with."""
        ramp = self.config.ramp_epochs
        return min(1.0, self.state.epoch / ramp) if ramp else 1.0

    def over(self) -> bool:
        """Whether an end has been reached."""
        return bool(self.state.stopped) or self.progress >= 1.0

    def evaluation_due(self) -> bool:
        """Whether a further share of 1/evaluations of the run has passed."""
        return self.progress < 1.0 and self.evaluations_due() > self.state.evaluations

    def evaluations_due(self) -> int:
        """Evaluations that should have taken place by now."""
        return int(self.progress * self.config.evaluations + 1e-9)

    # --- evaluation and checkpoints -------------------------------------------------------------

    def evaluate(self) -> None:
        """Decode the development split with the averaged weights; keep the best."""
        state = self.state
        began = time.monotonic()
        with self.average.applied(self.model):
            cer = self.parts.evaluate(self.model)
        state.evaluations = self.evaluations_due()
        state.since_best += 1
        if cer < state.best_cer:
            state.best_cer, state.best_step, state.since_best = cer, state.step, 0
            save_tensors(self.folder / "weights.safetensors", self.average.tensors)
        self.plateau.update(cer) if self.parts.optim.schedule == "plateau" else None
        if self.config.patience is not None and state.since_best >= self.config.patience:
            state.stopped = f"no improvement in {state.since_best} evaluations"
        seconds = time.monotonic() - began
        state.evaluation_s = max(state.evaluation_s, seconds)
        values = {"dev_cer": cer, "best_cer": state.best_cer, "evaluation_s": seconds}
        self.log.record(state.step, {"epoch": state.epoch, **values, "elapsed_s": self.elapsed()})
        self.log.say(
            f"{self.progress:4.0%}  step {state.step}  epoch {state.epoch}  "
            f"loss {self.smoothed_loss:.3f}  dev CER {100 * cer:.2f} %  (best "
            f"{100 * state.best_cer:.2f} %)  {state.audio_s / self.elapsed():.0f} × real time"
        )
        if not state.stopped and self.progress < 1.0:
            self.checkpoint()

    def checkpoint(self) -> Path:
        """Save everything that the rest of the run depends on."""
        tensors, scalars = optimizer_tensors(self.optimizer)
        named: dict[str, Tensor] = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        named |= {f"average/{k}": v for k, v in self.average.tensors.items()}
        named |= {f"optimizer/{k}": v for k, v in tensors.items()}
        values = {
            "state": {**asdict(self.state), "elapsed_s": self.elapsed()},
            "plateau": vars(self.plateau),
            "optimizer": scalars,
            "smoothed_loss": self.smoothed_loss,
        }
        checkpoint = Checkpoint(tensors=named, values=values)
        keep = self.config.keep_checkpoints
        return save_checkpoint(self.folder / "checkpoints", self.state.step, checkpoint, keep=keep)

    def restore(self, path: Path) -> None:
        """Undo `checkpoint`."""
        saved = load_checkpoint(path)
        discard_later(path)
        groups: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
        for name, tensor in saved.tensors.items():
            group, _, key = name.partition("/")
            groups[group][key] = tensor
        try:
            self.model.load_state_dict(groups["model"])
        except RuntimeError as error:
            raise CheckpointError(f"{path} belongs to another model: {error}") from error
        self.average.tensors = {k: v.to(self.device) for k, v in groups["average"].items()}
        restore_optimizer(self.optimizer, groups["optimizer"], saved.values["optimizer"])
        vars(self.plateau).update(saved.values["plateau"])
        self.state.__dict__.update(saved.values["state"])
        self.state.stopped = ""
        self.smoothed_loss = saved.values["smoothed_loss"]
        self.began = time.monotonic()
        self.log.rewind(self.state.step)


def _mixed(seed: int, step: int, piece: int = 0) -> int:
    """A seed for a piece of a step, far from its neighbours' (SplitMix64's odd constants)."""
    mixed = seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + piece * 0x94D049BB133111EB
    return (mixed + 1) % 2**63
