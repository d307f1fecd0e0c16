"""Speakers estimated from the audio, for parts whose labels are missing or doubtful.

First a few hundred utterances drawn from all parts teach what voices of this corpus sound like,
then every utterance is embedded while it is listened to, and at the end the embeddings are
clustered over all parts at once, so that one voice in two parts is one estimated speaker.

How often that is wrong stands in docs/concepts/data.md. Where labels are given, their agreement
with the estimate is said, which tells how far to trust it on this corpus.
"""

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from malgwi.audit.listening import samples_of
from malgwi.audit.part import Part, PartAudit
from malgwi.errors import AudioError, DataError, MissingExtraError
from malgwi.leakage import Leak, leakage
from malgwi.manifest import Facts
from malgwi.metrics.clustering import pairwise_score
from malgwi.utterance_table import UtteranceTable
from malgwi.voices.embedding import VoiceModel, learn_voices
from malgwi.voices.speakers import estimate_speakers

#: Utterances that teach how voices sound; more cost time and change little.
_TEACHERS = 500
_LOWEST_RATE_HZ = 8_000


@dataclass(frozen=True, kw_only=True)
class EstimatedSpeakers:
    """Speakers by voice over all parts.

    Attributes:
        labels: Part → [N] number of the speaker of each utterance, -1 where too little is said.
        agreement: Pairwise F1 with the given labels, over utterances that have both; NaN where
            no two of them share a label.
        leaks: Leakage of estimated speakers between parts.
        learned_from: Utterances that the voices were learned from.
    """

    labels: Mapping[str, NDArray[np.int64]]
    agreement: float
    leaks: tuple[Leak, ...]
    learned_from: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "learned_from": self.learned_from,
            "parts": {
                name: {
                    "speakers": len(np.unique(labels[labels >= 0])),
                    "unknown": int((labels < 0).sum()),
                }
                for name, labels in self.labels.items()
            },
            "pairwise_f1_with_labels": (
                round(self.agreement, 4) if self.agreement == self.agreement else None
            ),
            "leaks": [leak.to_dict() for leak in self.leaks],
        }


def learn(parts: Sequence[Part]) -> tuple[VoiceModel, int]:
    """A model of the voices in these parts, and from how many utterances it was learned.

    Raises:
        DataError: Too few utterances; a model of other voices would be no ground to cluster on.
    """
    drawn = _draw((facts for part in parts for facts in part), _TEACHERS)
    try:
        model = learn_voices(_readable(drawn))
    except DataError as error:
        raise DataError(f"speakers cannot be estimated: {error}") from error
    return model, model.num_utterances


def estimate(
    audits: Sequence[PartAudit], table: UtteranceTable, *, learned_from: int, examples: int
) -> EstimatedSpeakers:
    """Cluster the embeddings that the parts have gathered; labels are those of the table."""
    vectors = [vector for audit in audits for vector in audit.voices.values()]
    found = estimate_speakers(np.array(vectors, np.float64)) if vectors else np.empty(0, np.int64)
    labels: dict[str, NDArray[np.int64]] = {}
    used = 0
    for audit in audits:
        of_part = np.full(audit.utterances, -1, np.int64)
        rows = list(audit.voices)
        of_part[rows] = found[used : used + len(rows)]
        used += len(rows)
        labels[audit.part.name] = of_part
    renamed = {audit.part.name: _renamed(audit.part, labels) for audit in audits}
    leaks = leakage(renamed, max_distance=0.0, examples=examples) if len(audits) > 1 else []
    return EstimatedSpeakers(
        labels=labels,
        agreement=_agreement(table, np.concatenate(list(labels.values()))),
        leaks=tuple(leak for leak in leaks if leak.relation == "speaker"),
        learned_from=learned_from,
    )


def _draw(utterances: Iterable[Facts], size: int) -> list[Facts]:
    """Some of any number, each as likely as another (reservoir sampling), always the same."""
    drawn: list[Facts] = []
    generator = random.Random(0)
    for number, facts in enumerate(utterances):
        if len(drawn) < size:
            drawn.append(facts)
        elif (place := generator.randrange(number + 1)) < size:
            drawn[place] = facts
    return drawn


def _readable(utterances: Iterable[Facts]) -> Iterator[tuple[NDArray[np.float32], int]]:
    for facts in utterances:
        if facts.sample_rate_hz < _LOWEST_RATE_HZ:
            continue
        try:
            yield samples_of(facts), facts.sample_rate_hz
        except (AudioError, MissingExtraError):
            continue  # the audit itself lists it as unreadable


def _renamed(part: Part, labels: Mapping[str, NDArray[np.int64]]) -> Iterator[Facts]:
    """The part's utterances, estimated speakers in the place of the labels."""
    for facts, label in zip(part, labels[part.name].tolist(), strict=True):
        yield replace(facts, speaker=f"voice {label}" if label >= 0 else None)


def _agreement(table: UtteranceTable, guessed: NDArray[np.int64]) -> float:
    labels = table.select("speaker FROM utterance ORDER BY row")
    both = [
        (given, voice)
        for (given,), voice in zip(labels, guessed.tolist(), strict=True)
        if given is not None and voice >= 0
    ]
    score = pairwise_score([given for given, _ in both], [voice for _, voice in both])
    return score.f1 if score.alike else math.nan
