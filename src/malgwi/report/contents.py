"""What a report says: values that an evaluation fills in, and their JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from malgwi.character_confidence import ConfidenceCheck
from malgwi.evaluate import Size, Speed
from malgwi.metrics.confidence import Interval
from malgwi.metrics.error_kinds import KindCounts, error_kinds
from malgwi.metrics.error_rate import Rates, Scores
from malgwi.metrics.unseen import Unseen
from malgwi.report.trade_off import Contender


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One recognised utterance as the report shows it.

    Attributes:
        id: As in the scores.
        duration_s: Of the recording; None where unknown.
        reference: As it was counted.
        hypothesis: Likewise.
        speaker: None where unknown.
        channel: How it was recorded or transmitted; None where unknown.
        silent: Nothing is audible in it: whatever was recognised is a hallucination.
        audio: A file, or samples [N] with ``sample_rate_hz`` as the model heard them; None if it
            cannot be played.
        sample_rate_hz: Of ``audio`` given as samples.
        attention: [U, T] weights of each token over the encoder's frames; None without attention.
        tokens: Labels of the U rows.
        score: What the hypothesis was ranked by.
        confidence: Between 0 and 1, where the decoder gives one.
    """

    id: str
    duration_s: float | None
    reference: str
    hypothesis: str
    speaker: str | None = None
    channel: str | None = None
    silent: bool = False
    audio: Path | NDArray[np.float32] | None = None
    sample_rate_hz: int = 16_000
    attention: NDArray[np.float32] | None = None
    tokens: tuple[str, ...] = ()
    score: float | None = None
    confidence: float | None = None

    def __post_init__(self) -> None:
        if self.attention is not None and len(self.attention) != len(self.tokens):
            raise ValueError(
                f"utterance {self.id!r}: {len(self.attention)} rows of attention for "
                f"{len(self.tokens)} tokens"
            )

    @property
    def characters_per_s(self) -> float | None:
        """Speaking rate: characters of the reference, without spaces, a second of recording."""
        characters = len("".join(self.reference.split()))
        return characters / self.duration_s if self.duration_s else None

    @property
    def heard_s(self) -> float:
        """Time that the attention covers: trimmed samples are shorter than the file."""
        if isinstance(self.audio, np.ndarray):
            return len(self.audio) / self.sample_rate_hz
        return self.duration_s or 0.0

    def to_dict(self, rates: Rates) -> dict[str, Any]:
        """For JSON, with the utterance's error rates."""
        shown = (
            *("id", "speaker", "channel", "silent", "duration_s"),
            *("reference", "hypothesis", "score", "confidence"),
        )
        rates_by_name = {name: rate.to_dict() for name, rate in rates.by_name().items()}
        return {**{name: getattr(self, name) for name in shown}, **rates_by_name}


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that is known of one evaluation.

    Attributes:
        title: What was evaluated on what.
        scores: Of ``malgwi.metrics.error_rate.score``; its ids are those of ``utterances``.
        intervals: metric → interval, as far as computed.
        decoding: Settings of the decoder by name.
        speed: Time taken; None if hypotheses came from elsewhere.
        size: Of the recogniser; None likewise.
        utterances: In any order.
        curves: Lines of metrics.jsonl, if the model was trained here.
        facts: Whatever else should stand in the report: machine, date, command, checkpoint.
        confidence: How far the confidence of characters can be believed, where it was checked.
        unseen: Characters that training never saw; None where it is not known what it saw.
        beside: Other evaluations of the same references, to be drawn together with this one.
    """

    title: str
    scores: Scores
    utterances: Sequence[Utterance]
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    decoding: Mapping[str, Any] = field(default_factory=dict)
    speed: Speed | None = None
    size: Size | None = None
    curves: Sequence[Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    confidence: ConfidenceCheck | None = None
    unseen: Unseen | None = None
    beside: Sequence[Contender] = ()

    def __post_init__(self) -> None:
        shown = {utterance.id for utterance in self.utterances}
        if shown != self.scores.utterances.keys() or len(shown) != len(self.utterances):
            raise ValueError("a report needs each scored utterance exactly once")

    def rates(self, utterance: Utterance) -> Rates:
        """The error rates of one utterance."""
        return self.scores.utterances[utterance.id]

    @cached_property
    def kinds(self) -> KindCounts:
        """What kind each error is; counted once, on first use."""
        return error_kinds(
            {u.id: u.reference for u in self.utterances},
            {u.id: u.hypothesis for u in self.utterances},
            silent={u.id for u in self.utterances if u.silent},
        )

    def to_dict(self) -> dict[str, Any]:
        """The record of report.json: scores as ``malgwi score --json`` has them, and the rest."""
        record = {
            "title": self.title,
            "scores": self.scores.to_dict(),
            "intervals": {name: found.to_dict() for name, found in self.intervals.items()},
            "decoding": self.decoding,
            "speed": None if self.speed is None else speed_record(self.speed),
            "size": None if self.size is None else asdict(self.size),
            "facts": self.facts,
            "confidence": None if self.confidence is None else self.confidence.to_dict(),
            "unseen_characters": None if self.unseen is None else self.unseen.to_dict(),
            "beside": [one.to_dict() for one in self.beside],
            "utterances": [u.to_dict(self.rates(u)) for u in self.utterances],
        }
        plain_record: dict[str, Any] = plain(record)
        return plain_record


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much of the utterances goes into the page, the worst first.

    Args:
        listed: Utterances with aligned texts.
        played: Of these, with audio.
        audio_bytes: Audio in all, as it stands in the page.
        longest_audio_s: What lies behind is cut off.
        drawn: Utterances with a picture of attention.
        speakers: Rows of the table of speakers.
    """

    listed: int = 300
    played: int = 40
    audio_bytes: int = 2_000_000
    longest_audio_s: float = 20.0
    drawn: int = 40
    speakers: int = 40


def speed_record(speed: Speed) -> dict[str, float]:
    """Seconds and the two ratios made of them."""
    ratios = {
        "x_real_time": speed.x_real_time,
        "x_real_time_per_thread": speed.x_real_time_per_thread,
    }
    return {**asdict(speed), **ratios}


def plain(value: Any) -> Any:
    """The value in JSON's own types: NaN and infinity become None, paths and the rest text.

    >>> plain({"a": (1, float("nan")), "b": Path("x"), "c": np.float32(0.5)})
    {'a': [1, None], 'b': 'x', 'c': 0.5}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
