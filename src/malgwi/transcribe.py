"""From waveform to text: the one path that development decoding, evaluation and use all take.

Long audio is cut at its quietest points into pieces that the model has seen the like of; the same
cut is made when scoring, so that what is scored is what is used.

Shapes: B batch, N samples, S encoder frames.
"""

from collections.abc import Iterator, Sequence
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
from malgwi.decoders.transducer import transducer_beam, transducer_greedy
from malgwi.errors import ConfigError
from malgwi.features import FrontEnd
from malgwi.nn.acoustic_model import AcousticModel, Encoded, Writer
from malgwi.types import Hypothesis, Tokenizer

Method = Literal["beam", "attention", "ctc", "transducer", "transducer_beam"]


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """How a trained model is searched.

    Attributes:
        method: ``beam`` (joint where ``beam.ctc_weight`` > 0), ``attention`` (greedy) or ``ctc``
            (greedy, needs a model with a CTC output); of a transducer ``transducer_beam`` or
            ``transducer`` (greedy).
        beam: The beam search; its length bounds hold for greedy attention too. A transducer's has
            its width and n-best from here, and nothing else.
        symbols_per_frame: Most units that a transducer may write at one encoder frame.
        max_batch_s: Seconds of audio decoded at once, padding included.
        max_segment_s: Longer audio is cut at quiet points into pieces of at most this.
    """

    method: Method = "beam"
    beam: BeamConfig = field(default_factory=BeamConfig)
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
        return self.method == "ctc" or (self.method == "beam" and self.beam.ctc_weight > 0)

    @property
    def writer(self) -> Writer | None:
        """The head that the model must have, if it must have one that writes unit by unit."""
        if self.method in ("transducer", "transducer_beam"):
            return "transducer"
        return None if self.method == "ctc" else "attention"


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
        for batch in _by_length(pieces, self.decoding.max_batch_s * rate):
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
        check_method(config, self.model.config.writer, "decoding")
        if config.writer == "transducer":
            return self._search_transducer(encoded)
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

    def _search_transducer(self, encoded: Encoded) -> list[list[Hypothesis]]:
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
        )


def check_method(decoding: DecodingConfig, writer: Writer | None, where: str) -> None:
    """Refuse a search for another head than the model's.

    Raises:
        ConfigError: It names the methods that would do.
    """
    if decoding.writer in (None, writer):
        return
    has, instead = {
        None: ("a CTC output alone", "ctc"),
        "attention": ("an attention head", "beam or attention"),
        "transducer": ("a transducer", "transducer_beam or transducer"),
    }[writer]
    raise ConfigError(
        f"{where}.method is {decoding.method}, but the model has {has}: set it to {instead}"
    )


def segment_bounds(
    samples: NDArray[np.float32], sample_rate_hz: int, max_segment_s: float
) -> list[tuple[int, int]]:
    """Cut long audio at its quietest moments: [(start, end)] in samples, gapless, each ≤ the bound.

    The cut is sought in the last half of the longest allowed piece, at the 0.2 s of least energy.

    >>> segment_bounds(np.zeros(8000, dtype=np.float32), 8000, 20.0)
    [(0, 8000)]
    """
    longest, window = int(max_segment_s * sample_rate_hz), sample_rate_hz // 5
    bounds, start = [], 0
    while len(samples) - start > longest:
        low = start + longest // 2
        energy = np.square(samples[low : start + longest], dtype=np.float64)
        summed = np.concatenate([[0.0], np.cumsum(energy)])
        quietest = int(np.argmin(summed[window:] - summed[:-window]))
        cut = low + quietest + window // 2
        bounds.append((start, cut))
        start = cut
    return [*bounds, (start, len(samples))]


Piece = tuple[int, int, NDArray[np.float32]]


def _by_length(pieces: list[Piece], max_samples: float) -> Iterator[list[Piece]]:
    """Batches of neighbours in length, longest first, so that a lack of memory shows at once."""
    batch: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: -len(piece[2])):
        if batch and len(batch[0][2]) * (len(batch) + 1) > max_samples:
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch
