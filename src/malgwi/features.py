"""From a file to features: the one front end that training, evaluation and use all call.

The surprising choice: every utterance of a batch is padded at *its own* ends before the Fourier
transform, so that it gets the numbers that it would get alone. Frames past its end are zero.

librosa is the reference of the tests; the settings are `malgwi.front_end`'s.

Shapes: B batch, N samples, T frames, F frequency bins, D features.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from malgwi import audio, spectral
from malgwi.errors import ConfigError, DataError
from malgwi.front_end import FrontEndConfig

#: A standard deviation below this is silence or a constant; dividing by it would amplify nothing.
MIN_STD = 1e-5


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
