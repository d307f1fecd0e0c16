"""Batches of similar length, drawn anew every epoch.

The surprising choice: nothing here has memory. What step i of epoch e contains, at which speed and
under which masks, is a function of (seed, e, i), so that a run resumed at any step sees what the
undisturbed run sees, without a sampler's state in the checkpoint.

Shapes: B batch, N samples, T frames, U tokens, D features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from malgwi.augment import SpecAugmentConfig, spec_augment, speed_perturb
from malgwi.errors import ConfigError, DataError
from malgwi.features import FrontEnd


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """How utterances become batches.

    Attributes:
        max_batch_s: Seconds of audio in a batch, padding included.
        max_batch_size: Utterances in a batch.
        min_utterance_s: Shorter ones are left out (counted and listed).
        max_utterance_s: Longer ones are left out (counted and listed).
        speeds: Factors of speed perturbation, one drawn for each utterance and epoch (Ko 2015).
        length_jitter_s: Standard deviation of the noise on the sort key: neighbours in length
            change from epoch to epoch, at a little more padding.
        curriculum_epochs: Epochs in which batches come short to long (SortaGrad, Deep Speech 2).
        accumulate: Batches whose gradients are added up before a step.
    """

    max_batch_s: float = 120.0
    max_batch_size: int = 256
    min_utterance_s: float = 0.3
    max_utterance_s: float = 20.0
    speeds: tuple[float, ...] = (1.0,)
    length_jitter_s: float = 0.4
    curriculum_epochs: int = 0
    accumulate: int = 1

    def __post_init__(self) -> None:
        positive = ("max_batch_s", "max_batch_size", "max_utterance_s", "accumulate")
        for name in positive:
            if getattr(self, name) <= 0:
                raise ConfigError(f"batches.{name} is {getattr(self, name)}: it must be positive")
        if not self.speeds or min(self.speeds) <= 0:
            raise ConfigError(f"batches.speeds is {self.speeds}: give one or more positive factors")


@dataclass(frozen=True, kw_only=True)
class Example:
    """One training utterance: its duration after trimming and its reference in units."""

    id: str
    duration_s: float
    tokens: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """features [B, T, D], lengths [B], tokens [B, U] padded with the padding id, their lengths."""

    ids: tuple[str, ...]
    features: Tensor
    lengths: Tensor
    tokens: Tensor
    token_lengths: Tensor
    audio_s: float

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        tensors = ("features", "lengths", "tokens", "token_lengths")
        return replace(self, **{name: getattr(self, name).to(device) for name in tensors})


Draw = tuple[int, float]  # index of an example and its speed


class Batches:
    """All batches of all epochs.

    Args:
        examples: The training utterances.
        audio: id → trimmed samples at the front end's rate.
        front_end: Waveforms to features.
        config: Sizes and speeds.
        masking: SpecAugment; None is off.
        padding_id: What fills ``tokens``.
        seed: Of every draw.

    Raises:
        DataError: There is nothing to train on.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        audio: Mapping[str, NDArray[np.float32]],
        front_end: FrontEnd,
        config: BatchConfig,
        *,
        masking: SpecAugmentConfig | None,
        padding_id: int,
        seed: int,
    ) -> None:
        if not examples:
            raise DataError("the training split holds no utterance to train on")
        self.examples, self.audio, self.front_end = examples, audio, front_end
        self.config, self.masking = config, masking
        self.padding_id, self.seed = padding_id, seed

    def plan(self, epoch: int) -> list[list[list[Draw]]]:
        """The steps of an epoch; each is a list of batches, each a list of draws."""
        random = np.random.default_rng((self.seed, epoch))
        speeds = random.choice(np.array(self.config.speeds), len(self.examples))
        jitter = random.normal(0.0, self.config.length_jitter_s, len(self.examples))
        lengths = np.array([e.duration_s for e in self.examples]) / speeds
        batches = self._pack(np.argsort(lengths + jitter, kind="stable"), lengths, speeds)
        if epoch >= self.config.curriculum_epochs:
            batches = [batches[i] for i in random.permutation(len(batches))]
        size = self.config.accumulate
        return [batches[i : i + size] for i in range(0, len(batches), size)]

    def _pack(
        self, order: NDArray[np.intp], lengths: NDArray[np.float64], speeds: NDArray[np.float64]
    ) -> list[list[Draw]]:
        batches: list[list[Draw]] = []
        current: list[Draw] = []
        longest = 0.0
        for index in order.tolist():
            longest = max(longest, float(lengths[index]))
            full = longest * (len(current) + 1) > self.config.max_batch_s
            if current and (full or len(current) >= self.config.max_batch_size):
                batches.append(current)
                current, longest = [], float(lengths[index])
            current.append((index, float(speeds[index])))
        return [*batches, current]

    def load(self, draws: Sequence[Draw], generator: torch.Generator) -> Batch:
        """Read, perturb, extract and mask one batch; ``generator`` draws the masks."""
        examples = [self.examples[index] for index, _ in draws]
        waveforms = [
            torch.from_numpy(speed_perturb(self.audio[example.id], speed))
            for example, (_, speed) in zip(examples, draws, strict=True)
        ]
        samples = torch.tensor([len(w) for w in waveforms])
        features, lengths = self.front_end(pad_sequence(waveforms, batch_first=True), samples)
        if self.masking is not None:
            features = spec_augment(features, lengths, self.masking, generator)
        tokens = [torch.tensor(e.tokens, dtype=torch.long) for e in examples]
        return Batch(
            ids=tuple(e.id for e in examples),
            features=features,
            lengths=lengths,
            tokens=pad_sequence(tokens, batch_first=True, padding_value=self.padding_id),
            token_lengths=torch.tensor([len(t) for t in tokens]),
            audio_s=float(samples.sum()) / self.front_end.config.sample_rate_hz,
        )
