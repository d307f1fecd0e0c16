"""Whether the confidence of characters can be believed, judged by what was said.

A recognised character is right where the alignment of `metrics.alignment` calls it a hit; missing
characters have no confidence and do not count. A calibration is checked on speakers that it was
not fitted on: fitted on one half of them and judged on the other, both ways.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from malgwi.calibration import JudgedPiece, fit
from malgwi.errors import DataError
from malgwi.evaluate import Evaluation, Utterance
from malgwi.metrics.alignment import align
from malgwi.metrics.reliability import Reliability, reliability


@dataclass(frozen=True, kw_only=True)
class JudgedUtterance:
    """The timed pieces of one utterance; ``speaker`` is its id where nobody is named."""

    speaker: str
    pieces: tuple[JudgedPiece, ...]


@dataclass(frozen=True, kw_only=True)
class ConfidenceCheck:
    """How reliable confidence was on one manifest.

    Attributes:
        method: How the run was searched.
        given: Of confidence as the recogniser gives it.
        calibrated: Whether it passed a calibration before.
        held_out: Of a calibration fitted on this very manifest, each half of the speakers judged
            by the fit on the other; None where none was fitted.
        halves: The two halves of ``held_out`` by themselves.
    """

    method: str
    given: Reliability
    calibrated: bool
    held_out: Reliability | None = None
    halves: tuple[Reliability, ...] = ()

    def named(self) -> dict[str, Reliability]:
        """What is shown, in order."""
        first = {"calibrated" if self.calibrated else "raw": self.given}
        return first if self.held_out is None else {**first, "held out": self.held_out}

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "method": self.method,
            "calibrated": self.calibrated,
            "given": self.given.to_dict(),
            "held_out": None if self.held_out is None else self.held_out.to_dict(),
            "halves_ece": [half.ece for half in self.halves],
        }


def judge(found: Evaluation) -> list[JudgedUtterance]:
    """Every recognised character with times: its confidence, and whether it is right."""
    return [_judged(utterance) for utterance in found.utterances]


def check(
    judged: Sequence[JudgedUtterance], method: str, *, calibrated: bool, refit: bool
) -> ConfidenceCheck:
    """The reliability of confidence as given and, if asked for, of a calibration held out.

    Raises:
        DataError: No character has confidence; too few for a fit; or one speaker alone.
    """
    given = _reliability(judged, lambda raw: raw)
    if not refit:
        return ConfidenceCheck(method=method, given=given, calibrated=calibrated)
    halves = by_speaker(judged)
    fits = [fit(pieces_of(half)) for half in halves]
    other = [(halves[0], fits[1].calibrated), (halves[1], fits[0].calibrated)]
    pooled = [_values(half, calibrate) for half, calibrate in other]
    sure = [value for part, _ in pooled for value in part]
    right = [value for _, part in pooled for value in part]
    return ConfidenceCheck(
        method=method,
        given=given,
        calibrated=calibrated,
        held_out=reliability(sure, right),
        halves=tuple(_reliability(half, calibrate) for half, calibrate in other),
    )


def by_speaker(
    judged: Sequence[JudgedUtterance],
) -> tuple[list[JudgedUtterance], list[JudgedUtterance]]:
    """Two halves without a common speaker: speakers with most characters first, to the smaller.

    Raises:
        DataError: There is one speaker.
    """
    speakers: dict[str, list[JudgedUtterance]] = {}
    for utterance in judged:
        speakers.setdefault(utterance.speaker, []).append(utterance)
    if len(speakers) < 2:
        raise DataError(
            f"calibration is checked on other speakers than it is fitted on, but all speech is of "
            f"{', '.join(speakers) or 'nobody'}: name a manifest with two speakers or more"
        )
    sizes = {name: _characters(theirs) for name, theirs in speakers.items()}
    halves: tuple[list[JudgedUtterance], list[JudgedUtterance]] = ([], [])
    for name in sorted(speakers, key=lambda name: (-sizes[name], name)):
        min(halves, key=_characters).extend(speakers[name])
    return halves


def pieces_of(judged: Sequence[JudgedUtterance]) -> list[JudgedPiece]:
    """All pieces of all utterances."""
    return [piece for utterance in judged for piece in utterance.pieces]


def _characters(judged: Sequence[JudgedUtterance]) -> int:
    return sum(len(piece.raw) for piece in pieces_of(judged))


def _judged(utterance: Utterance) -> JudgedUtterance:
    segments = utterance.recognition.segments
    heard = ["".join(segment.text.split()) for segment in segments]
    edits = align("".join(utterance.reference.split()), "".join(heard))
    right = [edit.kind == "hit" for edit in edits if edit.hypothesis is not None]
    pieces, at = [], 0
    for segment, letters in zip(segments, heard, strict=True):
        flags = tuple(right[at : at + len(letters)])
        at += len(letters)
        if letters and len(segment.characters) == len(letters):  # one without times has none
            raw = tuple(character.confidence for character in segment.characters)
            pieces.append(JudgedPiece(raw=raw, right=flags))
    return JudgedUtterance(speaker=utterance.speaker or utterance.id, pieces=tuple(pieces))


Calibrate = Callable[[Sequence[float]], Sequence[float]]


def _values(
    judged: Sequence[JudgedUtterance], calibrate: Calibrate
) -> tuple[list[float], list[bool]]:
    """Confidence of every character after ``calibrate``, and whether it is right."""
    pieces = pieces_of(judged)
    sure = [value for piece in pieces for value in calibrate(piece.raw)]
    return sure, [one for piece in pieces for one in piece.right]


def _reliability(judged: Sequence[JudgedUtterance], calibrate: Calibrate) -> Reliability:
    sure, right = _values(judged, calibrate)
    if not sure:
        raise DataError(
            "no recognised character has confidence: nothing was recognised, or the model has "
            "neither CTC nor attention"
        )
    return reliability(sure, right)
