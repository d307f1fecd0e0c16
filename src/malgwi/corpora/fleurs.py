"""FLEURS, Korean: FLoRes sentences, of encyclopaedias and news, read aloud; 16 kHz WAV.

Source: Google, https://huggingface.co/datasets/google/fleurs
Licence: CC BY 4.0.
How to obtain: from ``data/ko_kr`` at the page above, ``train.tsv``, ``dev.tsv``, ``test.tsv`` and
    ``audio/*.tar.gz``; unpack the archives where they are.
Paper: Conneau et al., FLEURS: Few-shot Learning Evaluation of Universal Representations of Speech,
    SLT 2022, https://arxiv.org/abs/2205.12446

Layout of the folder ``ko_kr``::

    train.tsv dev.tsv test.tsv        without header: sentence number, file name, transcription as
                                      written, the same in lower case without punctuation, its
                                      letters, number of samples, MALE or FEMALE
    audio/train/123456789.wav         also unpacked as train/123456789.wav

Lhotse's download (``lhotse download fleurs``) is read too: it puts the lists into
``../metadata/ko_kr``.

Speakers are not given. A sentence is read by up to three people; the sentence's number is not one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from malgwi.corpora.rows import BadRow, Row, read_text, wanted_parts
from malgwi.errors import DataError

PARTS = ("train", "dev", "test")
_COLUMNS = (
    "id", "file_name", "raw_transcription", "transcription", "letters", "num_samples", "gender",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Fleurs:
    """FLEURS: the lists and recordings of one language.

    Attributes:
        part: Only this part; by default every part whose list is there.
        column: Which text: "raw_transcription" as written, or "transcription" without punctuation.
    """

    part: Literal["train", "dev", "test"] | None = None
    column: Literal["raw_transcription", "transcription"] = "raw_transcription"

    def rows(self, source: Path) -> Iterator[Row | BadRow]:
        """The utterances, by part and line.

        Raises:
            DataError: No list, or not the part that is asked for.
        """
        places = (source, source.parent / "metadata" / source.name)
        lists = {
            part: place / f"{part}.tsv"
            for place in reversed(places)
            for part in PARTS
            if (place / f"{part}.tsv").is_file()
        }
        if not lists:
            raise DataError(
                f"{source}: holds no train.tsv, dev.tsv or test.tsv: give a folder ko_kr"
            )
        there = [part for part in PARTS if part in lists]
        for part in wanted_parts(self.part, there, source):
            inner = source / "audio" / part
            yield from self._list_rows(
                lists[part], part, inner if inner.is_dir() else source / part
            )

    def _list_rows(self, path: Path, part: str, audio: Path) -> Iterator[Row | BadRow]:
        for number, line in enumerate(read_text(path).split("\n"), 1):
            fields = line.rstrip("\r").split("\t")
            if not line.strip():
                continue
            if len(fields) != len(_COLUMNS):
                yield BadRow(
                    utterance_id=f"{path.name} line {number}",
                    path="",
                    reason="malformed row",
                    detail=f"line {number}: {len(fields)} fields, {len(_COLUMNS)} are wanted",
                )
                continue
            entry = dict(zip(_COLUMNS, fields, strict=True))
            yield Row(
                utterance_id=Path(entry["file_name"]).stem,
                path=audio / entry["file_name"],
                text=entry[self.column],
                custom={
                    "part": part,
                    "sentence": entry["id"],
                    "gender": entry["gender"].strip().lower(),
                },
            )
