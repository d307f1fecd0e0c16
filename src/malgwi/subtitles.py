"""Recognised speech as subtitles: SubRip (.srt) and WebVTT (.vtt).

A cue is a few words that were said without a long pause. Words are what spaces part; a recogniser
that writes none has its characters grouped alike, so that a cue may begin inside a word.

Sources: W3C, *WebVTT: The Web Video Text Tracks Format*, §4; Netflix, *Korean Timed Text Style
Guide*, for two lines of 16 characters.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from malgwi.timestamps import TimedCharacter, TimedWord, timed_words
from malgwi.transcribe import Recognition, Segment

#: A cue has at most so many characters, lasts at most so long, and holds no longer pause.
MOST_CHARACTERS, LONGEST_S, PAUSE_S = 32, 6.0, 0.8


@dataclass(frozen=True, kw_only=True)
class Cue:
    """One subtitle and when it is shown."""

    start_s: float
    end_s: float
    text: str


def cues(recognition: Recognition) -> list[Cue]:
    """The subtitles of a recognition with time stamps, in order.

    A piece that could not be timed is one cue for as long as it lasts; nothing heard is none.
    """
    return [cue for segment in recognition.segments for cue in _of_segment(segment)]


def to_srt(recognition: Recognition) -> str:
    """SubRip."""
    blocks = (
        f"{number}\n{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}\n{cue.text}\n"
        for number, cue in enumerate(cues(recognition), start=1)
    )
    return "\n".join(blocks)


def to_vtt(recognition: Recognition) -> str:
    """WebVTT. ``&`` and ``<`` would begin markup there, and are written as it asks."""
    blocks = (
        f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}\n{_escaped(cue.text)}\n"
        for cue in cues(recognition)
    )
    return "\n".join(["WEBVTT\n", *blocks])


def _of_segment(segment: Segment) -> Iterator[Cue]:
    if not segment.text:
        return
    joint = " " if " " in segment.text else ""
    words = timed_words(segment.text, segment.characters) if joint else segment.characters
    if not words:
        yield Cue(start_s=segment.start_s, end_s=segment.end_s, text=segment.text)
        return
    for group in _groups(words, len(joint)):
        text = joint.join(word.text for word in group)
        yield Cue(start_s=group[0].start_s, end_s=group[-1].end_s, text=text)


def _groups(
    words: Iterable[TimedWord | TimedCharacter], joint: int
) -> Iterator[Sequence[TimedWord | TimedCharacter]]:
    """Words that make one cue together; a word longer than a cue may be stands alone."""
    group: list[TimedWord | TimedCharacter] = []
    letters = 0
    for word in words:
        letters += joint + len(word.text)
        if group and (
            letters > MOST_CHARACTERS
            or word.end_s - group[0].start_s > LONGEST_S
            or word.start_s - group[-1].end_s > PAUSE_S
        ):
            yield group
            group, letters = [], len(word.text)
        group.append(word)
    if group:
        yield group


def _clock(seconds: float, point: str) -> str:
    """Hours, minutes, seconds and thousandths.

    >>> _clock(3725.0426, ",")
    '01:02:05,043'
    """
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{point}{thousandths:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
