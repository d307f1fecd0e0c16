"""Where the errors are: by duration, speaking rate, channel, speaker and character.

CER without spaces throughout, each group with its number of utterances and an interval: of
speakers where a group has several, else of utterances; by jackknife, which draws nothing.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from malgwi.metrics.alignment import align
from malgwi.metrics.confidence import BootstrapConfig, Interval, widest
from malgwi.metrics.error_rate import ErrorRate, countable, total
from malgwi.report.charts import Bar, bars, clock, sortable
from malgwi.report.contents import Limits, Report, Utterance

_INFINITE = float("inf")
_DURATIONS_S = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, _INFINITE)
#: Korean read or spoken calmly lies around 4 to 6 syllables a second, pauses included.
_CHARACTERS_PER_S = (0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, _INFINITE)
_INTERVALS = BootstrapConfig(method="jackknife_t")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Utterances that have something in common, pooled.

    Attributes:
        label: What they have in common.
        rate: CER without spaces, errors summed and divided once.
        utterances: How many there are.
        audio_s: How long they last together; None where that is not known of all.
        interval: Of the rate; its bounds are NaN for a single utterance.
    """

    label: str
    rate: ErrorRate
    utterances: int
    audio_s: float | None
    interval: Interval

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "label": self.label,
            "utterances": self.utterances,
            "audio_s": self.audio_s,
            "cer_nospace": self.rate.to_dict(),
            "interval": self.interval.to_dict(),
        }


def breakdown(report: Report) -> dict[str, list[Group]]:
    """Every division that the report knows of; empty lists where nothing is known."""
    return {
        "duration": by_duration(report),
        "speaking_rate": by_speaking_rate(report),
        "channel": by_channel(report),
        "speaker": by_speaker(report),
    }


def by_duration(report: Report) -> list[Group]:
    """Each span of durations that occurs; empty where durations are unknown."""
    return _spans(report, _DURATIONS_S, lambda utterance: utterance.duration_s, " s")


def by_speaking_rate(report: Report) -> list[Group]:
    """Each span of characters a second that occurs, silence within the recording included."""
    return _spans(report, _CHARACTERS_PER_S, lambda utterance: utterance.characters_per_s)


def by_channel(report: Report) -> list[Group]:
    """Each channel, the worst first; empty where channels are unknown."""
    return _named(report, lambda utterance: utterance.channel)


def by_speaker(report: Report) -> list[Group]:
    """Each speaker, the worst first; empty where speakers are unknown."""
    return _named(report, lambda utterance: utterance.speaker)


def _spans(
    report: Report,
    bounds: Sequence[float],
    value: Callable[[Utterance], float | None],
    unit: str = "",
) -> list[Group]:
    groups = []
    known = [(u, found) for u in report.utterances if (found := value(u)) is not None]
    for low, high in pairwise(bounds):
        inside = [u for u, found in known if low <= found < high]
        if inside:
            until = " and more" if high == _INFINITE else f" – {high:g}"
            label = f"{low:g}{unit}{until}" if high == _INFINITE else f"{low:g}{until}{unit}"
            groups.append(_group(report, label, inside))
    return groups


def _named(report: Report, name: Callable[[Utterance], str | None]) -> list[Group]:
    members: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in report.utterances:
        found = name(utterance)
        if found is not None:
            members[found].append(utterance)
    groups = [_group(report, label, inside) for label, inside in members.items()]
    return sorted(groups, key=lambda group: (-sortable(group.rate), group.label))


def _group(report: Report, label: str, utterances: Sequence[Utterance]) -> Group:
    rates = [report.rates(utterance).cer_nospace for utterance in utterances]
    speakers = [utterance.speaker or utterance.id for utterance in utterances]
    durations = [u.duration_s for u in utterances if u.duration_s is not None]
    return Group(
        label=label,
        rate=total(rates),
        utterances=len(utterances),
        audio_s=sum(durations) if len(durations) == len(utterances) else None,
        interval=widest(rates, {"speaker": speakers}, _INTERVALS),
    )


# --- As HTML ----------------------------------------------------------------------------------


def drawn(title: str, groups: Sequence[Group], most: int | None = None) -> str:
    """Groups as bars with their intervals; "" unless there are two or more to compare."""
    if len(groups) < 2:
        return ""
    shown = groups[:most]
    left_out = len(groups) - len(shown)
    note = f'<p class="note">and {left_out:,} better ones</p>' if left_out else ""
    return f'<div class="part"><h3>{escape(title)}</h3>{bars([_bar(g) for g in shown])}{note}</div>'


def _bar(group: Group) -> Bar:
    low, high = group.interval.low, group.interval.high
    bounds = "" if math.isnan(low) else f"{100 * low:.1f} – {100 * high:.1f}"
    lasting = "" if group.audio_s is None else f", {clock(group.audio_s)}"
    count = f"n = {group.utterances:,}{lasting}"
    return Bar(group.label, group.rate, " · ".join(filter(None, (count, bounds))), low, high)


def where(report: Report, limits: Limits) -> tuple[str, str]:
    """Two columns of bars: what the recording was like, and who spoke."""
    groups = breakdown(report)
    recording = (
        drawn("By duration", groups["duration"]),
        drawn("By speaking rate, characters a second", groups["speaking_rate"]),
        drawn("By channel", groups["channel"]),
    )
    return "".join(recording), drawn("By speaker", groups["speaker"], limits.speakers)


def by_character(utterances: Iterable[Utterance], most: int = 12) -> str:
    """The characters most often taken for another, lost or added."""
    counts: Mapping[str, Counter[str]] = defaultdict(Counter)
    for utterance in utterances:
        said, heard = (
            countable(text).replace(" ", "") for text in (utterance.reference, utterance.hypothesis)
        )
        for edit in align(said, heard):
            if edit.kind == "substitution":
                counts["Taken for another"][f"{edit.reference} → {edit.hypothesis}"] += 1
            elif edit.kind != "hit":
                title = "Lost" if edit.kind == "deletion" else "Added"
                counts[title][edit.reference or edit.hypothesis or ""] += 1
    lists = []
    for title in ("Taken for another", "Lost", "Added"):
        ranked = sorted(counts[title].items(), key=lambda item: (-item[1], item[0]))[:most]
        chips = "".join(f"<li>{escape(what)} <b>{count:,}</b></li>" for what, count in ranked)
        lists.append(f"<h4>{title}</h4><ul>{chips or '<li>nothing</li>'}</ul>")
    return "".join(lists)
