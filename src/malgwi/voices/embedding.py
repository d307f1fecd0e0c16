"""Who speaks, as a short vector: near for one voice, far for two, without any pretrained network.

Frames of cepstra are sorted into kinds of sound by a mixture of Gaussians; how far an utterance's
frames lie from each component's mean is its supervector; a projection keeps the directions in
which utterances differ most and shrinks those in which one voice differs from itself.

The surprising choice: all of it is learned from the very corpus at hand (``learn_voices``), and
no speaker label is needed. Two halves of one utterance have one voice and different words; the
second is sent over a simulated telephone line as well. What differs between such halves is what a
voice's vector should not contain. A model of the embedded synthetic voices (``synthetic_voices``)
stands in where there is nothing to learn from; it errs two to four times as often and is no ground
to cluster on (docs/decisions/0009-voice-embedding.md).

Sources: W. Campbell, D. Sturim and D. Reynolds, "Support Vector Machines Using GMM Supervectors
for Speaker Verification", IEEE Signal Processing Letters 13 (2006); A. Hatch, S. Kajarekar and
A. Stolcke, "Within-Class Covariance Normalization for SVM-Based Speaker Recognition", Interspeech
2006: here the classes are utterances, their members halves.

Shapes: N samples, T frames, C cepstra, K components, S = K·C, U utterances, D dimensions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from malgwi import audio
from malgwi.errors import AudioError, ConfigError, DataError
from malgwi.telephone import TelephoneConfig, simulate
from malgwi.voices import mixture
from malgwi.voices.cepstra import CepstraConfig, seconds, speech_cepstra
from malgwi.voices.mixture import Mixture

Samples = NDArray[np.float32]
Floats = NDArray[np.float64]

#: Utterances of each synthetic voice that ``synthetic_voices`` learns from.
_PER_VOICE = 12


@dataclass(frozen=True, kw_only=True)
class VoiceConfig:
    """How voices are told apart; the values were chosen on half of the speakers measured.

    Args:
        cepstra: Of the frames.
        components: Kinds of sound, K.
        relevance: As many frames as count for half in a component's mean.
        dimensions: Of the embedding, D.
        shrinkage: How far the scatter between halves is moved to its diagonal.
        least_s: Less speech than this is not compared.
        most_frames: Frames that the mixture is fitted to; more are thinned out.
        line: The lines that second halves are sent over.
        seed: Of the lines, the mixture's beginning and the thinning.
    """

    cepstra: CepstraConfig = field(default_factory=CepstraConfig)
    components: int = 64
    relevance: float = 8.0
    dimensions: int = 20
    shrinkage: float = 0.1
    least_s: float = 0.3
    most_frames: int = 40_000
    line: TelephoneConfig = field(default_factory=TelephoneConfig)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.components < 1 or self.dimensions < 1:
            raise ConfigError(
                f"components {self.components}, dimensions {self.dimensions}: give 1 or more"
            )
        if not 0.0 < self.shrinkage <= 1.0:
            raise ConfigError(f"shrinkage is {self.shrinkage}: it must lie above 0, at most 1")

    @property
    def least_utterances(self) -> int:
        """How many utterances ``learn_voices`` needs; fewer do not fix the scatter's shape."""
        return 3 * self.dimensions


@dataclass(frozen=True, kw_only=True)
class VoiceModel:
    """What was learned; a value, so an audit can use one model in many processes.

    Attributes:
        config: What it was learned with.
        mixture: Kinds of sound.
        centre: [S] mean supervector of the utterances learned from.
        projection: [S, D] from supervectors to embeddings.
        num_utterances: How many it was learned from.
    """

    config: VoiceConfig
    mixture: Mixture
    centre: Floats
    projection: Floats
    num_utterances: int


def voice_embedding(
    samples: Samples, sample_rate_hz: int, model: VoiceModel | None = None
) -> Floats:
    """The voice of an utterance, [N] → [D]; compare two by the cosine between them.

    Args:
        samples: [N] speech of one speaker, one channel.
        sample_rate_hz: 8000 or more.
        model: From ``learn_voices``; by default the weaker ``synthetic_voices``.

    Raises:
        AudioError: Silence, less speech than ``least_s``, more than one channel, too low a rate.
    """
    model = synthetic_voices() if model is None else model
    frames = speech_cepstra(samples, sample_rate_hz, model.config.cepstra)
    found_s = seconds(len(frames))
    if found_s < model.config.least_s:
        raise AudioError(
            f"{found_s:.2f} s of speech in {samples.size / sample_rate_hz:.2f} s of audio: "
            f"a voice is told from {model.config.least_s} s or more, leave this utterance out"
        )
    supervector = _supervector(frames, model.mixture, model.config.relevance)
    return np.asarray((supervector - model.centre) @ model.projection)


