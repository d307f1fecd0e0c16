"""How well unlabelled voices are told apart: equal error rate and pairwise F1 on real speech.

    python benchmarks/speakers.py ../shared/speech [--document docs/experiments.md]

Speakers of each corpus are halved by name. The first half chose every setting of malgwi.voices and
chooses the threshold here, by mean pairwise F1 over both corpora and both conditions; the second
half is reported. A voice model is learned from the very utterances that are reported, without
their labels, as an audit does it; beside it stands the model of the embedded synthetic voices.
In the telephone condition each utterance is sent over a line of its own. Intervals are 95 %
bootstraps by speaker: they cover the choice of speakers, not of what they said, nor of the model.

Shapes: N utterances, D dimensions, S speakers, P pairs.
"""

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from lessons_table import between_markers
from numpy.typing import NDArray

from malgwi import audio
from malgwi.checkpoint import write_bytes
from malgwi.corpora.pansori import Pansori
from malgwi.corpora.rows import Row
from malgwi.metrics.clustering import equal_error_rate, pairwise_score
from malgwi.telephone import TelephoneConfig, simulate
from malgwi.voices.embedding import VoiceModel, learn_voices, synthetic_voices, voice_embedding
from malgwi.voices.speakers import DEFAULT_THRESHOLD, estimate_speakers

Floats = NDArray[np.float64]
Condition = Literal["clean", "telephone"]

RATE_HZ = 8000
CORPORA = ("pansori", "emotiontts")
CONDITIONS: tuple[Condition, ...] = ("clean", "telephone")
THRESHOLDS = np.arange(0.3, 0.91, 0.05).round(2)
RESAMPLES = 500
LEAST_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Voices:
    """Utterances [N] of samples at 8 kHz, and who speaks each."""

    samples: list[audio.Samples]
    speakers: list[str]

    @property
    def num_speakers(self) -> int:
        return len(set(self.speakers))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure and its 95 % interval over resampled speakers."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"


def main(
    speech: Path, /, document: Path | None = None, per_speaker: int = 20, seed: int = 0
) -> None:
    """Measure, print the tables, and write them into a document where one is named.

    Args:
        speech: Folder that holds pansori, emotiontts and deeply.
        document: Markdown with, or to be given, the markers of this table.
        per_speaker: Utterances of a speaker at most, so that none makes up most pairs.
        seed: Of that choice and of the lines.
    """
    began = time.process_time()
    tuning = {
        (corpus, condition): embedded(load(speech / corpus, 0, per_speaker, seed, condition))
        for corpus in CORPORA
        for condition in CONDITIONS
    }
    threshold = best_threshold(list(tuning.values()))
    rows = [
        row
        for corpus in CORPORA
        for condition in CONDITIONS
        for row in reported(
            corpus, condition, load(speech / corpus, 1, per_speaker, seed, condition), threshold
        )
    ]
    alone = [lonely(speech / corpus, seed, threshold) for corpus in (*CORPORA, "deeply")]
    text = render(rows, alone, threshold, per_speaker, time.process_time() - began)
    print(text)
    if document is not None:
        old = document.read_text(encoding="utf-8") if document.is_file() else "# Experiments\n"
        title = "## Speakers estimated from voices"
        write_bytes(document, between_markers(old, "speakers", title, text).encode())


def load(folder: Path, half: int, per_speaker: int, seed: int, condition: Condition) -> Voices:
    """Some utterances of every second speaker, by name, of at least a second."""
    rng = np.random.default_rng((seed, half))
    samples, speakers = [], []
    by_speaker = grouped(folder)
    for speaker in sorted(by_speaker)[half::2]:
        rows = by_speaker[speaker]
        for index in sorted(rng.permutation(len(rows))[:per_speaker]):
            decoded = audio.load(rows[index].path, sample_rate_hz=RATE_HZ)
            if decoded.size >= LEAST_S * RATE_HZ:
                samples.append(decoded)
                speakers.append(speaker)
    if condition == "telephone":
        lines = np.random.default_rng((seed, half, 1))
        samples = [simulate(x, TelephoneConfig(), lines, sample_rate_hz=RATE_HZ) for x in samples]
    return Voices(samples=samples, speakers=speakers)


def grouped(folder: Path) -> dict[str, list[Row]]:
    """The rows of a transcripts.tsv by speaker."""
    by_speaker: dict[str, list[Row]] = {}
    for row in Pansori().rows(folder):
        if isinstance(row, Row) and row.speaker:
            by_speaker.setdefault(row.speaker, []).append(row)
    return by_speaker


def embedded(voices: Voices, model: VoiceModel | None = None) -> tuple[Floats, list[str]]:
    """Embeddings [N, D] by a model, or by one learned from these utterances, and the speakers."""
    if model is None:
        model = learn_voices((samples, RATE_HZ) for samples in voices.samples)
    vectors = np.stack([voice_embedding(x, RATE_HZ, model) for x in voices.samples])
    return vectors, voices.speakers


def best_threshold(parts: Sequence[tuple[Floats, list[str]]]) -> float:
    """The cosine distance with the greatest mean pairwise F1."""
    means = [
        np.mean(
            [
                pairwise_score(names, estimate_speakers(x, threshold=t).tolist()).f1
                for x, names in parts
            ]
        )
        for t in THRESHOLDS
    ]
    return float(THRESHOLDS[int(np.argmax(means))])


