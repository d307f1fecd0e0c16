"""From waveform to text: the one path that development decoding, evaluation and use all take.

Long audio is cut at its quietest points into pieces that the model has seen the like of; the same
cut is made when scoring, so that what is scored is what is used.

Shapes: B batch, N samples, S encoder frames.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from malgwi.audio import RawFormat
from malgwi.calibration import Calibration
from malgwi.decoders.attention_beam import BeamConfig, beam_search
from malgwi.decoders.ctc_beam import CtcBeamConfig, ctc_beam
from malgwi.decoders.fusion import Fusion, FusionConfig
from malgwi.decoders.greedy import attention_greedy, ctc_greedy
from malgwi.decoders.rescore import rescore
from malgwi.decoders.transducer import transducer_beam, transducer_greedy
from malgwi.errors import ConfigError
from malgwi.features import FrontEnd
from malgwi.lm.hotwords import HotWords
from malgwi.lm.ngram import BoundNgram
from malgwi.nn.acoustic_model import AcousticModel, Encoded, Writer
from malgwi.segments import by_length, segment_bounds
from malgwi.timestamps import (
    FrameClock,
    TimedBy,
    TimedCharacter,
    Timing,
    frame_clock,
    shifted,
    time_characters,
)
from malgwi.types import Hypothesis, LanguageModel, Tokenizer

Method = Literal["beam", "attention", "ctc", "ctc_beam", "transducer", "transducer_beam"]


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How a trained model is searched.

    Attributes:
        method: ``beam`` (joint where ``beam.ctc_weight`` > 0), ``attention`` (greedy), ``ctc``
            (greedy, needs a model with a CTC output) or ``ctc_beam`` (its prefix beam search); of
            a transducer ``transducer_beam`` or ``transducer`` (greedy).
        beam: The beam search; its length bounds hold for greedy attention too. A transducer's has
            its width and n-best from here, and nothing else.
        ctc_beam: The prefix beam search.
        fusion: What a language model counts in any beam search, where one is given.
        symbols_per_frame: Most units that a transducer may write at one encoder frame.
        max_batch_s: Seconds of audio decoded at once, padding included.
        max_segment_s: Longer audio is cut at quiet points into pieces of at most this.
    """

    method: Method = "beam"
    beam: BeamConfig = field(default_factory=BeamConfig)
    ctc_beam: CtcBeamConfig = field(default_factory=CtcBeamConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)
    symbols_per_frame: int = 4
    max_batch_s: float = 60.0
    max_segment_s: float = 20.0

    def __post_init__(self) -> None:
        if self.max_segment_s < 1 or self.max_batch_s <= 0:
            raise ConfigError(
                f"decoding: max_segment_s={self.max_segment_s} must be 1 or more, "
                f"max_batch_s={self.max_batch_s} positive"
            )
        if self.symbols_per_frame < 1:
            raise ConfigError(
                f"decoding: symbols_per_frame={self.symbols_per_frame} must be 1 or more"
            )

    @property
    def wants_ctc(self) -> bool:
        """Whether the model must have a CTC output."""
        joint = self.method == "beam" and self.beam.ctc_weight > 0
        return joint or self.method in ("ctc", "ctc_beam")

    @property
    def greedy(self) -> bool:
        """Whether the likeliest unit is taken each time, and nothing else followed."""
        return self.method in ("attention", "ctc", "transducer")

    @property
    def writer(self) -> Writer | None:
        """The head that the model must have, if it must have one that writes unit by unit."""
        if self.method in ("transducer", "transducer_beam"):
            return "transducer"
        return None if self.method in ("ctc", "ctc_beam") else "attention"


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One decoded piece of an utterance: its place, best text and n-best.

    Where time stamps were asked for, ``characters`` has them, and ``timed_by`` says from what;
    None if the piece could not be timed.
    """

    start_s: float
    end_s: float
    text: str
    hypotheses: tuple[Hypothesis, ...]
    characters: tuple[TimedCharacter, ...] = ()
    timed_by: TimedBy | None = None


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What was heard in one utterance."""

    text: str
    duration_s: float
    segments: tuple[Segment, ...]

    def later(self, by_s: float) -> "Recognition":
        """The same with all times later by so much."""
        return replace(self, segments=tuple(_later(segment, by_s) for segment in self.segments))


def _later(segment: Segment, by_s: float) -> Segment:
    start_s, end_s = segment.start_s + by_s, segment.end_s + by_s
    characters = shifted(segment.characters, by_s, within_s=(start_s, end_s))
    return replace(segment, start_s=start_s, end_s=end_s, characters=characters)


