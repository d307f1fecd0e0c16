"""How far time stamps are from the truth, on synthetic speech whose times are known.

    python benchmarks/timestamps.py RUN [--document docs/experiments.md]

espeak-ng says each unit of a sentence alone, its own silence is trimmed off, and the units are put
together again at places that are written down: whole words with drawn pauses between them, or
single syllables without any. The result goes over a drawn telephone line, and from a WAV file
through the recogniser, trimming included. What it heard is laid beside what was said; characters
that were heard right are compared. Words tell where a character begins after a pause, or ends
before one; syllables tell every boundary, but sound unlike connected speech.

The development voices of the embedded corpus tell by how much the model answers late (the median
signed error); the test voices are reported, without and with that taken off.

Shapes: N samples, M errors.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr
import torch
import tyro
from lessons_table import between_markers
from numpy.typing import NDArray

from malgwi import espeak, manifest
from malgwi.checkpoint import write_bytes
from malgwi.corpora.embedded import embedded_corpus
from malgwi.metrics.alignment import align
from malgwi.run import load_recogniser
from malgwi.synthesis import VOICES, Voice
from malgwi.telephone import TELEPHONE_RATE_HZ, TelephoneConfig, simulate
from malgwi.text.numbers import read_numbers
from malgwi.text.pronounce import pronounce
from malgwi.timestamps import TimedCharacter
from malgwi.transcribe import Recogniser

Samples = NDArray[np.float32]
Unit = Literal["word", "syllable"]

UNITS: tuple[Unit, ...] = ("word", "syllable")
EDGE_S = (0.3, 0.8)
PAUSE_S: dict[Unit, tuple[float, float]] = {"word": (0.05, 0.30), "syllable": (0.0, 0.0)}
#: Said alone, a syllable is drawn out as at the end of a sentence: hurried, it is as in one.
WORDS_A_MINUTE: dict[Unit, int] = {"word": 230, "syllable": 450}
TARGET_S = 0.040


@dataclass(frozen=True, kw_only=True)
class Said:
    """A recording, its text without spaces, and what is known of times.

    ``starts_s`` and ``ends_s`` map the place of a character to a time, where that is known.
    """

    samples: Samples
    text: str
    starts_s: dict[int, float]
    ends_s: dict[int, float]


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Signed errors [M] in seconds (late is positive), and how many characters were heard."""

    starts_s: NDArray[np.float64]
    ends_s: NDArray[np.float64]
    right: int
    said: int

    @property
    def all_s(self) -> NDArray[np.float64]:
        return np.concatenate([self.starts_s, self.ends_s])


def main(
    run: Path,
    /,
    *,
    sentences: int = 12,
    method: Literal["beam", "attention", "ctc"] = "ctc",
    seed: int = 0,
    document: Path | None = None,
) -> None:
    """Measure, print the table, and write it into a document where one is named.

    Args:
        run: A run folder trained on the embedded corpus, as `malgwi demo` leaves it.
        sentences: Of every voice and kind of unit.
        method: How the run is searched.
        seed: Of sentences, pauses and lines.
        document: Markdown with, or to be given, the markers of this table.
    """
    torch.set_num_threads(1)
    recogniser = replace(load_recogniser(run).with_decoding(method=method), timestamps=True)
    corpus = embedded_corpus()
    rows = []
    for unit in UNITS:
        heard: dict[str, Errors] = {}
        for part, cuts in (("dev", corpus.dev), ("test", corpus.test)):
            texts = [manifest.text(cut) for cut in cuts]
            spoken = recordings(texts, VOICES[part], unit, sentences, seed)
            heard[part] = measured(recogniser, spoken)
        late_s = float(np.median(heard["dev"].all_s))
        rows.append(shown(f"{unit}s, as they come", heard["test"], 0.0))
        rows.append(
            shown(f"{unit}s, {1000 * late_s:+.0f} ms of lateness off", heard["test"], late_s)
        )
    text = render(rows, run, method)
    print(text)
    if document is not None:
        old = document.read_text(encoding="utf-8") if document.is_file() else "# Experiments\n"
        title = "## Time stamps on synthetic speech"
        write_bytes(document, between_markers(old, "timestamps", title, text).encode())


def recordings(
    texts: Sequence[str], voices: Sequence[Voice], unit: Unit, count: int, seed: int
) -> Iterator[Said]:
    """``count`` of the texts by every voice, each over a line of its own."""
    for number, voice in enumerate(voices):
        rng = np.random.default_rng((seed, number))
        for index in rng.permutation(len(texts))[:count]:
            yield say(texts[index], voice, unit, rng)


