"""What the command line adds to a search: a language model and hot-words."""

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
    """What ``--lm``, ``--lm-weight``, ``--lm-bonus``, ``--source-lm``, ``--hotwords`` ask for."""

    lm: Path | None = None
    lm_weight: float | None = None
    lm_bonus: float | None = None
    source_lm: Path | None = None
    hotwords: Sequence[str] = ()

    def into(self, recogniser: Recogniser, run: Path) -> Recogniser:
        """The recogniser of a run folder with all of it.

        Raises:
            ConfigError: A model or a phrase that does not fit the tokenizer.
            DataError: A file that is missing or is no language model.
        """
        changes: dict[str, Any] = {}
        for name, path in (("language_model", self.lm), ("source_model", self.source_lm)):
            if path is not None:
                changes[name] = lm.load_bound(path, recogniser.tokenizer, load_config(run).text)
        wanted = {"lm_weight": self.lm_weight, "insertion_bonus": self.lm_bonus}
        if given := {name: value for name, value in wanted.items() if value is not None}:
            fusion = replace(recogniser.decoding.fusion, **given)
            changes["decoding"] = replace(recogniser.decoding, fusion=fusion)
        if changes:
            recogniser = replace(recogniser, **changes)
        return recogniser.with_hotwords(boosts(self.hotwords)) if self.hotwords else recogniser

    def bytes_on_disk(self) -> int:
        """Of the language models, which use needs as it needs the recogniser."""
        return sum(path.stat().st_size for path in (self.lm, self.source_lm) if path is not None)

    def record(self) -> dict[str, Any]:
        """For the passport of a score: which files, by hash, and which phrases."""
        found: dict[str, Any] = {}
        for name, path in (("language_model", self.lm), ("source_model", self.source_lm)):
            if path is not None:
                found[name] = {"path": str(path), "sha256": _sha256(path)}
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
