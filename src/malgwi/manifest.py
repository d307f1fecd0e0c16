"""Utterances on disk: Lhotse cuts as JSON lines, which icefall and NeMo read too.

One cut is one utterance with one supervision (its text as found in the corpus, its speaker) and
one recording. Nothing in a manifest depends on when or where it was written.

The surprising choice: the path of an audio file that lies beneath the manifest's folder is stored
relative to that folder, so the folder can be moved, copied or shipped as one; the path of any
other file is stored absolute, so the manifest alone can be moved. Read cuts always carry
absolute paths.

Format: https://lhotse.readthedocs.io/en/latest/cuts.html
"""

import gzip
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lhotse import CutSet, Recording, SupervisionSegment
from lhotse.audio import AudioSource
from lhotse.cut import MonoCut

from malgwi.errors import DataError

#: A cut may end this much after its recording; audio.load tolerates the same.
END_TOLERANCE_S = 0.05


@dataclass(frozen=True)
class Problem:
    """Something wrong with one cut."""

    cut_id: str
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What a manifest's line says of an utterance, without Lhotse's objects: for a million lines.

    Attributes:
        id: Of the utterance.
        text: As found; empty where there is none.
        speaker: None where the corpus does not say.
        path: Of the audio file, absolute; empty where there is none.
        start_s: Where in the file the utterance begins.
        duration_s: How long it lasts.
        channel: Which channel of the file.
        sample_rate_hz: The file's own rate; 0 where there is no recording.
        custom: More facts, as the reader of the corpus gave them.
        line: The line itself, as JSON values; paths as they stand in the file.
    """

    id: str
    text: str
    speaker: str | None
    path: str
    start_s: float
    duration_s: float
    channel: int
    sample_rate_hz: int
    custom: Mapping[str, Any]
    line: Mapping[str, Any]


def facts(path: str | Path) -> Iterator[Facts]:
    """The facts of a manifest's utterances, one at a time; some ten times as fast as `stream`.

    Raises:
        DataError: As `stream`.
    """
    path = Path(path)
    folder = str(path.absolute().parent)
    for number, line in _lines(path):
        try:
            yield _facts(_cut_object(line), folder)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise DataError(f"{path}, line {number}: not a Lhotse cut: {_why(error)}") from error


def cut_facts(cut: MonoCut) -> Facts:
    """The facts of a cut that is in memory; its line is left empty."""
    recording = cut.recording
    sources = [s.source for s in recording.sources if s.type == "file"] if recording else []
    return Facts(
        id=cut.id,
        text=text(cut),
        speaker=speaker(cut),
        path=str(sources[0]) if sources else "",
        start_s=float(cut.start),
        duration_s=float(cut.duration),
        channel=int(cut.channel) if isinstance(cut.channel, int) else 0,
        sample_rate_hz=int(recording.sampling_rate) if recording else 0,
        custom=cut.custom or {},
        line={},
    )


def rebased_lines(path: str | Path, folder: str | Path) -> Iterator[str]:
    """The lines of a manifest as `write` would store them in another folder.

    What `facts` reads is copied without Lhotse's objects, one line for each utterance, in order.

    Raises:
        DataError: As `stream`.
    """
    old, new = Path(path).absolute().parent, Path(folder).absolute()
    for number, line in _lines(Path(path)):
        if old == new:
            yield line if line.endswith("\n") else line + "\n"
            continue
        try:
            values = json.loads(line)
            for source in (values.get("recording") or {}).get("sources", ()):
                if source["type"] == "file":
                    source["source"] = _portable(os.path.join(old, source["source"]), new)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{path}, line {number}: not a Lhotse cut: {_why(error)}") from error
        yield json.dumps(values, ensure_ascii=False) + "\n"


def new_cut(
    utterance_id: str,
    path: Path,
    *,
    sample_rate_hz: int,
    num_samples: int,
    num_channels: int = 1,
    text: str,
    speaker: str | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
    channel: int = 0,
    custom: dict[str, Any] | None = None,
) -> MonoCut:
    """An utterance as a cut: the one way in which malgwi makes them.

    Args:
        utterance_id: Unique within all manifests that are used together.
        path: The audio file.
        sample_rate_hz: The file's own rate.
        num_samples: Samples of one channel of the file.
        num_channels: Channels of the file.
        text: The transcript as found.
        speaker: None where the corpus does not say.
        start_s: Where in the file the utterance begins.
        duration_s: How long it lasts; None for all the rest of the file.
        channel: Which channel of the file.
        custom: More facts, JSON values; ``raw`` and ``channels`` mean something to `audio`.
    """
    total_s = num_samples / sample_rate_hz
    duration_s = total_s - start_s if duration_s is None else duration_s
    recording = Recording(
        id=utterance_id,
        sources=[AudioSource(type="file", channels=list(range(num_channels)), source=str(path))],
        sampling_rate=sample_rate_hz,
        num_samples=num_samples,
        duration=total_s,
    )
    supervision = SupervisionSegment(
        id=utterance_id,
        recording_id=utterance_id,
        start=0.0,
        duration=duration_s,
        channel=channel,
        text=text,
        speaker=speaker,
        language="Korean",
    )
    return MonoCut(
        id=utterance_id,
        start=start_s,
        duration=duration_s,
        channel=channel,
        supervisions=[supervision],
        recording=recording,
        custom=custom,
    )


def text(cut: MonoCut) -> str:
    """The transcript as found; empty where there is none."""
    return (cut.supervisions[0].text or "") if cut.supervisions else ""


def speaker(cut: MonoCut) -> str | None:
    """The speaker's name, or None where the corpus does not say."""
    return cut.supervisions[0].speaker if cut.supervisions else None


