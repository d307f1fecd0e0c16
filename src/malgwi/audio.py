"""Any audio file → float32 mono samples at the wanted rate, and the edges of silence.

soundfile (libsndfile) decodes WAV of every coding, FLAC, Ogg Vorbis, Ogg Opus and MP3; soxr
resamples; PyAV (extra ``media``) opens MP4, WebM and their kin. What libsndfile lets pass
silently is refused here: a truncated WAV, Ogg or MP3 file, samples that are not numbers, a file
with a header declared headerless, more channels than were asked for.

The surprising choice: channels are never mixed unless asked for. The two sides of a telephone
call in one stereo file are two recordings, and a sum of both is neither.

Sample rates are the container's own. An Opus stream always runs at 48 kHz inside; libsndfile
decodes it at the rate noted in its header (8, 12, 16, 24 or 48 kHz), which saves a resampling.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from malgwi.containers import Claims, check_complete, inspect
from malgwi.errors import AudioError, MissingExtraError

if TYPE_CHECKING:
    from lhotse.cut import MonoCut

Samples = NDArray[np.float32]
#: "error": a file with more than one channel is refused; "mix": their mean; a number: that one.
ChannelPolicy = Literal["error", "mix"] | int

#: A segment may end this much after its file does: transcribers round, codecs pad to frames.
END_TOLERANCE_S = 0.05
_PCM_SUBTYPES = {1: "PCM_U8", 2: "PCM_16", 3: "PCM_24", 4: "PCM_32"}
#: The bit reservoir reaches back 511 bytes, at the lowest bit rates over twenty frames.
_MP3_PREROLL = 32 * 1152
#: Frames of `trim_bounds` squared at a time, so that an hour of audio fits.
_TRIM_BLOCK = 4096


@dataclass(frozen=True, kw_only=True)
class RawFormat:
    """What a headerless PCM file does not say of itself: little-endian, channels interleaved.

    Samples are signed integers, but for one byte a sample, which is unsigned as in WAV.
    """

    sample_rate_hz: int
    bytes_per_sample: int = 2
    channels: int = 1

    def __post_init__(self) -> None:
        if self.bytes_per_sample not in _PCM_SUBTYPES:
            raise AudioError(f"bytes_per_sample is {self.bytes_per_sample}: give 1, 2, 3 or 4")
        if self.sample_rate_hz < 1 or self.channels < 1:
            raise AudioError(f"a rate and a number of channels are at least 1, found {self}")


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """A file's own facts. ``num_samples`` counts one channel at ``sample_rate_hz``."""

    sample_rate_hz: int
    num_samples: int
    channels: int
    codec: str

    @property
    def duration_s(self) -> float:
        return self.num_samples / self.sample_rate_hz


def probe(source: str | Path | bytes, *, raw: RawFormat | None = None) -> AudioInfo:
    """Read a file's header and check that the file is all there, without decoding it.

    Raises:
        AudioError: Missing, empty, truncated, not audio, or not what ``raw`` says.
        MissingExtraError: A format that only PyAV opens, and it is not installed.
    """
    claims = inspect(source)
    if raw is None and claims.needs_av:
        samples, rate_hz, codec = _decode_with_av(source, claims)
        return AudioInfo(
            sample_rate_hz=rate_hz,
            num_samples=samples.shape[0],
            channels=samples.shape[1],
            codec=codec,
        )
    with _open(source, claims, raw) as file:
        return AudioInfo(
            sample_rate_hz=int(file.samplerate),
            num_samples=int(file.frames),
            channels=int(file.channels),
            codec=f"{file.format}/{file.subtype}",
        )


