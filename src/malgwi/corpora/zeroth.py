"""Zeroth-Korean: 51.6 hours of read news sentences by 105 people, and 1.2 hours by 10 more, 16 kHz.

Source: Lucas Jo (Atlas Guide) and Wonkyum Lee (Gridspace), https://github.com/goodatlas/zeroth;
    OpenSLR 40, https://www.openslr.org/40/
Licence: CC BY 4.0.
How to obtain: ``curl -LO https://www.openslr.org/resources/40/zeroth_korean.tar.gz``
Paper: none; Kaldi's egs/zeroth_korean is its recipe.

Layout::

    AUDIO_INFO                                       104|a name|f|003|…       one line a speaker
    train_data_01/003/104/104_003.trans.txt          104_003_0019 그는 …      one line an utterance
    train_data_01/003/104/104_003_0019.flac          script set, speaker, then both and a number
    test_data_01/003/<speaker>/…

Its 22,263 utterances read about 3,000 sentences: speakers of the two parts differ, scripts need
not. Audit them before believing a score on the test part.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from malgwi.corpora.rows import BadRow, Row, read_text, wanted_parts
from malgwi.errors import DataError

PARTS = ("train", "test")


@dataclass(frozen=True, kw_only=True)
class Zeroth:
    """Zeroth-Korean as unpacked: train_data_01, test_data_01, AUDIO_INFO.

    Attributes:
        part: Only this part; by default both, if both are there.
    """

    part: Literal["train", "test"] | None = None

    def rows(self, source: Path) -> Iterator[Row | BadRow]:
        """The utterances, by part, script set, speaker and line.

        Raises:
            DataError: No transcripts, or not the part that is asked for.
        """
        folders = {part: sorted(source.glob(f"{part}_data_*")) for part in PARTS}
        there = [part for part, found in folders.items() if found]
        if not there:
            raise DataError(
                f"{source}: holds no train_data_01 or test_data_01: give the folder that "
                "zeroth_korean.tar.gz was unpacked to"
            )
        sexes = speaker_sexes(source / "AUDIO_INFO")
        for part in wanted_parts(self.part, there, source):
            for folder in folders[part]:
                for transcript in sorted(folder.rglob("*.trans.txt")):
                    yield from _transcript_rows(transcript, part, sexes)


def speaker_sexes(path: Path) -> dict[str, str]:
    """Speaker → "m" or "f": the first and third field of AUDIO_INFO; empty without the file."""
    if not path.is_file():
        return {}
    lines = (line.split("|") for line in read_text(path).split("\n"))
    fields = ([field.strip() for field in line] for line in lines if len(line) > 2)
    return {f[0]: f[2].lower() for f in fields if f[2].lower() in {"m", "f"}}


def _transcript_rows(transcript: Path, part: str, sexes: dict[str, str]) -> Iterator[Row | BadRow]:
    """A speaker's folder: it is named after the speaker, its parent after the script set."""
    folder = transcript.parent
    speaker = folder.name
    custom = {"part": part, "script_set": folder.parent.name}
    if speaker in sexes:
        custom["sex"] = sexes[speaker]
    for line in read_text(transcript).split("\n"):
        name, _, text = line.strip().partition(" ")
        if name:
            yield Row(
                utterance_id=name,
                path=folder / f"{name}.flac",
                text=text,
                speaker=speaker,
                custom=dict(custom),
            )
