"""The arithmetic of spectra that a front end is made of: windows, padding, mel bands, decibels.

Pure functions of tensors and numbers with librosa's semantics, librosa being the reference of the
tests. The surprising choice: `pad_each` pads every utterance of a batch at its own ends, so
that nobody's features depend on who else is in the batch.

Shapes: B batch, N samples, T frames, F frequency bins, D features.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from malgwi.errors import ConfigError

Floats = NDArray[np.float64]


def within(lengths: Tensor, extent: int) -> Tensor:
    """1 inside each utterance, 0 past it: [B] → [B, extent, 1] float32."""
    positions = torch.arange(extent, device=lengths.device)
    return (positions < lengths[:, None])[..., None].float()


def window(kind: Literal["hann", "hamming"], length: int, n_fft: int) -> Tensor:
    """A periodic window of ``length`` samples, centred in ``n_fft`` zeros."""
    make = torch.hann_window if kind == "hann" else torch.hamming_window
    values = make(length, periodic=True, dtype=torch.float64).float()
    missing = n_fft - length
    return torch.nn.functional.pad(values, (missing // 2, missing - missing // 2))


def emphasize(waveforms: Tensor, gain: float, preemphasis: float) -> Tensor:
    """gain·(x[n] − preemphasis·x[n−1]) of waveforms [B, N], with x[−1] = 0."""
    if gain != 1.0:
        waveforms = waveforms * gain
    if preemphasis and waveforms.shape[1]:
        before = torch.nn.functional.pad(waveforms[:, :-1], (1, 0))
        waveforms = waveforms - preemphasis * before
    return waveforms


def append_silence(waveforms: Tensor, lengths: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Add ``count`` zeros at each utterance's own end: [B, N] → [B, N + count], lengths [B].

    An empty utterance stays empty.
    """
    if not count:
        return waveforms, lengths
    inside = within(lengths, waveforms.shape[1])[..., 0]
    longer = torch.where(lengths > 0, lengths + count, 0)
    return torch.nn.functional.pad(waveforms * inside, (0, count)), longer


def pad_each(
    waveforms: Tensor, lengths: Tensor, pad: int, mode: Literal["constant", "reflect"]
) -> Tensor:
    """Pad each utterance at its own two ends by ``pad`` samples: [B, N] → [B, N + 2·pad].

    What stood past an utterance's end is dropped. Mirroring repeats where an utterance is shorter
    than the padding, as in ``numpy.pad``.
    """
    inside = torch.arange(waveforms.shape[1], device=waveforms.device) < lengths[:, None]
    waveforms = torch.where(inside, waveforms, 0)
    if not pad:
        return waveforms
    padded = torch.nn.functional.pad(waveforms, (pad, pad))
    if mode == "reflect":
        offsets = torch.arange(pad, device=waveforms.device)
        ends = lengths[:, None]
        padded[:, :pad] = waveforms.gather(1, _mirror(offsets - pad, ends))
        padded.scatter_(1, pad + ends + offsets, waveforms.gather(1, _mirror(ends + offsets, ends)))
    return padded


def stft_energy(padded: Tensor, window: Tensor, n_fft: int, hop: int) -> Tensor:
    """Squared magnitudes of the short-time Fourier transform: [B, N] → [B, T, F]."""
    spectrum = torch.stft(
        padded, n_fft, hop, window=window, center=False, return_complex=True
    ).transpose(1, 2)
    return torch.view_as_real(spectrum).square_().sum(-1)


def moments(frames: Iterable[Tensor], *, joint: bool) -> tuple[Tensor, Tensor, int]:
    """Mean [D] and deviation [D] of all frames [T, D] together, and their number.

    Args:
        frames: The frames of one utterance after the other.
        joint: One mean and one deviation over all of D, D times.
    """
    total, squares, count = torch.zeros((), dtype=torch.float64), torch.zeros(()).double(), 0
    for values in frames:
        exact = values.double().cpu()
        total, squares = total + exact.sum(0), squares + exact.square().sum(0)
        count += len(exact)
    mean, square = total / max(1, count), squares / max(1, count)
    if joint:
        mean, square = mean.mean().expand_as(mean), square.mean().expand_as(square)
    return mean, (square - mean.square()).clamp(min=0).sqrt(), count


