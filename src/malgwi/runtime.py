"""Exported recognisers at work, without torch: ``python -m malgwi.runtime FOLDER FILE…``.

Needs numpy, onnxruntime, soundfile and soxr (and sentencepiece where the units are subwords), and
of malgwi only what reads audio, cuts it and writes text. That part is the same code that evaluation
scored; the graph was compared with torch when it was exported. A test holds both to the same bytes.

Shapes: B batch, N samples, S encoder frames, V vocabulary.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from malgwi import audio, exported, tokenizers
from malgwi.errors import AudioError, MalgwiError, MissingExtraError
from malgwi.segments import by_length, segment_bounds
from malgwi.types import Hypothesis, Tokenizer

if TYPE_CHECKING:
    import onnxruntime


@dataclass(frozen=True, kw_only=True)
class HeardSegment:
    """One decoded piece: its place in the file, its text and the one hypothesis found."""

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
        rate, search = self.manifest.audio.sample_rate_hz, self.manifest.search
        pieces = [
            (index, start, samples[start:end])
            for index, samples in enumerate(waveforms)
            for start, end in segment_bounds(samples, rate, search.max_segment_s)
        ]
        found: list[list[HeardSegment]] = [[] for _ in waveforms]
        for batch in by_length(pieces, search.max_batch_s * rate):
            best = self._decode([samples for _, _, samples in batch])
            for (index, start, samples), hypothesis in zip(batch, best, strict=True):
                text = self.tokenizer.decode(hypothesis.tokens) if hypothesis else ""
                segment = HeardSegment(
                    start_s=start / rate,
                    end_s=(start + len(samples)) / rate,
                    text=text,
                    hypotheses=(hypothesis,) if hypothesis else (),
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

    def _decode(self, waveforms: Sequence[NDArray[np.float32]]) -> list[Hypothesis | None]:
        """The likeliest alignment of each; None for audio shorter than one frame."""
        found: list[Hypothesis | None] = [None] * len(waveforms)
        shortest = self.manifest.audio.min_samples
        kept = [index for index, samples in enumerate(waveforms) if len(samples) >= shortest]
        if kept:
            log_probs, frames = self.log_probs([waveforms[index] for index in kept])
            for index, scores, length in zip(kept, log_probs, frames, strict=True):
                found[index] = ctc_greedy(scores[:length], self.manifest.search.blank_id)
        return found


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


def load(
    folder: Path, *, precision: exported.Precision | None = None, threads: int | None = None
) -> ExportedRecogniser:
    """The recogniser of an exported folder, its files proven whole.

    Args:
        folder: From ``malgwi export``.
        precision: Which graph; int8 where there is one, if not given.
        threads: CPU threads; all cores if not given.

    Raises:
        CheckpointError: A file is missing or is not what was exported.
        MissingExtraError: onnxruntime is not installed.
    """
    manifest = exported.read_manifest(folder)
    graph = exported.GRAPHS[exported.choose_precision(manifest, precision)]
    record = json.loads(exported.verified(folder, manifest, exported.TOKENIZER))
    return ExportedRecogniser(
        session=open_session(exported.verified(folder, manifest, graph), threads),
        tokenizer=tokenizers.from_dict(record),
        manifest=manifest,
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
    parser = argparse.ArgumentParser(prog="python -m malgwi.runtime", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="an exported recogniser (malgwi export)")
    parser.add_argument("files", type=Path, nargs="+", help="audio files")
    parser.add_argument("--precision", choices=list(exported.GRAPHS), help="int8 if there is one")
    parser.add_argument("--threads", type=int, help="CPU threads; all cores if not given")
    options = parser.parse_args(argv)
    try:
        recogniser = load(options.folder, precision=options.precision, threads=options.threads)
    except MalgwiError as error:
        print(f"malgwi.runtime: {error}", file=sys.stderr)
        return 2
    attempts = [_print(recogniser, path, options) for path in options.files]
    if failed := [fault for fault in attempts if fault]:
        print(f"{len(failed)} of {len(options.files)} files could not be read:", file=sys.stderr)
        print("\n".join(f"  {line}" for line in failed), file=sys.stderr)
    return 1 if failed else 0


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