def reported(
    corpus: str, condition: Condition, voices: Voices, threshold: float
) -> Iterator[list[str]]:
    """Two lines of the table: learned here, and learned on synthetic voices."""
    for learned_on, model in (
        ("the same utterances", None),
        ("synthetic voices", synthetic_voices()),
    ):
        vectors, names = embedded(voices, model)
        guess = estimate_speakers(vectors, threshold=threshold)
        counted = estimate_speakers(vectors, num_speakers=voices.num_speakers)
        score = pairwise_score(names, guess.tolist())
        yield [
            corpus,
            condition,
            learned_on,
            f"{len(names)} / {voices.num_speakers}",
            str(error_rate(vectors, names)),
            str(pairwise_f1(names, guess)),
            f"{100 * score.precision:.0f} / {100 * score.recall:.0f}",
            str(int(guess.max()) + 1),
            f"{100 * pairwise_score(names, counted.tolist()).f1:.1f} %",
        ]


def error_rate(vectors: Floats, names: Sequence[str]) -> Estimate:
    """Equal error rate over all pairs, by the cosine."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = np.triu_indices(len(unit), 1)
    scores = (unit @ unit.T)[first, second]
    order = np.argsort(-scores, kind="stable")  # sorted once; the resamples find it so
    scores, first, second = scores[order], first[order], second[order]
    who = np.unique(names, return_inverse=True)[1]
    alike = who[first] == who[second]

    def rate(drawn: Floats) -> float:
        weights = np.where(alike, 1.0, drawn[who[first]]) * drawn[who[second]]
        return equal_error_rate(scores, alike, weights)

    return resampled(rate, int(who.max()) + 1)


def pairwise_f1(names: Sequence[str], guess: NDArray[np.int64]) -> Estimate:
    """Pairwise F1 of a finished clustering; pairs of a speaker drawn twice count twice."""
    who = np.unique(names, return_inverse=True)[1]
    table = np.zeros((int(who.max()) + 1, int(guess.max()) + 1))
    np.add.at(table, (who, guess), 1)
    joined = table @ table.T
    both = (np.diag(joined) - table.sum(axis=1)) / 2
    across = joined - np.diag(np.diag(joined))
    alike = table.sum(axis=1) * (table.sum(axis=1) - 1) / 2

    def f1(drawn: Floats) -> float:
        together = drawn @ both + drawn @ across @ drawn / 2
        return float(2 * (drawn @ both) / (together + drawn @ alike))

    return resampled(f1, len(table))


def resampled(figure: Callable[[Floats], float], speakers: int) -> Estimate:
    """A figure of how often each speaker counts [S], with its bootstrap interval."""
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(speakers, np.full(speakers, 1 / speakers), size=RESAMPLES)
    low, high = np.nanquantile([figure(row.astype(float)) for row in drawn], [0.025, 0.975])
    return Estimate(value=figure(np.ones(speakers)), low=float(low), high=float(high))


def lonely(folder: Path, seed: int, threshold: float, most: int = 120) -> str:
    """How many speakers are found in recordings of one: the corpus's most frequent."""
    by_speaker = grouped(folder)
    name = max(sorted(by_speaker), key=lambda speaker: len(by_speaker[speaker]))
    rows = by_speaker[name]
    chosen = sorted(np.random.default_rng(seed).permutation(len(rows))[:most])
    decoded = [audio.load(rows[i].path, sample_rate_hz=RATE_HZ) for i in chosen]
    samples = [x for x in decoded if x.size >= LEAST_S * RATE_HZ]
    vectors, _ = embedded(Voices(samples=samples, speakers=[name] * len(samples)))
    found = int(estimate_speakers(vectors, threshold=threshold).max()) + 1
    return f"{found} in {len(samples)} utterances of one speaker of {folder.name}"


def render(
    rows: Sequence[Sequence[str]],
    alone: Sequence[str],
    threshold: float,
    per_speaker: int,
    cpu_s: float,
) -> str:
    """The whole text between the markers."""
    head = (
        "corpus | condition | model learned on | utterances / speakers | equal error rate | "
        "pairwise F1 | precision / recall | speakers found | F1, number known"
    )
    command = shlex.join(["python", *sys.argv])
    return "\n".join(
        [
            f"`{command}`, {date.today()}, {cpu_s:.0f} s of one thread.",
            f"Half of the speakers of each corpus, at most {per_speaker} utterances of each;",
            f"threshold {threshold} chosen on the other half (malgwi's default is",
            f"{DEFAULT_THRESHOLD}). 95 % bootstrap intervals by speaker.",
            "",
            f"| {head} |",
            "|" + "---|" * len(rows[0]),
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            f"Where there is one speaker only, many are found: {'; '.join(alone)}.",
            "",
            "A talk of pansori is one speaker in one hall with one microphone, so the hall helps:",
            "the clean figures there are of talks as much as of voices. The labels of emotiontts",
            "are voices in styles; whether two of them are one person is not known.",
        ]
    )


if __name__ == "__main__":
    tyro.cli(main)
