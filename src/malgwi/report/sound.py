"""Audio inside a page: small MP3 data addresses, which every browser plays.

MP3 rather than Opus, because Safari plays no Ogg before version 18.4.
"""

from base64 import b64encode
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from malgwi import audio

#: Sample rates that MP3 has and speech needs; others are brought to the last.
_RATES_HZ = (8_000, 12_000, 16_000)


def data_address(
    source: Path | NDArray[np.float32], *, sample_rate_hz: int, longest_s: float
) -> str:
    """The audio as ``data:audio/mpeg;base64,…``, cut after ``longest_s`` seconds.

    Args:
        source: A file, or mono samples [N] of about ±1.
        sample_rate_hz: Of samples; a file brings its own.
        longest_s: What lies behind is left out.

    Raises:
        AudioError: The file cannot be read.
    """
    rate = sample_rate_hz if sample_rate_hz in _RATES_HZ else _RATES_HZ[-1]
    if isinstance(source, Path):
        rate = _RATES_HZ[-1]
        until_s = longest_s if audio.probe(source).duration_s > longest_s else None
        samples = audio.load(source, sample_rate_hz=rate, channels="mix", duration_s=until_s)
    else:
        samples = source[: int(longest_s * sample_rate_hz)]
        samples = audio.resample(samples, sample_rate_hz, rate)
    encoded = BytesIO()
    clipped = np.clip(samples, -1.0, 1.0)
    soundfile.write(encoded, clipped, rate, format="MP3", subtype="MPEG_LAYER_III")
    return "data:audio/mpeg;base64," + b64encode(encoded.getvalue()).decode()
