"""Batches of similar length, drawn anew every epoch.

The surprising choice: nothing here has memory. What step i of epoch e contains, at which speed and
under which masks, is a function of (seed, e, i), so that a run resumed at any step sees what the
undisturbed run sees, without a sampler's state in the checkpoint.

Shapes: B batch, N samples, T frames, U tokens, D features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from malgwi.augment import SpecAugmentConfig, spec_augment, speed_perturb
from malgwi.errors import ConfigError, DataError
from malgwi.features import FrontEnd
from malgwi.nonspeech import nonspeech
from malgwi.telephone import TelephoneConfig, simulate


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
        curriculum_epochs: First epochs in which batches come strictly from short to long, without
            that noise (SortaGrad; Deep Speech 2, arXiv 1512.02595, §3.3).
        views: 2 puts every utterance into its batch twice, under other masks, for
            ``objective.consistency``; half as many utterances make a batch.
        accumulate: Batches whose gradients are added up before a step.
        nonspeech_share: Sounds without speech and with an empty reference, for each utterance
            (`malgwi.nonspeech`); 0.03 adds three to a hundred, new ones every epoch.
        telephone_share: Share of utterances that are sent through a telephone line, another one
            every epoch (`malgwi.telephone`): for wide-band speech that is to serve calls.
        line: What such lines do to speech.
    """

    max_batch_s: float = 120.0
    max_batch_size: int = 256
    min_utterance_s: float = 0.3
    max_utterance_s: float = 20.0
    speeds: tuple[float, ...] = (1.0,)
    length_jitter_s: float = 0.4
    curriculum_epochs: int = 0
    views: int = 1
    accumulate: int = 1
    nonspeech_share: float = 0.0
    telephone_share: float = 0.0
    line: TelephoneConfig = field(default_factory=TelephoneConfig)

    def __post_init__(self) -> None:
        positive = ("max_batch_s", "max_batch_size", "max_utterance_s", "accumulate")
        for name in positive:
            if getattr(self, name) <= 0:
                raise ConfigError(f"batches.{name} is {getattr(self, name)}: it must be positive")
        if not self.speeds or min(self.speeds) <= 0:
            raise ConfigError(f"batches.speeds is {self.speeds}: give one or more positive factors")
        if self.views not in (1, 2):
            raise ConfigError(f"batches.views is {self.views}: it is 1 or 2")
        for name in ("nonspeech_share", "telephone_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"batches.{name} is {getattr(self, name)}, want 0 to 1")


@dataclass(frozen=True, kw_only=True)
class Example:
    """One training utterance: its duration after trimming and its reference in units."""

    id: str
    duration_s: float
    tokens: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """features [B, T, D], lengths [B], tokens [B, U] padded with the padding id, their lengths.

    With two views, row B/2 + i is row i again, masked anew; ``ids`` and ``audio_s`` count once.
    """

    ids: tuple[str, ...]
    features: Tensor
    lengths: Tensor
    tokens: Tensor
    token_lengths: Tensor
    audio_s: float
    views: int = 1

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        tensors = ("features", "lengths", "tokens", "token_lengths")
        return replace(self, **{name: getattr(self, name).to(device) for name in tensors})


#: Index of an example and its speed. Indices past the examples are sounds without speech, no two
#: of a run alike.
Draw = tuple[int, float]


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

    def plan(self, epoch: int, strength: float = 1.0) -> list[list[list[Draw]]]:
        """The steps of an epoch; each is a list of batches, each a list of draws.

        Args:
            epoch: Which, from 0.
            strength: Share ∈ [0, 1] of the speeds' spread; several views come with 1.
        """
        random = np.random.default_rng((self.seed, epoch))
        draws = self._speech(random, strength) + self._nonspeech(epoch)
        jitter = random.normal(0.0, self.config.length_jitter_s, len(draws))
        sorted_epoch = epoch < self.config.curriculum_epochs
        lengths = np.array([self.duration_s(index) / speed for index, speed in draws])
        keys = lengths if sorted_epoch else lengths + jitter
        batches = self._pack(draws, lengths, np.argsort(keys, kind="stable"), self.views(strength))
        if not sorted_epoch:
            batches = [batches[i] for i in random.permutation(len(batches))]
        size = self.config.accumulate
        return [batches[i : i + size] for i in range(0, len(batches), size)]

    def views(self, strength: float) -> int:
        """How often an utterance stands in its batch: once until there are masks to tell apart."""
        return self.config.views if strength >= 1 else 1

    def _speech(self, random: np.random.Generator, strength: float) -> list[Draw]:
        """Every example once."""
        speeds = random.choice(np.array(self.config.speeds), len(self.examples))
        if strength < 1:
            speeds = 1 + strength * (speeds - 1)
        return list(enumerate(speeds.tolist()))

    def _nonspeech(self, epoch: int) -> list[Draw]:
        """The epoch's own sounds without speech."""
        count = round(self.config.nonspeech_share * len(self.examples))
        first = len(self.examples) + epoch * count
        return [(index, 1.0) for index in range(first, first + count)]

    def units(self, draws: Sequence[Draw]) -> int:
        """How many units their references have."""
        return sum(len(self.examples[i].tokens) for i, _ in draws if i < len(self.examples))

    def duration_s(self, index: int) -> float:
        """Of a draw's audio before its speed changes.

        Sounds without speech last as long as utterances do, or the length would give them away.
        """
        if index < len(self.examples):
            return self.examples[index].duration_s
        random = np.random.default_rng((self.seed, index, 0))
        return self.examples[int(random.integers(len(self.examples)))].duration_s

    def _pack(
        self,
        draws: Sequence[Draw],
        lengths: NDArray[np.float64],
        order: NDArray[np.intp],
        views: int,
    ) -> list[list[Draw]]:
        batches: list[list[Draw]] = []
        current: list[Draw] = []
        longest = 0.0
        for place in order.tolist():
            longest = max(longest, float(lengths[place]))
            rows = views * (len(current) + 1)
            full = longest * rows > self.config.max_batch_s or rows > self.config.max_batch_size
            if current and full:
                batches.append(current)
                current, longest = [], float(lengths[place])
            current.append(draws[place])
        return [*batches, current]

    def _drawn(self, index: int) -> tuple[Example, NDArray[np.float32]]:
        """A draw's example and samples."""
        if index < len(self.examples):
            example = self.examples[index]
            return example, self.audio[example.id]
        rate = self.front_end.config.sample_rate_hz
        duration_s = self.duration_s(index)
        random = np.random.default_rng((self.seed, index, 1))
        name = f"nonspeech {index - len(self.examples)}"
        sound = nonspeech(round(duration_s * rate), rate, random)
        return Example(id=name, duration_s=duration_s, tokens=()), sound

    def _sent(
        self,
        waveforms: Sequence[NDArray[np.float32]],
        draws: Sequence[Draw],
        generator: torch.Generator,
    ) -> list[NDArray[np.float32]]:
        """Some of the utterances as they come out of a telephone line of their own.

        Not sounds without speech: a line's level is that of the speech on it.
        """
        chosen = torch.rand(len(draws), generator=generator) < self.config.telephone_share
        seed = int(torch.randint(2**62, (), generator=generator))
        return [
            simulate(
                audio,
                self.config.line,
                np.random.default_rng((seed, place)),
                sample_rate_hz=self.front_end.config.sample_rate_hz,
            )
            if sent and index < len(self.examples)
            else audio
            for place, (audio, sent, (index, _)) in enumerate(
                zip(waveforms, chosen.tolist(), draws, strict=True)
            )
        ]

    def load(
        self, draws: Sequence[Draw], generator: torch.Generator, strength: float = 1.0
    ) -> Batch:
        """Read, perturb, extract and mask one batch.

        Args:
            draws: Of `plan`.
            generator: Draws lines and masks.
            strength: Share ∈ [0, 1] of the masks' widths; several views come with 1.
        """
        drawn = [self._drawn(index) for index, _ in draws]
        examples = [example for example, _ in drawn]
        perturbed = [
            speed_perturb(audio, speed) for (_, audio), (_, speed) in zip(drawn, draws, strict=True)
        ]
        if self.config.telephone_share:
            perturbed = self._sent(perturbed, draws, generator)
        waveforms = [torch.from_numpy(audio) for audio in perturbed]
        samples = torch.tensor([len(w) for w in waveforms])
        features, lengths = self.front_end(pad_sequence(waveforms, batch_first=True), samples)
        views = self.views(strength)
        if self.masking is None:
            features = features.repeat(views, 1, 1)
        else:
            masking = self.masking.weakened(strength)
            features = spec_augment(features, lengths, masking, generator, views)
        tokens = [torch.tensor(e.tokens, dtype=torch.long) for e in examples] * views
        return Batch(
            ids=tuple(e.id for e in examples),
            features=features,
            lengths=lengths.repeat(views),
            tokens=pad_sequence(tokens, batch_first=True, padding_value=self.padding_id),
            token_lengths=torch.tensor([len(t) for t in tokens]),
            audio_s=float(samples.sum()) / self.front_end.config.sample_rate_hz,
            views=views,
        )
