"""What of an audit a person should know first, in sentences, the gravest first."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from malgwi.audit.part import PartAudit
from malgwi.audit.ranking import KINDS, Suspicion
from malgwi.audit.vocabulary import Coverage
from malgwi.audit.voices import EstimatedSpeakers
from malgwi.leakage import Leak

Weight = Literal["error", "check", "note"]
_ORDER: tuple[Weight, ...] = ("error", "check", "note")
#: From this share on a part is of telephone band; below, down to the second, it is mixed.
_MOST, _SOME = 0.8, 0.02
#: Silence at the edges beyond this share is worth cutting.
_MUCH_SILENCE = 0.25
#: Characters that training never showed cost this share of errors whatever is recognised.
_UNSEEN_CHARACTERS = 0.001


@dataclass(frozen=True)
class Finding:
    """One sentence: "error" is wrong, "check" may be, "note" is good to know."""

    weight: Weight
    text: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def findings(
    parts: Sequence[PartAudit],
    coverage: Iterable[Coverage],
    suspicions: Iterable[Suspicion],
    excessive: Iterable[Leak],
    unjudged: Iterable[Leak],
    speakers: EstimatedSpeakers | None,
) -> list[Finding]:
    """All sentences, errors first."""
    found = [
        *(_of_leak(leak, speakers) for leak in excessive),
        *map(_of_unjudged, unjudged),
        *_wrong(suspicions),
        *(finding for part in parts for finding in _of_labels(part, speakers)),
        *(finding for part in parts for finding in _of_band(part)),
        *(finding for part in parts for finding in _of_silence(part)),
        *(finding for each in coverage for finding in _of_vocabulary(each)),
    ]
    if speakers is not None:
        found.append(_of_estimate(speakers))
    return sorted(found, key=lambda finding: _ORDER.index(finding.weight))


def _of_leak(leak: Leak, speakers: EstimatedSpeakers | None) -> Finding:
    by_voice = speakers is not None and any(leak is each for each in speakers.leaks)
    return Finding("error", f"Leakage{' by voice' if by_voice else ''}: {leak.describe()}")


def _of_unjudged(leak: Leak) -> Finding:
    things = {"speaker": "name no speaker", "audio": "have no audio file"}
    why = (
        f"{leak.unknown:,} of {leak.utterances:,} utterances cannot be compared: they or all of "
        f"{leak.first} {things.get(leak.relation, 'have no text')}"
        if leak.unknown
        else f"the speakers of {leak.first} seem to be numbers of utterances"
    )
    remedy = ", have them estimated (--estimate-speakers)," if leak.relation == "speaker" else ""
    return Finding(
        "error",
        f"Leakage by {leak.relation.replace('_', ' ')} is unknown: {leak.second} in {leak.first}: "
        f"{why}. Mend the labels{remedy} or leave it out of --relations",
    )


def _wrong(suspicions: Iterable[Suspicion]) -> Iterator[Finding]:
    for suspicion in suspicions:
        kind = KINDS[suspicion.kind]
        if kind.weight == "error":
            yield Finding("error", f"{kind.title}: {suspicion.count:,}; {kind.meaning}")


def _of_labels(part: PartAudit, speakers: EstimatedSpeakers | None) -> Iterator[Finding]:
    remedy = "" if speakers else "; --estimate-speakers listens for who speaks"
    for doubt in part.labels.doubts():
        yield Finding("check", f"{part.part.name}: {doubt}{remedy}")


def _of_band(part: PartAudit) -> Iterator[Finding]:
    name, share = part.part.name, part.telephone_share
    if share >= _MOST:
        edge_khz = part.distributions["bandwidth_hz"].quantile(0.5) / 1000
        yield Finding(
            "note",
            f"{name}: telephone audio upsampled: {share:.0%} of the utterances hold nothing "
            f"above {edge_khz:.1f} kHz, though their files could",
        )
    elif share > _SOME:
        yield Finding(
            "check",
            f"{name}: mixed bands: {share:.1%} of the utterances are of telephone band in files "
            "that could hold more; a recogniser may learn to tell them apart",
        )
    narrow = sum(count for rate, count in part.sample_rates.items() if 0 < rate <= 8_000)
    if 0 < narrow < part.utterances:
        yield Finding(
            "check",
            f"{name}: {narrow:,} of {part.utterances:,} files run at 8 kHz or less, the rest "
            "higher",
        )
    elif narrow:
        yield Finding("note", f"{name}: telephone band: the files run at 8 kHz or less")


def _of_silence(part: PartAudit) -> Iterator[Finding]:
    if part.edge_silence > _MUCH_SILENCE:
        yield Finding(
            "note",
            f"{part.part.name}: {part.edge_silence:.0%} of the audio is silence before and behind "
            "the speech",
        )


def _of_vocabulary(coverage: Coverage) -> Iterator[Finding]:
    unseen = coverage.characters
    if unseen.share > _UNSEEN_CHARACTERS:
        listed = " ".join(what for what, _ in unseen.examples[:10])
        yield Finding(
            "check",
            f"{coverage.second}: {unseen.share:.2%} of the characters never stand in "
            f"{coverage.first}: {listed}",
        )


def _of_estimate(speakers: EstimatedSpeakers) -> Finding:
    counts = ", ".join(
        f"{name} {part['speakers']:,}" for name, part in speakers.to_dict()["parts"].items()
    )
    agreement = (
        f"; agreement with the given labels: pairwise F1 {speakers.agreement:.2f}"
        if speakers.agreement == speakers.agreement
        else ""
    )
    return Finding("note", f"Speakers estimated by voice: {counts}{agreement}")
