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
from malgwi.cli.search_options import AS_SAVED, SearchOptions
from malgwi.errors import AudioError, ConfigError
from malgwi.exported import is_export
from malgwi.runtime import ExportedRecogniser, Heard
from malgwi.subtitles import to_srt, to_vtt
from malgwi.text.written_numbers import write_numbers
from malgwi.timestamps import TimedCharacter, TimedWord, timed_words
from malgwi.transcribe import Recogniser, Recognition, Segment


def main(
    run: Annotated[Path, tyro.conf.Positional],
    files: Annotated[tuple[Path, ...], tyro.conf.Positional],
    /,
    *,
    format: Literal["txt", "json", "srt", "vtt"] = "txt",
    timestamps: bool = False,
    out: Path | None = None,
    digits: Literal["keep", "written"] = "keep",
    search: Annotated[SearchOptions, tyro.conf.arg(name="")] = AS_SAVED,
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

    malgwi transcribe runs/first call.wav --format json --timestamps

    malgwi transcribe runs/first talk.mp3 --format srt --out subtitles

    malgwi transcribe runs/first call.pcm --raw-rate 8000

    malgwi transcribe runs/first call.wav --method ctc_beam --lm 3gram.arpa --hotwords 말귀:6

    malgwi transcribe runs/first/export call.wav --method ctc_beam --lm model.lm

    Args:
        run: A run folder, or one that `malgwi export` wrote, whose methods are ctc and ctc_beam.
        files: Audio files of any kind that `malgwi doctor` lists.
        format: Text alone; JSON with the times of pieces, n-best and scores; or subtitles.
        timestamps: JSON gains times and confidence of every character, and of words where the
            recogniser writes spaces. Subtitles imply it. The text stays the same.
        out: A folder for one file each; standard output if not given.
        digits: `written` puts spoken numbers in figures where they are surely numbers (일곱 시 →
            7시), in the text, not in the segments. It looks at beginnings of words, so it does
            little for a recogniser that leaves out spaces.
        search: How to search.
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
    if timestamps and format == "txt":
        raise ConfigError("--timestamps has no place in plain text: add --format json, srt or vtt")
    timed = timestamps or format in ("srt", "vtt")
    recogniser: Recogniser | ExportedRecogniser
    if is_export(run):
        if timed:
            raise ConfigError(
                f"{run} is an export, which finds no times: leave out --timestamps and subtitles, "
                "or give the run folder that it came from"
            )
        recogniser = search.exported(run, threads)
    else:
        recogniser = search.recogniser(run)
        if timed:
            recogniser = dataclasses.replace(recogniser, timestamps=True)
    raw = (
        None if raw_rate is None else RawFormat(sample_rate_hz=raw_rate, bytes_per_sample=raw_width)
    )
    failed = []
    for path in files:
        try:
            result: Recognition | Heard = recogniser.recognise_file(path, raw)
        except AudioError as error:
            failed.append(str(error))
            continue
        if digits == "written":
            result = dataclasses.replace(result, text=write_numbers(result.text))
        text = shown(format, path, result, recogniser)
        if out is None:
            print(f"{path}\t{text}" if format == "txt" and len(files) > 1 else text)
        else:
            write_bytes(out / f"{path.name}.{format}", (text + "\n").encode())
    if failed:
        print(f"{len(failed)} of {len(files)} files could not be read:", file=sys.stderr)
        print("\n".join(f"  {line}" for line in failed), file=sys.stderr)
        raise SystemExit(1)


def shown(
    format: str,
    path: Path,
    result: Recognition | Heard,
    recogniser: Recogniser | ExportedRecogniser,
) -> str:
    """One file's result in one of the formats, without the last line's end."""
    if format == "txt":
        return result.text
    if format == "json":
        return to_json(path, result, recogniser)
    assert isinstance(result, Recognition)  # an export has no times
    return (to_srt if format == "srt" else to_vtt)(result).rstrip("\n")


def to_json(
    path: Path, result: Recognition | Heard, recogniser: Recogniser | ExportedRecogniser
) -> str:
    """One file's result, one JSON object a line."""
    timed = isinstance(recogniser, Recogniser) and recogniser.timestamps
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
                    "lm_score": h.lm_score,
                    "ended": h.ended,
                }
                for h in segment.hypotheses
            ],
            **(timed_record(segment) if timed and isinstance(segment, Segment) else {}),
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


def timed_record(segment: Segment) -> dict[str, Any]:
    """What time stamps add to a segment: from what they come, its words and characters."""
    words = timed_words(segment.text, segment.characters) if " " in segment.text else ()
    return {
        "timed_by": segment.timed_by,
        **({"words": [_timed(word) for word in words]} if words else {}),
        "characters": [_timed(character) for character in segment.characters],
    }


def _timed(one: TimedCharacter | TimedWord) -> dict[str, Any]:
    return {
        "text": one.text,
        "start_s": round(one.start_s, 3),
        "end_s": round(one.end_s, 3),
        "confidence": round(one.confidence, 4),
    }