@dataclass(frozen=True, kw_only=True)
class Recogniser:
    """A front end (on the CPU), a model in evaluation mode, a tokenizer and a way to search.

    ``timestamps`` asks for the times and confidence of every character, which cost a little time;
    ``calibrations`` make raw confidence believable, each for the search of that name.
    A beam search also minds a language model and hot-words, where given; CTC's minds
    ``transcripts_model``, the run's own, where no other is given. ``source_model`` is one of the
    training transcripts that counts against. ``rescoring_model`` ranks what the beam ends with
    anew: a language model that is too slow to search with.
    """

    front_end: FrontEnd
    model: AcousticModel
    tokenizer: Tokenizer
    decoding: DecodingConfig
    timestamps: bool = False
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    language_model: LanguageModel | None = None
    transcripts_model: BoundNgram | None = None
    source_model: LanguageModel | None = None
    hotwords: HotWords | None = None
    rescoring_model: LanguageModel | None = None

    @property
    def minds_transcripts(self) -> bool:
        """Whether the search minds the run's own language model."""
        others = self.language_model is not None or self.transcripts_model is None
        return self.decoding.method == "ctc_beam" and not others

    def with_decoding(self, **changes: Any) -> "Recogniser":
        """The same recogniser, searched otherwise: fields of DecodingConfig by name."""
        return replace(self, decoding=replace(self.decoding, **changes))

    def with_hotwords(self, boosts: Mapping[str, float]) -> "Recogniser":
        """The same recogniser, expecting these phrases: nats that each occurrence is worth.

        Cheap enough for every request; no phrases at all is how to forget them.

        Raises:
            ConfigError: A phrase that the tokenizer cannot write.
        """
        words = HotWords.of_texts(boosts, self.tokenizer) if boosts else None
        return replace(self, hotwords=words)

    def recognise_file(self, source: Path | bytes, raw: RawFormat | None = None) -> Recognition:
        """Decode, trim and recognise one audio file; times count from its beginning.

        Raises:
            AudioError: The file cannot be read.
        """
        samples, trimmed = self.front_end.located(source, raw=raw)
        return self.recognise([samples])[0].later(trimmed / self.front_end.config.sample_rate_hz)

    def recognise(self, waveforms: Sequence[NDArray[np.float32]]) -> list[Recognition]:
        """Recognise waveforms that the front end has trimmed; results in the order given.

        What one utterance yields does not depend on the others.
        """
        rate = self.front_end.config.sample_rate_hz
        pieces = [
            (index, start, samples[start:end])
            for index, samples in enumerate(waveforms)
            for start, end in segment_bounds(samples, rate, self.decoding.max_segment_s)
        ]
        found: list[list[Segment]] = [[] for _ in waveforms]
        for batch in by_length(pieces, self.decoding.max_batch_s * rate):
            decoded = self._decode([samples for _, _, samples in batch])
            for (index, start, samples), (hypotheses, timing) in zip(batch, decoded, strict=True):
                segment = Segment(
                    start_s=0.0,
                    end_s=len(samples) / rate,
                    text=self.tokenizer.decode(hypotheses[0].tokens) if hypotheses else "",
                    hypotheses=tuple(hypotheses),
                    characters=timing.characters,
                    timed_by=timing.source,
                )
                found[index].append(_later(segment, start / rate))
        return [
            self._joined(segments, len(samples) / rate)
            for segments, samples in zip(found, waveforms, strict=True)
        ]

    def _joined(self, segments: list[Segment], duration_s: float) -> Recognition:
        segments.sort(key=lambda segment: segment.start_s)
        texts = [segment.text for segment in segments if segment.text]
        return Recognition(text=" ".join(texts), duration_s=duration_s, segments=tuple(segments))

    @torch.inference_mode()
    def _decode(
        self, waveforms: Sequence[NDArray[np.float32]]
    ) -> list[tuple[list[Hypothesis], Timing]]:
        samples = torch.tensor([len(w) for w in waveforms])
        padded = pad_sequence([torch.from_numpy(w) for w in waveforms], batch_first=True)
        features, lengths = self.front_end(padded, samples)
        kept = (lengths > 0).nonzero()[:, 0]  # audio shorter than one frame says nothing
        results: list[tuple[list[Hypothesis], Timing]] = [([], Timing()) for _ in waveforms]
        if len(kept):
            device = next(self.model.parameters()).device
            encoded = self.model.encode(features[kept].to(device), lengths[kept].to(device))
            seconds = samples[kept] / self.front_end.config.sample_rate_hz
            found = self._rescored(encoded, seconds)
            timings = self._timings(encoded, found)
            for index, hypotheses, timing in zip(kept.tolist(), found, timings, strict=True):
                results[index] = hypotheses, timing
        return results

    def _timings(self, encoded: Encoded, found: list[list[Hypothesis]]) -> list[Timing]:
        """Times and calibrated confidence of each best hypothesis, if asked for."""
        if not self.timestamps:
            return [Timing()] * len(found)
        best = [hypotheses[0] if hypotheses else None for hypotheses in found]
        log_probs, lengths = encoded.ctc_log_probs, encoded.lengths
        timings = time_characters(best, log_probs, lengths, self.tokenizer, self._clock)
        calibration = self.calibrations.get(self.decoding.method)
        if calibration is None:
            return timings
        return [calibration.applied(timing) for timing in timings]

    @cached_property
    def _clock(self) -> FrameClock:
        return frame_clock(self.model, self.front_end.config)

    def _rescored(self, encoded: Encoded, seconds: Tensor) -> list[list[Hypothesis]]:
        """The n-best, ranked by the second language model too, if there is one."""
        model, decoding = self.rescoring_model, self.decoding
        if model is None:
            return self._search(encoded, seconds)
        if decoding.greedy:
            raise ConfigError(
                f"decoding by {decoding.method} is greedy and leaves nothing to rank anew: decode "
                "with method beam, ctc_beam or transducer_beam"
            )
        whole = {
            name: replace(config, nbest=config.beams)
            for name, config in (("beam", decoding.beam), ("ctc_beam", decoding.ctc_beam))
        }
        ranked = rescore(
            self.with_decoding(**whole)._search(encoded, seconds),
            model,
            weight=decoding.fusion.rescore_weight,
            insertion_bonus=decoding.fusion.rescore_bonus,
            end_id=self.tokenizer.end_id,
        )
        wanted = (decoding.ctc_beam if decoding.method == "ctc_beam" else decoding.beam).nbest
        return [hypotheses[:wanted] for hypotheses in ranked]

    def _search(self, encoded: Encoded, seconds: Tensor) -> list[list[Hypothesis]]:
        config, tokenizer = self.decoding, self.tokenizer
        fusion = self._fusion()
        if encoded.ctc_log_probs is None and config.wants_ctc:
            raise ConfigError(
                "decoding with CTC needs a model with ctc=True: decode by attention, or by a beam "
                "with ctc_weight 0"
            )
        if config.method == "ctc" and encoded.ctc_log_probs is not None:
            paths = ctc_greedy(encoded.ctc_log_probs, encoded.lengths, blank_id=tokenizer.blank_id)
            return [[best] for best in paths]
        if config.method == "ctc_beam" and encoded.ctc_log_probs is not None:
            return ctc_beam(
                encoded.ctc_log_probs.float().cpu().numpy(),
                encoded.lengths.cpu().numpy(),
                blank_id=tokenizer.blank_id,
                start_id=tokenizer.start_id,
                end_id=tokenizer.end_id,
                config=config.ctc_beam,
                language_model=fusion,
            )
        check_method(config, self.model.config.writer, "decoding")
        if config.writer == "transducer":
            return self._search_transducer(encoded, fusion)
        scorer, limits = self.model.scorer(encoded), config.beam.max_lengths(seconds)
        limits = limits.to(encoded.lengths.device)
        if config.method == "attention":
            greedy = attention_greedy(
                scorer,
                start_id=tokenizer.start_id,
                end_id=tokenizer.end_id,
                encoder_lengths=encoded.lengths,
                max_lengths=limits,
                blank_id=tokenizer.blank_id,
            )
            return [[best] for best in greedy]
        return beam_search(
            scorer,
            start_id=tokenizer.start_id,
            end_id=tokenizer.end_id,
            encoder_lengths=encoded.lengths,
            max_lengths=limits,
            config=config.beam,
            ctc_log_probs=encoded.ctc_log_probs if config.wants_ctc else None,
            blank_id=tokenizer.blank_id,
            language_model=fusion,
        )

    def _fusion(self) -> Fusion | None:
        """All that a beam search adds to the acoustic model, if anything."""
        fusion = Fusion.of(
            self.decoding.fusion,
            end_id=self.tokenizer.end_id,
            language_model=self.transcripts_model
            if self.minds_transcripts
            else self.language_model,
            source_model=self.source_model,
            hotwords=self.hotwords,
        )
        if fusion is not None and self.decoding.greedy:
            raise ConfigError(
                f"decoding by {self.decoding.method} is greedy and minds no language model or "
                "hot-words: decode with method beam, ctc_beam or transducer_beam"
            )
        return fusion

    def _search_transducer(self, encoded: Encoded, fusion: Fusion | None) -> list[list[Hypothesis]]:
        config, tokenizer = self.decoding, self.tokenizer
        scorer = self.model.transducer(encoded)
        if config.method == "transducer":
            greedy = transducer_greedy(
                scorer,
                start_id=tokenizer.start_id,
                end_id=tokenizer.end_id,
                blank_id=tokenizer.blank_id,
                encoder_lengths=encoded.lengths,
                symbols_per_frame=config.symbols_per_frame,
            )
            return [[best] for best in greedy]
        return transducer_beam(
            scorer,
            start_id=tokenizer.start_id,
            end_id=tokenizer.end_id,
            blank_id=tokenizer.blank_id,
            encoder_lengths=encoded.lengths,
            config=config.beam,
            symbols_per_frame=config.symbols_per_frame,
            language_model=fusion,
        )


def check_method(decoding: DecodingConfig, writer: Writer | None, where: str) -> None:
    """Refuse a search for another head than the model's.

    Raises:
        ConfigError: It names the methods that would do.
    """
    if decoding.writer in (None, writer):
        return
    has, instead = {
        None: ("a CTC output alone", "ctc or ctc_beam"),
        "attention": ("an attention head", "beam or attention"),
        "transducer": ("a transducer", "transducer_beam or transducer"),
    }[writer]
    raise ConfigError(
        f"{where}.method is {decoding.method}, but the model has {has}: set it to {instead}"
    )
