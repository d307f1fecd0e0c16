"""From raw confidence to one that can be believed: of what is called 80 % sure, 80 % is right.

Platt scaling (Platt, *Probabilistic Outputs for Support Vector Machines*, 1999) with one addition:
beside a character's own log-odds stands the mean of its piece, since a character that looks sure
in the midst of doubt is less often right than one among its equals. Three parameters, fitted by
Newton's method on development speech that the user names, kept in the run folder as
calibration.json, one record a search method, because each method errs in its own way.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from malgwi.checkpoint import write_bytes
from malgwi.errors import CheckpointError, DataError
from malgwi.timestamps import Timing

Floats = NDArray[np.float64]

FILE = "calibration.json"
FORMAT_VERSION = 1
#: Raw confidence is held this far from 0 and 1, where log-odds are infinite.
MARGIN = 1e-4
#: Fewer characters, or fewer of either kind, say too little about three parameters.
LEAST_CHARACTERS, LEAST_OF_EACH = 50, 5


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """log-odds(calibrated) = own · log-odds(raw) + piece · mean log-odds of its piece + bias.

    Attributes:
        own: Weight of a character's own raw confidence.
        piece: Weight of the mean over its piece.
        bias: The same for all.
        characters: How many it was fitted on.
    """

    own: float = 1.0
    piece: float = 0.0
    bias: float = 0.0
    characters: int = 0

    def calibrated(self, raw: Sequence[float]) -> list[float]:
        """The confidences of one piece's characters, from their raw ones.

        >>> Calibration(own=0.5).calibrated([0.5, 0.8])
        [0.5, 0.6667]
        """
        odds = _predictors(raw) @ np.array([self.own, self.piece, self.bias])
        return [round(float(p), 4) for p in _logistic(odds)]

    def applied(self, timing: Timing) -> Timing:
        """The same characters with calibrated confidence."""
        sure = self.calibrated([one.confidence for one in timing.characters])
        pairs = zip(timing.characters, sure, strict=True)
        return replace(
            timing, characters=tuple(replace(one, confidence=value) for one, value in pairs)
        )


@dataclass(frozen=True, kw_only=True)
class JudgedPiece:
    """Raw confidences of one piece's characters, and which of them turned out right."""

    raw: tuple[float, ...]
    right: tuple[bool, ...]


def fit(pieces: Sequence[JudgedPiece]) -> Calibration:
    """The likeliest calibration of judged characters.

    Targets are Platt's (§2.2.1): not 1 and 0 but what a uniform prior leaves of them, so that
    characters that are separated perfectly have a fit too.

    Raises:
        DataError: Too few characters, or too few that are right, or wrong.
    """
    right = np.array([one for piece in pieces for one in piece.right], dtype=bool)
    hits, misses = int(right.sum()), int((~right).sum())
    if len(right) < LEAST_CHARACTERS or min(hits, misses) < LEAST_OF_EACH:
        raise DataError(
            f"calibration needs {LEAST_CHARACTERS} recognised characters, {LEAST_OF_EACH} of them "
            f"right and {LEAST_OF_EACH} wrong: there are {hits} right and {misses} wrong. Name "
            "more development speech"
        )
    x = np.concatenate([_predictors(piece.raw) for piece in pieces])
    y = np.where(right, (hits + 1) / (hits + 2), 1 / (misses + 2))
    own, piece, bias = _newton(x, y)
    return Calibration(own=own, piece=piece, bias=bias, characters=len(right))


def save(folder: Path, method: str, calibration: Calibration) -> None:
    """Write the calibration of one search method into a run folder, beside those of others."""
    methods = {**load(folder), method: calibration}
    record = {
        "format_version": FORMAT_VERSION,
        "methods": {name: asdict(one) for name, one in sorted(methods.items())},
    }
    write_bytes(folder / FILE, (json.dumps(record, indent=1) + "\n").encode())


def load(folder: Path) -> dict[str, Calibration]:
    """Search method → calibration; empty where the run folder has none.

    Raises:
        CheckpointError: The file is damaged or of another version.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    try:
        record: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format_version {record['format_version']}")
        return {name: Calibration(**one) for name, one in record["methods"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is damaged or of another version ({error}): write it anew with  "
            f"malgwi evaluate {folder} DEV --calibrate"
        ) from None


def _predictors(raw: Sequence[float]) -> Floats:
    """[characters, 3]: own log-odds, their mean, 1."""
    p = np.clip(np.array(raw, dtype=np.float64), MARGIN, 1 - MARGIN)
    odds = np.log(p) - np.log1p(-p)
    mean = odds.mean() if len(odds) else 0.0
    return np.stack([odds, np.full_like(odds, mean), np.ones_like(odds)], axis=1)


def _logistic(odds: Floats) -> Floats:
    found: Floats = 1.0 / (1.0 + np.exp(-np.clip(odds, -40.0, 40.0)))
    return found


def _newton(x: Floats, y: Floats, *, steps: int = 100, ridge: float = 1e-6) -> tuple[float, ...]:
    """Weights that minimise the cross-entropy of logistic(x · w) to y; halved where it overshoots.

    The ridge decides what the data leave open, as where every piece has one character.
    """
    weights = np.zeros(x.shape[1])
    penalty = ridge * len(x) * np.eye(x.shape[1])

    def cost(w: Floats) -> float:
        odds = x @ w
        return float(np.sum(np.logaddexp(0.0, odds) - y * odds) + w @ penalty @ w / 2)

    for _ in range(steps):
        p = _logistic(x @ weights)
        gradient = x.T @ (p - y) + penalty @ weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + penalty
        step = np.linalg.solve(hessian, gradient)
        while cost(weights - step) > cost(weights) and np.abs(step).max() > 1e-12:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() < 1e-10:
            break
    return tuple(float(w) for w in weights)