def stream(path: str | Path) -> Iterator[MonoCut]:
    """The cuts of a ``.jsonl`` or ``.jsonl.gz`` manifest, one at a time.

    Raises:
        DataError: No such file, a line that is not a cut, or one of a kind that is not one
            utterance of one recording; the message names the line.
    """
    path = Path(path)
    folder = path.absolute().parent
    for number, line in _lines(path):
        try:
            values = _cut_object(line)
            kind = values.get("type", "MonoCut")
            if kind != "MonoCut":
                raise DataError(f"{path}, line {number}: a {kind}, where a MonoCut is wanted")
            cut = MonoCut.from_dict(values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"{path}, line {number}: not a Lhotse cut: {_why(error)}") from error
        yield _map_paths(cut, lambda source: os.path.normpath(folder / source))


def read(path: str | Path) -> CutSet:
    """All cuts of a manifest, in memory. For manifests beyond memory use `stream`.

    Raises:
        DataError: As `stream`, or the manifest holds no cuts.
    """
    cuts = list(stream(path))
    if not cuts:
        raise DataError(f"{path}: holds no utterances")
    return CutSet(cuts)


def read_all(paths: Iterable[str | Path]) -> list[MonoCut]:
    """The cuts of several manifests, fit to be trained on or scored.

    Raises:
        DataError: As `stream`, or `validate` finds a problem, such as an id that occurs twice.
    """
    paths = list(paths)
    cuts = [cut for path in paths for cut in read(path)]
    problems = validate(cuts)
    if problems:
        listed = "".join(f"\n  {p.cut_id}: {p.problem}" for p in problems[:5])
        more = f"\n  and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise DataError(f"{', '.join(map(str, paths))}: {len(problems)} problems{listed}{more}")
    return cuts


def write(cuts: Iterable[MonoCut], path: str | Path) -> int:
    """Write a manifest and give the number of its cuts.

    Cuts are consumed one at a time. The file appears under its name only when complete; if
    anything fails, what stood there before still does.
    """
    path = Path(path)
    folder = path.absolute().parent
    count = 0
    with atomic_text(path) as file:
        for cut in cuts:
            stored = _map_paths(cut, lambda source: _portable(source, folder))
            file.write(json.dumps(stored.to_dict(), ensure_ascii=False) + "\n")
            count += 1
    return count


