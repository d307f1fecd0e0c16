"""What a corpus says of an utterance, and how that becomes a cut, or a row known to be bad.

A reader never opens audio: it yields a `Row` for each utterance that the corpus lists, and a
`BadRow` where the listing itself is wrong. `cuts` then opens every file. Nothing is dropped
silently: each row comes out as a cut or as a `BadRow` with its reason.
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Protocol

from lhotse.cut import MonoCut

from malgwi import audio
from malgwi.audio import ChannelPolicy, RawFormat
from malgwi.errors import AudioError, DataError
from malgwi.manifest import new_cut

Reason = Literal[
    "malformed row",
    "empty text",
    "label outside the table",
    "missing audio",
    "odd PCM length",
    "undecodable audio",
    "many channels",
    "outside the file",
    "duplicate id",
    "unsupported source",
]

#: Rows that wait for the decoding threads at a time.
_CHUNK = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One utterance as its corpus lists it.

    ``start_s`` and ``duration_s`` cut it out of a longer file. ``channel`` overrides the policy
    for files of many channels. ``custom`` is kept in the cut.
    """

    utterance_id: str
    path: Path
    text: str
    speaker: str | None = None
    start_s: float = 0.0
    duration_s: float | None = None
    channel: ChannelPolicy | None = None
    raw: RawFormat | None = None
    custom: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRow:
    """One utterance that cannot be used, and why."""

    utterance_id: str
    path: str
    reason: Reason
    detail: str


class Corpus(Protocol):
    """A reader: settings, and the utterances of a folder or file in the corpus's own order."""

    def rows(self, source: Path) -> Iterator[Row | BadRow]: ...


def cuts(
    rows: Iterable[Row | BadRow],
    *,
    channels: ChannelPolicy = "error",
    decode: bool = True,
    prefix: str = "",
    threads: int | None = None,
) -> Iterator[MonoCut | BadRow]:
    """Open the audio of every row; give its cut or the reason why there is none, in order.

    Args:
        rows: From a reader.
        channels: What to do with files of many channels.
        decode: Decode every file to its end, which finds damage in the middle (some 800 × real
            time a thread); False reads headers and checks that the file is complete.
        prefix: Put before ids and speakers, so that corpora with equal names can be combined.
        threads: Decoding threads; None for one a processor, at most 8.

    Raises:
        MissingExtraError: A format that needs PyAV, which is not installed.
    """

    def open_one(row: Row | BadRow) -> MonoCut | BadRow:
        return row if isinstance(row, BadRow) else to_cut(row, channels=channels, decode=decode)

    seen: set[str] = set()
    named = (_with_prefix(row, prefix) for row in rows)
    with ThreadPoolExecutor(threads or min(8, os.cpu_count() or 1)) as pool:
        while chunk := list(islice(named, _CHUNK)):
            for row, result in zip(chunk, pool.map(open_one, chunk), strict=True):
                if isinstance(row, Row) and row.utterance_id in seen:
                    yield _bad(row, "duplicate id", "an earlier row has this id")
                else:
                    seen.add(row.utterance_id)
                    yield result


def to_cut(row: Row, *, channels: ChannelPolicy = "error", decode: bool = True) -> MonoCut | BadRow:
    """One row's cut, or what is wrong with it."""
    text = unicodedata.normalize("NFC", row.text).strip()
    if not text:
        return _bad(row, "empty text", "the transcript is empty")
    path = find_file(row.path)
    if path is None:
        return _bad(row, "missing audio", f"no file {row.path}")
    policy = channels if row.channel is None else row.channel
    try:
        if row.raw is not None and path.stat().st_size % row.raw.bytes_per_sample:
            return _bad(row, "odd PCM length", f"{path.stat().st_size} bytes")
        info = audio.probe(path, raw=row.raw)
        wrong = _wrong_channel(info.channels, policy) or _wrong_times(info.duration_s, row)
        if wrong is not None:
            return _bad(row, *wrong)
        if decode:
            audio.load(
                path,
                sample_rate_hz=info.sample_rate_hz,
                channels=policy,
                raw=row.raw,
                start_s=row.start_s,
                duration_s=row.duration_s,
            )
    except AudioError as error:
        return _bad(row, "undecodable audio", str(error))
    custom = dict(row.custom or {})
    if row.raw is not None:
        custom["raw"] = asdict(row.raw)
    if policy == "mix" and info.channels > 1:
        custom["channels"] = "mix"
    left_s = info.duration_s - row.start_s
    return new_cut(
        row.utterance_id,
        path,
        sample_rate_hz=info.sample_rate_hz,
        num_samples=info.num_samples,
        num_channels=info.channels,
        text=text,
        speaker=row.speaker,
        start_s=row.start_s,
        duration_s=left_s if row.duration_s is None else min(row.duration_s, left_s),
        channel=policy if isinstance(policy, int) else 0,
        custom=custom or None,
    )


