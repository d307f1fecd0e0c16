"""What there is to know of a corpus before training on it, measured in one pass.

part.py gathers, an utterance at a time, what histogram.py, pace.py, vocabulary.py, texts.py,
speaker_labels.py and ranking.py count; listening.py decodes each utterance once and hands it to
sound.py and bandwidth.py; repeats.py finds equal audio and texts by their hashes; voices.py
estimates speakers; findings.py says what of all this matters. Leakage is `malgwi.leakage`.

The surprising choice: nothing is loaded. Parts are streamed, texts become 64-bit hashes, values
fall into fixed bins, and the few utterances that are shown are read again at the end. Only
leakage, which compares texts, keeps each different script once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np

from malgwi import __version__
from malgwi.audit.findings import Finding, findings
from malgwi.audit.listening import Heard, ListeningConfig, Unreadable, listen
from malgwi.audit.part import Part, PartAudit, key_of
from malgwi.audit.ranking import Ranking, Suspicion, in_order
from malgwi.audit.repeats import look_up, repeats
from malgwi.audit.vocabulary import Coverage
from malgwi.audit.voices import EstimatedSpeakers, estimate, learn
from malgwi.errors import ConfigError, DataError
from malgwi.leakage import RELATIONS, Leak, Relation, leakage
from malgwi.manifest import Facts

__all__ = ["Audit", "AuditConfig", "Heard", "Part", "PartAudit", "Unreadable", "audit"]

#: Raise it when a key of audit.json changes its meaning or goes.
FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class AuditConfig:
    """What to look at, and how closely.

    Attributes:
        sound: Decode and measure the audio; without, only what the manifest says.
        listening: How.
        examples: Suspects listed of each kind, and examples of each leak.
        max_distance: Scripts are nearly the same up to this share of the longer one; 0 compares
            exactly only.
        max_leakage: Share of a part's utterances that may leak by any of ``relations``.
        relations: Which kinds of leakage the bound is for; all are reported.
        speakers: Estimate speakers from the audio.
        pace_z: Robust z-score of characters a second that is suspicious.
    """

    sound: bool = True
    listening: ListeningConfig = field(default_factory=ListeningConfig)
    examples: int = 10
    max_distance: float = 0.1
    max_leakage: float = 0.0
    relations: tuple[Relation, ...] = RELATIONS
    speakers: bool = False
    pace_z: float = 4.0

    def __post_init__(self) -> None:
        if not 0 <= self.max_leakage <= 1:
            raise ConfigError(f"max_leakage={self.max_leakage:g}: give a share from 0 to 1")
        if self.examples < 1 or self.pace_z <= 0:
            raise ConfigError(f"examples={self.examples} and pace_z={self.pace_z:g} are positive")
        if self.speakers and not self.sound:
            raise ConfigError("speakers are estimated by listening: leave --no-sound out")


@dataclass(frozen=True, kw_only=True)
class Audit:
    """All that was found.

    Attributes:
        config: What was asked.
        parts: In the order given, the first most often training.
        coverage: Of each later part by the first.
        suspicions: In the order of ``ranking.KINDS``; only those that found something.
        leaks: Between each two parts; estimated speakers are in ``speakers``.
        speakers: Estimated, if asked for.
    """

    config: AuditConfig
    parts: tuple[PartAudit, ...]
    coverage: tuple[Coverage, ...]
    suspicions: tuple[Suspicion, ...]
    leaks: tuple[Leak, ...]
    speakers: EstimatedSpeakers | None

    @property
    def excessive(self) -> tuple[Leak, ...]:
        """Leaks beyond the bound, estimated speakers included: they are why CI should stop."""
        estimated = () if self.speakers is None else self.speakers.leaks
        return tuple(
            leak
            for leak in (*self.leaks, *estimated)
            if leak.relation in self.config.relations and leak.share > self.config.max_leakage
        )

    @property
    def findings(self) -> list[Finding]:
        """What a person should know first, the gravest first."""
        return findings(self.parts, self.coverage, self.suspicions, self.excessive, self.speakers)

    def to_dict(self) -> dict[str, Any]:
        """The record of audit.json; docs/concepts/data.md explains its keys."""
        config = self.config
        return {
            "format": FORMAT_VERSION,
            "malgwi": __version__,
            "settings": {
                "sound": config.sound,
                "edge_db": config.listening.edge_db,
                "examples": config.examples,
                "max_distance": config.max_distance,
                "pace_z": config.pace_z,
            },
            "findings": [finding.to_dict() for finding in self.findings],
            "parts": {each.part.name: each.to_dict() for each in self.parts},
            "vocabulary": [each.to_dict() for each in self.coverage],
            "suspicious": [each.to_dict() for each in self.suspicions],
            "leakage": {
                "max_leakage": config.max_leakage,
                "relations": list(config.relations),
                "exceeded": bool(self.excessive),
                "leaks": [leak.to_dict() for leak in self.leaks],
            },
            "estimated_speakers": None if self.speakers is None else self.speakers.to_dict(),
        }


def audit(
    parts: Sequence[Part],
    config: AuditConfig | None = None,
    *,
    measured: Callable[[int], None] = lambda _: None,
) -> Audit:
    """Look at all utterances of all parts.

    Args:
        parts: Training first, where there is more than one.
        config: What to look at.
        measured: Told the number of utterances done, every now and then.

    Raises:
        DataError: A manifest that cannot be read, or a part without utterances.
        ConfigError: Two parts of one name.
    """
    config = config or AuditConfig()
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise ConfigError(f"parts need names of their own, given: {', '.join(names)}")
    model, learned_from = learn(parts) if config.speakers else (None, 0)
    config = replace(config, listening=replace(config.listening, voices=model))
    audits: list[PartAudit] = []
    for part in parts:
        audits.append(_measure(part, audits[0] if audits else None, config, measured))
    return Audit(
        config=config,
        parts=tuple(audits),
        coverage=tuple(
            each.vocabulary.coverage(names[0], each.part.name, examples=3 * config.examples)
            for each in audits[1:]
        ),
        suspicions=tuple(in_order(_suspicions(audits, config))),
        leaks=tuple(_leaks(audits, config)),
        speakers=(
            estimate(audits, learned_from=learned_from, examples=config.examples)
            if config.speakers
            else None
        ),
    )


def _measure(
    part: Part,
    first: PartAudit | None,
    config: AuditConfig,
    measured: Callable[[int], None],
) -> PartAudit:
    found = PartAudit(part, first=first, examples=config.examples, pace_z=config.pace_z)
    heard = listen(part, config.listening) if config.sound else ((facts, None) for facts in part)
    for number, (facts, what) in enumerate(heard, 1):
        found.add(facts, what)
        if number % 64 == 0:
            measured(64)
    if not len(found.columns):
        only = f" of part {part.official!r}" if part.official else ""
        raise DataError(f"{part.path}: holds no utterances{only}")
    measured(len(found.columns) % 64)
    return found


def _suspicions(audits: Sequence[PartAudit], config: AuditConfig) -> list[Suspicion]:
    """Those of single utterances over all parts, and those that take two."""
    alone = [
        _joined(kind, [{**each.rankings, **each.outliers}[kind] for each in audits], config)
        for kind in audits[0].rankings
    ]
    columns = {each.part.name: each.columns for each in audits}
    pairs = look_up(repeats(columns, config.examples), {a.part.name: a.part for a in audits})
    return [*alone, *pairs]


def _joined(kind: str, rankings: Sequence[Ranking], config: AuditConfig) -> Suspicion:
    """One list of all parts' suspects, the worst of all first."""
    suspects = chain.from_iterable(ranking.listed() for ranking in rankings)
    worst = sorted(suspects, key=lambda suspect: -suspect.score)[: config.examples]
    count = sum(ranking.count for ranking in rankings)
    return Suspicion(kind=kind, count=count, suspects=tuple(worst))


def _leaks(audits: Sequence[PartAudit], config: AuditConfig) -> list[Leak]:
    if len(audits) < 2:
        return []
    return leakage(
        {each.part.name: each.part for each in audits},
        max_distance=config.max_distance,
        content_hash=_content_hash(audits) if config.sound else None,
        examples=config.examples,
    )


def _content_hash(audits: Sequence[PartAudit]) -> Callable[[Facts], str | None]:
    """The hash of an utterance's samples, found again by the utterance's key."""
    keys = np.concatenate([each.columns.key for each in audits])
    sounds = np.concatenate([each.columns.sound for each in audits])
    order = np.argsort(keys, kind="stable")
    keys, sounds = keys[order], sounds[order]

    def of(facts: Facts) -> str | None:
        place = int(np.searchsorted(keys, np.uint64(key_of(facts))))
        return f"{sounds[place]:016x}" if sounds[place] else None

    return of
