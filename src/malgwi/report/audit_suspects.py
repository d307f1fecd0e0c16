"""The suspicious utterances of an audit as lists to open, read and listen to.

The page must stay small enough to send: players are embedded until a number of bytes is used up,
a few of each list in turn, so that the last list is heard as well as the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from malgwi.audit.listening import samples_of
from malgwi.audit.ranking import KINDS, Suspect, Suspicion
from malgwi.errors import AudioError, MissingExtraError
from malgwi.manifest import Facts
from malgwi.report.sound import data_address

#: Audio in all, as it stands in the page.
_AUDIO_BYTES = 3_000_000
#: What lies behind is not played.
_LONGEST_S = 12.0
#: Lists that stand open; those of notes are folded.
_OPEN = ("error", "check")
_COLOURS = {"error": "bad", "check": "", "note": ""}


@dataclass(frozen=True)
class Listed:
    """The lists as HTML, and what was left out, in words."""

    html: str
    limits: str


def suspects(suspicions: Sequence[Suspicion]) -> Listed:
    """All lists; those that cannot be played are only read."""
    sounds = _sounds(suspicions)
    lists = "".join(_list(suspicion, sounds) for suspicion in suspicions)
    limits = (
        f"The worst of each kind; {len(sounds):,} can be played (their first {_LONGEST_S:g} s). "
        "audit.json lists the same with paths."
    )
    return Listed(lists or "<p>None.</p>", limits)


def _sounds(suspicions: Sequence[Suspicion]) -> dict[tuple[str, str], str]:
    """(part, id) → player's address: first of each list, second of each, and so on."""
    sounds: dict[tuple[str, str], str] = {}
    left = _AUDIO_BYTES
    deepest = max((len(suspicion.suspects) for suspicion in suspicions), default=0)
    for depth in range(deepest):
        for suspicion in suspicions:
            for part, facts in _at(suspicion, depth):
                if (part, facts.id) in sounds:
                    continue
                address = _address(facts)
                if len(address) > left:
                    return sounds
                left -= len(address)
                if address:
                    sounds[part, facts.id] = address
    return sounds


def _at(suspicion: Suspicion, depth: int) -> list[tuple[str, Facts]]:
    """The utterance at this place of the list and its counterpart; none where nothing sounds."""
    if depth >= len(suspicion.suspects) or suspicion.kind in ("unreadable", "silent"):
        return []
    suspect = suspicion.suspects[depth]
    other = [] if suspect.other is None else [suspect.other]
    return [(suspect.part, suspect.facts), *other]


def _address(facts: Facts) -> str:
    """Empty where the audio cannot be read: the list of unreadable audio says why."""
    try:
        samples = samples_of(facts)
    except (AudioError, MissingExtraError):
        return ""
    return data_address(samples, sample_rate_hz=facts.sample_rate_hz, longest_s=_LONGEST_S)


def _list(suspicion: Suspicion, sounds: dict[tuple[str, str], str]) -> str:
    kind = KINDS[suspicion.kind]
    more = suspicion.count - len(suspicion.suspects)
    rest = f'<p class="note">and {more:,} more</p>' if more > 0 else ""
    cards = "".join(_card(suspect, sounds) for suspect in suspicion.suspects)
    return (
        f'<details class="suspicion"{" open" if kind.weight in _OPEN else ""}><summary>'
        f'<b class="{_COLOURS[kind.weight]}">{escape(kind.title)}</b>'
        f'<span class="note">{escape(kind.meaning)}</span>'
        f'<span class="count">{suspicion.count:,}</span></summary>{cards}{rest}</details>'
    )


def _card(suspect: Suspect, sounds: dict[tuple[str, str], str]) -> str:
    against = ""
    if suspect.other is not None:
        part, facts = suspect.other
        against = f'<div class="against">{_utterance(part, facts, "", sounds)}</div>'
    return (
        f"<article>{_utterance(suspect.part, suspect.facts, suspect.reason, sounds)}{against}"
        "</article>"
    )


def _utterance(part: str, facts: Facts, reason: str, sounds: dict[tuple[str, str], str]) -> str:
    labels = [part, facts.speaker or "no speaker", f"{facts.duration_s:.1f} s"]
    said = "".join(f"<span>{escape(label)}</span>" for label in labels)
    why = f'<span class="reason">{escape(reason)}</span>' if reason else ""
    sound = sounds.get((part, facts.id), "")
    player = f'<audio controls preload="metadata" src="{sound}"></audio>' if sound else ""
    text = escape(facts.text) or "<i>no text</i>"
    return (
        f'<header>{why}<span class="id">{escape(facts.id)}</span>{said}</header>'
        f'<p class="said" lang="ko">{text}</p>{player}'
    )
