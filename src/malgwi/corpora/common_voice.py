"""Common Voice, Korean: sentences read into browsers by volunteers, MP3.

Source: Mozilla, https://commonvoice.mozilla.org/ko/datasets
Licence: CC0 1.0.
How to obtain: download the Korean "scripted speech" release at the page above and unpack it.
Paper: Ardila et al., Common Voice: A Massively-Multilingual Speech Corpus, LREC 2020,
    https://arxiv.org/abs/1912.06670

Layout of the folder ``ko`` of a release::

    train.tsv dev.tsv test.tsv                       the official parts, of validated clips
    validated.tsv other.tsv invalidated.tsv          all clips, by what listeners said of them
        client_id  path  sentence_id  sentence  … age  gender …      (columns vary by release)
    clips/common_voice_ko_12345678.mp3

The surprising choice: unless another list is asked for by name, only the official parts are read.
validated.tsv contains them: train on it only without the clips of dev and test. A ``client_id``
stands for a browser or an account: one person may have several.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from malgwi.corpora.rows import BadRow, Row, read_text, wanted_parts
from malgwi.errors import DataError

PARTS = ("train", "dev", "test")
_NEEDED = ("client_id", "path", "sentence")
_ABOUT_SPEAKERS = ("age", "gender")


@dataclass(frozen=True, kw_only=True)
class CommonVoice:
    """Common Voice: the lists of a release's folder ko, and its clips.

    Attributes:
        part: The list to read, such as train or validated; by default train, dev and test.
    """

    part: str | None = None

    def rows(self, source: Path) -> Iterator[Row | BadRow]:
        """The clips, by part and line.

        Args:
            source: The folder, or one list.

        Raises:
            DataError: No list, one that lacks a column, or not the part that is asked for.
        """
        if source.is_file():
            lists = {source.stem: source}
        else:
            lists = {path.stem: path for path in sorted(source.glob("*.tsv"))}
        official = [part for part in PARTS if part in lists]
        if not lists:
            raise DataError(f"{source}: holds no train.tsv: give the folder ko of a release")
        default = official or list(lists)
        for part in default if self.part is None else wanted_parts(self.part, lists, source):
            yield from _list_rows(lists[part], part)


def _list_rows(path: Path, part: str) -> Iterator[Row | BadRow]:
    # Not the csv module: sentences hold quotation marks that open nothing.
    header, *lines = (line.rstrip("\r") for line in read_text(path).split("\n"))
    columns = header.split("\t")
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise DataError(f"{path}: has no column {', '.join(missing)}; it has {', '.join(columns)}")
    for number, line in enumerate(lines, 2):
        fields = line.split("\t")
        if not line.strip():
            continue
        if len(fields) != len(columns):
            yield BadRow(
                utterance_id=f"{path.name} line {number}",
                path="",
                reason="malformed row",
                detail=f"line {number}: {len(fields)} fields, the header has {len(columns)}",
            )
            continue
        yield _row(dict(zip(columns, fields, strict=True)), path.parent / "clips", part)


def _row(entry: dict[str, str], clips: Path, part: str) -> Row:
    # The first releases left the ending out of the path.
    path = clips / entry["path"]
    path = path if path.suffix else path.with_suffix(".mp3")
    about = {name: entry[name] for name in _ABOUT_SPEAKERS if entry.get(name)}
    return Row(
        utterance_id=path.stem,
        path=path,
        text=entry["sentence"],
        speaker=entry["client_id"] or None,
        custom={"part": part, **about},
    )
