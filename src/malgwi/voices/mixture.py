"""A mixture of Gaussians with diagonal covariances, fitted to frames by expectation-maximisation.

Here it is the background model of voices: it sorts frames into kinds of sound, without labels, so
that two voices can be compared sound by sound. Plain NumPy, since it is the only mixture needed.

Source: D. Reynolds, T. Quatieri and R. Dunn, "Speaker Verification Using Adapted Gaussian Mixture
Models", Digital Signal Processing 10 (2000), sections 3.2 and 3.3.

Shapes: T frames, C coefficients of a frame, K components.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import DataError

Floats = NDArray[np.float64]

#: No variance falls below this share of that of all frames, or one frame would own a component.
_VARIANCE_FLOOR = 0.05
#: Frames of ``responsibilities`` at a time, so that an hour of speech fits.
_BLOCK = 8192


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """Weights [K], means [K, C], variances [K, C]."""

    weights: Floats
    means: Floats
    variances: Floats

    def responsibilities(self, frames: Floats) -> Floats:
        """How likely each component made each frame, [T, C] → [T, K]; rows sum to 1."""
        precisions = 1.0 / self.variances
        constant = np.log(self.weights) - 0.5 * np.log(self.variances).sum(axis=1)
        constant -= 0.5 * (self.means**2 * precisions).sum(axis=1)
        log_joint = frames @ (self.means * precisions).T - 0.5 * (frames**2 @ precisions.T)
        log_joint += constant
        joint = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
        return np.asarray(joint / joint.sum(axis=1, keepdims=True))

    def statistics(self, frames: Floats) -> tuple[Floats, Floats]:
        """Frames a component [K] and their sum about its mean [K, C], of frames [T, C]."""
        counts, sums = np.zeros(len(self.weights)), np.zeros(self.means.shape)
        for start in range(0, len(frames), _BLOCK):
            block = frames[start : start + _BLOCK]
            shares = self.responsibilities(block)
            counts += shares.sum(axis=0)
            sums += shares.T @ block
        return counts, sums - counts[:, None] * self.means


def fit(frames: Floats, *, components: int, iterations: int = 8, seed: int = 0) -> Mixture:
    """The mixture after some rounds of expectation-maximisation, begun at random frames.

    Args:
        frames: [T, C].
        components: K.
        iterations: Rounds; voices gain nothing from more than a few.
        seed: Of the frames it begins at.

    Raises:
        DataError: Fewer frames than components.

    >>> frames = np.concatenate([np.linspace(-1, 1, 50), np.linspace(9, 11, 50)])[:, None]
    >>> np.sort(fit(frames, components=2, seed=1).means[:, 0]).round(3).tolist()
    [0.0, 10.0]
    """
    if len(frames) < components:
        raise DataError(
            f"a mixture of {components} components needs as many frames, found {len(frames)}: "
            "give more speech"
        )
    chosen = np.random.default_rng(seed).choice(len(frames), components, replace=False)
    spread = np.maximum(frames.var(axis=0), 1e-12)
    mixture = Mixture(
        weights=np.full(components, 1.0 / components),
        means=frames[np.sort(chosen)],
        variances=np.tile(spread, (components, 1)),
    )
    for _ in range(iterations):
        mixture = _updated(mixture, frames, _VARIANCE_FLOOR * spread)
    return mixture


def _updated(mixture: Mixture, frames: Floats, floor: Floats) -> Mixture:
    """One round: shares by the old mixture, then the moments that they imply."""
    shares = mixture.responsibilities(frames)
    counts = shares.sum(axis=0) + 1e-6
    means = shares.T @ frames / counts[:, None]
    variances = shares.T @ frames**2 / counts[:, None] - means**2
    return Mixture(
        weights=counts / counts.sum(), means=means, variances=np.maximum(variances, floor)
    )
