"""How well numbers are read and written, on transcripts whose figures were noted beforehand.

    MALGWI_SHARED=../shared python benchmarks/number_pairs.py

The transcripts of EmotionTTS hold no figure: every number stands as it was read. What a writer
would put for each was noted sentence by sentence, before the program was run on them, in
``number_pairs.tsv``: the hash of a transcript, then ``offset+length figures`` for each number in
it; a ``?`` marks those that are as well left in words (한 달, 두 사람). The transcripts themselves
are not here. Measured:

- reading: a number is put in figures, the sentence read, and compared with the transcript;
- writing: the sentence is written, and each number found as noted, or left in words; sentences
  without a number must stay as they are;
- both: every Korean sentence that writing changes is read again and must be what it was.

Spaces are left aside throughout. Every mismatch is listed. Shares come with Wilson 95 % intervals.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tyro
from scipy.stats import binomtest

from malgwi.text.numbers import read_numbers
from malgwi.text.written_numbers import write_numbers

NOTES = Path(__file__).with_suffix(".tsv")
SHARED = Path(os.environ.get("MALGWI_SHARED", "../shared"))


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number of a transcript: where it stands and how it is written."""

    start: int
    stop: int
    figures: str
    optional: bool


def main(shared: Path = SHARED) -> None:
    """Print the shares and every mismatch.

    Args:
        shared: Folder that holds speech/ and text/.
    """
    notes = read_notes(NOTES)
    texts = transcripts(shared / "speech" / "emotiontts" / "transcripts.tsv")
    noted = [(text, notes[key(text)]) for text in texts if key(text) in notes]
    print(f"{len(texts)} sentences, {len(noted)} of {len(notes)} noted ones found")
    reading(noted)
    writing(noted)
    untouched([text for text in texts if key(text) not in notes])
    for name in ("3i4k_utterances", "chatbot_dialogue", "common_voice_sentences"):
        there_and_back(name, (shared / "text" / f"{name}.txt").read_text("utf-8").splitlines())
    there_and_back("emotiontts", texts)


def key(text: str) -> str:
    """What stands for a transcript in the notes."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_notes(path: Path) -> dict[str, list[Number]]:
    """Key of a transcript → its numbers."""
    notes = {}
    for line in path.read_text("utf-8").splitlines()[1:]:
        name, numbers = line.split("\t")
        notes[name] = [_number(note) for note in numbers.split(" | ")]
    return notes


def _number(note: str) -> Number:
    place, figures = note.split(" ", 1)
    start, length = (int(part) for part in place.split("+"))
    return Number(
        start=start,
        stop=start + length,
        figures=figures.removeprefix("?"),
        optional=figures.startswith("?"),
    )


def transcripts(path: Path) -> list[str]:
    """Each distinct text once."""
    rows = path.read_text("utf-8").splitlines()[1:]
    return sorted({row.split("\t")[2] for row in rows})


def squeezed(text: str) -> str:
    """Without spaces."""
    return "".join(text.split())


def share(name: str, right: int, total: int) -> None:
    """Print a share with its interval."""
    low, high = binomtest(right, total).proportion_ci(method="wilson") if total else (0.0, 1.0)
    value = 100 * right / total if total else float("nan")
    print(f"{name}: {right} of {total}, {value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]")


def listed(lines: list[str]) -> None:
    """Print each on a line of its own."""
    for line in lines:
        print(f"    {line}")


def reading(noted: list[tuple[str, list[Number]]]) -> None:
    """Each number alone in figures, the rest as it stands."""
    wrong, total = [], 0
    for text, numbers in noted:
        for number in numbers:
            written = text[: number.start] + number.figures + text[number.stop :]
            read = read_numbers(written)
            total += 1
            if squeezed(read) != squeezed(text):
                tail = len(text) - number.stop
                wrong.append(
                    f"{number.figures} → {read[number.start : len(read) - tail]}, "
                    f"said {text[number.start : number.stop]}"
                )
    share("numbers read as they were said", total - len(wrong), total)
    listed(wrong)


def writing(noted: list[tuple[str, list[Number]]]) -> None:
    """Whole sentences written; each number as noted, left in words, or wrong."""
    right, left, wrong, optional = 0, [], [], 0
    for text, numbers in noted:
        found = _found(text, numbers)
        if found is None:
            wrong.append(f"{_around(text, numbers)} → {write_numbers(text)}")
            continue
        for number, said in zip(numbers, found, strict=True):
            if number.optional:
                optional += said == squeezed(number.figures)
            elif said == squeezed(number.figures):
                right += 1
            else:
                left.append(f"{text[number.start : number.stop]}, not {number.figures}")
    total = sum(not number.optional for _, numbers in noted for number in numbers)
    share("numbers written as noted", right, total)
    print(f"  {optional} of the optional ones written; left in words:")
    listed(left)
    share("sentences without a wrong figure", len(noted) - len(wrong), len(noted))
    listed(wrong)


def _found(text: str, numbers: list[Number]) -> list[str] | None:
    """What the written sentence has for each number; None if it has anything else."""
    pattern, at = "", 0
    for number in numbers:
        choices = {squeezed(number.figures), squeezed(text[number.start : number.stop])}
        pattern += re.escape(squeezed(text[at : number.start]))
        pattern += "(" + "|".join(re.escape(choice) for choice in sorted(choices)) + ")"
        at = number.stop
    pattern += re.escape(squeezed(text[at:]))
    match = re.fullmatch(pattern, squeezed(write_numbers(text)))
    return None if match is None else list(match.groups())


def _around(text: str, numbers: list[Number]) -> str:
    return ", ".join(text[number.start : number.stop] for number in numbers)


def untouched(texts: list[str]) -> None:
    """Sentences without a number that stay as they are."""
    changed = [(text, write_numbers(text)) for text in texts if write_numbers(text) != text]
    share("sentences without a number left alone", len(texts) - len(changed), len(texts))
    listed([f"{text} → {written}" for text, written in changed])


def there_and_back(name: str, texts: list[str]) -> None:
    """Of the sentences that writing changes, those that reading restores."""
    pairs = list(_changed(texts))
    lost = [(a, b) for a, b in pairs if squeezed(read_numbers(b)) != squeezed(a)]
    share(f"{name}: written and read again", len(pairs) - len(lost), len(pairs))
    listed([_difference(text, written) for text, written in lost])


def _changed(texts: list[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        if not re.search("[0-9]", text) and (written := write_numbers(text)) != text:
            yield text, written


def _difference(text: str, written: str) -> str:
    """The words that reading does not restore."""
    said, read = squeezed(text), squeezed(read_numbers(written))
    start = next((i for i, (a, b) in enumerate(zip(said, read, strict=False)) if a != b), 0)
    return (
        f"…{said[max(0, start - 5) : start + 8]}… is read …{read[max(0, start - 5) : start + 8]}…"
    )


if __name__ == "__main__":
    tyro.cli(main)
