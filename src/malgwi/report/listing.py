"""The utterances, the worst first: aligned texts, audio, attention, and labels to filter by."""

from collections.abc import Sequence
from html import escape

from malgwi.errors import AudioError
from malgwi.metrics.error_rate import ErrorRate, countable
from malgwi.report import charts
from malgwi.report.charts import percent, sortable
from malgwi.report.contents import Limits, Report, Utterance
from malgwi.report.diff import aligned
from malgwi.report.sound import data_address


def utterances(report: Report, limits: Limits) -> str:
    ranked = sorted(report.utterances, key=lambda u: _badness(report, u))
    sounds = _sounds(ranked, limits)
    pictured = [u.id for u in ranked[: limits.listed] if u.attention is not None]
    drawn = set(pictured[: limits.drawn])
    cards = (
        _utterance(report, utterance, sounds.get(utterance.id, ""), drawn=utterance.id in drawn)
        for utterance in ranked[: limits.listed]
    )
    return f"{_said_limits(report, limits, len(sounds), len(drawn))}{''.join(cards)}"


def _badness(report: Report, utterance: Utterance) -> tuple[int, float, str]:
    rate = report.rates(utterance).cer_nospace
    return -rate.errors, -sortable(rate), utterance.id


def _sounds(ranked: Sequence[Utterance], limits: Limits) -> dict[str, str]:
    """id → audio as a data address, the worst first, within the limits."""
    sounds: dict[str, str] = {}
    left = limits.audio_bytes
    for utterance in ranked[: limits.listed]:
        if utterance.audio is None:
            continue
        if len(sounds) == limits.played:
            break
        try:
            address = data_address(
                utterance.audio,
                sample_rate_hz=utterance.sample_rate_hz,
                longest_s=limits.longest_audio_s,
            )
        except AudioError as error:
            raise AudioError(f"utterance {utterance.id}: {error}") from error
        left -= len(address)
        if left < 0:
            break
        sounds[utterance.id] = address
    return sounds


def _said_limits(report: Report, limits: Limits, played: int, drawn: int) -> str:
    number = len(report.utterances)
    listed = min(number, limits.listed)
    those = "All utterances" if listed == number else f"The {listed:,} worst of {number:,}"
    audio = f"; audio with the {played:,} worst" if played else "; without audio"
    longest = f" (its first {limits.longest_audio_s:g} s)" if played else ""
    pictures = f"; attention with {drawn:,}" if drawn else ""
    return f'<p class="note">{those}{audio}{longest}{pictures}. report.json lists all.</p>'


def _utterance(report: Report, utterance: Utterance, sound: str, *, drawn: bool) -> str:
    rate = report.rates(utterance).cer_nospace
    said, heard = countable(utterance.reference), countable(utterance.hypothesis)
    words = " ".join((utterance.id, utterance.speaker or "", said, heard)).lower()
    player = f'<audio controls preload="metadata" src="{sound}"></audio>' if sound else ""
    picture = ""
    if drawn and utterance.attention is not None:
        seen = charts.attention(utterance.attention, utterance.tokens, utterance.heard_s)
        picture = f"<details><summary>Attention</summary>{seen}</details>"
    return (
        f'<article data-words="{escape(words)}" data-speaker="{escape(utterance.speaker or "")}" '
        f'data-errors="{rate.errors}" data-rate="{sortable(rate):.4f}" '
        f'data-duration="{utterance.duration_s or 0.0:.3f}" data-id="{escape(utterance.id)}">'
        f"<header>{_labels(utterance, rate)}</header>{player}"
        f'<div class="diff" lang="ko" role="img" '
        f'aria-label="said: {escape(said)}; heard: {escape(heard)}">{aligned(said, heard)}</div>'
        f"{picture}</article>"
    )


def _labels(utterance: Utterance, rate: ErrorRate) -> str:
    edits = f"{rate.substitutions} sub {rate.deletions} del {rate.insertions} ins"
    labels = [f'<b class="{"bad" if rate.errors else "good"}">{percent(rate)}</b>']
    labels += [f'<span class="id">{escape(utterance.id)}</span>']
    lasting = "" if utterance.duration_s is None else f"{utterance.duration_s:.1f} s"
    texts = [utterance.speaker or "", lasting, edits if rate.errors else ""]
    if utterance.confidence is not None:
        texts.append(f"confidence {utterance.confidence:.2f}")
    if utterance.score is not None:
        texts.append(f"score {utterance.score:.2f}")
    return "".join(labels + [f"<span>{escape(text)}</span>" for text in texts if text])
