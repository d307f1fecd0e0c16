"""Any Lhotse manifest: cuts, or recordings with their supervisions.

Source, licence and paper: those of whatever corpus the manifest describes.
How to obtain: Lhotse has recipes for well over a hundred corpora (``lhotse prepare --help``);
    https://lhotse.readthedocs.io/en/latest/corpus.html

Accepted: a file of cuts (``cuts.jsonl.gz``), or a folder, or one of the two files, of a pair
``X_recordings_Y.jsonl.gz`` and ``X_supervisions_Y.jsonl.gz``. A cut with several supervisions
gives one utterance for each; features, alignments and genders are left behind.

Lhotse's recipes name the part last: ``fleurs_supervisions_dev.jsonl.gz`` gives the part dev, where
the cuts themselves name none.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lhotse import CutSet, RecordingSet, SupervisionSet, load_manifest
from lhotse.cut import MonoCut
from lhotse.supervision import SupervisionSegment

from malgwi import manifest
from malgwi.corpora.rows import BadRow, Row
from malgwi.errors import DataError

_PART = re.compile(r"(?:^|[_-])(?:recordings|supervisions|cuts)_(.+)\.jsonl(?:\.gz)?$")


@dataclass(frozen=True, kw_only=True)
class LhotseManifests:
    """Lhotse cuts, or recordings with supervisions.

    Attributes:
        audio_root: What relative paths are relative to; by default the manifest's folder.
        part: Only the utterances of this part.
    """

    audio_root: Path | None = None
    part: str | None = None

    def rows(self, source: Path) -> Iterator[Row | BadRow]:
        """One row a supervision, in the manifest's order.

        Raises:
            DataError: No such file, or not a manifest of these kinds.
        """
        folder = source if source.is_dir() else source.parent
        for cut, named in _cuts(source):
            for supervision in cut.supervisions or [None]:
                custom = _custom(cut, supervision, named)
                if self.part is None or custom.get("part") == self.part:
                    yield _row(cut, supervision, self.audio_root or folder, custom)


def _cuts(source: Path) -> Iterator[tuple[MonoCut, str | None]]:
    """Cuts of a file of cuts, or made from a pair of recordings and supervisions; file's part."""
    if source.is_dir():
        for recordings in _pairs(source):
            yield from _cuts(recordings)
        return
    named = _PART.search(source.name)
    if "recordings" in source.name or "supervisions" in source.name:
        recordings = source.with_name(source.name.replace("supervisions", "recordings"))
        cuts = _paired_cuts(recordings)
    else:
        cuts = manifest.stream(source)
    for cut in cuts:
        yield cut, named and named[1]


def _pairs(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*recordings*.jsonl*"))
    if not found:
        raise DataError(f"{folder}: holds no *recordings*.jsonl[.gz]: name the file of cuts itself")
    return found


def _paired_cuts(recordings: Path) -> Iterator[MonoCut]:
    supervisions = recordings.with_name(recordings.name.replace("recordings", "supervisions"))
    loaded = []
    for path, kind in ((recordings, RecordingSet), (supervisions, SupervisionSet)):
        if not path.is_file():
            raise DataError(f"{path}: no such file; recordings and supervisions come in pairs")
        value = load_manifest(path)
        if not isinstance(value, kind):
            raise DataError(f"{path}: a {type(value).__name__}, where a {kind.__name__} is wanted")
        loaded.append(value)
    cuts = CutSet.from_manifests(recordings=loaded[0], supervisions=loaded[1])
    yield from cuts.trim_to_supervisions(keep_overlapping=False)


def _custom(
    cut: MonoCut, supervision: SupervisionSegment | None, part: str | None
) -> dict[str, Any]:
    """What file, cut and supervision say beyond the usual; the innermost is believed."""
    of_file = {} if part is None else {"part": part}
    of_supervision = {} if supervision is None else supervision.custom or {}
    return {**of_file, **(cut.custom or {}), **of_supervision}


def _row(
    cut: MonoCut, supervision: SupervisionSegment | None, folder: Path, custom: dict[str, Any]
) -> Row | BadRow:
    if not isinstance(cut, MonoCut):
        return _unsupported(cut.id, f"a {type(cut).__name__}: only single cuts are read")
    if supervision is None:
        return BadRow(utterance_id=cut.id, path="", reason="empty text", detail="no supervision")
    recording = cut.recording
    if recording is None or len(recording.sources) != 1 or recording.sources[0].type != "file":
        return _unsupported(supervision.id, "its audio is not one file")
    if recording.transforms:
        return _unsupported(supervision.id, "its recording carries transforms (speed, volume, …)")
    alone = len(cut.supervisions) == 1
    return Row(
        utterance_id=cut.id if alone and supervision.start == 0 else supervision.id,
        path=folder / recording.sources[0].source,
        text=supervision.text or "",
        speaker=supervision.speaker,
        start_s=max(0.0, cut.start + supervision.start),
        duration_s=min(supervision.duration, cut.end - cut.start - max(0.0, supervision.start)),
        channel=(cut.custom or {}).get("channels", cut.channel),
        custom=custom or None,
    )


def _unsupported(utterance_id: str, detail: str) -> BadRow:
    return BadRow(utterance_id=utterance_id, path="", reason="unsupported source", detail=detail)