@contextmanager
def atomic_text(path: Path) -> Iterator[IO[str]]:
    """A text file that replaces ``path`` when the block ends well; gzipped if named ``.gz``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as binary:
            if path.suffix == ".gz":  # without time or name, so that equal cuts are equal bytes
                packed = gzip.GzipFile("", "wb", fileobj=binary, mtime=0)
                with packed, io.TextIOWrapper(packed, "utf-8", newline="\n") as file:
                    yield file
            else:
                with io.TextIOWrapper(binary, "utf-8", newline="\n") as file:
                    yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def validate(cuts: Iterable[MonoCut], *, check_files: bool = False) -> list[Problem]:
    """Everything that would stop training or scoring on these cuts; empty if all is well.

    Args:
        cuts: Any number of cuts; one set of ids is kept in memory.
        check_files: Look whether each audio file exists, too.
    """
    problems, seen = [], set()
    for cut in cuts:
        found = list(_problems(cut, check_files))
        if cut.id in seen:
            found.append("its id occurs more than once")
        seen.add(cut.id)
        problems += [Problem(cut.id, problem) for problem in found]
    return problems


def _cut_object(line: str) -> dict[str, Any]:
    """The JSON object of a line; every cut has these four keys."""
    values = json.loads(line)
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    for key in ("id", "start", "duration", "channel"):
        if key not in values and values.get("type", "MonoCut") == "MonoCut":
            raise KeyError(key)
    return values


def _why(error: Exception) -> str:
    """What is wrong with a line, without Python's words for it."""
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON at character {error.pos + 1}"
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    return str(error)


def _facts(values: Mapping[str, Any], folder: str) -> Facts:
    kind = values.get("type", "MonoCut")
    if kind != "MonoCut":
        raise ValueError(f"a {kind}, where a MonoCut is wanted")
    said = (values.get("supervisions") or [{}])[0]
    recording = values.get("recording") or {}
    sources = [s for s in recording.get("sources", ()) if s["type"] == "file"]
    source = sources[0]["source"] if sources else ""
    return Facts(
        id=values["id"],
        text=said.get("text") or "",
        speaker=said.get("speaker"),
        path=os.path.normpath(os.path.join(folder, source)) if source else "",
        start_s=float(values["start"]),
        duration_s=float(values["duration"]),
        channel=int(values["channel"]) if isinstance(values["channel"], int) else 0,
        sample_rate_hz=int(recording.get("sampling_rate", 0)),
        custom=values.get("custom") or {},
        line=values,
    )


def _problems(cut: MonoCut, check_files: bool) -> Iterator[str]:
    if len(cut.supervisions) != 1:
        yield f"has {len(cut.supervisions)} supervisions: one is wanted"
    if not text(cut).strip():
        yield "has no text"
    if cut.recording is None or not cut.recording.sources:
        yield "has no recording"
        return
    if cut.start < 0 or cut.duration <= 0:
        yield f"starts at {cut.start} s and lasts {cut.duration} s"
    elif cut.end > cut.recording.duration + END_TOLERANCE_S:
        yield f"ends at {cut.end} s, its recording at {cut.recording.duration} s"
    if check_files:
        for source in cut.recording.sources:
            if source.type == "file" and not Path(source.source).is_file():
                yield f"has no audio file {source.source}"


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not blank, of a plain or gzipped file."""
    if not path.is_file():
        raise DataError(f"{path}: no such manifest; `malgwi prepare` makes one")
    opener: Callable[..., IO[str]] = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged, or not a manifest in UTF-8: {error}") from error


def _map_paths(cut: MonoCut, change: Callable[[str], str]) -> MonoCut:
    """The cut with the path of each audio file changed; the given cut stays as it is."""
    if cut.recording is None:
        return cut
    sources = [
        AudioSource(type=s.type, channels=s.channels, source=change(s.source))
        if s.type == "file"
        else s
        for s in cut.recording.sources
    ]
    recording = Recording(**{**vars(cut.recording), "sources": sources})
    return MonoCut(**{**vars(cut), "recording": recording})


def _portable(source: str, folder: Path) -> str:
    """Relative to the manifest's folder if beneath it, else absolute."""
    path, beneath = os.path.abspath(source), os.path.join(folder, "")
    return Path(path[len(beneath) :]).as_posix() if path.startswith(beneath) else path
