"""Augmentation of training examples: SpecAugment on features, speed perturbation on waveforms.

Both are plain functions that only the trainer's data path calls; nothing here is a module with
a training switch, so evaluation cannot augment by accident.

SpecAugment: Park et al. 2019 (arXiv 1904.08779); adaptive multiplicity: Park et al. 2019 (arXiv
1912.05533). Speed perturbation: Ko et al. 2015 (Interspeech, "Audio augmentation for speech
recognition").

The surprising choice: the time warp is piecewise linear in time. The paper warps the picture with
a thin-plate spline through one moved point and six fixed ones; on a line at mid-height that is,
up to a slight bend, a stretch on one side of the point and a squeeze on the other, and the paper
itself finds the warp the least important part (§5). Two straight pieces cost one gather.

Shapes: B batch, T frames, D features, M masks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from malgwi.errors import ConfigError
from malgwi.registry import choose


@dataclass(frozen=True, kw_only=True)
class SpecAugmentConfig:
    """A SpecAugment policy, in frames and feature bins (paper's symbols in brackets).

    Args:
        time_warp: Furthest that a point of time moves [W]; 0 is off.
        freq_mask_width: A frequency mask covers f ∈ [0, width) bins [F].
        num_freq_masks: Frequency masks an utterance [m_F].
        time_mask_width: A time mask covers t ∈ [0, width) frames [T].
        num_time_masks: Time masks an utterance [m_T].
        max_time_fraction: A time mask is shorter than this share of the utterance [p].
        adaptive_multiplicity: Draw ⌊this × frames⌋ time masks instead, ``max_time_masks`` at
            most [p_M]; None is off.
        max_time_masks: See there.

    Raises:
        ConfigError: A negative width or number, or a share outside [0, 1].
    """

    time_warp: int = 0
    freq_mask_width: int = 27
    num_freq_masks: int = 2
    time_mask_width: int = 70
    num_time_masks: int = 2
    max_time_fraction: float = 0.2
    adaptive_multiplicity: float | None = None
    max_time_masks: int = 20

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and value < 0:
                raise ConfigError(f"SpecAugment: {name}={value} must not be negative")
        if self.max_time_fraction > 1:
            raise ConfigError(f"SpecAugment: max_time_fraction={self.max_time_fraction} exceeds 1")

    def weakened(self, strength: float) -> "SpecAugmentConfig":
        """The policy with widths and warp at ``strength`` ∈ [0, 1] of theirs."""
        sizes = ("time_warp", "freq_mask_width", "time_mask_width")
        return replace(self, **{name: round(strength * getattr(self, name)) for name in sizes})


#: Park et al. 2019, table 1.
POLICIES: Mapping[str, SpecAugmentConfig] = {
    "LB": SpecAugmentConfig(
        time_warp=80,
        freq_mask_width=27,
        num_freq_masks=1,
        time_mask_width=100,
        max_time_fraction=1.0,
        num_time_masks=1,
    ),
    "LD": SpecAugmentConfig(
        time_warp=80,
        freq_mask_width=27,
        num_freq_masks=2,
        time_mask_width=100,
        max_time_fraction=1.0,
        num_time_masks=2,
    ),
    "SM": SpecAugmentConfig(
        time_warp=40,
        freq_mask_width=15,
        num_freq_masks=2,
        time_mask_width=70,
        max_time_fraction=0.2,
        num_time_masks=2,
    ),
    "SS": SpecAugmentConfig(
        time_warp=40,
        freq_mask_width=27,
        num_freq_masks=2,
        time_mask_width=70,
        max_time_fraction=0.2,
        num_time_masks=2,
    ),
}


def policy(name: str) -> SpecAugmentConfig:
    """A policy of the paper by name.

    Raises:
        ConfigError: No such name; the message lists those that are.

    >>> policy("SM").freq_mask_width
    15
    """
    return choose("SpecAugment policy", POLICIES, name)


def spec_augment(
    features: Tensor,
    lengths: Tensor,
    config: SpecAugmentConfig,
    generator: torch.Generator | None = None,
    views: int = 1,
) -> Tensor:
    """Warp and mask each utterance in its own way; padding stays as it is.

    Masked values become 0, which is the mean of normalised features (paper, §2): use a front end
    whose ``normalize`` is not ``none``.

    Args:
        features: [B, T, D].
        lengths: [B] frames of each.
        config: The policy.
        generator: Source of chance, on any device; None is torch's own.
        views: How often each utterance is masked anew, after one warp: frames stay comparable.

    Returns:
        [views · B, T, D], a new tensor; view v of utterance i is row v · B + i.
    """
    if config.time_warp:
        features = _time_warp(features, lengths, config.time_warp, generator)
    features, lengths = features.repeat(views, 1, 1), lengths.repeat(views)
    width = torch.full_like(lengths, features.shape[2])
    freq = _masks(
        width, features.shape[2], config.freq_mask_width, config.num_freq_masks, generator
    )
    longest = (lengths * config.max_time_fraction).clamp(max=config.time_mask_width)
    time = _time_masks(lengths, features.shape[1], longest, config, generator)
    inside = torch.arange(features.shape[1], device=features.device) < lengths[:, None]
    hidden = time[:, :, None] | (freq[:, None, :] & inside[:, :, None])
    return features.masked_fill(hidden, 0.0)


def speed_perturb(
    samples: NDArray[np.float32], factor: float, *, quality: str = "LQ"
) -> NDArray[np.float32]:
    """Play ``factor`` times as fast: [N] → [N / factor]; pitch and formants move with it.

    Args:
        samples: [N].
        factor: 0.9, 1.0 and 1.1 in the paper; 1.0 returns the samples untouched.
        quality: Of soxr; LQ (16 bits, 80 % of the band) costs little and hides below the masks.

    Raises:
        ConfigError: A factor outside [0.5, 2], which would no longer be speech to learn from.
    """
    if not 0.5 <= factor <= 2.0:
        raise ConfigError(f"speed perturbation: factor {factor} is outside 0.5 to 2.0")
    if factor == 1.0 or not len(samples):
        return samples
    return np.asarray(soxr.resample(samples, factor, 1.0, quality=quality), dtype=np.float32)


def _uniform(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform in [0, 1) on the device of ``like``, drawn where the generator lives."""
    device = generator.device if generator is not None else like.device
    return torch.rand(shape, generator=generator, device=device).to(like.device)


def _masks(
    sizes: Tensor,
    extent: int,
    longest: Tensor | float,
    count: int,
    generator: torch.Generator | None,
    counts: Tensor | None = None,
) -> Tensor:
    """Where any of ``count`` masks lies: [B, extent], True inside a mask.

    Widths are uniform integers in [0, longest), starts in [0, size − width]; the paper's half-open
    interval, read of integers, would never hide the last bin or frame.
    """
    if not count:
        return torch.zeros(len(sizes), extent, dtype=torch.bool, device=sizes.device)
    chance = _uniform((2, len(sizes), count), sizes, generator)
    room = torch.as_tensor(longest, device=sizes.device).expand(len(sizes))
    widths = (chance[0] * room.minimum(sizes)[:, None]).floor()
    if counts is not None:
        widths = widths * (torch.arange(count, device=sizes.device) < counts[:, None])
    starts = (chance[1] * (sizes[:, None] - widths + 1)).floor()
    positions = torch.arange(extent, device=sizes.device)[:, None]
    inside = (positions >= starts[:, None, :]) & (positions < (starts + widths)[:, None, :])
    return inside.any(-1)


def _time_masks(
    lengths: Tensor,
    num_frames: int,
    longest: Tensor,
    config: SpecAugmentConfig,
    generator: torch.Generator | None,
) -> Tensor:
    """[B, T], True in a time mask; as many masks as the policy or the length asks for."""
    if config.adaptive_multiplicity is None:
        return _masks(lengths, num_frames, longest, config.num_time_masks, generator)
    counts = (lengths * config.adaptive_multiplicity).floor().clamp(max=config.max_time_masks)
    return _masks(lengths, num_frames, longest, config.max_time_masks, generator, counts)


def _time_warp(
    features: Tensor, lengths: Tensor, furthest: int, generator: torch.Generator | None
) -> Tensor:
    """Move one point of time by up to ``furthest`` frames, the ends staying where they are.

    The point w0 is uniform in (W, τ − W), its way w in [−W, W]. Utterances of 2·W + 1 frames or
    fewer have no such point and stay as they are.
    """
    batch, num_frames, width = features.shape
    if not num_frames:
        return features
    chance = _uniform((2, batch), lengths, generator)
    room = lengths - 2 * furthest - 1  # how many integers lie in (W, τ − W)
    origin = furthest + 1 + (chance[0] * room.clamp(min=0)).floor()
    target = origin + (chance[1] * (2 * furthest + 1)).floor() - furthest
    time = torch.arange(num_frames, device=features.device, dtype=torch.float32)[None]
    origin, target, last = origin[:, None], target[:, None], lengths[:, None] - 1.0
    left = time * (origin / target)
    right = origin + (time - target) * ((last - origin) / (last - target).clamp(min=1))
    source = torch.where(time <= target, left, right)
    warped = (room > 0)[:, None] & (time <= last)
    source = torch.where(warped, source.minimum(last).clamp(min=0), time)
    below = source.floor()
    above = (below + 1).clamp(max=num_frames - 1)
    rows = torch.arange(batch, device=features.device)[:, None] * num_frames
    flat = features.reshape(batch * num_frames, width)
    first = flat.index_select(0, (rows + below.long()).flatten())
    second = flat.index_select(0, (rows + above.long()).flatten())
    mixed = torch.lerp(first, second, (source - below).reshape(-1, 1).to(features.dtype))
    return mixed.reshape(features.shape)
