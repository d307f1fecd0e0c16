"""From waveform to text: the one path that development decoding, evaluation and use all take.

Long audio is cut at its quietest points into pieces that the model has seen the like of; the same
cut is made when scoring, so that what is scored is what is used.

Shapes: B batch, N samples, S encoder frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from malgwi.audio import RawFormat
from malgwi.decoders.attention_beam import BeamConfig, beam_search
from malgwi.decoders.greedy import attention_greedy, ctc_greedy
from malgwi.errors import ConfigError
from malgwi.features import FrontEnd
from malgwi.nn.acoustic_model import AcousticModel, Encoded
from malgwi.segments import by_length, segment_bounds
from malgwi.types import Hypothesis, Tokenizer


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How a trained model is searched.

    Attributes:
        method: ``beam`` (joint where ``beam.ctc_weight`` > 0), ``attention`` (greedy) or ``ctc``
            (greedy, needs a model with a CTC output).
        beam: The beam search; its length bounds hold for greedy attention too.
        max_batch_s: Seconds of audio decoded at once, padding included.
        max_segment_s: Longer audio is cut at quiet points into pieces of at most this.
    """

    method: Literal["beam", "attention", "ctc"] = "beam"
    beam: BeamConfig = field(default_factory=BeamConfig)
    max_batch_s: float = 60.0
    max_segment_s: float = 20.0

    def __post_init__(self) -> None:
        if self.max_segment_s < 1 or self.max_batch_s <= 0:
            raise ConfigError(
                f"decoding: max_segment_s={self.max_segment_s} must be 1 or more, "
                f"max_batch_s={self.max_batch_s} positive"
            )

    @property
    def wants_ctc(self) -> bool:
        """Whether the model must have a CTC output."""
        return self.method == "ctc" or (self.method == "beam" and self.beam.ctc_weight > 0)

    @property
    def wants_writer(self) -> bool:
        """Whether the model must have a head that writes unit by unit."""
        return self.method in ("beam", "attention")


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One decoded piece of an utterance: its place, best text and n-best."""

    start_s: float
    end_s: float
    text: str
    hypotheses: tuple[Hypothesis, ...]


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What was heard in one utterance."""

    text: str
    duration_s: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True, kw_only=True)
class Recogniser:
    """A front end (on the CPU), a model in evaluation mode, a tokenizer and a way to search."""

    front_end: FrontEnd
    model: AcousticModel
    tokenizer: Tokenizer
    decoding: DecodingConfig

    def with_decoding(self, **changes: Any) -> "Recogniser":
        """The same recogniser, searched otherwise: fields of DecodingConfig by name."""
        return replace(self, decoding=replace(self.decoding, **changes))

    def recognise_file(self, source: Path | bytes, raw: RawFormat | None = None) -> Recognition:
        """Decode, trim and recognise one audio file.

        Raises:
            AudioError: The file cannot be read.
        """
        return self.recognise([self.front_end.waveform(source, raw=raw)])[0]

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
            for (index, start, samples), hypotheses in zip(batch, decoded, strict=True):
                text = self.tokenizer.decode(hypotheses[0].tokens) if hypotheses else ""
                end = start + len(samples)
                found[index].append(
                    Segment(
                        start_s=start / rate,
                        end_s=end / rate,
                        text=text,
                        hypotheses=tuple(hypotheses),
                    )
                )
        return [
            self._joined(segments, len(samples) / rate)
            for segments, samples in zip(found, waveforms, strict=True)
        ]

    def _joined(self, segments: list[Segment], duration_s: float) -> Recognition:
        segments.sort(key=lambda segment: segment.start_s)
        texts = [segment.text for segment in segments if segment.text]
        return Recognition(text=" ".join(texts), duration_s=duration_s, segments=tuple(segments))

    @torch.inference_mode()
    def _decode(self, waveforms: Sequence[NDArray[np.float32]]) -> list[list[Hypothesis]]:
        samples = torch.tensor([len(w) for w in waveforms])
        padded = pad_sequence([torch.from_numpy(w) for w in waveforms], batch_first=True)
        features, lengths = self.front_end(padded, samples)
        kept = (lengths > 0).nonzero()[:, 0]  # audio shorter than one frame says nothing
        results: list[list[Hypothesis]] = [[] for _ in waveforms]
        if len(kept):
            device = next(self.model.parameters()).device
            encoded = self.model.encode(features[kept].to(device), lengths[kept].to(device))
            seconds = samples[kept] / self.front_end.config.sample_rate_hz
            for index, found in zip(kept.tolist(), self._search(encoded, seconds), strict=True):
                results[index] = found
        return results

    def _search(self, encoded: Encoded, seconds: Tensor) -> list[list[Hypothesis]]:
        config, tokenizer = self.decoding, self.tokenizer
        if encoded.ctc_log_probs is None and config.wants_ctc:
            raise ConfigError(
                "decoding with CTC needs a model with ctc=True: decode by attention, or by a beam "
                "with ctc_weight 0"
            )
        if config.method == "ctc" and encoded.ctc_log_probs is not None:
            paths = ctc_greedy(encoded.ctc_log_probs, encoded.lengths, blank_id=tokenizer.blank_id)
            return [[best] for best in paths]
        if self.model.config.writer is None:
            raise ConfigError("the model has a CTC output alone: decode with method ctc")
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
        )
