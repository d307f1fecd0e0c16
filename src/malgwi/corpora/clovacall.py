"""ClovaCall: Korean calls to restaurants, 80 hours of 11,000 speakers, 8 kHz.

Source: NAVER Corp., https://github.com/clovaai/ClovaCall
Licence: NAVER's own: non-commercial research and development of AI, as provided, no passing on;
    name NAVER Corp. as the source.
How to obtain: apply with the form that the page above links to (academic organisations).
Paper: Ha et al., ClovaCall: Korean Goal-Oriented Dialog Speech Corpus for Automatic Speech
    Recognition of Contact Centers, https://arxiv.org/abs/2004.09367

Layout::

    train_ClovaCall.json test_ClovaCall.json        59,662 and 1,084 utterances
        [{"wav": "42_0603_748_0_03319_00.wav", "text": "…", "speaker_id": "03319"}, …]
    raw/42_0603_748_0_03319_00.wav                  as recorded
    clean/42_0603_748_0_03319_00.wav                the same with silence cut away at 25 dB

Calls arrive with their silence: "raw" is what a recogniser meets in use, and the front end trims
for itself, in training and in use alike. Published scores are for "clean".
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from malgwi.corpora.rows import BadRow, Row, read_text, wanted_parts
from malgwi.errors import DataError

PARTS = ("train", "test")


@dataclass(frozen=True, kw_only=True)
class ClovaCall:
    """ClovaCall: JSON lists beside the folders raw/ and clean/.

    Attributes:
        version: Which recordings: "raw", or "clean" with silence cut away.
        part: Only this part; by default both, if both are there.
    """

    version: Literal["raw", "clean"] = "raw"
    part: Literal["train", "test"] | None = None

    def rows(self, source: Path) -> Iterator[Row | BadRow]:
        """The utterances, by part and in the lists' order.

        Args:
            source: The folder, or one list.

        Raises:
            DataError: No list, not a JSON array, or not the part that is asked for.
        """
        lists = _lists(source)
        folder = (source if source.is_dir() else source.parent) / self.version
        for part in wanted_parts(self.part, lists, source):
            for number, entry in enumerate(_entries(lists[part]), 1):
                yield _row(entry, folder, part, f"{lists[part].name} entry {number}")


def _lists(source: Path) -> dict[str, Path]:
    """Part → its list. A list named after no part is a part of its own name."""
    if source.is_file():
        part = next((part for part in PARTS if source.stem.startswith(part)), source.stem)
        return {part: source}
    found = {part: sorted(source.glob(f"{part}*.json")) for part in PARTS}
    lists = {part: paths[0] for part, paths in found.items() if paths}
    if not lists:
        raise DataError(f"{source}: holds no train_ClovaCall.json or test_ClovaCall.json")
    return lists


def _entries(path: Path) -> list[Any]:
    try:
        entries = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(entries, list):
        raise DataError(
            f"{path}: an array of utterances is wanted, found a {type(entries).__name__}"
        )
    return entries


def _row(entry: Any, folder: Path, part: str, place: str) -> Row | BadRow:
    if not isinstance(entry, dict) or not entry.get("wav") or "text" not in entry:
        return BadRow(
            utterance_id=place,
            path="",
            reason="malformed row",
            detail=f"{place}: no wav or no text: {str(entry)[:80]}",
        )
    path = folder / str(entry["wav"])
    speaker = entry.get("speaker_id")
    return Row(
        utterance_id=path.stem,
        path=path,
        text=str(entry["text"] or ""),
        speaker=None if speaker in (None, "") else str(speaker),
        custom={"part": part},
    )