def rescale_(
    values: Tensor,
    mask: Tensor,
    *,
    scale: Literal["ln", "log10", "db", "log1p", "linear", "whisper"],
    floor: float,
    per_decade: float,
    top_db: float | None,
) -> Tensor:
    """Put energies or magnitudes [B, T, D] on another scale, in place where that is possible.

    Args:
        values: [B, T, D], not negative.
        mask: [B, T, 1], 0 for frames that do not count.
        scale: ``log1p`` and ``linear`` know no floor.
        floor: Values are raised to this before a logarithm.
        per_decade: Of ``db``: 10 for energies, 20 for magnitudes.
        top_db: Of ``db``: how far below the utterance's loudest value the others are cut off.
    """
    if scale == "linear":
        return values
    if scale == "log1p":
        return values.log1p_()
    values.clamp_(min=floor)
    if scale == "ln":
        return values.log_()
    values.log10_()
    if scale == "db":
        values.mul_(per_decade)
    below = 8.0 if scale == "whisper" else top_db if scale == "db" else None
    if below is not None:
        loudest = values.masked_fill(mask == 0, -torch.inf).amax((1, 2), keepdim=True)
        values = values.maximum(loudest - below)
    return values.add_(4.0).div_(4.0) if scale == "whisper" else values


def centre_(values: Tensor, mask: Tensor, count: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Subtract the mean of ``count`` values over ``axes`` in place; what the mask hides stays 0.

    Twice, since the mean of equal values is not quite that value in float32: silence would keep a
    remainder, which a division by its tiny deviation blows up to numbers that depend on padding.
    """
    for _ in range(2):
        values = values.sub_(values.sum(axes, keepdim=True) / count).mul_(mask)
    return values


def mel_filters(
    *,
    sample_rate_hz: int,
    n_fft: int,
    num_mels: int,
    f_min_hz: float,
    f_max_hz: float,
    scale: Literal["htk", "slaney"],
    norm: Literal["slaney"] | None,
) -> Tensor:
    """Overlapping triangles, equally wide on the mel scale: [F, D].

    Raises:
        ConfigError: A band so narrow that no frequency bin falls into it, which would be a
            feature that never changes.
    """
    low, high = hz_to_mel(np.array([f_min_hz, f_max_hz]), scale)
    edges = mel_to_hz(np.linspace(low, high, num_mels + 2), scale)
    bins = np.arange(n_fft // 2 + 1)[:, None] * (sample_rate_hz / n_fft)
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    if empty := int((filters.max(axis=0) == 0).sum()):
        raise ConfigError(
            f"front end: {empty} of {num_mels} mel bands hold no frequency bin: "
            f"lower num_mels or raise n_fft={n_fft}"
        )
    if norm == "slaney":
        filters = filters * (2.0 / (edges[2:] - edges[:-2]))
    return torch.from_numpy(filters).float()


#: Slaney's Auditory Toolbox (1998): 200/3 Hz a mel below 1 kHz, 27 mels for each factor 6.4 above.
_HZ_PER_MEL, _BREAK_HZ, _LOG_STEP = 200.0 / 3.0, 1000.0, float(np.log(6.4)) / 27.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL


def hz_to_mel(hz: Floats, scale: Literal["htk", "slaney"]) -> Floats:
    """Mels of frequencies.

    >>> hz_to_mel(np.array([0.0, 1000.0]), "slaney").round(6).tolist()
    [0.0, 15.0]
    """
    if scale == "htk":
        return np.asarray(2595.0 * np.log10(1.0 + hz / 700.0))
    above = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, above)


def mel_to_hz(mel: Floats, scale: Literal["htk", "slaney"]) -> Floats:
    """Frequencies of mels; the inverse of `hz_to_mel`."""
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, above)


def _mirror(positions: Tensor, lengths: Tensor) -> Tensor:
    """Where a position outside [0, length) falls when the signal is mirrored at its ends."""
    period = (2 * (lengths - 1)).clamp(min=1)
    folded = positions % period
    return torch.minimum(folded, period - folded).minimum((lengths - 1).clamp(min=0))