def load(
    source: str | Path | bytes,
    *,
    sample_rate_hz: int,
    channels: ChannelPolicy = "error",
    raw: RawFormat | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> Samples:
    """Decode a file, or a stretch of it, to one channel at the wanted rate.

    Args:
        source: A path, or the bytes of a whole file.
        sample_rate_hz: The rate of the result (soxr's high quality where it differs).
        channels: What to do with more than one channel; see `ChannelPolicy`.
        raw: The format of headerless PCM; None where the file has a header.
        start_s: Where to begin, in seconds of the file.
        duration_s: How much to read; None for all the rest.

    Returns:
        [N] float32, about ±1 (lossy codecs may overshoot a little).

    Raises:
        AudioError: Missing, empty, truncated, undecodable, not finite, a stretch outside of the
            file, or more channels than the policy allows. The message names the file.
        MissingExtraError: A format that only PyAV opens, and it is not installed.
    """
    claims = inspect(source)
    if raw is None and claims.needs_av:
        decoded, rate_hz, _ = _decode_with_av(source, claims)
        start, stop = _stretch(claims.name, len(decoded), rate_hz, start_s, duration_s)
        decoded = decoded[start:stop]
    else:
        with _open(source, claims, raw) as file:
            rate_hz = int(file.samplerate)
            start, stop = _stretch(claims.name, int(file.frames), rate_hz, start_s, duration_s)
            decoded = _read(file, claims.name, start, stop)
    mono = _one_channel(decoded, channels, claims.name)
    if not np.isfinite(mono).all():
        raise AudioError(f"{claims.name}: holds samples that are not numbers (NaN or infinite)")
    return resample(mono, rate_hz, sample_rate_hz)


def load_cut(
    cut: "MonoCut", *, sample_rate_hz: int, channels: ChannelPolicy | None = None
) -> Samples:
    """The samples of a Lhotse cut: its stretch of its recording.

    Args:
        cut: One utterance; headerless PCM carries its `RawFormat` as ``cut.custom["raw"]``.
        sample_rate_hz: The rate of the result.
        channels: None for what the manifest says: ``cut.custom["channels"]`` where present (so
            that "mix" can be written down), else the cut's own channel.

    Raises:
        AudioError: As `load`, the cut's id in front.
    """
    custom = cut.custom or {}
    policy = channels if channels is not None else custom.get("channels", cut.channel)
    whole = cut.start == 0 and abs(cut.duration - cut.recording.duration) < 1e-4
    try:
        return load(
            _cut_source(cut),
            sample_rate_hz=sample_rate_hz,
            channels=policy,
            raw=RawFormat(**custom["raw"]) if "raw" in custom else None,
            start_s=cut.start,
            duration_s=None if whole else cut.duration,
        )
    except AudioError as error:
        raise AudioError(f"utterance {cut.id}: {error}") from error


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Samples [N] at ``from_hz`` → [about N · to_hz / from_hz] at ``to_hz``, soxr high quality.

    >>> resample(np.zeros(800, dtype=np.float32), 8000, 16000).shape
    (1600,)
    """
    if from_hz == to_hz:
        return samples
    return cast(Samples, soxr.resample(samples, from_hz, to_hz, quality="HQ"))


def trim_bounds(
    samples: Samples, *, top_db: float, frame_length: int = 2048, hop_length: int = 512
) -> tuple[int, int]:
    """Where speech begins and ends: ``samples[start:end]`` without the quiet edges.

    The semantics of ``librosa.effects.trim`` with its default reference: a frame (centred,
    zero-padded) is quiet when its RMS lies ``top_db`` or more below the loudest frame's, and
    powers below 1e-10 count as 1e-10. So nothing is trimmed from a signal that is silent
    throughout, or just as loud throughout: no frame is quieter than the loudest.

    Args:
        samples: [N] mono.
        top_db: How far below the loudest frame is quiet, in dB.
        frame_length: Samples of a frame.
        hop_length: Samples from frame to frame.

    >>> trim_bounds(np.zeros(4000, dtype=np.float32), top_db=25)
    (0, 4000)
    >>> signal = np.zeros(16384, dtype=np.float32)
    >>> signal[6000:9000] = 0.5
    >>> trim_bounds(signal, top_db=25)
    (5120, 10240)
    """
    if not len(samples):
        return 0, 0
    power = np.maximum(_frame_power(samples, frame_length, hop_length), 1e-10)
    loud = np.flatnonzero(10 * np.log10(power / power.max()) > -top_db)
    if not len(loud):  # only where top_db <= 0
        return 0, 0
    return int(loud[0]) * hop_length, min(len(samples), (int(loud[-1]) + 1) * hop_length)


def _frame_power(samples: Samples, frame_length: int, hop_length: int) -> NDArray[np.float64]:
    """Mean square of each centred frame, [1 + N // hop_length] where frame_length is even."""
    padded = np.pad(samples, frame_length // 2)
    if len(padded) < frame_length:  # an odd frame pads to one sample less than itself
        padded = np.pad(padded, (0, frame_length - len(padded)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame_length)[::hop_length]
    blocks = (frames[i : i + _TRIM_BLOCK] for i in range(0, len(frames), _TRIM_BLOCK))
    return np.concatenate([np.mean(np.square(b), axis=1, dtype=np.float64) for b in blocks])


def _stretch(
    name: str, available: int, rate_hz: int, start_s: float, duration_s: float | None
) -> tuple[int, int]:
    """First and last (exclusive) sample to read, checked against what the file has."""
    start = round(start_s * rate_hz)
    stop = available if duration_s is None else start + round(duration_s * rate_hz)
    if available == 0:
        raise AudioError(f"{name}: holds no samples")
    if not 0 <= start < available or stop <= start:
        raise AudioError(
            f"{name}: asked for {duration_s} s from {start_s} s, "
            f"but the file is {available / rate_hz:.3f} s long"
        )
    if stop > available + END_TOLERANCE_S * rate_hz:
        raise AudioError(
            f"{name}: asked for audio until {stop / rate_hz:.3f} s, but the file ends at "
            f"{available / rate_hz:.3f} s: check the segment times, or the file is truncated"
        )
    return start, min(stop, available)


def _read(file: soundfile.SoundFile, name: str, start: int, stop: int) -> Samples:
    """Samples [stop - start, C] of an open file."""
    try:
        # GSM 6.10 in WAV cannot seek in libsndfile 1.2.2: decode from the beginning and drop.
        # An MP3 frame leans on those before it, so that the first ones after a seek are silent.
        # In one read, since soundfile seeks after each.
        before = _MP3_PREROLL if file.subtype.startswith("MPEG") else 0
        sought = 0 if file.subtype == "GSM610" else max(0, start - before)
        if sought:
            file.seek(sought)
        decoded = file.read(stop - sought, dtype="float32", always_2d=True)[start - sought :]
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{name}: damaged or truncated: {error}") from error
    if len(decoded) < stop - start:
        raise AudioError(
            f"{name}: truncated: its header promises {stop} samples, "
            f"{start + len(decoded)} could be decoded"
        )
    return cast(Samples, decoded)


def _one_channel(decoded: Samples, policy: ChannelPolicy, name: str) -> Samples:
    """[N, C] → [N] by the policy."""
    count = decoded.shape[1]
    if policy == "mix":
        return cast(Samples, decoded.mean(axis=1, dtype=np.float32))
    if policy == "error" and count > 1:
        raise AudioError(
            f'{name}: has {count} channels: choose one by its number (from 0), or "mix"'
        )
    index = 0 if policy == "error" else int(policy)
    if not 0 <= index < count:
        raise AudioError(f"{name}: channel {index} wanted, but it has {count} (from 0)")
    return np.ascontiguousarray(decoded[:, index])


@contextmanager
def _open(
    source: str | Path | bytes, claims: Claims, raw: RawFormat | None
) -> Iterator[soundfile.SoundFile]:
    """An open, complete file; every fault that shows without decoding is an `AudioError`."""
    arguments: dict[str, Any] = {}
    if raw is not None:
        _check_headerless(claims, raw)
        arguments = {
            "format": "RAW",
            "subtype": _PCM_SUBTYPES[raw.bytes_per_sample],
            "samplerate": raw.sample_rate_hz,
            "channels": raw.channels,
            "endian": "LITTLE",
        }
    with BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb", 0) as stream:
        if raw is None:
            check_complete(claims, stream)
        stream.seek(0)
        # soundfile would read a file named *.raw as headerless whatever it holds; a file
        # descriptor has no such name, and libsndfile reads it faster than a Python object.
        target = stream if isinstance(source, bytes) else stream.fileno()
        try:
            file = soundfile.SoundFile(target, closefd=False, **arguments)
        except soundfile.LibsndfileError as error:
            raise AudioError(
                f"{claims.name}: cannot be decoded ({error.error_string.rstrip('.')}); "
                "if it is headerless PCM, give its rate and width"
            ) from error
        with file:
            yield file


def _check_headerless(claims: Claims, raw: RawFormat) -> None:
    if claims.has_header:
        raise AudioError(
            f"{claims.name}: declared headerless PCM, but begins with the header of an audio file "
            f"({claims.head[:4]!r}), which would be read as samples: leave the raw format out"
        )
    width = raw.bytes_per_sample * raw.channels
    if claims.size % width:
        raise AudioError(
            f"{claims.name}: {claims.size} bytes is not a whole number of samples of "
            f"{width} bytes: it is truncated, or the width or the number of channels is wrong"
        )


def _decode_with_av(source: str | Path | bytes, claims: Claims) -> tuple[Samples, int, str]:
    """Samples [N, C], their rate and the codec's name of the first audio stream."""
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("media", "av", f"{claims.name}: this kind of file") from error
    try:
        with av.open(BytesIO(source) if isinstance(source, bytes) else str(source)) as container:
            if not container.streams.audio:
                raise AudioError(f"{claims.name}: has no audio in it")
            stream = container.streams.audio[0]
            planar = av.AudioResampler(format="fltp")
            frames = [part for frame in container.decode(stream) for part in planar.resample(frame)]
            blocks = [frame.to_ndarray() for frame in frames]
            rate_hz, codec = int(stream.codec_context.sample_rate), str(stream.codec_context.name)
    except av.error.FFmpegError as error:
        raise AudioError(f"{claims.name}: cannot be decoded: {error}") from error
    if not blocks:
        raise AudioError(f"{claims.name}: holds no samples")
    return np.ascontiguousarray(np.concatenate(blocks, axis=1).T, np.float32), rate_hz, codec


def _cut_source(cut: "MonoCut") -> str | bytes:
    """Path or bytes of a cut's recording."""
    if cut.recording is None or len(cut.recording.sources) != 1:
        raise AudioError("has no recording, or one spread over several files: one file is wanted")
    if cut.recording.transforms:
        raise AudioError(
            "its recording carries lhotse transforms (speed, volume, …), which belong to training: "
            "give the manifest of the unchanged audio"
        )
    source = cut.recording.sources[0]
    if source.type not in {"file", "memory"}:
        raise AudioError(f"its audio is a lhotse source of type {source.type!r}: store it as files")
    return cast("str | bytes", source.source)
