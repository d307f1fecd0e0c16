"""A Kaldi data folder: wav.scp, text, and if there are any, segments and utt2spk.

Source, licence and paper: those of whatever corpus the folder describes.
How to obtain: Kaldi's and ESPnet's recipes write such folders, one a part, beneath ``data``;
    https://kaldi-asr.org/doc/data_prep.html

    wav.scp     recording path              (a command ending in a bar is refused: see below)
    segments    utterance recording start end        in seconds; an end of -1 is the file's
    text        utterance its text
    utt2spk     utterance speaker

The surprising choices: a wav.scp that runs commands is refused, since a data file should not be
able to run programs; and an utterance that is its own speaker has none, for that is how Kaldi's
recipes say that speakers are unknown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from malgwi.corpora.rows import BadRow, Reason, Row, read_text, wanted_parts
from malgwi.errors import DataError


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """Where an utterance lies; ``end_s`` None is the end of its recording."""

    recording: str
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Kaldi:
    """A Kaldi data folder, or a folder of them such as data/train and data/dev.

    Attributes:
        part: Only the folder of this name; by default all that hold a wav.scp.
        audio_root: What relative paths in wav.scp are relative to; by default the data folder.
    """

    part: str | None = None
    audio_root: Path | None = None

    def rows(self, source: Path) -> Iterator[Row | BadRow]:
        """The utterances, in the order of segments, or of wav.scp where there is none.

        Raises:
            DataError: No wav.scp, a line of it that is a command or an archive, a line of any of
                the files that is not of its form, or not the part that is asked for.
        """
        if (source / "wav.scp").is_file():
            folders = {source.resolve().name: source}
        else:
            folders = {path.parent.name: path.parent for path in sorted(source.glob("*/wav.scp"))}
        if not folders:
            raise DataError(f"{source}: holds no wav.scp, nor does any folder in it")
        for part in wanted_parts(self.part, folders, source):
            folder = folders[part]
            yield from _folder_rows(folder, part, self.audio_root or folder)


def _folder_rows(folder: Path, part: str, root: Path) -> Iterator[Row | BadRow]:
    recordings = {key: root / path for key, path in _recordings(folder / "wav.scp").items()}
    texts = _mapping(folder / "text")
    speakers = _mapping(folder / "utt2spk") if (folder / "utt2spk").is_file() else {}
    if (folder / "segments").is_file():
        stretches = dict(_segments(folder / "segments"))
    else:
        stretches = {key: _Stretch(recording=key) for key in recordings}
    for name, stretch in stretches.items():
        path = recordings.get(stretch.recording)
        if path is None:
            yield _bad(name, "missing audio", f"wav.scp has no recording {stretch.recording}")
        elif name not in texts:
            yield _bad(name, "empty text", "text has no line for it")
        else:
            end_s = stretch.end_s
            yield Row(
                utterance_id=name,
                path=path,
                text=texts[name],
                speaker=None if speakers.get(name) in (name, "") else speakers.get(name),
                start_s=stretch.start_s,
                duration_s=None if end_s is None else end_s - stretch.start_s,
                custom={"part": part},
            )
    listed_in = "segments" if (folder / "segments").is_file() else "wav.scp"
    for name in (name for name in texts if name not in stretches):
        yield _bad(name, "missing audio", f"{listed_in} has no line for it")


def _recordings(path: Path) -> dict[str, str]:
    """Recording → path; refuses what is no path."""
    for number, key, value in _lines(path):
        if value.endswith("|") or value.startswith("|"):
            what = "a command, and commands are not run"
        elif value.rpartition(":")[0].endswith(".ark"):
            what = "a place in an archive, which is not read"
        elif not value:
            what = "no path"
        else:
            continue
        raise DataError(
            f"{path}, line {number} ({key}): {what}: {value!r}; write the audio to files and name "
            "them in wav.scp (in Kaldi: wav-copy)"
        )
    return _mapping(path)


def _segments(path: Path) -> Iterator[tuple[str, _Stretch]]:
    for key, value in _mapping(path).items():
        fields = value.split()
        try:
            recording, start, end = fields[:3]
            start_s, end_s = float(start), float(end)
        except ValueError as error:
            raise DataError(
                f"{path}, {key}: not 'utterance recording start end': {value!r}"
            ) from error
        yield (
            key,
            _Stretch(recording=recording, start_s=start_s, end_s=None if end_s == -1 else end_s),
        )


def _bad(name: str, reason: Reason, detail: str) -> BadRow:
    return BadRow(utterance_id=name, path="", reason=reason, detail=detail)


def _mapping(path: Path) -> dict[str, str]:
    """Key → value.

    Raises:
        DataError: No such file, or a key that occurs twice; the message names the line.
    """
    found: dict[str, str] = {}
    for number, key, value in _lines(path):
        if key in found:
            raise DataError(f"{path}, line {number}: {key} occurs twice")
        found[key] = value
    return found


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Lines ``key value …`` that are not blank, numbered; the value may be empty."""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        key, *rest = line.split(maxsplit=1) or [""]
        if key:
            yield number, key, rest[0].strip() if rest else ""
