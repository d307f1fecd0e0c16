"""How an exported recogniser is searched: CTC's likeliest path, or its prefix beam.

Beam, language models and hot-words are the very ones of `malgwi transcribe`: they are numpy, and
import torch nowhere but where a neural language model is read. What nobody asks for otherwise is
as the run had it, by the export's manifest.

Shapes: B batch, S encoder frames, V vocabulary.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from malgwi import lm
from malgwi.decoders.ctc_beam import CtcBeamConfig, ctc_beam
from malgwi.decoders.fusion import Fusion, FusionConfig
from malgwi.errors import ConfigError
from malgwi.exported import CtcMethod, ExportManifest, verified
from malgwi.lm.hotwords import HotWords
from malgwi.lm.transcripts import FILE, NO_MODEL, load_model
from malgwi.text.normalize import NormalizerConfig
from malgwi.types import Hypothesis, LanguageModel, Tokenizer


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """What is asked for; None is what the manifest says.

    Attributes:
        method: ``ctc`` (greedy) or ``ctc_beam``.
        beams: Width of the prefix beam.
        nbest: Hypotheses of each piece.
        lm: File of a language model that the beam minds in place of the export's own;
            ``Path("none")`` for neither.
        lm_weight: How much it counts.
        lm_bonus: Nats added for each unit written, since it prefers short texts.
        hotwords: Phrases to expect, with what each occurrence is worth in nats.
    """

    method: str | None = None
    beams: int | None = None
    nbest: int | None = None
    lm: Path | None = None
    lm_weight: float | None = None
    lm_bonus: float | None = None
    hotwords: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CtcSearch:
    """From CTC's log-probabilities to hypotheses.

    Raises:
        ConfigError: Greedy decoding with what it would not mind.
    """

    tokenizer: Tokenizer
    method: CtcMethod = "ctc"
    beam: CtcBeamConfig = field(default_factory=CtcBeamConfig)
    weights: FusionConfig = field(default_factory=FusionConfig)
    language_model: LanguageModel | None = None
    hotwords: HotWords | None = None

    def __post_init__(self) -> None:
        if self.method == "ctc" and (self.language_model or self.hotwords):
            raise _greedy_minds("no language model or hot-words")

    def with_hotwords(self, boosts: Mapping[str, float]) -> "CtcSearch":
        """The same search, expecting these phrases and no others.

        Raises:
            ConfigError: A phrase that the tokenizer cannot write, or greedy decoding.
        """
        words = HotWords.of_texts(boosts, self.tokenizer) if boosts else None
        return replace(self, hotwords=words)

    def hypotheses(
        self, log_probs: NDArray[np.float32], lengths: NDArray[np.int64]
    ) -> list[list[Hypothesis]]:
        """The best of each utterance: [B, S, V] and [B] → B lists, best first."""
        units = self.tokenizer
        if self.method == "ctc":
            pairs = zip(log_probs, lengths, strict=True)
            return [[ctc_greedy(scores[:length], units.blank_id)] for scores, length in pairs]
        fusion = Fusion.of(
            self.weights,
            end_id=units.end_id,
            language_model=self.language_model,
            hotwords=self.hotwords,
        )
        return ctc_beam(
            log_probs,
            lengths,
            blank_id=units.blank_id,
            start_id=units.start_id,
            end_id=units.end_id,
            config=self.beam,
            language_model=fusion,
        )


def make_search(
    folder: Path, manifest: ExportManifest, tokenizer: Tokenizer, request: SearchRequest
) -> CtcSearch:
    """The search of an export, as its manifest has it but for what is asked.

    Raises:
        ConfigError: A method that needs more than CTC, something that greedy decoding does not
            mind, or a language model or phrase that does not fit.
        DataError, CheckpointError: The language model is missing or damaged.
    """
    found = manifest.search
    method = _method(found.method if request.method is None else request.method)
    widths = _given(beams=request.beams, nbest=request.nbest)
    weights = _given(lm_weight=request.lm_weight, insertion_bonus=request.lm_bonus)
    if method == "ctc" and (widths or weights):
        raise _greedy_minds("no beams, n-best or weights")
    search = CtcSearch(
        tokenizer=tokenizer,
        method=method,
        beam=replace(found.ctc_beam, **widths),
        weights=replace(found.fusion, **weights),
        language_model=_language_model(folder, manifest, tokenizer, request.lm, method),
    )
    return search.with_hotwords(request.hotwords)


def _method(name: str) -> CtcMethod:
    for known in get_args(CtcMethod):
        if name == known:
            method: CtcMethod = known
            return method
    raise ConfigError(
        f"an export has CTC's scores alone and cannot be searched by {name!r}: choose "
        f"{' or '.join(get_args(CtcMethod))}, or use the run folder that it came from"
    )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _language_model(
    folder: Path,
    manifest: ExportManifest,
    tokenizer: Tokenizer,
    wanted: Path | None,
    method: CtcMethod,
) -> LanguageModel | None:
    """The one wanted, or the export's own, its text cut and normalised as the recogniser's."""
    text = None if manifest.text is None else NormalizerConfig.from_dict(manifest.text)
    if wanted is not None:
        return None if wanted == NO_MODEL else lm.load_bound(wanted, tokenizer, text)
    if method != "ctc_beam" or FILE not in manifest.files:
        return None
    verified(folder, manifest, FILE)
    return load_model(folder, tokenizer, text)


def _greedy_minds(what: str) -> ConfigError:
    return ConfigError(
        f"decoding by ctc is greedy and minds {what}: decode with method ctc_beam "
        "(--method ctc_beam)"
    )


def ctc_greedy(log_probs: NDArray[np.float32], blank_id: int) -> Hypothesis:
    """The likeliest alignment of one utterance [S, V], as `malgwi.decoders.greedy` finds it.

    >>> paths = np.log([[0.1, 0.9], [0.4, 0.6], [0.8, 0.2], [0.3, 0.7]]).astype(np.float32)
    >>> ctc_greedy(paths, blank_id=0).tokens
    (1, 1)
    """
    path = log_probs.argmax(-1)
    begins = np.append(True, path[1:] != path[:-1])[: len(path)]
    tokens = path[begins & (path != blank_id)]
    score = float(log_probs.max(-1, initial=-np.inf).sum(dtype=np.float64))
    return Hypothesis(
        tokens=tuple(tokens.tolist()), score=score, log_prob=score, ended=True, ctc_log_prob=score
    )
