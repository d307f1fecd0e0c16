"""From a file to features: the one front end that training, evaluation and use all call.

The surprising choice: every utterance of a batch is padded at *its own* ends before the Fourier
transform, so that it gets the numbers that it would get alone. Frames past its end are zero.

Settings follow librosa (``center``, ``pad_mode``, mel scales, ``power_to_db``), which is also the
reference of the tests; lengths are in milliseconds, so that they survive a change of rate.

Shapes: B batch, N samples, T frames, F frequency bins, D features.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from malgwi import audio, spectral
from malgwi.errors import ConfigError, DataError
from malgwi.registry import choose

#: A standard deviation below this is silence or a constant; dividing by it would amplify nothing.
MIN_STD = 1e-5


@dataclass(frozen=True, kw_only=True)
class FrontEndConfig:
    """Every setting between an audio file and the model's input.

    Args:
        sample_rate_hz: Audio of any other rate is resampled to this one.
        channels: What to do with a file of several channels (a cut's manifest names its own).
        trim_db: Cut both ends where they lie this far below the loudest frame; None keeps them.
        trim_frame_length: Samples a frame of the trimming.
        trim_hop_length: Samples between frames of the trimming.
        gain: Factor on the waveform of ±1; 32768 for systems that were fed 16-bit integers.
        append_ms: Silence added after every utterance, for the windows over its end.
        preemphasis: a in y[n] = x[n] − a·x[n−1], with x[−1] = 0; 0 is off.
        kind: ``log_mel`` bands, all bins of the ``spectrogram``, or the ``waveform``'s samples.
        num_mels: Mel bands (``log_mel`` only).
        n_fft: Length of the Fourier transform; None is the power of two that holds the window.
        window_ms: Length of the window, centred in n_fft.
        hop_ms: Time from frame to frame.
        window: Its form, periodic.
        center: Frame t is centred on sample t·hop, the ends being padded by n_fft/2; else frame
            t begins there, and only whole frames count.
        pad_mode: Zeros (``constant``) or the signal mirrored (``reflect``) past its ends.
        power: 2 for energy, 1 for magnitude.
        mel_scale: HTK's formula or Slaney's (linear below 1 kHz).
        mel_norm: ``slaney`` gives each band the same area; None gives each a peak of 1.
        f_min_hz: Lower edge of the lowest band.
        f_max_hz: Upper edge of the highest band; None is half the rate.
        scale: ``db`` is 10·log10 of energy and 20·log10 of magnitude; ``whisper`` is
            (log10 + 4)/4, nothing lying more than 8 below the loudest (Radford et al. 2022).
        floor: Values are raised to this before a logarithm.
        top_db: With ``db``: no value lies further below the utterance's loudest; None is off.
        normalize: ``utterance_mean`` subtracts the utterance's mean, ``utterance`` also divides
            by its standard deviation, ``global`` uses those of the training split.
        normalize_per: Statistics for each ``bin`` or one over ``all`` of them.

    Raises:
        ConfigError: Settings that contradict each other.
    """

    sample_rate_hz: int = 16_000
    channels: audio.ChannelPolicy = "error"
    trim_db: float | None = None
    trim_frame_length: int = 2048
    trim_hop_length: int = 512
    append_ms: float = 0.0
    gain: float = 1.0
    preemphasis: float = 0.0
    kind: Literal["log_mel", "spectrogram", "waveform"] = "log_mel"
    num_mels: int = 80
    n_fft: int | None = None
    window_ms: float = 25.0
    hop_ms: float = 10.0
    window: Literal["hann", "hamming"] = "hann"
    center: bool = True
    pad_mode: Literal["constant", "reflect"] = "constant"
    power: Literal[1, 2] = 2
    mel_scale: Literal["htk", "slaney"] = "slaney"
    mel_norm: Literal["slaney"] | None = "slaney"
    f_min_hz: float = 0.0
    f_max_hz: float | None = None
    scale: Literal["ln", "log10", "db", "log1p", "linear", "whisper"] = "ln"
    floor: float = 1e-10
    top_db: float | None = None
    normalize: Literal["none", "utterance_mean", "utterance", "global"] = "utterance"
    normalize_per: Literal["bin", "all"] = "bin"

    def __post_init__(self) -> None:
        f_max_hz = self.sample_rate_hz / 2 if self.f_max_hz is None else self.f_max_hz
        problems = {
            f"sample_rate_hz={self.sample_rate_hz} is not positive": self.sample_rate_hz <= 0,
            f"hop_ms={self.hop_ms} is less than a sample": self.hop_length < 1,
            f"window_ms={self.window_ms} is less than a sample": self.window_length < 1,
            f"n_fft={self.n_fft} is shorter than the window of {self.window_length} samples": (
                self.fft_length < self.window_length
            ),
            f"power={self.power} is not 1 or 2": self.power not in (1, 2),
            f"floor={self.floor} is not positive": self.floor <= 0,
            f"append_ms={self.append_ms} is negative": self.append_ms < 0,
            "top_db needs scale='db'": self.top_db is not None and self.scale != "db",
            f"the band from {self.f_min_hz} Hz to {f_max_hz} Hz is empty or goes past half of "
            f"sample_rate_hz={self.sample_rate_hz}": (
                not 0 <= self.f_min_hz < f_max_hz <= self.sample_rate_hz / 2
            ),
        }
        if found := [problem for problem, present in problems.items() if present]:
            raise ConfigError(f"front end: {'; '.join(found)}")

    @property
    def window_length(self) -> int:
        """Samples of the window."""
        return round(self.window_ms * self.sample_rate_hz / 1000)

    @property
    def hop_length(self) -> int:
        """Samples from frame to frame."""
        return round(self.hop_ms * self.sample_rate_hz / 1000)

    @property
    def fft_length(self) -> int:
        """Samples of the Fourier transform.

        >>> FrontEndConfig(window_ms=25).fft_length
        512
        """
        return self.n_fft or 1 << (self.window_length - 1).bit_length()

    @property
    def append_length(self) -> int:
        """Samples of silence added after every utterance."""
        return round(self.append_ms * self.sample_rate_hz / 1000)

    @property
    def frame_s(self) -> float:
        """Seconds from frame to frame; a waveform's are its samples."""
        return (1 if self.kind == "waveform" else self.hop_length) / self.sample_rate_hz

    @property
    def num_features(self) -> int:
        """D, the width of a frame."""
        bins = self.fft_length // 2 + 1
        return {"log_mel": self.num_mels, "spectrogram": bins, "waveform": 1}[self.kind]

    def audio_settings(self) -> dict[str, Any]:
        """The settings that decide a cut's waveform, apart from what is computed on it."""
        names = ("sample_rate_hz", "trim_db", "trim_frame_length", "trim_hop_length")
        return {name: getattr(self, name) for name in names}


class FrontEnd(torch.nn.Module):
    """Waveforms to features, as configured; no parameters, float32 even under autocast."""

    window: Tensor
    mel_filters: Tensor
    global_mean: Tensor
    global_std: Tensor
    num_fitted: Tensor

    def __init__(self, config: FrontEndConfig) -> None:
        super().__init__()
        self.config = config
        # Derived from the configuration, hence not part of a checkpoint's weights.
        window = spectral.window(config.window, config.window_length, config.fft_length)
        self.register_buffer("window", window, persistent=False)
        filters = spectral.mel_filters(
            sample_rate_hz=config.sample_rate_hz,
            n_fft=config.fft_length,
            num_mels=config.num_mels if config.kind == "log_mel" else 0,
            f_min_hz=config.f_min_hz,
            f_max_hz=config.sample_rate_hz / 2 if config.f_max_hz is None else config.f_max_hz,
            scale=config.mel_scale,
            norm=config.mel_norm,
        )
        self.register_buffer("mel_filters", filters, persistent=False)
        learned = config.normalize == "global"
        self.register_buffer("global_mean", torch.zeros(config.num_features), persistent=learned)
        self.register_buffer("global_std", torch.ones(config.num_features), persistent=learned)
        self.register_buffer("num_fitted", torch.zeros((), dtype=torch.int64), persistent=learned)

    def waveform(
        self, source: str | Path | bytes, *, raw: audio.RawFormat | None = None
    ) -> NDArray[np.float32]:
        """Decode, resample and trim one file: float32 [N], about ±1.

        Args:
            source: A path, or the bytes of a file.
            raw: The format of headerless PCM.

        Raises:
            AudioError: The file is missing or is not what it claims to be.
        """
        return self.located(source, raw=raw)[0]

    def located(
        self, source: str | Path | bytes, *, raw: audio.RawFormat | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """The same, and how many samples were trimmed before it: times count from the file."""
        rate_hz, channels = self.config.sample_rate_hz, self.config.channels
        samples = audio.load(source, sample_rate_hz=rate_hz, channels=channels, raw=raw)
        start, end = self.trim_bounds(samples)
        return samples[start:end], start

    def cut_waveform(self, cut: Any) -> NDArray[np.float32]:
        """The same for a Lhotse cut: its stretch, the channel its manifest names, then trimmed."""
        return self.trim(audio.load_cut(cut, sample_rate_hz=self.config.sample_rate_hz))

    def trim(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cut both ends by ``trim_db``, as librosa.effects.trim would."""
        start, end = self.trim_bounds(samples)
        return samples[start:end]

    def trim_bounds(self, samples: NDArray[np.float32]) -> tuple[int, int]:
        """First and last (exclusive) sample that ``trim`` keeps."""
        if self.config.trim_db is None or not len(samples):
            return 0, len(samples)
        frame, hop = self.config.trim_frame_length, self.config.trim_hop_length
        return audio.trim_bounds(
            samples, top_db=self.config.trim_db, frame_length=frame, hop_length=hop
        )

    def num_frames(self, num_samples: Tensor) -> Tensor:
        """Frames of utterances of so many samples; 0 where there is not one whole frame.

        Centred framing has ``1 + N // hop``, other ``1 + (N − n_fft) // hop``, N after appending.
        """
        extended = torch.where(num_samples > 0, num_samples + self.config.append_length, 0)
        if self.config.kind == "waveform":
            return extended
        n_fft, hop = self.config.fft_length, self.config.hop_length
        around = 2 * (n_fft // 2) if self.config.center else 0
        frames = (extended + around - n_fft).div(hop, rounding_mode="floor") + 1
        return torch.where(num_samples > 0, frames.clamp(min=0), 0)

    def extract(self, samples: NDArray[np.float32]) -> Tensor:
        """Features [T, D] of one waveform [N], on the device of this module."""
        features: Tensor = self(*self._alone(samples))[0]
        return features[0]

    def _alone(self, samples: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        """One waveform [N] as a batch [1, N], and its length [1]."""
        waveform = torch.as_tensor(samples, dtype=torch.float32, device=self.window.device)
        return waveform[None], torch.tensor([len(samples)], device=waveform.device)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features of a padded batch; what stands in the padding has no influence.

        Args:
            waveforms: [B, N] float32.
            lengths: [B] samples of each utterance; those without one whole frame get none.

        Returns:
            Features [B, T, D] float32, zero past the end of each, and their lengths [B].

        Raises:
            ConfigError: ``normalize="global"`` before ``fit_global`` or loaded statistics.
        """
        if self.config.normalize == "global" and not self.num_fitted.item():
            raise ConfigError(
                "front end: normalize='global' has no statistics yet: call fit_global with the "
                "training split, or load a checkpoint that has them"
            )
        with torch.no_grad(), torch.autocast(waveforms.device.type, enabled=False):
            features, feature_lengths = self._unnormalized(waveforms.float(), lengths)
            return self._normalized(features, feature_lengths), feature_lengths

    def fit_global(self, waveforms: Iterable[NDArray[np.float32]]) -> None:
        """Learn mean and standard deviation from the waveforms [N] of the training split.

        Raises:
            DataError: There was no frame to learn from.
        """
        frames = (self._unnormalized(*self._alone(samples))[0][0] for samples in waveforms)
        with torch.no_grad():
            mean, std, count = spectral.moments(frames, joint=self.config.normalize_per == "all")
        if not count:
            raise DataError("global normalisation: the training split has no frames to learn from")
        self.global_mean.copy_(mean)
        self.global_std.copy_(std.clamp(min=MIN_STD))
        self.num_fitted.fill_(count)

    def _unnormalized(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled features [B, T, D], zero past the end, and their lengths [B]."""
        config = self.config
        if lengths.numel() and int(lengths.max()) > waveforms.shape[1]:
            raise ValueError(f"a length of {int(lengths.max())} in {waveforms.shape[1]} samples")
        feature_lengths = self.num_frames(lengths)
        if not feature_lengths.any():
            return waveforms.new_zeros(len(waveforms), 0, config.num_features), feature_lengths
        waveforms, lengths = spectral.append_silence(waveforms, lengths, config.append_length)
        waveforms = spectral.emphasize(waveforms, config.gain, config.preemphasis)
        if config.kind == "waveform":
            own = spectral.pad_each(waveforms, lengths, 0, "constant")
            return own[:, : int(feature_lengths.max()), None], feature_lengths
        pad = config.fft_length // 2 if config.center else 0
        padded = spectral.pad_each(waveforms, lengths, pad, config.pad_mode)
        features = padded.new_zeros(len(padded), int(feature_lengths.max()), config.num_features)
        # On a CPU one utterance at a time stays in the cache, about twice as fast as all at once.
        block = 1 if padded.device.type == "cpu" else len(padded)
        for start in range(0, len(padded), block):
            rows = slice(start, start + block)
            if num_frames := int(feature_lengths[rows].max()):
                span = config.fft_length + (num_frames - 1) * config.hop_length
                mask = spectral.within(feature_lengths[rows], num_frames)
                energy = self._energy(padded[rows, :span])
                features[rows, :num_frames] = self._scaled(energy, mask)
        return features, feature_lengths

    def _energy(self, padded: Tensor) -> Tensor:
        """Padded waveforms [B, N] to the energy of each frequency [B, T, F]."""
        n_fft, hop = self.config.fft_length, self.config.hop_length
        return spectral.stft_energy(padded, self.window, n_fft, hop)

    def _scaled(self, energy: Tensor, mask: Tensor) -> Tensor:
        """Energies [B, T, F] to bands on the wanted scale [B, T, D], zero past the ends."""
        config = self.config
        values = energy if config.power == 2 else energy.sqrt_()
        if config.kind == "log_mel":
            values = values @ self.mel_filters
        values = spectral.rescale_(
            values,
            mask,
            scale=config.scale,
            floor=config.floor,
            per_decade=20.0 / config.power,
            top_db=config.top_db,
        )
        return values.mul_(mask)

    def _normalized(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Subtract the mean, divide by the population's deviation (as numpy does), in place."""
        config = self.config
        if config.normalize == "none" or not features.shape[1]:
            return features
        mask = spectral.within(lengths, features.shape[1])
        if config.normalize == "global":
            return features.sub_(self.global_mean).div_(self.global_std).mul_(mask)
        axes = (1,) if config.normalize_per == "bin" else (1, 2)
        width = 1 if config.normalize_per == "bin" else features.shape[2]
        count = (lengths * width).clamp(min=1)[:, None, None]
        centred = spectral.centre_(features, mask, count, axes)
        if config.normalize == "utterance_mean":
            return centred
        variance = centred.square().sum(axes, keepdim=True) / count
        if config.kind == "waveform":
            variance = variance.add_(1e-7)  # as the encoders' own extractors do
        return centred.div_(variance.sqrt_().clamp_(min=MIN_STD))


#: Front ends by name; change one with ``dataclasses.replace``.
PRESETS: Mapping[str, FrontEndConfig] = {
    # librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=16000)), its defaults throughout.
    "librosa_log_mel": FrontEndConfig(
        num_mels=128, n_fft=2048, window_ms=128, hop_ms=32, scale="db", top_db=80, normalize="none"
    ),
    # Chan et al. 2015 (arXiv 1508.01211), §4: 40-dimensional log-mel every 10 ms.
    "las_2015": FrontEndConfig(num_mels=40, normalize="global"),
    # Hannun et al. 2014 (arXiv 1412.5567), §2: spectrogram frames; 20 ms windows every 10 ms.
    "deep_speech": FrontEndConfig(
        kind="spectrogram", window_ms=20, n_fft=320, power=1, scale="log1p", normalize="utterance"
    ),
    # The organisers' baseline of the 2019 NAVER AI Hackathon: magnitudes of 16-bit integers,
    # without logarithm or padding.
    "organisers_2019": FrontEndConfig(
        gain=32768.0,
        kind="spectrogram",
        n_fft=512,
        window_ms=30,
        window="hamming",
        center=False,
        power=1,
        scale="linear",
        normalize="none",
    ),
    # The team that came ninth there: log-mel in decibels below 5 kHz, utterance mean removed.
    "team_2019": FrontEndConfig(
        num_mels=128,
        n_fft=512,
        window_ms=32,
        hop_ms=8,
        window="hamming",
        pad_mode="reflect",
        f_max_hz=5000,
        scale="db",
        top_db=80,
        normalize="utterance_mean",
        normalize_per="all",
    ),
    # Ha et al. 2020 (arXiv 2004.09367) and its code: log1p STFT, standardised over all bins.
    "clovacall": FrontEndConfig(
        kind="spectrogram",
        window_ms=20,
        n_fft=320,
        window="hamming",
        pad_mode="reflect",
        power=1,
        scale="log1p",
        normalize="utterance",
        normalize_per="all",
    ),
    # What wav2vec 2.0 and HuBERT hear (arXiv 2006.11477, §2): samples, zero mean, unit variance.
    "waveform": FrontEndConfig(kind="waveform"),
    # Radford et al. 2022 (arXiv 2212.04356), §2.2; 30 ms let the last window fall silent.
    "whisper": FrontEndConfig(
        n_fft=400, pad_mode="reflect", append_ms=30, scale="whisper", normalize="none"
    ),
    # For small models on two cores.
    "quick": FrontEndConfig(num_mels=80),
    # 8 kHz: nothing above the telephone's band.
    "telephone": FrontEndConfig(sample_rate_hz=8000, num_mels=64, f_min_hz=80, f_max_hz=3800),
}


def preset(name: str) -> FrontEndConfig:
    """A front end of ``PRESETS`` by name.

    Raises:
        ConfigError: No such name; the message lists those that are.

    >>> preset("las_2015").num_features
    40
    """
    return choose("front end", PRESETS, name)
