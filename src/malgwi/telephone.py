"""What a telephone line does to speech: band, level, echo, noise, clipping, codec.

Used twice with the same code: the synthetic corpus is sent through it once, and training can send
any wide-band corpus through it anew in every epoch. A call is drawn first (``draw``), a plain
value that can be logged and repeated, and then applied (``transmit``), which is deterministic but
for the noise of the given generator. The filter is zero-phase so that timings stay where they
were; a real line delays all frequencies by a little, which a recogniser cannot hear.

Shapes: N samples, float32, about ±1.
Sources: ITU-T G.712 (300-3400 Hz), G.711 (µ-law, A-law), ETSI GSM 06.10 full rate.
"""

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.signal
import soundfile
import soxr

from malgwi.errors import ConfigError

Samples = npt.NDArray[np.float32]
Codec = Literal["mulaw", "alaw", "gsm", "none"]

TELEPHONE_RATE_HZ = 8000
_SUBTYPES = {"mulaw": "ULAW", "alaw": "ALAW", "gsm": "GSM610"}


@dataclass(frozen=True, kw_only=True)
class TelephoneConfig:
    """Ranges that a call is drawn from; each pair is (least, greatest), drawn evenly between.

    Args:
        band_hz: Edges of the pass band.
        codecs: One is drawn, all equally likely; name one twice to have it twice as often.
        level_dbfs: Root mean square of the loud half of the speech, in dB below full scale.
        snr_db: Speech level over line noise.
        echo_probability: Share of calls in which the caller hears himself back.
        echo_delay_s: Delay of that echo.
        echo_db: Its level under the speech.
        clip_probability: Share of calls whose peaks are cut.
        clip_share: At which share of the peak they are cut.
    """

    band_hz: tuple[float, float] = (300.0, 3400.0)
    codecs: tuple[Codec, ...] = ("mulaw", "alaw", "gsm")
    level_dbfs: tuple[float, float] = (-30.0, -16.0)
    snr_db: tuple[float, float] = (24.0, 44.0)
    echo_probability: float = 0.15
    echo_delay_s: tuple[float, float] = (0.015, 0.06)
    echo_db: tuple[float, float] = (-32.0, -20.0)
    clip_probability: float = 0.05
    clip_share: tuple[float, float] = (0.5, 0.9)

    def __post_init__(self) -> None:
        low, high = self.band_hz
        if not 0 < low < high < TELEPHONE_RATE_HZ / 2:
            raise ConfigError(
                f"band_hz {self.band_hz}: need 0 < low < high < {TELEPHONE_RATE_HZ // 2}"
            )
        unknown = set(self.codecs) - {*_SUBTYPES, "none"}
        if unknown or not self.codecs:
            known = ", ".join((*_SUBTYPES, "none"))
            raise ConfigError(f"codecs {self.codecs}: choose one or more of {known}")
        for name in ("level_dbfs", "snr_db", "echo_delay_s", "echo_db", "clip_share"):
            least, greatest = getattr(self, name)
            if least > greatest:
                raise ConfigError(f"{name} ({least}, {greatest}): the first may not be greater")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One drawn line; ``echo_delay_s`` and ``clip_share`` are None where it has no such fault."""

    band_hz: tuple[float, float]
    codec: Codec
    level_dbfs: float
    snr_db: float
    echo_delay_s: float | None = None
    echo_db: float = 0.0
    clip_share: float | None = None


def draw(config: TelephoneConfig, rng: np.random.Generator) -> Call:
    """One line from the ranges of ``config``; always takes the same number of random draws."""
    codec = config.codecs[int(rng.integers(len(config.codecs)))]
    level, snr = rng.uniform(*config.level_dbfs), rng.uniform(*config.snr_db)
    echoes, delay = rng.random() < config.echo_probability, rng.uniform(*config.echo_delay_s)
    echo_db = rng.uniform(*config.echo_db)
    clips, share = rng.random() < config.clip_probability, rng.uniform(*config.clip_share)
    return Call(
        band_hz=config.band_hz,
        codec=codec,
        level_dbfs=float(level),
        snr_db=float(snr),
        echo_delay_s=float(delay) if echoes else None,
        echo_db=float(echo_db),
        clip_share=float(share) if clips else None,
    )


def transmit(
    samples: Samples, call: Call, rng: np.random.Generator, *, sample_rate_hz: int
) -> Samples:
    """Speech as it arrives at the other end: [N] in, [N] out, at the same rate.

    Args:
        samples: [N] speech at ``sample_rate_hz``.
        call: The line, from ``draw`` or by hand.
        rng: For the noise alone.
        sample_rate_hz: Of the input and the output; the line itself works at 8 kHz.
    """
    line = samples
    if sample_rate_hz != TELEPHONE_RATE_HZ:
        line = soxr.resample(samples, sample_rate_hz, TELEPHONE_RATE_HZ)
    if line.size == 0:
        return samples
    line = _echo(_band_limit(line, call.band_hz), call)
    if call.clip_share is not None:
        peak = call.clip_share * np.abs(line).max()
        line = np.clip(line, -peak, peak)
    gain = 10 ** (call.level_dbfs / 20) / max(_loudness(line), 1e-9) if line.any() else 1.0
    noise_level = 10 ** ((call.level_dbfs - call.snr_db) / 20)
    noise = _band_limit(rng.standard_normal(line.size).astype(np.float32), call.band_hz)
    line = np.clip(line * gain + noise_level * noise, -1.0, 1.0).astype(np.float32)
    line = round_trip(line, call.codec)
    if sample_rate_hz != TELEPHONE_RATE_HZ:
        line = soxr.resample(line, TELEPHONE_RATE_HZ, sample_rate_hz)
    return _fit(line, samples.size)


def simulate(
    samples: Samples, config: TelephoneConfig, rng: np.random.Generator, *, sample_rate_hz: int
) -> Samples:
    """``draw`` a line and ``transmit`` over it; the form in which training uses this."""
    return transmit(samples, draw(config, rng), rng, sample_rate_hz=sample_rate_hz)


def round_trip(samples: Samples, codec: Codec) -> Samples:
    """8 kHz speech coded and decoded again, [N] → [N]."""
    if codec == "none":
        return samples
    coded = io.BytesIO()
    soundfile.write(coded, samples, TELEPHONE_RATE_HZ, format="WAV", subtype=_SUBTYPES[codec])
    coded.seek(0)
    decoded, _ = soundfile.read(coded, dtype="float32")
    return _fit(decoded, samples.size)


def _band_limit(samples: Samples, band_hz: tuple[float, float]) -> Samples:
    sections = scipy.signal.butter(4, band_hz, "bandpass", fs=TELEPHONE_RATE_HZ, output="sos")
    padding = min(120, samples.size - 1)  # sosfiltfilt refuses to pad by more than it has
    filtered = scipy.signal.sosfiltfilt(sections, samples, padlen=padding)
    return np.asarray(filtered, dtype=np.float32)


def _echo(samples: Samples, call: Call) -> Samples:
    if call.echo_delay_s is None:
        return samples
    delay = round(call.echo_delay_s * TELEPHONE_RATE_HZ)
    echoed = samples.copy()
    echoed[delay:] += 10 ** (call.echo_db / 20) * samples[: max(samples.size - delay, 0)]
    return echoed


def _loudness(samples: Samples) -> float:
    """Root mean square of the louder half of 20 ms frames, so that pauses do not count."""
    frame = TELEPHONE_RATE_HZ // 50
    padded = np.pad(samples, (0, -samples.size % frame)).reshape(-1, frame)
    powers = np.sort((padded.astype(np.float64) ** 2).mean(axis=1))
    return float(np.sqrt(powers[powers.size // 2 :].mean()))


def _fit(samples: Samples, size: int) -> Samples:
    """Codecs work in blocks and resamplers round: cut or fill with silence at the end."""
    fitted = samples[:size]
    return np.pad(fitted, (0, size - fitted.size)).astype(np.float32, copy=False)
