"""Exported recognisers at work, without torch: ``python -m malgwi.runtime FOLDER FILE…``.

Needs numpy, onnxruntime, soundfile and soxr (and sentencepiece where the units are subwords), and
of malgwi only what reads audio, cuts it, searches and writes text. That part is the same code that
evaluation scored; the graph was compared with torch when it was exported. A test holds both to the
same bytes.

Shapes: B batch, N samples, S encoder frames, V vocabulary.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from malgwi import audio, exported, tokenizers
from malgwi.errors import AudioError, MalgwiError, MissingExtraError
from malgwi.exported_search import CtcSearch, SearchRequest, make_search
from malgwi.lm.hotwords import boosts
from malgwi.segments import by_length, segment_bounds
from malgwi.types import Hypothesis, Tokenizer

if TYPE_CHECKING:
    import onnxruntime


@dataclass(frozen=True, kw_only=True)
class HeardSegment:
    """One decoded piece: its place in the file, best text and n-best."""

    start_s: float
    end_s: float
    text: str
    hypotheses: tuple[Hypothesis, ...]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What was heard in one utterance."""

    text: str
    duration_s: float
    segments: tuple[HeardSegment, ...]

    def later(self, by_s: float) -> "Heard":
        """The same with all times later by so much."""
        segments = (
            replace(one, start_s=one.start_s + by_s, end_s=one.end_s + by_s)
            for one in self.segments
        )
        return replace(self, segments=tuple(segments))


