"""What there is to know of a corpus before training on it, measured in one pass.

part.py gathers, an utterance at a time, what histogram.py, pace.py, vocabulary.py, texts.py,
speaker_labels.py and ranking.py count; listening.py decodes each utterance once and hands it to
sound.py and bandwidth.py; repeats.py finds equal audio and texts by their hashes; voices.py
estimates speakers; findings.py says what of all this matters. Leakage is `malgwi.leakage`.

The surprising choice: nothing is loaded. Parts are streamed, values fall into fixed bins, what has
to be compared lies in a table on disk, and the few utterances that are shown are read again at the
end. So memory is bounded by `AuditConfig.memory_bytes` and does not grow with the utterances, but
for 8 to 24 bytes a different word, and for voices if speakers are to be estimated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from malgwi import __version__
from malgwi.audit.findings import Finding, findings
from malgwi.audit.listening import Heard, ListeningConfig, Unreadable, listen
from malgwi.audit.part import Part, PartAudit
from malgwi.audit.ranking import Ranking, Suspicion, in_order
from malgwi.audit.repeats import look_up, repeats
from malgwi.audit.vocabulary import Coverage
from malgwi.audit.voices import EstimatedSpeakers, estimate, learn
from malgwi.errors import ConfigError, DataError
from malgwi.leakage import MEMORY_BYTES, RELATIONS, Leak, Relation, leaks_of
from malgwi.utterance_table import UtteranceTable

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
        max_unknown: Share of them of which that may be unknown, as of those that name no speaker.
        relations: Which kinds of leakage the bound is for; all are reported.
        speakers: Estimate speakers from the audio.
        pace_z: Robust z-score of characters a second that is suspicious.
        memory_bytes: Roughly what comparing utterances may take, however many there are.
    """

    sound: bool = True
    listening: ListeningConfig = field(default_factory=ListeningConfig)
    examples: int = 10
    max_distance: float = 0.1
    max_leakage: float = 0.0
    max_unknown: float = 0.05
    relations: tuple[Relation, ...] = RELATIONS
    speakers: bool = False
    pace_z: float = 4.0
    memory_bytes: int = MEMORY_BYTES

    def __post_init__(self) -> None:
        for name in ("max_leakage", "max_unknown"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}={getattr(self, name):g}: give a share from 0 to 1")
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
        distinct_speakers: Named in any part.
        distinct_scripts: Of all parts.
    """

    config: AuditConfig
    parts: tuple[PartAudit, ...]
    coverage: tuple[Coverage, ...]
    suspicions: tuple[Suspicion, ...]
    leaks: tuple[Leak, ...]
    speakers: EstimatedSpeakers | None
    distinct_speakers: int
    distinct_scripts: int

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
    def unjudged(self) -> tuple[Leak, ...]:
        """Leaks that nobody can tell, though the bound is for them: no reason to go on either.

        Too many utterances lack what is compared, or the first part's speakers are numbers of
        utterances. Estimated speakers stand in for named ones.
        """
        numbered = {part.part.name for part in self.parts if part.labels.numbered}
        return tuple(
            leak
            for leak in self.leaks
            if leak.relation in self.config.relations
            and not (leak.relation == "speaker" and self.speakers is not None)
            and (
                leak.unknown > self.config.max_unknown * leak.utterances
                or (leak.relation == "speaker" and leak.first in numbered)
            )
        )

    @property
    def findings(self) -> list[Finding]:
        """What a person should know first, the gravest first."""
        return findings(
            self.parts,
            self.coverage,
            self.suspicions,
            self.excessive,
            self.unjudged,
            self.speakers,
        )

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
                "unknown": [[k.relation, k.first, k.second] for k in self.unjudged],
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
    with UtteranceTable(config.memory_bytes // 2) as table:
        audits: list[PartAudit] = []
        for part in parts:
            audits.append(_measure(part, audits, table, config, measured))
        return _concluded(audits, table, config, learned_from)


def _concluded(
    audits: Sequence[PartAudit], table: UtteranceTable, config: AuditConfig, learned_from: int
) -> Audit:
    """What can be said once all parts are measured."""
    first = audits[0].part.name
    return Audit(
        config=config,
        parts=tuple(audits),
        coverage=tuple(
            each.vocabulary.coverage(first, each.part.name, examples=3 * config.examples)
            for each in audits[1:]
        ),
        suspicions=tuple(in_order(_suspicions(audits, table, config))),
        leaks=tuple(_leaks(audits, table, config)),
        speakers=(
            estimate(audits, table, learned_from=learned_from, examples=config.examples)
            if config.speakers
            else None
        ),
        distinct_speakers=table.distinct("speaker"),
        distinct_scripts=table.distinct("script"),
    )


def _measure(
    part: Part,
    before: Sequence[PartAudit],
    table: UtteranceTable,
    config: AuditConfig,
    measured: Callable[[int], None],
) -> PartAudit:
    found = PartAudit(
        part,
        table,
        len(before),
        first=before[0] if before else None,
        examples=config.examples,
        pace_z=config.pace_z,
    )
    heard = listen(part, config.listening) if config.sound else ((facts, None) for facts in part)
    for number, (facts, what) in enumerate(heard, 1):
        found.add(facts, what)
        if number % 64 == 0:
            measured(64)
    if not found.utterances:
        only = f" of part {part.official!r}" if part.official else ""
        raise DataError(f"{part.path}: holds no utterances{only}")
    measured(found.utterances % 64)
    found.conclude()
    return found


def _suspicions(
    audits: Sequence[PartAudit], table: UtteranceTable, config: AuditConfig
) -> list[Suspicion]:
    """Those of single utterances over all parts, and those that take two."""
    alone = [
        _joined(kind, [{**each.rankings, **each.outliers}[kind] for each in audits], config)
        for kind in audits[0].rankings
    ]
    parts = {each.part.name: each.part for each in audits}
    pairs = look_up(repeats(table, list(parts), config.examples), parts)
    return [*alone, *pairs]


def _joined(kind: str, rankings: Sequence[Ranking], config: AuditConfig) -> Suspicion:
    """One list of all parts' suspects, the worst of all first."""
    suspects = chain.from_iterable(ranking.listed() for ranking in rankings)
    worst = sorted(suspects, key=lambda suspect: -suspect.score)[: config.examples]
    count = sum(ranking.count for ranking in rankings)
    return Suspicion(kind=kind, count=count, suspects=tuple(worst))


def _leaks(audits: Sequence[PartAudit], table: UtteranceTable, config: AuditConfig) -> list[Leak]:
    return leaks_of(
        table,
        [each.part.name for each in audits],
        max_distance=config.max_distance,
        examples=config.examples,
        memory_bytes=config.memory_bytes // 2,
    )
