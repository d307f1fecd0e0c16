"""The corpus that ships with malgwi: synthetic Korean telephone speech of 37 voices, 80 minutes.

Source: made by ``malgwi synth`` (espeak-ng, then a simulated line) from the sentences in
    data/sentences: own ones, Chatbot_data, Common Voice, NSMC.
Licence: CC0 for audio and own sentences; Chatbot_data MIT, Common Voice and NSMC CC0.
How to obtain: part of the package; ``malgwi synth FOLDER`` makes another.

It serves the demo, tests and measurements of training code. It says nothing about real speech:
espeak-ng says a syllable nearly the same way each time.

Layout: train.tsv, dev.tsv, test.tsv (utterance_id, path, start_s, duration_s, speaker, text,
source) and audio/<speaker>.ogg; many utterances lie in one file.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from lhotse.cut import MonoCut

from malgwi import audio
from malgwi.corpora.rows import BadRow, Row
from malgwi.errors import DataError
from malgwi.manifest import new_cut

PARTS = ("train", "dev", "test")


@dataclass(frozen=True, kw_only=True)
class EmbeddedCorpus:
    """The three parts, disjoint in voices and in sentences."""

    train: list[MonoCut]
    dev: list[MonoCut]
    test: list[MonoCut]


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """The embedded corpus, or a folder written by ``malgwi synth``.

    Args:
        part: ``train``, ``dev`` or ``test``; None for all of them.
    """

    part: str | None = None

    def rows(self, source: Path) -> Iterator[Row | BadRow]:
        """The utterances of a corpus folder, by part and line.

        Raises:
            DataError: A table is missing or lacks a column, or there is no such part.
        """
        if self.part is not None and self.part not in PARTS:
            raise DataError(f"no part {self.part!r}: choose one of {', '.join(PARTS)}")
        for part in PARTS if self.part is None else (self.part,):
            yield from _part_rows(source, part)


def embedded_folder() -> Path:
    """Where the shipped corpus lies."""
    return Path(str(files("malgwi"))) / "data" / "corpus"


def embedded_corpus(folder: Path | None = None) -> EmbeddedCorpus:
    """The shipped corpus as cuts, in the order of its tables.

    Args:
        folder: Another folder written by ``malgwi synth``.

    Raises:
        DataError: The folder is not such a corpus.
        AudioError: An audio file is missing or damaged.
    """
    source = embedded_folder() if folder is None else folder
    probe = cache(audio.probe)  # 37 files for 2,000 utterances
    parts: dict[str, list[MonoCut]] = {part: [] for part in PARTS}
    for part, cuts in parts.items():
        for row in _part_rows(source, part):
            info = probe(row.path)
            cuts.append(
                new_cut(
                    row.utterance_id,
                    row.path,
                    sample_rate_hz=info.sample_rate_hz,
                    num_samples=info.num_samples,
                    text=row.text,
                    speaker=row.speaker,
                    start_s=row.start_s,
                    duration_s=row.duration_s,
                    custom=row.custom,
                )
            )
    return EmbeddedCorpus(**parts)


def _part_rows(source: Path, part: str) -> Iterator[Row]:
    path = source / f"{part}.tsv"
    if not path.is_file():
        raise DataError(f"{path}: no such file: give a folder that `malgwi synth` has written")
    with path.open(encoding="utf-8", newline="") as lines:
        table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        wanted = {"utterance_id", "path", "start_s", "duration_s", "speaker", "text", "source"}
        missing = wanted - set(table.fieldnames or ())
        if missing:
            raise DataError(f"{path}: has no column {', '.join(sorted(missing))}")
        for entry in table:
            yield Row(
                utterance_id=entry["utterance_id"],
                path=source / entry["path"],
                text=entry["text"],
                speaker=entry["speaker"],
                start_s=float(entry["start_s"]),
                duration_s=float(entry["duration_s"]),
                custom={"part": part, "source": entry["source"]},
            )
