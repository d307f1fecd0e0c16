"""The page: rates, kinds of error, where they are, training, every utterance, the counting.

It must stay small enough to send by mail, so the worst utterances come first and only so many are
listed, played and drawn; the page says how many. Nothing of a transcript can act as markup: all
text is escaped, and a content policy lets no script run but the page's own.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from malgwi.metrics.error_rate import TITLES, ErrorRate, countable
from malgwi.report import charts, listing
from malgwi.report.breakdown import by_character, where
from malgwi.report.charts import clock, percent
from malgwi.report.confusions import heat_maps
from malgwi.report.contents import Limits, Report, Utterance, plain, speed_record
from malgwi.report.kinds import kinds
from malgwi.report.reliability_chart import confidence
from malgwi.report.trade_off import Contender, trade_off


def render(report: Report, limits: Limits) -> str:
    """The whole page as one string.

    Raises:
        AudioError: The audio of an utterance that is to be embedded cannot be read.
    """
    recording, speakers = where(report, limits)
    folder = files("malgwi") / "data" / "report"
    page, style, script = (
        (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")
    )
    return Template(page).substitute(
        style=style,
        script=script,
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
        title=escape(report.title),
        facts=" · ".join(escape(f"{name} {value}") for name, value in report.facts.items()),
        cards=_cards(report),
        remark=_remark(report.utterances),
        counts=_counts(report),
        unseen=_unseen(report),
        recording=recording,
        speakers=speakers,
        kinds=_section("What kind of mistakes", kinds(report.kinds), "kinds-of-error"),
        heat=_section("Letters taken for others", heat_maps(report.kinds.confusions), "letters"),
        confusions=by_character(report.utterances),
        confidence=_section("Confidence", confidence(report.confidence), "columns"),
        beside=_section("Beside others", _beside(report), "trade-off"),
        curves=_section("Training", charts.curves(report.curves), "charts"),
        utterances=listing.utterances(report, limits),
        speaker_options=_speaker_options(report),
        counting=_settings(report.scores.counting),
        decoding=_settings(report.decoding),
    )


def _beside(report: Report) -> str:
    """This evaluation and those that it is to be compared with; nothing without any."""
    if not report.beside:
        return ""
    return trade_off([Contender.of(report.to_dict()), *report.beside])


def _section(title: str, content: str, style: str) -> str:
    if not content:
        return ""
    return f'<section><h2>{escape(title)}</h2><div class="{style}">{content}</div></section>'


# --- the figures on top -----------------------------------------------------------------------


def _cards(report: Report) -> str:
    corpus = report.scores.corpus
    cards = [
        _card(TITLES[name], percent(rate, 2), _bounds(report, name), lead=name == "cer_nospace")
        for name, rate in corpus.by_name().items()
    ]
    crr = f"{corpus.crr:.2f}" if corpus.cer_nospace.denominator else "–"
    cards.append(_card("CRR", crr, "(1 − CER without spaces) · 100"))
    if report.speed is not None:
        speed = speed_record(report.speed)
        taken_s = report.speed.load_s + report.speed.decode_s
        note = f"{clock(report.speed.audio_s)} of audio in {clock(taken_s)}"
        cards.append(
            _card("Speed", f"{speed['x_real_time']:.1f} ×", f"real time; {note}, {report.speed.on}")
        )
    if report.size is not None:
        megabytes = f"{report.size.bytes_on_disk / 1e6:.1f} MB"
        cards.append(_card("Size", megabytes, f"{report.size.parameters:,} parameters"))
    return "".join(cards)


def _card(title: str, value: str, note: str, *, lead: bool = False) -> str:
    style = "card lead" if lead else "card"
    return (
        f'<div class="{style}"><h3>{escape(title)}</h3><p class="figure">{escape(value)}</p>'
        f'<p class="note">{escape(note)}</p></div>'
    )


def _bounds(report: Report, metric: str) -> str:
    found = report.intervals.get(metric)
    if found is None or found.low != found.low:
        return "no interval"
    low, high = 100 * found.low, 100 * found.high
    return f"{low:.2f} – {high:.2f} ({100 * found.level:g} %, {found.units:,} {found.by}s)"


def _unseen(report: Report) -> str:
    """What training never saw, and how much of it was recognised all the same."""
    found = report.unseen
    if found is None or not found.said:
        return ""
    said, recognised = sum(found.said.values()), sum(found.recognised.values())
    each = ", ".join(
        f"{escape(ch)} {found.recognised.get(ch, 0)}/{count}"
        for ch, count in list(found.said.items())[:30]
    )
    more = f", and {len(found.said) - 30} more" if len(found.said) > 30 else ""
    return (
        f'<p class="note">Of {said:,} characters that training never saw '
        f"({100 * said / found.characters:.2f} % of all), {recognised:,} were recognised: "
        f"{each}{more}.</p>"
    )


def _remark(utterances: Sequence[Utterance]) -> str:
    """What a reader must know before believing the word error rates."""
    said, heard = (
        any(" " in countable(getattr(utterance, side)) for utterance in utterances)
        for side in ("reference", "hypothesis")
    )
    if heard or not said:
        return ""
    return (
        '<p class="note remark">No hypothesis has a space: this recogniser does not write them, so '
        "CER with spaces, WER and MER count every missing space; compare the CER without spaces "
        "and the sWER.</p>"
    )


def _counts(report: Report) -> str:
    rows = (
        (TITLES[name], percent(rate, 2), *_numbers(rate))
        for name, rate in report.scores.corpus.by_name().items()
    )
    header = ("", "Rate", "Hits", "Substitutions", "Deletions", "Insertions", "Reference")
    return _table(header, rows)


def _numbers(rate: ErrorRate) -> tuple[str, ...]:
    counts = (rate.hits, rate.substitutions, rate.deletions, rate.insertions, rate.reference)
    return tuple(f"{count:,}" for count in counts)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _speaker_options(report: Report) -> str:
    names = sorted({u.speaker for u in report.utterances if u.speaker is not None})
    return "".join(f'<option value="{escape(name)}">{escape(name)}</option>' for name in names)


# --- how it was counted -----------------------------------------------------------------------


def _settings(values: Mapping[str, Any]) -> str:
    """Nested settings as a list of dotted names."""
    flat = _flat("", plain(values))
    return (
        "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in flat)
        or "<dt>not recorded</dt><dd></dd>"
    )


def _flat(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        prefix = f"{name}." if name else ""
        return [pair for key, inner in value.items() for pair in _flat(f"{prefix}{key}", inner)]
    if not name:
        return []
    return [(name, "none" if value is None else str(value))]
