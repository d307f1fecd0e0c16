"""Decode, resample and trim each training utterance once, and read it from disk ever after.

One flat ``.npy`` of 16-bit samples, mapped into memory, and one JSON index beside it. Their name
is a hash of everything that decides the samples: ids, files with size and time of change,
stretches, and the audio settings of the front end. A cache that no longer fits is thus never
found, only left behind; delete the folder at any time.

The surprising choice: samples are kept in 16 bits, half the room of float32. Sources of 16 bits at
the wanted rate come back exactly; others (lossy codecs, resampling) within half a step of 1/32768,
98 dB below full scale; a source beyond ±1 is scaled down for storage, never clipped. Only
training reads a cache: evaluation and transcription go through ``FrontEnd.waveform``, so what is
scored is what is used.
"""

import hashlib
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from lhotse.cut import MonoCut
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from malgwi.errors import DataError
from malgwi.features import FrontEnd
from malgwi.front_end import FrontEndConfig

#: Part of the hash: raise it when the same settings come to mean other samples.
FORMAT_VERSION = 1
FULL_SCALE = 32768.0


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an utterance lies: samples from ``offset``, times ``scale`` / 32768."""

    offset: int
    length: int
    scale: float
    crc32: int


class AudioCache(Mapping[str, NDArray[np.float32]]):
    """Waveforms by utterance id, from disk: ``cache[id]`` is float32 [N].

    Picklable, so that worker processes can map the same file. Every access checks the
    utterance's checksum, at a cost far below that of its features.

    Args:
        samples_path: The ``.npy`` of 16-bit samples.
        entries: The index.
        sample_rate_hz: Of the samples.
    """

    def __init__(
        self, samples_path: Path, entries: Mapping[str, Entry], sample_rate_hz: int
    ) -> None:
        self.samples_path = samples_path
        self.entries = entries
        self.sample_rate_hz = sample_rate_hz
        self._samples = np.load(samples_path, mmap_mode="r", allow_pickle=False)

    @classmethod
    def build(
        cls, cuts: Iterable[MonoCut], config: FrontEndConfig, folder: str | Path
    ) -> "AudioCache":
        """The cache of these cuts: the one in ``folder`` if it is there and whole, else a new one.

        Args:
            cuts: Utterances with ids of their own.
            config: Its audio settings count; what is computed on the waveform does not.
            folder: Where caches live; made if missing.

        Raises:
            AudioError: An utterance that cannot be decoded; the message names it.
            DataError: Nothing to keep, or two cuts with one id.
        """
        cuts = list(cuts)
        repeated = [name for name, times in Counter(cut.id for cut in cuts).items() if times > 1]
        if repeated:
            raise DataError(f"audio cache: several cuts have the id {repeated[0]!r}: rename them")
        name = cache_key(cuts, config)[:24]
        index_path, samples_path = Path(folder) / f"{name}.json", Path(folder) / f"{name}.npy"
        entries = _read_index(index_path, samples_path)
        if entries is None:
            Path(folder).mkdir(parents=True, exist_ok=True)
            with _replacing(samples_path) as file:
                entries = _decode_all(cuts, FrontEnd(config), file)
            with _replacing(index_path) as file:  # last: an index vouches for its samples
                file.write(_index_text(entries, samples_path.stat().st_size))
        return cls(samples_path, entries, config.sample_rate_hz)

    def __getitem__(self, utterance_id: str) -> NDArray[np.float32]:
        entry = self.entries[utterance_id]
        stored = self._samples[entry.offset : entry.offset + entry.length]
        if zlib.crc32(stored) != entry.crc32:
            raise DataError(
                f"audio cache: utterance {utterance_id} in {self.samples_path} is damaged: "
                "delete that file and start again; it will be rebuilt"
            )
        samples = np.array(stored, dtype=np.float32)
        samples *= entry.scale / FULL_SCALE
        return samples

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.samples_path, self.entries, self.sample_rate_hz)

    def duration_s(self, utterance_id: str) -> float:
        """Seconds of an utterance after trimming, without reading it."""
        return self.entries[utterance_id].length / self.sample_rate_hz

    def verify(self) -> None:
        """Read everything once.

        Raises:
            DataError: An utterance whose samples are not those that were written.
        """
        for utterance_id in self:
            self[utterance_id]


def cache_key(cuts: Iterable[MonoCut], config: FrontEndConfig) -> str:
    """A hash of everything that decides the samples; the order of the cuts does not matter."""
    digest = hashlib.sha256()
    settings = {"format": FORMAT_VERSION, **config.audio_settings()}
    for line in [settings, *sorted((_identity(cut) for cut in cuts), key=lambda row: row[0])]:
        digest.update(json.dumps(line, ensure_ascii=False, sort_keys=True).encode())
    return digest.hexdigest()


def _identity(cut: MonoCut) -> list[Any]:
    """What tells a cut's audio from any other's, looking at its file's size and time."""
    custom = cut.custom or {}
    return [
        cut.id,
        cut.start,
        cut.duration,
        cut.channel,
        custom.get("raw"),
        custom.get("channels"),
        [_source_identity(source.source) for source in cut.recording.sources],
    ]


