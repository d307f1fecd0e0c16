"""Where the errors are: by duration, by speaker, by character. CER without spaces throughout."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from malgwi.metrics.alignment import align
from malgwi.metrics.error_rate import ErrorRate, countable, total
from malgwi.report.charts import bars, clock, sortable
from malgwi.report.contents import Limits, Report, Utterance

_DURATIONS_S = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, float("inf"))


def _pooled(report: Report, utterances: Iterable[Utterance]) -> ErrorRate:
    return total(report.rates(utterance).cer_nospace for utterance in utterances)


def by_duration(report: Report) -> list[tuple[str, ErrorRate, str]]:
    """CER without spaces of each span of durations that occurs."""
    rows = []
    for low, high in pairwise(_DURATIONS_S):
        inside = [u for u in report.utterances if low <= u.duration_s < high]
        if inside:
            label = f"{low:g} s and more" if high == float("inf") else f"{low:g} – {high:g} s"
            rows.append((label, _pooled(report, inside), f"n = {len(inside):,}"))
    return rows


def by_speaker(report: Report, limits: Limits) -> str:
    """CER without spaces of each speaker, the worst first; empty where speakers are unknown."""
    groups: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in report.utterances:
        if utterance.speaker is not None:
            groups[utterance.speaker].append(utterance)
    if not groups:
        return ""
    rows = [
        (
            name,
            _pooled(report, group),
            f"n = {len(group):,}, {clock(sum(u.duration_s for u in group))}",
        )
        for name, group in groups.items()
    ]
    rows.sort(key=lambda row: (-sortable(row[1]), row[0]))
    left_out = len(rows) - limits.speakers
    note = f'<p class="note">and {left_out:,} better ones</p>' if left_out > 0 else ""
    return f"<h3>By speaker</h3>{bars(rows[: limits.speakers])}{note}"


def by_character(utterances: Sequence[Utterance], most: int = 12) -> str:
    """The characters most often taken for another, lost or added."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
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