@dataclass(frozen=True, kw_only=True)
class ExportedRecogniser:
    """A graph from waveforms to CTC's log-probabilities, a tokenizer and what stands around."""

    session: "onnxruntime.InferenceSession"
    tokenizer: Tokenizer
    manifest: exported.ExportManifest
    search: CtcSearch

    def with_hotwords(self, boosts: Mapping[str, float]) -> "ExportedRecogniser":
        """The same recogniser, expecting these phrases: nats that each occurrence is worth.

        Cheap enough for every request; no phrases at all is how to forget them.

        Raises:
            ConfigError: A phrase that the tokenizer cannot write, or greedy decoding.
        """
        return replace(self, search=self.search.with_hotwords(boosts))

    def located(
        self, source: Path | bytes, raw: audio.RawFormat | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """Decode, resample and trim one file: float32 [N], and the samples trimmed before them.

        Raises:
            AudioError: The file cannot be read.
        """
        settings = self.manifest.audio
        rate_hz = settings.sample_rate_hz
        samples = audio.load(source, sample_rate_hz=rate_hz, channels=settings.channels, raw=raw)
        if settings.trim_db is None or not len(samples):
            return samples, 0
        start, end = audio.trim_bounds(
            samples,
            top_db=settings.trim_db,
            frame_length=settings.trim_frame_length,
            hop_length=settings.trim_hop_length,
        )
        return samples[start:end], start

    def recognise_file(self, source: Path | bytes, raw: audio.RawFormat | None = None) -> Heard:
        """Decode, trim and recognise one audio file; times count from its beginning.

        Raises:
            AudioError: The file cannot be read.
        """
        samples, trimmed = self.located(source, raw)
        return self.recognise([samples])[0].later(trimmed / self.manifest.audio.sample_rate_hz)

    def recognise(self, waveforms: Sequence[NDArray[np.float32]]) -> list[Heard]:
        """Recognise waveforms that ``located`` has trimmed; results in the order given."""
        rate, limits = self.manifest.audio.sample_rate_hz, self.manifest.search
        pieces = [
            (index, start, samples[start:end])
            for index, samples in enumerate(waveforms)
            for start, end in segment_bounds(samples, rate, limits.max_segment_s)
        ]
        found: list[list[HeardSegment]] = [[] for _ in waveforms]
        for batch in by_length(pieces, limits.max_batch_s * rate):
            decoded = self._decode([samples for _, _, samples in batch])
            for (index, start, samples), hypotheses in zip(batch, decoded, strict=True):
                segment = HeardSegment(
                    start_s=start / rate,
                    end_s=(start + len(samples)) / rate,
                    text=self.tokenizer.decode(hypotheses[0].tokens) if hypotheses else "",
                    hypotheses=tuple(hypotheses),
                )
                found[index].append(segment)
        return [
            _joined(segments, len(samples) / rate)
            for segments, samples in zip(found, waveforms, strict=True)
        ]

    def log_probs(
        self, waveforms: Sequence[NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Waveforms, each of ``min_samples`` or more → log-probabilities [B, S, V], lengths [B]."""
        lengths = np.array([len(samples) for samples in waveforms], dtype=np.int64)
        padded = np.zeros((len(waveforms), lengths.max()), dtype=np.float32)
        for row, samples in zip(padded, waveforms, strict=True):
            row[: len(samples)] = samples
        log_probs, frames = self.session.run(None, {"waveforms": padded, "lengths": lengths})
        return log_probs, frames

    def _decode(self, waveforms: Sequence[NDArray[np.float32]]) -> list[list[Hypothesis]]:
        """The hypotheses of each, best first; none for audio shorter than one frame."""
        found: list[list[Hypothesis]] = [[] for _ in waveforms]
        shortest = self.manifest.audio.min_samples
        kept = [index for index, samples in enumerate(waveforms) if len(samples) >= shortest]
        if kept:
            searched = self.search.hypotheses(*self.log_probs([waveforms[at] for at in kept]))
            for index, hypotheses in zip(kept, searched, strict=True):
                found[index] = hypotheses
        return found


def load(
    folder: Path,
    *,
    precision: exported.Precision | None = None,
    threads: int | None = None,
    method: str | None = None,
    beams: int | None = None,
    nbest: int | None = None,
    lm: Path | None = None,
    lm_weight: float | None = None,
    lm_bonus: float | None = None,
    hotwords: Mapping[str, float] | None = None,
) -> ExportedRecogniser:
    """The recogniser of an exported folder, its files proven whole.

    Args:
        folder: From ``malgwi export``.
        precision: Which graph; int8 where there is one, if not given.
        threads: CPU threads; all cores if not given.
        method: ``ctc`` (greedy) or ``ctc_beam``; what is not given here and below is as the run
            had it, by the manifest.
        beams: Width of the prefix beam.
        nbest: Hypotheses of each piece.
        lm: A language model, n-gram or (with torch) neural, that the beam minds in place of the
            export's own; ``Path("none")`` for neither.
        lm_weight: How much it counts.
        lm_bonus: Nats added for each unit written, since it prefers short texts.
        hotwords: Phrases to expect, and what each occurrence is worth in nats.

    Raises:
        CheckpointError: A file is missing or is not what was exported.
        ConfigError: A search, language model or phrase that does not fit.
        MissingExtraError: onnxruntime is not installed.
    """
    manifest = exported.read_manifest(folder)
    graph = exported.GRAPHS[exported.choose_precision(manifest, precision)]
    record = json.loads(exported.verified(folder, manifest, exported.TOKENIZER))
    tokenizer = tokenizers.from_dict(record)
    asked = SearchRequest(
        method=method,
        beams=beams,
        nbest=nbest,
        lm=lm,
        lm_weight=lm_weight,
        lm_bonus=lm_bonus,
        hotwords=hotwords or {},
    )
    return ExportedRecogniser(
        session=open_session(exported.verified(folder, manifest, graph), threads),
        tokenizer=tokenizer,
        manifest=manifest,
        search=make_search(folder, manifest, tokenizer, asked),
    )


def open_session(graph: bytes, threads: int | None = None) -> "onnxruntime.InferenceSession":
    """A graph ready to run on the CPU.

    Raises:
        MissingExtraError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("runtime", "onnxruntime", "an exported recogniser") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _joined(segments: list[HeardSegment], duration_s: float) -> Heard:
    segments.sort(key=lambda segment: segment.start_s)
    texts = [segment.text for segment in segments if segment.text]
    return Heard(text=" ".join(texts), duration_s=duration_s, segments=tuple(segments))


def main(argv: Sequence[str] | None = None) -> int:
    """Transcribe files to standard output; the exit status: 1 if one could not be read."""
    options = _parser().parse_args(argv)
    try:
        recogniser = load(
            options.folder,
            precision=options.precision,
            threads=options.threads,
            method=options.method,
            beams=options.beams,
            lm=options.lm,
            lm_weight=options.lm_weight,
            lm_bonus=options.lm_bonus,
            hotwords=boosts(options.hotwords),
        )
    except MalgwiError as error:
        print(f"malgwi.runtime: {error}", file=sys.stderr)
        return 2
    attempts = [_print(recogniser, path, options) for path in options.files]
    if failed := [fault for fault in attempts if fault]:
        print(f"{len(failed)} of {len(options.files)} files could not be read:", file=sys.stderr)
        print("\n".join(f"  {line}" for line in failed), file=sys.stderr)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    """The options, those of a search as `malgwi transcribe` has them."""
    parser = argparse.ArgumentParser(prog="python -m malgwi.runtime", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="an exported recogniser (malgwi export)")
    parser.add_argument("files", type=Path, nargs="+", help="audio files")
    parser.add_argument("--precision", choices=list(exported.GRAPHS), help="int8 if there is one")
    parser.add_argument("--threads", type=int, help="CPU threads; all cores if not given")
    parser.add_argument(
        "--method", choices=get_args(exported.CtcMethod), help="otherwise than the run"
    )
    parser.add_argument("--beams", type=int, help="beam width")
    parser.add_argument(
        "--lm",
        type=Path,
        help="a language model that the beam minds in place of the export's own; none for neither",
    )
    parser.add_argument("--lm-weight", type=float, help="how much it has to say")
    parser.add_argument("--lm-bonus", type=float, help="nats added for each unit written")
    parser.add_argument(
        "--hotwords",
        nargs="+",
        default=[],
        metavar="PHRASE",
        help="phrases to expect, with a boost as in 말귀:6, or files with one a line",
    )
    return parser


def _print(recogniser: ExportedRecogniser, path: Path, options: Any) -> str | None:
    """One file's text, as ``malgwi transcribe`` prints it; or why there is none."""
    try:
        text = recogniser.recognise_file(path).text
    except AudioError as error:
        return str(error)
    print(f"{path}\t{text}" if len(options.files) > 1 else text)
    return None


if __name__ == "__main__":
    raise SystemExit(main())