def _source_identity(source: str | bytes) -> list[Any]:
    if isinstance(source, bytes):
        return [hashlib.sha256(source).hexdigest()]
    try:
        state = os.stat(source)
    except OSError:
        return [source]  # decoding will name what is wrong with it
    return [source, state.st_size, state.st_mtime_ns]


def _decode_all(cuts: list[MonoCut], front_end: FrontEnd, file: IO[bytes]) -> dict[str, Entry]:
    """Write the samples of all cuts as one .npy, with a progress bar."""
    entries: dict[str, Entry] = {}
    total = 0
    _write_header(file, total)
    start = file.tell()
    bar = Progress(
        TextColumn("decoding audio"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        for cut in bar.track(cuts):
            samples = front_end.cut_waveform(cut)
            stored, scale = _to_int16(samples)
            file.write(stored.tobytes())
            entries[cut.id] = Entry(total, len(stored), scale, zlib.crc32(stored.tobytes()))
            total += len(stored)
    if not total:
        raise DataError(f"audio cache: {len(cuts)} utterances, and no audio in any of them")
    file.seek(0)
    _write_header(file, total)
    assert file.tell() == start, "numpy leaves room in its header for the length to grow"
    return entries


def _to_int16(samples: NDArray[np.float32]) -> tuple[NDArray[np.int16], float]:
    """Samples in 16 bits and the factor, 1 unless they go past full scale, to give them back."""
    high, low = float(samples.max(initial=0.0)), float(samples.min(initial=0.0))
    scale = max(1.0, high * FULL_SCALE / (FULL_SCALE - 1), -low)
    return np.rint(samples * (FULL_SCALE / scale)).astype("<i2"), scale


def _write_header(file: IO[bytes], num_samples: int) -> None:
    header = {"descr": "<i2", "fortran_order": False, "shape": (num_samples,)}
    np.lib.format.write_array_header_1_0(file, header)


def _index_text(entries: Mapping[str, Entry], num_bytes: int) -> bytes:
    """The index: its own hash on the first line, then JSON that a person can read."""
    body = {"bytes": num_bytes, "entries": {name: asdict(e) for name, e in entries.items()}}
    text = json.dumps(body, ensure_ascii=False, indent=0).encode()
    return json.dumps({"sha256": hashlib.sha256(text).hexdigest()}).encode() + b"\n" + text


def _read_index(index_path: Path, samples_path: Path) -> dict[str, Entry] | None:
    """The entries of a whole cache; None where there is none, or a damaged one."""
    try:
        first, _, text = index_path.read_bytes().partition(b"\n")
        size = samples_path.stat().st_size
    except FileNotFoundError:
        return None
    expected = json.dumps({"sha256": hashlib.sha256(text).hexdigest()}).encode()
    if first != expected:
        return None
    body = json.loads(text)
    if body["bytes"] != size:
        return None
    return {name: Entry(**entry) for name, entry in body["entries"].items()}


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when it is complete."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
