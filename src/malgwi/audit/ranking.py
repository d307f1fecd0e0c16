"""Suspicious utterances, the most suspicious first, as many as a person will look at."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from malgwi.manifest import Facts


class KindOfSuspicion(NamedTuple):
    """What a list of suspects is called, and what it means.

    ``weight`` is "error" for what is nearly always wrong, "check" for what often is, "note" for
    what only has to be known.
    """

    title: str
    meaning: str
    weight: Literal["error", "check", "note"]


#: In the order in which they are shown.
KINDS: dict[str, KindOfSuspicion] = {
    "unreadable": KindOfSuspicion("Unreadable audio", "cannot be decoded as it stands", "error"),
    "silent": KindOfSuspicion(
        "Silent audio", "nothing in it reaches -80 dB of full scale", "error"
    ),
    "empty": KindOfSuspicion("No text", "nothing to learn or to score", "error"),
    "charset": KindOfSuspicion(
        "Wrong charset", "bytes read in another encoding than they were written in", "error"
    ),
    "same_audio_other_text": KindOfSuspicion(
        "Same audio, other text", "the samples are equal, so one of the texts is wrong", "error"
    ),
    "too_much_text": KindOfSuspicion(
        "Text too long for the audio",
        "far more characters a second than texts of like length in this part",
        "check",
    ),
    "too_little_text": KindOfSuspicion(
        "Text too short for the audio",
        "far fewer characters a second than texts of like length in this part",
        "check",
    ),
    "repeated_audio": KindOfSuspicion(
        "Repeated audio", "the samples and the text are equal: counted twice", "check"
    ),
    "same_text_other_pace": KindOfSuspicion(
        "Same text, other audio",
        "recordings of one script; shown are those that differ most in length",
        "check",
    ),
    "clipped": KindOfSuspicion("Clipped", "samples cut off at full scale or in flat tops", "check"),
    "noisy": KindOfSuspicion("Noisy", "estimated signal-to-noise ratio below 5 dB", "check"),
    "digits": KindOfSuspicion("Digits", "who reads them one way, who the other?", "note"),
    "latin": KindOfSuspicion("Latin letters", "spelled out or read as a word?", "note"),
    "other_script": KindOfSuspicion("Other scripts", "Hanja, Kana, Greek, Cyrillic", "note"),
    "jamo": KindOfSuspicion("Single letters", "ㅋㅋ and ㅠㅠ: how would they sound?", "note"),
    "markup": KindOfSuspicion("Marks", "transcribers' marks, tags and brackets", "note"),
}


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One utterance of a list.

    Attributes:
        part: Where it stands.
        facts: What its manifest says.
        score: What it is ranked by; higher is worse. What it measures depends on the kind.
        reason: In words.
        other: The part and facts of its counterpart, where it takes two.
    """

    part: str
    facts: Facts
    score: float
    reason: str
    other: tuple[str, Facts] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        record = {**_said(self.part, self.facts), "score": self.score, "reason": self.reason}
        if self.other is not None:
            record["other"] = _said(*self.other)
        return record


def _said(part: str, facts: Facts) -> dict[str, Any]:
    return {
        "part": part,
        "id": facts.id,
        "text": facts.text,
        "speaker": facts.speaker,
        "duration_s": round(facts.duration_s, 4),
        "path": facts.path,
        "start_s": round(facts.start_s, 4),
    }


class Ranking:
    """The ``size`` worst of any number, and how many there were. Of equals, the first stay.

    >>> facts = Facts(id="a", text="", speaker=None, path="", start_s=0, duration_s=1, channel=0,
    ...               sample_rate_hz=0, custom={}, line={})
    >>> worst = Ranking(2)
    >>> for score in (1.0, 3.0, 2.0):
    ...     worst.add(Suspect(part="train", facts=facts, score=score, reason=""))
    >>> [suspect.score for suspect in worst.listed()], worst.count
    ([3.0, 2.0], 3)
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[float, int, Suspect]] = []
        self._tie = 0
        self.count = 0

    def wants(self, score: float) -> bool:
        """Count one more, and say whether it is among the worst so far."""
        self.count += 1
        return len(self._heap) < self._size or (self._size > 0 and score > self._heap[0][0])

    def add(self, suspect: Suspect) -> None:
        """Count one more, and keep it if it is among the worst."""
        if self.wants(suspect.score):
            self.keep(suspect)

    def keep(self, suspect: Suspect) -> None:
        """Keep one that was ``wanted``."""
        self._tie -= 1
        entry = (suspect.score, self._tie, suspect)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def listed(self) -> list[Suspect]:
        """The worst first."""
        return [suspect for _, _, suspect in sorted(self._heap, key=lambda e: (-e[0], -e[1]))]


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """All of one kind: how many, and the worst of them."""

    kind: str
    count: int
    suspects: tuple[Suspect, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        found = KINDS[self.kind]
        return {
            "kind": self.kind,
            "title": found.title,
            "meaning": found.meaning,
            "weight": found.weight,
            "count": self.count,
            "examples": [suspect.to_dict() for suspect in self.suspects],
        }


def in_order(suspicions: Iterable[Suspicion]) -> list[Suspicion]:
    """In the order of ``KINDS``, without those that found nothing."""
    place = {kind: number for number, kind in enumerate(KINDS)}
    return sorted((s for s in suspicions if s.count), key=lambda s: place[s.kind])
