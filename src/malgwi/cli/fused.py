"""What the command line adds to a search: a language model and hot-words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from malgwi import lm
from malgwi.errors import DataError
from malgwi.run import load_config
from malgwi.transcribe import Recogniser
from malgwi.types import LanguageModel, Tokenizer

#: Nats that a hot-word is worth if nobody says how much.
BOOST = 4.0


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
                changes[name] = load(path, recogniser.tokenizer, run)
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


def load(path: Path, tokenizer: Tokenizer, run: Path) -> LanguageModel:
    """The language model of a file, over a tokenizer's ids and of texts normalised as the run's."""
    if not path.exists():
        raise DataError(f"{path}: no such language model; make one with  malgwi lm")
    model: LanguageModel = lm.load(path).bind(tokenizer, load_config(run).text)
    return model


def boosts(phrases: Sequence[str]) -> dict[str, float]:
    """Phrases as given, ``phrase`` or ``phrase:boost`` or a file with one a line.

    >>> boosts(["말귀:6", "서울역"])
    {'말귀': 6.0, '서울역': 4.0}
    """
    found: dict[str, float] = {}
    for phrase in phrases:
        lines = [phrase]
        if Path(phrase).is_file():
            lines = Path(phrase).read_text(encoding="utf-8").splitlines()
        found |= dict(_boost(line.strip()) for line in lines if line.strip())
    return found


def _boost(line: str) -> tuple[str, float]:
    phrase, colon, number = line.rpartition(":")
    if not colon:
        return line, BOOST
    try:
        return phrase.strip(), float(number)
    except ValueError:
        raise DataError(f"hot-word {line!r}: {number!r} is no number; write  phrase:4.0") from None


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