def say(text: str, voice: Voice, unit: Unit, rng: np.random.Generator) -> Said:
    """One sentence put together of separately spoken units."""
    words = re.sub(r"[^가-힣 ]", "", read_numbers(text)).split()
    units = words if unit == "word" else [letter for word in words for letter in pronounce(word)]
    pieces, starts_s, ends_s = [silence(rng.uniform(*EDGE_S))], {}, {}
    at = 0
    for one in units:
        before = sum(map(len, pieces))
        pieces.append(spoken_alone(one, voice, WORDS_A_MINUTE[unit]))
        starts_s[at] = before / TELEPHONE_RATE_HZ
        at += len(one)
        ends_s[at - 1] = (before + len(pieces[-1])) / TELEPHONE_RATE_HZ
        pieces.append(silence(rng.uniform(*PAUSE_S[unit])))
    pieces.append(silence(rng.uniform(*EDGE_S)))
    samples = simulate(
        np.concatenate(pieces), TelephoneConfig(), rng, sample_rate_hz=TELEPHONE_RATE_HZ
    )
    return Said(samples=samples, text="".join(words), starts_s=starts_s, ends_s=ends_s)


def silence(seconds: float) -> Samples:
    """[N] zeros."""
    return np.zeros(round(seconds * TELEPHONE_RATE_HZ), dtype=np.float32)


def spoken_alone(unit: str, voice: Voice, words_a_minute: int, floor_db: float = -40.0) -> Samples:
    """One unit [N] without the program's silence round it."""
    speed = min(450, round(words_a_minute / voice.tract))
    speech, rate_hz = espeak.speak(
        pronounce(unit), voice.variant, pitch=voice.pitch, speed_wpm=speed
    )
    line = soxr.resample(speech, round(rate_hz * voice.tract), TELEPHONE_RATE_HZ)
    loud = np.flatnonzero(np.abs(line) > 10 ** (floor_db / 20) * np.abs(line).max())
    return line[loud[0] : loud[-1] + 1] if loud.size else line


def measured(recogniser: Recogniser, recordings: Iterator[Said]) -> Errors:
    """Errors of every character that was heard right and whose times are known."""
    starts, ends, right, said = [], [], 0, 0
    for one in recordings:
        coded = io.BytesIO()
        soundfile.write(coded, one.samples, TELEPHONE_RATE_HZ, format="WAV", subtype="PCM_16")
        result = recogniser.recognise_file(coded.getvalue())
        found = [c for segment in result.segments for c in segment.characters]
        said += len(one.text)
        for place, character in hits(one.text, found):
            right += 1
            if place in one.starts_s:
                starts.append(character.start_s - one.starts_s[place])
            if place in one.ends_s:
                ends.append(character.end_s - one.ends_s[place])
    return Errors(starts_s=np.array(starts), ends_s=np.array(ends), right=right, said=said)


def hits(text: str, found: Sequence[TimedCharacter]) -> Iterator[tuple[int, TimedCharacter]]:
    """(place in the text, timed character) of every character heard right."""
    place = number = 0
    for edit in align(text, "".join(c.text for c in found)):
        if edit.kind == "hit":
            yield place, found[number]
        place += edit.reference is not None
        number += edit.hypothesis is not None


def shown(name: str, errors: Errors, late_s: float) -> list[str]:
    """A row of the table, in milliseconds."""
    cells = [name, f"{errors.right} of {errors.said}"]
    for signed in (errors.starts_s, errors.ends_s, errors.all_s):
        off = 1000 * np.abs(signed - late_s)
        cells.append(f"{np.median(off):.0f} / {np.quantile(off, 0.9):.0f}" if len(off) else "–")
    return cells


def render(rows: Sequence[Sequence[str]], run: Path, method: str) -> str:
    """The table with what it was made by."""
    header = ("units", "characters heard right", "starts", "ends", "both")
    lines = [header, ["---"] * len(header), *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return (
        f"Distance from the truth in ms, median / 90th percentile; aim: median under "
        f"{1000 * TARGET_S:.0f}.\n`python benchmarks/timestamps.py {run.name} --method {method}`, "
        f"espeak-ng {espeak.version()}, {date.today()}.\n\n{table}\n"
    )


if __name__ == "__main__":
    tyro.cli(main)