def wanted_parts(part: str | None, known: Iterable[str], source: Path) -> list[str]:
    """The official parts to read: all of ``known``, or the one that is asked for.

    Raises:
        DataError: There is no such part.
    """
    there = list(known)
    if part is None:
        return there
    if part not in there:
        raise DataError(f"{source}: no part {part!r}; parts there: {', '.join(there) or 'none'}")
    return [part]


def find_file(path: Path) -> Path | None:
    """The file of that name, its Hangul composed (NFC) or taken apart (NFD, as macOS did)."""
    for form in (str(path), *(unicodedata.normalize(f, str(path)) for f in ("NFC", "NFD"))):
        if Path(form).is_file():
            return Path(form)
    return None


def read_text(path: Path, encoding: str | None = None) -> str:
    """A text file of a corpus: UTF-8 (with or without a byte-order mark), UTF-16 with one, cp949.

    Args:
        path: The file.
        encoding: None to recognise it.

    Raises:
        DataError: No such file, or its bytes are not in that (or any of these) encoding. A file
            that is UTF-8 but for a few bytes is damaged, and is not taken for cp949.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    content = path.read_bytes()
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    known = encoding or ("utf-16" if marked else "utf-8-sig")
    try:
        return content.decode(known)
    except UnicodeDecodeError as error:
        if encoding is None and not marked and not _mostly_utf8(content):
            try:
                return content.decode("cp949")
            except UnicodeDecodeError:
                pass
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: byte {error.start} is not {known}"
            + ("" if encoding else " (nor is the file cp949)")
            + ": convert the file to UTF-8, or name its encoding"
        ) from error


def _mostly_utf8(content: bytes) -> bool:
    """Whether far more Hangul than damage appears when read as UTF-8."""
    text = content.decode("utf-8", errors="replace")
    hangul = sum("가" <= character <= "힣" for character in text)
    return hangul > 10 * text.count("\ufffd")


def _with_prefix(row: Row | BadRow, prefix: str) -> Row | BadRow:
    if not prefix:
        return row
    if isinstance(row, BadRow):
        return replace(row, utterance_id=prefix + row.utterance_id)
    speaker = None if row.speaker is None else prefix + row.speaker
    return replace(row, utterance_id=prefix + row.utterance_id, speaker=speaker)


def _bad(row: Row, reason: Reason, detail: str) -> BadRow:
    return BadRow(utterance_id=row.utterance_id, path=str(row.path), reason=reason, detail=detail)


def _wrong_channel(count: int, policy: ChannelPolicy) -> tuple[Reason, str] | None:
    if policy == "error" and count > 1:
        return "many channels", f"{count} channels: choose one by its number, or mix them"
    if isinstance(policy, int) and not 0 <= policy < count:
        return "many channels", f"channel {policy} wanted, the file has {count}, counted from 0"
    return None


def _wrong_times(duration_s: float, row: Row) -> tuple[Reason, str] | None:
    end_s = duration_s if row.duration_s is None else row.start_s + row.duration_s
    if 0 <= row.start_s < end_s <= duration_s + audio.END_TOLERANCE_S:
        return None
    stretch = f"from {row.start_s} s to {end_s:.3f} s"
    return "outside the file", f"{stretch}, but the file is {duration_s:.3f} s long"
