r"""NAVER AI Hackathon 2019 "Speech": 100 hours of Korean telephone speech, labels as indices.

Source: NAVER Corp., AI Hackathon Speech, September and October 2019, on the NSML platform.
Licence: for its participants; the full set was never published. ClovaCall is its public relative.
How to obtain: not any more; data of one's own in this layout is read all the same.
Paper: none; ClovaCall (https://arxiv.org/abs/2004.09367) describes kin recordings.

Layout of a source folder (16 kHz WAV, telephone audio upsampled)::

    hackathon.labels              header "id\tchar\tfreq", then e.g. "662<TAB> <TAB>31337"
    train/train_data/data_list.csv    wav_001.wav,wav_001.label     (no header)
    train/train_data/wav_001.wav
    train/train_label                 wav_001,192 755 662 …         (indices into the table)
    test/test_data/test_list.csv      wav_002.wav
    test/test_label                   key,text                      (a line an utterance)

The surprising choices: the ``.label`` files that data_list.csv names do not exist, only their stem
counts; and the separators of the label table's header are a literal backslash and t.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from malgwi.corpora.rows import BadRow, Row, read_text
from malgwi.errors import DataError

#: Entries of the label table that stand for no character.
_NOT_TEXT = frozenset({"_", "<s>", "</s>"})


@dataclass(frozen=True, kw_only=True)
class Hackathon:
    """The NAVER AI Hackathon 2019 layout: data_list.csv, train_label, hackathon.labels.

    Attributes:
        part: Which half of the folder to read.
        labels: The label table; by default hackathon.labels in the source folder or in train/.
    """

    part: Literal["train", "test"] = "train"
    labels: Path | None = None

    def rows(self, source: Path) -> Iterator[Row | BadRow]:
        """The utterances of one part, in the order of its list."""
        return _train_rows(source, self.labels) if self.part == "train" else _test_rows(source)


def read_labels(path: Path) -> dict[int, str]:
    r"""The label table: index → character, e.g. ``{0: "_", 662: " ", 818: "<s>"}``.

    Raises:
        DataError: No such file, or a line that is not ``index<TAB>character<TAB>frequency``.
    """
    table = {}
    for number, line in enumerate(_lines(path), 1):
        # Split from the outside in: the character itself may be any whitespace but a tab.
        index, _, rest = line.partition("\t")
        character = rest.rpartition("\t")[0] or rest
        if number == 1 and not index.strip().isdecimal():
            continue
        if not index.strip().isdecimal() or not character:
            raise DataError(f"{path}, line {number}: not index<TAB>character<TAB>count: {line!r}")
        table[int(index)] = character
    if not table:
        raise DataError(f"{path}: holds no labels")
    return table


def name_fields(stem: str) -> tuple[str | None, str | None]:
    """Speaker and script from a file name of six numeric fields: the 5th, and the 3rd with the 6th.

    >>> name_fields("42_0603_748_0_03319_00")
    ('03319', '748_00')
    >>> name_fields("wav_001")
    (None, None)
    """
    fields = stem.split("_")
    if len(fields) != 6 or not all(field.isdecimal() for field in fields):
        return None, None
    return fields[4], f"{fields[2]}_{fields[5]}"


def _train_rows(source: Path, labels: Path | None) -> Iterator[Row | BadRow]:
    characters = read_labels(labels or _label_table(source))
    folder = source / "train" / "train_data"
    indices = _keyed(source / "train" / "train_label")
    for line in _lines(folder / "data_list.csv"):
        name = line.split(",")[0].strip()
        stem = Path(name).stem
        text = _spell(indices.get(stem), characters)
        if isinstance(text, str):
            yield _row(folder / name, text)
        else:
            reason, detail = text
            yield BadRow(utterance_id=stem, path=str(folder / name), reason=reason, detail=detail)


def _test_rows(source: Path) -> Iterator[Row | BadRow]:
    folder = source / "test" / "test_data"
    texts = _keyed(source / "test" / "test_label")
    for line in _lines(folder / "test_list.csv"):
        name = line.split(",")[0].strip()
        text = texts.get(Path(name).stem)
        if text is None:
            yield BadRow(
                utterance_id=Path(name).stem,
                path=str(folder / name),
                reason="empty text",
                detail="test_label has no line for it",
            )
        else:
            yield _row(folder / name, text)


def _row(path: Path, text: str) -> Row:
    speaker, script = name_fields(path.stem)
    custom = None if script is None else {"script": script}
    return Row(utterance_id=path.stem, path=path, text=text, speaker=speaker, custom=custom)


def _spell(
    indices: str | None, characters: dict[int, str]
) -> str | tuple[Literal["empty text", "label outside the table", "malformed row"], str]:
    """Indices as text, without padding, start and end; or what is wrong with them."""
    if indices is None:
        return "empty text", "train_label has no line for it"
    fields = indices.split()
    if not all(field.isdecimal() for field in fields):
        return "malformed row", f"labels that are not numbers: {indices!r}"
    unknown = [field for field in fields if int(field) not in characters]
    if unknown:
        return "label outside the table", f"labels {' '.join(unknown)}"
    spelled = (characters[int(field)] for field in fields)
    return "".join(character for character in spelled if character not in _NOT_TEXT)


def _label_table(source: Path) -> Path:
    places = [source / "hackathon.labels", source / "train" / "hackathon.labels"]
    for place in places:
        if place.is_file():
            return place
    raise DataError(f"no label table at {' or '.join(map(str, places))}: name it with --labels")


def _keyed(path: Path) -> dict[str, str]:
    """Lines ``key,value`` by the key's stem; the value may hold commas."""
    entries = (line.partition(",") for line in _lines(path))
    return {key.strip().removesuffix(".wav"): value for key, _, value in entries}


def _lines(path: Path) -> list[str]:
    """Lines that are not blank. Only newlines separate: other control characters are labels."""
    lines = read_text(path).replace("\r\n", "\n").split("\n")
    return [line for line in lines if line.strip()]
