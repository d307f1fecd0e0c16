"""What tests of corpus readers share: files with noise in them, and what comes of their rows."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from lhotse.cut import MonoCut

from malgwi.corpora.rows import BadRow, Row, cuts


def sound(
    path: Path, *, rate_hz: int = 8_000, seconds: float = 0.5, channels: int = 1, **options: Any
) -> Path:
    """An audio file of noise, its folder made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(path.name)).uniform(
        -0.3, 0.3, (round(rate_hz * seconds), channels)
    )
    soundfile.write(path, noise, rate_hz, **options)
    return path


def pcm(path: Path, *, num_samples: int = 8_000, extra: bytes = b"") -> Path:
    """A headerless file of 16-bit noise, with some bytes more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(path.name)).integers(-9_000, 9_000, num_samples, "<i2")
    path.write_bytes(noise.tobytes() + extra)
    return path


def written(path: Path, content: str, encoding: str = "utf-8") -> Path:
    """A text file, its folder made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))
    return path


def opened(rows: Iterable[Row | BadRow], **options: Any) -> tuple[list[MonoCut], list[BadRow]]:
    """The cuts and the bad rows that come of rows."""
    results = list(cuts(rows, threads=2, **options))
    good = [r for r in results if isinstance(r, MonoCut)]
    return good, [r for r in results if isinstance(r, BadRow)]
