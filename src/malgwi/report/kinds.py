"""Kinds of error as a picture: what share sound, grammar and the rest have, then each kind.

Most errors of a weak recogniser are unexplained, so those appear in the one bar of all groups
only, and the kinds below are drawn against the largest of themselves.
"""

from html import escape

from malgwi.metrics.error_classes import KINDS, ErrorKind
from malgwi.metrics.error_kinds import Example, KindCounts

#: Group of ``KINDS`` → its name; the style sheet has a colour for each.
GROUPS = {
    "sound": "Sounds the same",
    "grammar": "Grammar",
    "writing": "Written otherwise",
    "letter": "A final",
    "stretch": "Whole stretches",
    "unexplained": "Unexplained",
}


def kinds(found: KindCounts) -> str:
    """The section; "" where there is no error and no misplaced space."""
    if not any(found.counts.values()):
        return ""
    met: list[ErrorKind] = [k for k in KINDS if found.counts[k] and k != "unexplained"]
    met.sort(key=lambda kind: -found.counts[kind])
    longest = max((found.counts[kind] for kind in met), default=1)
    rows = "".join(_row(found, kind, longest) for kind in met)
    return (
        f'{_whole(found)}<div class="kinds">{rows}</div><p class="note">{escape(_notes(found))}</p>'
    )


def _whole(found: KindCounts) -> str:
    """One bar of all errors, parted by group, and its legend."""
    sums = dict.fromkeys(GROUPS, 0)
    for kind, info in KINDS.items():
        sums[info.group] += found.counts[kind] if kind != "spacing" else 0
    if not found.errors:
        return ""
    shares = {group: 100 * count / found.errors for group, count in sums.items() if count}
    parts = "".join(
        f'<span class="g-{group}" style="width:{share:.2f}%"></span>'
        for group, share in shares.items()
    )
    legend = "".join(
        f'<span class="key g-{group}">{GROUPS[group]} <b>{share:.1f} %</b></span>'
        for group, share in shares.items()
    )
    return f'<div class="whole" aria-hidden="true">{parts}</div><p class="keys">{legend}</p>'


def _row(found: KindCounts, kind: ErrorKind, longest: int) -> str:
    info, count = KINDS[kind], found.counts[kind]
    share = "" if kind == "spacing" else f"{100 * found.share(kind):.1f} %"
    cases = "".join(f"<li>{_case(example)}</li>" for example in found.examples.get(kind, ()))
    return (
        f'<div class="kind"><span class="label">{escape(info.title)}</span>'
        f'<span class="track"><span class="fill g-{info.group}" '
        f'style="width:{100 * count / longest:.1f}%"></span></span>'
        f'<span class="value">{count:,}</span><span class="note">{share}</span>'
        f'<p class="note">{escape(info.meaning)}</p><ul lang="ko">{cases}</ul></div>'
    )


def _case(example: Example) -> str:
    said, heard = (escape(text) or "–" for text in (example.said, example.heard))
    return f'<span title="{escape(example.id)}">{said} → {heard}</span>'


def _notes(found: KindCounts) -> str:
    """What is not in the picture."""
    notes = [f"{found.errors:,} errors without spaces, each of one kind"]
    left = found.counts["unexplained"]
    notes.append(f"{left:,} unexplained ({100 * found.share('unexplained'):.1f} %)")
    if not found.spaces_counted:
        notes.append("spacing not counted, as no hypothesis has a space")
    absent = [
        info.title
        for kind, info in KINDS.items()
        if not found.counts[kind] and (kind != "spacing" or found.spaces_counted)
    ]
    if absent:
        notes.append(f"none of: {', '.join(absent)}")
    return "; ".join(notes) + "."
