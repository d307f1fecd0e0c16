"""The folder of an exported recogniser: what stands in it, and whether it is whole.

FOLDER/model.onnx  (model.int8.onnx)  tokenizer.json  (transcripts.lm)  manifest.json

manifest.json names every other file with its SHA-256, and holds all that is decided outside of the
graph: how audio is trimmed and cut, how a search goes, and of what run this is. The surprising
choice: trimming stays outside. It drops samples by the loudness of all of them, which
`malgwi.audio` does already; a second form inside the graph would be a second chance to differ.

It imports no torch, since this is read where there is none.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from malgwi.decoders.ctc_beam import CtcBeamConfig
from malgwi.decoders.fusion import FusionConfig
from malgwi.errors import CheckpointError, ConfigError

FORMAT, FORMAT_VERSION = "malgwi export", 1
MANIFEST, TOKENIZER = "manifest.json", "tokenizer.json"
Precision = Literal["fp32", "int8"]
CtcMethod = Literal["ctc", "ctc_beam"]
#: precision → its file
GRAPHS: dict[Precision, str] = {"fp32": "model.onnx", "int8": "model.int8.onnx"}


@dataclass(frozen=True, kw_only=True)
class ExportedAudio:
    """What happens to audio before the graph, as `FrontEndConfig` has it.

    ``min_samples`` is what makes one frame: shorter audio says nothing and is not given to the
    graph.
    """

    sample_rate_hz: int
    channels: Literal["error", "mix"] | int
    trim_db: float | None
    trim_frame_length: int
    trim_hop_length: int
    min_samples: int


@dataclass(frozen=True, kw_only=True)
class ExportedSearch:
    """What happens after it: how long audio is cut into pieces and batches, and the run's search.

    ``ctc_beam`` and ``fusion`` are what the prefix beam and a language model in it go by, whether
    or not ``method`` asks for them. An older export does not say, and has their defaults.
    """

    blank_id: int
    max_segment_s: float
    max_batch_s: float
    method: CtcMethod = "ctc"
    ctc_beam: CtcBeamConfig = field(default_factory=CtcBeamConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)

    @staticmethod
    def from_dict(record: Mapping[str, Any]) -> "ExportedSearch":
        """Undo ``asdict``."""
        parts = {
            "ctc_beam": CtcBeamConfig(**record.get("ctc_beam", {})),
            "fusion": FusionConfig(**record.get("fusion", {})),
        }
        return ExportedSearch(**{**record, **parts})


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """A file's size and SHA-256."""

    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class ExportManifest:
    """manifest.json.

    Attributes:
        malgwi_version: What wrote it.
        audio: Before the graph.
        search: After the graph.
        files: name → size and checksum of every other file.
        text: How the run normalises transcripts (`NormalizerConfig.to_dict`); a language model of
            texts normalised otherwise is refused. None where an older export does not say.
        facts: What a person wants to know; nothing is decided by it: tokenizer, model, parity with
            torch, error rates before and after quantisation, and the run's whole configuration.
    """

    malgwi_version: str
    audio: ExportedAudio
    search: ExportedSearch
    files: dict[str, FileRecord]
    text: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The text of manifest.json."""
        record = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}
        return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


def record_file(path: Path) -> FileRecord:
    """Measure one file."""
    data = path.read_bytes()
    return FileRecord(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def is_export(folder: Path) -> bool:
    """Whether this is an exported recogniser, whole or not, rather than a run."""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> ExportManifest:
    """Read manifest.json, without looking at the other files.

    Raises:
        CheckpointError: It is missing, damaged or of another format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise CheckpointError(
            f"{folder} is not an exported recogniser: {MANIFEST} is missing. "
            "Make one with  malgwi export RUN"
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        version = record.pop("format"), record.pop("format_version")
        if version != (FORMAT, FORMAT_VERSION):
            raise CheckpointError(
                f"{path}: is of format {version[0]} {version[1]}, this malgwi reads "
                f"{FORMAT} {FORMAT_VERSION}: export the run again"
            )
        return ExportManifest(
            malgwi_version=record["malgwi_version"],
            audio=ExportedAudio(**record["audio"]),
            search=ExportedSearch.from_dict(record["search"]),
            files={name: FileRecord(**one) for name, one in record["files"].items()},
            text=record.get("text"),
            facts=record["facts"],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: is damaged ({error!r}): export the run again") from error


def verified(folder: Path, manifest: ExportManifest, name: str) -> bytes:
    """The bytes of one file of the folder, proven to be those that were exported.

    Raises:
        CheckpointError: It is missing, or is not what the manifest says.
    """
    path, wanted = folder / name, manifest.files.get(name)
    if wanted is None or not path.is_file():
        raise CheckpointError(f"{folder}: {name} is missing: export the run again")
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != wanted.sha256:
        raise CheckpointError(
            f"{path}: has SHA-256 {found[:12]}…, expected {wanted.sha256[:12]}…: it is damaged or "
            "was exchanged; copy the folder again, or export the run again"
        )
    return data


def choose_precision(manifest: ExportManifest, wanted: Precision | None) -> Precision:
    """The wanted one; by default int8 where the folder has it.

    Raises:
        ConfigError: The folder lacks the wanted one.
    """
    there: list[Precision] = [name for name, file in GRAPHS.items() if file in manifest.files]
    if wanted is None:
        return "int8" if "int8" in there else "fp32"
    if wanted not in there:
        raise ConfigError(f"the export has no {wanted} model, only {', '.join(there)}")
    return wanted
