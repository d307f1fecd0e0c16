"""KsponSpeech: 969 hours of spontaneous Korean dialogue, about 2,000 speakers, 16 kHz.

Source: AI Hub (National Information Society Agency), data set 123, "한국어 음성",
    https://aihub.or.kr/aihubdata/data/view.do?dataSetSn=123
Licence: AI Hub's terms of use: research and development on application, no passing on.
How to obtain: apply at the page above (Korean nationals), download, unpack.
Paper: Bang et al., KsponSpeech: Korean Spontaneous Speech Corpus for Automatic Speech
    Recognition, Applied Sciences 2020, 10(19), 6936, https://doi.org/10.3390/app10196936

Layout, of which any part may be missing, or lie one folder deeper::

    train.trn dev.trn eval_clean.trn eval_other.trn       620,000, 2,545, 3,000, 3,000 lines
        KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000001.pcm :: 아/ 몬 소리야, 그건 또. b/
    KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000001.pcm     16 bit, 16 kHz, mono, no header
    KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000001.txt     its text, in cp949
    KsponSpeech_eval/eval_clean/KsponSpeech_E00001.pcm         also unpacked as eval_clean/…

The text is kept as found, with ``(철자)/(발음)`` and the marks ``b/ 아/ 그+ 무슨*``: the normaliser
makes either view of it. A few PCM files have an odd number of bytes and are bad rows.

The surprising choice: utterances have no speaker. The corpus numbers utterances and never says
who speaks; a number in a file name is no speaker, so the parts cannot be shown to be disjoint.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from malgwi.audio import RawFormat
from malgwi.corpora.rows import BadRow, Row, read_text, wanted_parts
from malgwi.errors import DataError

PARTS = ("train", "dev", "eval_clean", "eval_other")
RAW_FORMAT = RawFormat(sample_rate_hz=16_000)
_SEPARATOR = "::"
#: Where somebody has converted the PCM files: next to them, by these endings.
_CONVERTED = (".wav", ".flac")


@dataclass(frozen=True, kw_only=True)
class KsponSpeech:
    """KsponSpeech: the lists .trn, or one text beside each PCM file.

    Attributes:
        part: Only this part; by default every part whose list is there.
        texts: Where texts come from: "trn", the four lists, or "txt", the file beside each PCM
            file, which tells eval_clean and eval_other by their folders and nothing of the rest.
        audio_root: What the paths in the lists are relative to, where it is not the source folder.
    """

    part: Literal["train", "dev", "eval_clean", "eval_other"] | None = None
    texts: Literal["trn", "txt"] = "trn"
    audio_root: Path | None = None

    def rows(self, source: Path) -> Iterator[Row | BadRow]:
        """The utterances, by part and line; with ``texts="txt"`` by path.

        Args:
            source: The folder, or one list.

        Raises:
            DataError: No list, no text file, or not the part that is asked for.
        """
        if self.texts == "txt":
            yield from _text_rows(source, self.part)
            return
        lists = _lists(source)
        root = self.audio_root or (source if source.is_dir() else source.parent)
        locate = _locator(root)
        for part in wanted_parts(self.part, lists, source):
            yield from _list_rows(lists[part], part, locate)


def _lists(source: Path) -> dict[str, Path]:
    """Part → its list: the source itself, or those in it, or in the first folder with any."""
    if source.is_file():
        return {source.stem: source}
    for folder in (source, *sorted(path for path in source.iterdir() if path.is_dir())):
        found = {part: folder / f"{part}.trn" for part in PARTS}
        lists = {part: path for part, path in found.items() if path.is_file()}
        if lists:
            return lists
    raise DataError(
        f"{source}: holds no {', '.join(f'{part}.trn' for part in PARTS)}: give the folder they "
        "lie in, or read the texts beside the PCM files with --texts txt"
    )


def _list_rows(path: Path, part: str, locate: Callable[[Path], Path]) -> Iterator[Row | BadRow]:
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        name, separator, text = line.partition(_SEPARATOR)
        if not separator or not name.strip():
            yield BadRow(
                utterance_id=f"{path.name} line {number}",
                path="",
                reason="malformed row",
                detail=f"{path.name}, line {number}: no 'path :: text': {line.strip()[:80]!r}",
            )
            continue
        yield _row(locate(Path(name.strip())), text, part)


def _text_rows(source: Path, part: str | None) -> Iterator[Row | BadRow]:
    """One row a PCM file with the text beside it."""
    files = sorted(source.rglob("*.pcm"))
    if not files:
        raise DataError(f"{source}: holds no *.pcm, where one with a .txt beside it is wanted")
    if part in {"train", "dev"}:
        raise DataError(
            f"{source}: the texts beside PCM files do not tell train from dev: use --texts trn"
        )
    for path in files:
        names = (source.name, *path.relative_to(source).parts)
        own = next((name for name in names if name in PARTS[2:]), None)
        if part is not None and own != part:
            continue
        try:
            yield _row(path, read_text(path.with_suffix(".txt")), own)
        except DataError as error:
            yield BadRow(
                utterance_id=path.stem, path=str(path), reason="empty text", detail=str(error)
            )


def _row(path: Path, text: str, part: str | None) -> Row:
    return Row(
        utterance_id=path.stem,
        path=path,
        text=text,
        raw=RAW_FORMAT if path.suffix.lower() == ".pcm" else None,
        custom=None if part is None else {"part": part},
    )


def _locator(root: Path) -> Callable[[Path], Path]:
    """From a path in a list to the file, in whichever of the usual shapes it was unpacked.

    Folders are looked up once each, since a list has 620,000 lines in some 600 folders.
    """

    @cache
    def folder(parent: Path) -> Path:
        shorter = Path(*parent.parts[1:])  # lists say KsponSpeech_eval/eval_clean, archives less
        shapes = [parent] if shorter == Path() else [parent, shorter]
        inner = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        places = [place / shape for place in (root, *inner) for shape in shapes]
        return next((place for place in places if place.is_dir()), root / parent)

    def locate(name: Path) -> Path:
        path = folder(name.parent) / name.name
        if path.is_file():
            return path
        converted = (path.with_suffix(ending) for ending in _CONVERTED)
        return next((other for other in converted if other.is_file()), path)

    return locate
