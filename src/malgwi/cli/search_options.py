"""What a command line says about the search: method, language models, hot-words."""

from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from malgwi import lm
from malgwi.errors import ConfigError
from malgwi.lm.hotwords import boosts
from malgwi.lm.transcripts import NO_MODEL
from malgwi.run import load_config, load_recogniser
from malgwi.runtime import ExportedRecogniser, load
from malgwi.transcribe import Method, Recogniser


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How to search, of `transcribe` and `evaluate` alike; None is what the run says.

    Attributes:
        method: Search otherwise than the run says.
        beams: Beam width.
        nbest: Hypotheses to keep.
        lm: A language model, made by `malgwi lm` or in ARPA format, that beam search minds in
            place of the run's own; `none` for neither.
        lm_weight: How much it has to say.
        lm_bonus: Nats added for each unit written, since a language model prefers short texts.
        source_lm: A language model of the training transcripts, which counts against, for
            attention models.
        source_weight: How much it has to say.
        rescore_lm: A second language model, such as an LSTM: it ranks anew what a beam search ends
            with.
        rescore_weight: How much it has to say.
        rescore_bonus: Nats added for each unit then.
        hotwords: Phrases to expect, `말귀` or `말귀:6` with what each occurrence is worth in nats,
            or files with one a line.
    """

    method: Method | None = None
    beams: int | None = None
    nbest: int | None = None
    lm: Path | None = None
    lm_weight: float | None = None
    lm_bonus: float | None = None
    source_lm: Path | None = None
    source_weight: float | None = None
    rescore_lm: Path | None = None
    rescore_weight: float | None = None
    rescore_bonus: float | None = None
    hotwords: tuple[str, ...] = ()

    def models(self, own: Path | None = None) -> dict[str, Path]:
        """The language models of the search, by the recogniser's names for them.

        Args:
            own: The run's, if it is minded.
        """
        named = {
            "language_model": own if self.lm in (None, NO_MODEL) else self.lm,
            "source_model": self.source_lm,
            "rescoring_model": self.rescore_lm,
        }
        return _given(**named)

    def recogniser(self, run: Path) -> Recogniser:
        """The recogniser of a run folder, searched so.

        Raises:
            ConfigError: A model or a phrase that does not fit the tokenizer.
            DataError: A file that is missing or is no language model.
        """
        return self.into(load_recogniser(run), run)

    def into(self, recogniser: Recogniser, run: Path) -> Recogniser:
        """The recogniser of a run folder, loaded already, searched so."""
        decoding = recogniser.decoding
        widths = _given(beams=self.beams, nbest=self.nbest)
        weights = _given(
            lm_weight=self.lm_weight,
            insertion_bonus=self.lm_bonus,
            source_weight=self.source_weight,
            rescore_weight=self.rescore_weight,
            rescore_bonus=self.rescore_bonus,
        )
        models: dict[str, Any] = {
            name: lm.load_bound(path, recogniser.tokenizer, load_config(run).text)
            for name, path in self.models().items()
        }
        if self.lm == NO_MODEL:
            models["transcripts_model"] = None
        found = replace(recogniser, **models).with_decoding(
            method=self.method or decoding.method,
            beam=replace(decoding.beam, **widths),
            ctc_beam=replace(decoding.ctc_beam, **widths),
            fusion=replace(decoding.fusion, **weights),
        )
        return found.with_hotwords(boosts(self.hotwords)) if self.hotwords else found

    def exported(self, folder: Path, threads: int | None) -> ExportedRecogniser:
        """The recogniser of an exported folder, searched so.

        Raises:
            ConfigError: What an export is not searched by.
        """
        if self.source_lm is not None or self.rescore_lm is not None:
            raise ConfigError(
                f"{folder} is an export of CTC alone, which gains nothing by --source-lm and is "
                "not searched twice (--rescore-lm): leave them out, or give the run folder it "
                "came from"
            )
        return load(
            folder,
            threads=threads,
            method=self.method,
            beams=self.beams,
            nbest=self.nbest,
            lm=self.lm,
            lm_weight=self.lm_weight,
            lm_bonus=self.lm_bonus,
            hotwords=boosts(self.hotwords),
        )

    def bytes_on_disk(self, own: Path | None = None) -> int:
        """Of the language models, which use needs as it needs the recogniser."""
        return sum(path.stat().st_size for path in self.models(own).values())

    def record(self, own: Path | None = None) -> dict[str, Any]:
        """For the passport of a score: which files, by hash, and which phrases."""
        found: dict[str, Any] = {
            name: {"path": str(path), "sha256": _sha256(path)}
            for name, path in self.models(own).items()
        }
        return found | ({"hotwords": boosts(self.hotwords)} if self.hotwords else {})


#: A search as the run, or the export, says.
AS_SAVED = SearchOptions()


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


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