def learn_voices(
    utterances: Iterable[tuple[Samples, int]], config: VoiceConfig | None = None
) -> VoiceModel:
    """A model of the voices in some utterances, without being told who speaks.

    A few hundred utterances, drawn at random from the corpus, are enough: each takes about 10 ms
    and 0.1 MB. Those with too little speech are passed over.

    Args:
        utterances: Samples [N] and their rate in Hz, one speaker an utterance.
        config: Sizes and seed.

    Raises:
        DataError: Fewer usable utterances than ``config.least_utterances``.
        AudioError: An utterance is not one channel of finite samples at 8000 Hz or more.
    """
    config = config or VoiceConfig()
    pairs = [
        (plain, sent)
        for plain, sent in (_both_ways(*each, config, n) for n, each in enumerate(utterances))
        if seconds(min(len(plain), len(sent))) >= 2 * config.least_s
    ]
    if len(pairs) < config.least_utterances:
        raise DataError(
            f"{len(pairs)} utterances with {2 * config.least_s} s of speech: learning voices "
            f"needs {config.least_utterances}"
        )
    sounds = mixture.fit(
        _thinned([frames for pair in pairs for frames in pair], config),
        components=config.components,
        seed=config.seed,
    )
    whole, first, second = (
        np.stack([_supervector(part, sounds, config.relevance) for part in parts])
        for parts in zip(*((a, a[: len(a) // 2], b[len(b) // 2 :]) for a, b in pairs), strict=True)
    )
    return VoiceModel(
        config=config,
        mixture=sounds,
        centre=whole.mean(axis=0),
        projection=_projection(whole, first - second, config),
        num_utterances=len(pairs),
    )


@cache
def synthetic_voices() -> VoiceModel:
    """The model of the 37 synthetic voices that ship with malgwi; a few seconds, once a process."""
    # Only this fallback needs the corpus, whose reader loads Lhotse and torch with it.
    from malgwi.corpora.embedded import Embedded, embedded_folder
    from malgwi.corpora.rows import Row

    by_voice: dict[str | None, list[Row]] = {}
    for row in Embedded().rows(embedded_folder()):
        if isinstance(row, Row):
            by_voice.setdefault(row.speaker, []).append(row)
    chosen = (row for rows in by_voice.values() for row in rows[:_PER_VOICE])
    return learn_voices((_load(row.path, row.start_s, row.duration_s), 8000) for row in chosen)


def _both_ways(
    samples: Samples, sample_rate_hz: int, config: VoiceConfig, number: int
) -> tuple[Floats, Floats]:
    """Cepstra of an utterance as it is and after a line of its own."""
    rng = np.random.default_rng((config.seed, number))
    plain = speech_cepstra(samples, sample_rate_hz, config.cepstra)
    if not len(plain):
        return plain, plain
    sent = simulate(samples, config.line, rng, sample_rate_hz=sample_rate_hz)
    return plain, speech_cepstra(sent, sample_rate_hz, config.cepstra)


def _thinned(parts: list[Floats], config: VoiceConfig) -> Floats:
    """At most ``most_frames`` of the frames, evenly from all parts: [T, C]."""
    total = sum(map(len, parts))
    if total <= config.most_frames:
        return np.concatenate(parts)
    rng = np.random.default_rng(config.seed)
    keep = config.most_frames / total
    return np.concatenate([part[rng.random(len(part)) < keep] for part in parts])


def _supervector(frames: Floats, sounds: Mixture, relevance: float) -> Floats:
    """How far the frames [T, C] pull each mean, in standard deviations: [S].

    A component that heard few frames is pulled little (Reynolds, equation 14), and a rare one
    counts little, so that the squared distance approximates the divergence of two voices.
    """
    counts, offsets = sounds.statistics(frames)
    pulled = offsets / (counts + relevance)[:, None]
    scale = np.sqrt(sounds.weights)[:, None] / np.sqrt(sounds.variances)
    return np.asarray((pulled * scale).ravel())


def _projection(whole: Floats, differences: Floats, config: VoiceConfig) -> Floats:
    """Principal directions of utterances [U, S], whitened by half-to-half differences: [S, D]."""
    centred = whole - whole.mean(axis=0)
    directions = scipy.linalg.svd(centred, full_matrices=False)[2][: config.dimensions].T
    within = np.cov((differences @ directions).T).reshape(config.dimensions, config.dimensions)
    within = (1 - config.shrinkage) * within + config.shrinkage * np.diag(np.diag(within))
    whitening = scipy.linalg.inv(scipy.linalg.cholesky(within, lower=True)).T
    return np.asarray(directions @ whitening)


def _load(path: object, start_s: float, duration_s: float | None) -> Samples:
    return audio.load(str(path), sample_rate_hz=8000, start_s=start_s, duration_s=duration_s)
