"""audit.json and audit.html: what was found, what to know first, and the suspects to listen to.

The page holds no script at all: lists open and close by the browser's own means, and pictures are
drawn as SVG. Texts of a corpus cannot act as markup, since all of them are escaped.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from malgwi.audit import Audit
from malgwi.audit.vocabulary import Coverage, Unseen
from malgwi.checkpoint import write_bytes
from malgwi.leakage import Leak
from malgwi.report.audit_charts import distribution
from malgwi.report.audit_suspects import suspects

#: Measure → title and decimals, in the order of the pictures.
CHARTS: Mapping[str, tuple[str, int]] = {
    "duration_s": ("Duration", 1),
    "characters_per_second": ("Characters a second", 1),
    "level_dbfs": ("Loudness", 0),
    "snr_db": ("Signal to noise (estimate)", 0),
    "leading_silence_s": ("Silence before the speech", 2),
    "trailing_silence_s": ("Silence behind the speech", 2),
    "bandwidth_hz": ("Bandwidth", 0),
    "energy_above_4khz_db": ("Energy above 4 kHz", 0),
    "peak_dbfs": ("Peak", 0),
    "clipped_share": ("Clipped samples", 5),
}


def write_audit(found: Audit, folder: Path) -> Path:
    """Write ``audit.json`` and a self-contained ``audit.html``; gives the path of the page.

    Both are written beside and renamed, so a reader never meets half a file.
    """
    record = json.dumps(found.to_dict(), ensure_ascii=False, indent=2, allow_nan=False)
    page = render(found)
    write_bytes(folder / "audit.json", record.encode("utf-8", "replace") + b"\n")
    write_bytes(folder / "audit.html", page.encode("utf-8", "replace"))
    return folder / "audit.html"


def render(found: Audit) -> str:
    """The whole page as one string."""
    folder = files("malgwi") / "data" / "report"
    page, *styles = (
        (folder / name).read_text(encoding="utf-8")
        for name in ("audit.html", "page.css", "audit.css")
    )
    names = [part.part.name for part in found.parts]
    listed = suspects(found.suspicions)
    return Template(page).substitute(
        title=escape(f"Audit of {', '.join(names)}"),
        style="\n".join(styles),
        facts=" · ".join(escape(str(path)) for path in {p.part.path: 0 for p in found.parts}),
        cards=_cards(found),
        findings=_findings(found),
        leakage=_leakage(found),
        totals=_totals(found),
        measures=_said_measures(found),
        charts="".join(_charts(found)),
        vocabulary=_vocabulary(found.coverage),
        limits=escape(listed.limits),
        suspicious=listed.html,
    )


def _cards(found: Audit) -> str:
    totals = [part.totals() for part in found.parts]
    hours = sum(part["hours"] for part in totals)
    utterances = sum(part["utterances"] for part in totals)
    wrong = sum(s.count for s in found.suspicions)
    worst = max((leak.share for leak in found.leaks), default=None)
    cards = [
        _card("Audio", f"{hours:,.2f} h", f"{utterances:,} utterances", lead=True),
        _card("Speakers", f"{found.distinct_speakers:,}", "named, over all parts"),
        _card("Scripts", f"{found.distinct_scripts:,}", "different, over all parts"),
        _card("Suspicious", f"{wrong:,}", f"in {len(found.suspicions)} lists"),
    ]
    if worst is not None:
        allowed = f"the bound is {found.config.max_leakage:.1%}"
        cards.append(_card("Highest leakage", f"{worst:.1%}", allowed))
    return "".join(cards)


def _card(title: str, value: str, note: str, *, lead: bool = False) -> str:
    return (
        f'<div class="card{" lead" if lead else ""}"><h3>{escape(title)}</h3>'
        f'<p class="figure">{escape(value)}</p><p class="note">{escape(note)}</p></div>'
    )


def _findings(found: Audit) -> str:
    lines = "".join(
        f'<li class="{finding.weight if finding.weight != "note" else "note-weight"}">'
        f"<b>{finding.weight}</b>{escape(finding.text)}</li>"
        for finding in found.findings
    )
    return f'<ul class="findings">{lines or "<li>Nothing stands out.</li>"}</ul>'


def _leakage(found: Audit) -> str:
    if not found.leaks:
        return ""
    estimated = () if found.speakers is None else found.speakers.leaks
    over = {id(leak) for leak in found.excessive}
    named = [(leak, "") for leak in found.leaks] + [(leak, " (by voice)") for leak in estimated]
    bars = "".join(_leak(leak, id(leak) in over, added) for leak, added in named if leak.leaking)
    open_ = {id(leak) for leak in found.unjudged} | {id(k) for k, _ in named if not k.judged}
    clean = [(leak, added) for leak, added in named if not leak.leaking]
    none = _listed((leak, added) for leak, added in clean if id(leak) not in open_)
    unknown = _listed((leak, added) for leak, added in clean if id(leak) in open_)
    near = (
        f"Near-duplicates differ in at most {found.config.max_distance:.0%} of their characters."
        if found.config.max_distance
        else "Near-duplicates were not looked for."
    )
    return (
        '<section><h2>Leakage</h2><p class="note">Shares of the later part\'s utterances. '
        f"{near}</p>{bars}"
        f"{f'<p>Nothing leaks by {escape(none)}.</p>' if none else ''}"
        f"{f'<p>Unknown, for want of labels: {escape(unknown)}.</p>' if unknown else ''}"
        "</section>"
    )


def _listed(leaks: Iterable[tuple[Leak, str]]) -> str:
    return ", ".join(_named(leak, added) for leak, added in leaks)


def _named(leak: Leak, added: str) -> str:
    return f"{leak.relation.replace('_', ' ')}{added} ({leak.second} in {leak.first})"


def _leak(leak: Leak, over: bool, added: str) -> str:
    examples = "; ".join(
        f"{e.second} ~ {e.first}{f' ({e.what[:40]})' if e.what else ''}" for e in leak.examples[:3]
    )
    said = f"{leak.describe()}{f'. For example {examples}' if examples else ''}"
    return (
        f'<div class="leak"><span class="label">{escape(_named(leak, added))}</span>'
        f'<span class="value">{leak.share:.1%}</span><span class="track">'
        f'<span class="fill{" over" if over else ""}" style="width:{100 * leak.share:.1f}%">'
        f'</span></span><span class="note">{escape(said)}</span></div>'
    )


def _totals(found: Audit) -> str:
    names = ["Part", "Utterances", "Hours", "Speakers", "Scripts", "Characters", "Words"]
    header = [*names, "Different words"]
    rows = []
    for part in found.parts:
        totals = part.totals()
        counts = ("speakers", "scripts", "characters", "words", "distinct_words")
        rows.append(
            (
                part.part.name,
                f"{totals['utterances']:,}",
                f"{totals['hours']:,.2f}",
                *(f"{totals[name]:,}" for name in counts),
            )
        )
    return _table(header, rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _said_measures(found: Audit) -> str:
    if not found.config.sound:
        return "The audio was not listened to."
    measured = sum(part.measured for part in found.parts)
    return f"{measured:,} utterances were decoded and measured."


def _charts(found: Audit) -> Iterable[str]:
    for name, (title, digits) in CHARTS.items():
        parts = {part.part.name: part.distributions[name] for part in found.parts}
        yield distribution(title, parts, digits=digits)


def _vocabulary(coverage: Sequence[Coverage]) -> str:
    if not coverage:
        return ""
    rows = [
        (f"{each.second} in {each.first}", name, *_unseen(unseen))
        for each in coverage
        for name, unseen in (("characters", each.characters), ("words", each.words))
    ]
    header = ("", "", "Different", "Of these unseen", "Said", "Of these unseen")
    examples = "".join(
        f"<h4>{name.capitalize()} of {escape(each.second)} that {escape(each.first)} never has</h4>"
        f'<p class="unseen" lang="ko">{_counted(unseen)}</p>'
        for each in coverage
        for name, unseen in (("characters", each.characters), ("words", each.words))
        if unseen.examples
    )
    return (
        '<section><h2>Vocabulary</h2><div class="scroll">'
        f"{_table(header, rows)}</div>{examples}</section>"
    )


def _unseen(unseen: Unseen) -> tuple[str, str, str, str]:
    share = unseen.unseen / unseen.distinct if unseen.distinct else 0.0
    return (
        f"{unseen.distinct:,}",
        f"{unseen.unseen:,} ({share:.1%})",
        f"{unseen.said:,}",
        f"{unseen.unseen_said:,} ({unseen.share:.2%})",
    )


def _counted(unseen: Unseen) -> str:
    return " ".join(f"{escape(what)} <b>{count:,}</b>" for what, count in unseen.examples)
