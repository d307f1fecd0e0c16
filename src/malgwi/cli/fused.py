"""What the command line adds to a search: language models and hot-words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from malgwi import lm
from malgwi.lm.hotwords import boosts
from malgwi.run import load_config
from malgwi.transcribe import Recogniser


@dataclass(frozen=True, kw_only=True)
class Fused:
    """What ``--lm``, ``--source-lm``, ``--rescore-lm``, ``--hotwords`` and weights ask for."""

    lm: Path | None = None
    lm_weight: float | None = None
    lm_bonus: float | None = None
    source_lm: Path | None = None
    rescore_lm: Path | None = None
    rescore_weight: float | None = None
    rescore_bonus: float | None = None
    hotwords: Sequence[str] = ()

    def models(self) -> dict[str, Path]:
        """The language models that were given, by the recogniser's names for them."""
        named = {
            "language_model": self.lm,
            "source_model": self.source_lm,
            "rescoring_model": self.rescore_lm,
        }
        return {name: path for name, path in named.items() if path is not None}

    def into(self, recogniser: Recogniser, run: Path) -> Recogniser:
        """The recogniser of a run folder with all of it.

        Raises:
            ConfigError: A model or a phrase that does not fit the tokenizer.
            DataError: A file that is missing or is no language model.
        """
        changes: dict[str, Any] = {
            name: lm.load_bound(path, recogniser.tokenizer, load_config(run).text)
            for name, path in self.models().items()
        }
        wanted = {
            "lm_weight": self.lm_weight,
            "insertion_bonus": self.lm_bonus,
            "rescore_weight": self.rescore_weight,
            "rescore_bonus": self.rescore_bonus,
        }
        if given := {name: value for name, value in wanted.items() if value is not None}:
            fusion = replace(recogniser.decoding.fusion, **given)
            changes["decoding"] = replace(recogniser.decoding, fusion=fusion)
        if changes:
            recogniser = replace(recogniser, **changes)
        return recogniser.with_hotwords(boosts(self.hotwords)) if self.hotwords else recogniser

    def bytes_on_disk(self) -> int:
        """Of the language models, which use needs as it needs the recogniser."""
        return sum(path.stat().st_size for path in self.models().values())

    def record(self) -> dict[str, Any]:
        """For the passport of a score: which files, by hash, and which phrases."""
        found: dict[str, Any] = {
            name: {"path": str(path), "sha256": _sha256(path)}
            for name, path in self.models().items()
        }
        return found | ({"hotwords": boosts(self.hotwords)} if self.hotwords else {})


def _sha256(path: Path) -> str:
    """Of a file, or of a folder's files by name."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests.append(file_digest(stream, "sha256").hexdigest())
    if not path.is_dir():
        return digests[0]
    named = "".join(
        f"{file.relative_to(path)} {d}\n" for file, d in zip(files, digests, strict=True)
    )
    return sha256(named.encode()).hexdigest()
