"""Pansori-TEDxKR: Korean TEDx talks cut at subtitle boundaries, about three hours, 41 speakers.

Source: Yoona Choi and Bowon Lee, https://github.com/yc9701/pansori-tedxkr-corpus; OpenSLR 58,
    https://www.openslr.org/58/
Licence: CC BY-NC-ND 4.0 (the talks').
How to obtain: ``curl -LO https://www.openslr.org/resources/58/pansori-tedxkr-corpus-1.0.tar.gz``
Paper: Pansori: ASR Corpus Generation from Open Online Video Contents, arXiv 1812.09798.

Layout: ``<speaker's name in base 64>/<video>/<name>-<video>-NNNN.flac`` with a ``*.trans.txt``
beside them, each of its lines an utterance's name, a space, its text. A folder that instead holds
a ``transcripts.tsv`` (path, speaker, text) is read as well.
"""

import base64
import binascii
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from malgwi.corpora.rows import BadRow, Row, read_text
from malgwi.errors import DataError

_AUDIO_ENDINGS = (".flac", ".opus", ".ogg", ".wav", ".mp3")


@dataclass(frozen=True, kw_only=True)
class Pansori:
    """Pansori-TEDxKR as published, or a folder with a transcripts.tsv."""

    def rows(self, source: Path) -> Iterator[Row | BadRow]:
        """The utterances, by folder and line.

        Raises:
            DataError: The folder has neither layout.
        """
        if (source / "transcripts.tsv").is_file():
            yield from _table_rows(source)
            return
        transcripts = sorted(source.rglob("*.trans.txt"))
        if not transcripts:
            raise DataError(
                f"{source}: holds neither transcripts.tsv nor any *.trans.txt: "
                "give the folder that the corpus was unpacked to"
            )
        for transcript in transcripts:
            yield from _talk_rows(transcript)


def speaker_name(folder: str) -> str:
    """The speaker that a folder name stands for: itself, if it is not base 64 of UTF-8.

    >>> speaker_name("6rmA7LKg7IiY")
    '김철수'
    >>> speaker_name("speaker-1")
    'speaker-1'
    """
    padded = folder + "=" * (-len(folder) % 4)
    try:
        name = base64.b64decode(padded, altchars=b"-_", validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return folder
    return name if name.isprintable() and name else folder


def _talk_rows(transcript: Path) -> Iterator[Row | BadRow]:
    folder = transcript.parent
    speaker = speaker_name(folder.parent.name)
    for line in read_text(transcript).split("\n"):
        if not line.strip():
            continue
        name, _, text = line.strip().partition(" ")
        yield Row(
            utterance_id=name,
            path=_audio_file(folder, name),
            text=text,
            speaker=speaker,
            custom={"video": folder.name},
        )


def _audio_file(folder: Path, name: str) -> Path:
    """The file of that name in any coding; the published one if there is none."""
    candidates = [folder / (name + ending) for ending in _AUDIO_ENDINGS]
    return next((path for path in candidates if path.is_file()), candidates[0])


def _table_rows(source: Path) -> Iterator[Row | BadRow]:
    path = source / "transcripts.tsv"
    lines = io.StringIO(read_text(path))
    table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    missing = {"path", "speaker", "text"} - set(table.fieldnames or ())
    if missing:
        raise DataError(f"{path}: has no column {', '.join(sorted(missing))}")
    for entry in table:
        relative = Path(entry["path"])
        yield Row(
            utterance_id=relative.stem,
            path=source / relative,
            text=entry["text"] or "",
            speaker=entry["speaker"],
        )
