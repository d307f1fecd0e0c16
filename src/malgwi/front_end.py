"""The front end's settings, and front ends by name.

Settings follow librosa (``center``, ``pad_mode``, mel scales, ``power_to_db``); lengths are in
milliseconds, so that they survive a change of rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from malgwi import audio
from malgwi.errors import ConfigError
from malgwi.registry import choose

#: Settings that are the user's, whatever a model was trained behind.
OWN = ("channels", "trim_db", "trim_frame_length", "trim_hop_length")


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

    def heard_otherwise(self, other: "FrontEndConfig") -> list[str]:
        """The settings in which what a model hears differs, channels and trimming aside.

        >>> preset("quick").heard_otherwise(FrontEndConfig(num_mels=40, trim_db=40.0))
        ['front_end.num_mels is 80, not 40']
        """
        names = [field.name for field in fields(self) if field.name not in OWN]
        return [
            f"front_end.{name} is {getattr(self, name)!r}, not {getattr(other, name)!r}"
            for name in names
            if getattr(self, name) != getattr(other, name)
        ]


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
