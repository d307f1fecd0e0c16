"""`malgwi transcribe`: audio files to text."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

from malgwi.audio import RawFormat
from malgwi.checkpoint import write_bytes
from malgwi.errors import AudioError, ConfigError
from malgwi.run import load_recogniser
from malgwi.text.written_numbers import write_numbers
from malgwi.transcribe import DecodingConfig, Method, Recogniser, Recognition


def main(
    run: Annotated[Path, tyro.conf.Positional],
    files: Annotated[tuple[Path, ...], tyro.conf.Positional],
    /,
    *,
    format: Literal["txt", "json"] = "txt",
    out: Path | None = None,
    digits: Literal["keep", "written"] = "keep",
    method: Method | None = None,
    beams: int | None = None,
    nbest: int | None = None,
    raw_rate: int | None = None,
    raw_width: int = 2,
    threads: int | None = None,
) -> None:
    """Transcribe audio files with a trained recogniser.

    The path from file to text is the one that `malgwi evaluate` scores. A file that cannot be
    read is named at the end, and the exit status is then 1; the others are still transcribed.

    For example, each on one line:

    malgwi transcribe runs/first call.wav

    malgwi transcribe runs/first calls/*.mp3 --format json --out transcripts

    malgwi transcribe runs/first call.pcm --raw-rate 8000

    Args:
        run: A run folder.
        files: Audio files of any kind that `malgwi doctor` lists.
        format: Text alone, or JSON with times, n-best and scores.
        out: A folder for one file each; standard output if not given.
        digits: `written` puts spoken numbers in figures where they are surely numbers (일곱 시 →
            7시), in the text, not in the segments. It looks at beginnings of words, so it does
            little for a recogniser that leaves out spaces.
        method: Search otherwise than the run says.
        beams: Beam width.
        nbest: Hypotheses to keep (in JSON).
        raw_rate: Sample rate of headerless PCM.
        raw_width: Bytes a sample of headerless PCM.
        threads: CPU threads.
    """
    if not files:
        raise ConfigError("no audio file given")
    if out is not None and len({path.name for path in files}) < len(files):
        raise ConfigError("two files have the same name: --out would keep one of them")
    if threads is not None:
        torch.set_num_threads(threads)
    recogniser = searched(load_recogniser(run), method, beams, nbest)
    raw = (
        None if raw_rate is None else RawFormat(sample_rate_hz=raw_rate, bytes_per_sample=raw_width)
    )
    failed = []
    for path in files:
        try:
            result = recogniser.recognise_file(path, raw)
        except AudioError as error:
            failed.append(str(error))
            continue
        if digits == "written":
            result = dataclasses.replace(result, text=write_numbers(result.text))
        text = result.text if format == "txt" else to_json(path, result, recogniser)
        if out is None:
            print(f"{path}\t{text}" if format == "txt" and len(files) > 1 else text)
        else:
            write_bytes(out / f"{path.name}.{format}", (text + "\n").encode())
    if failed:
        print(f"{len(failed)} of {len(files)} files could not be read:", file=sys.stderr)
        print("\n".join(f"  {line}" for line in failed), file=sys.stderr)
        raise SystemExit(1)


def searched(
    recogniser: Recogniser, method: str | None, beams: int | None, nbest: int | None
) -> Recogniser:
    """The recogniser with what the command line says about the search."""
    config: DecodingConfig = recogniser.decoding
    asked = {"beams": beams, "nbest": nbest}
    beam = dataclasses.replace(config.beam, **{k: v for k, v in asked.items() if v is not None})
    changes: dict[str, Any] = {"beam": beam}
    if method is not None:
        changes["method"] = method
    return recogniser.with_decoding(**changes)


def to_json(path: Path, result: Recognition, recogniser: Recogniser) -> str:
    """One file's result, one JSON object a line."""
    segments = [
        {
            "start_s": round(segment.start_s, 3),
            "end_s": round(segment.end_s, 3),
            "text": segment.text,
            "nbest": [
                {
                    "text": recogniser.tokenizer.decode(h.tokens),
                    "score": h.score,
                    "log_prob": h.log_prob,
                    "ctc_log_prob": h.ctc_log_prob,
                    "ended": h.ended,
                }
                for h in segment.hypotheses
            ],
        }
        for segment in result.segments
    ]
    record = {
        "file": str(path),
        "text": result.text,
        "duration_s": round(result.duration_s, 3),
        "segments": segments,
    }
    return json.dumps(record, ensure_ascii=False)
