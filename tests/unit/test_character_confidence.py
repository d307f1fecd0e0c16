"""Calibration against what made the data; calibration error and power against their definitions."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi import calibration
from malgwi.calibration import Calibration, JudgedPiece, fit
from malgwi.character_confidence import (
    JudgedUtterance,
    by_speaker,
    check,
    judge,
    pieces_of,
)
from malgwi.errors import CheckpointError, ConfigError, DataError
from malgwi.evaluate import Evaluation, Size, Speed, Utterance
from malgwi.metrics.reliability import reliability
from malgwi.report.reliability_chart import confidence
from malgwi.timestamps import TimedCharacter, Timing
from malgwi.transcribe import Recognition, Segment


def simulated(truth: Calibration, count: int, seed: int) -> list[JudgedPiece]:
    """Pieces of ten characters that are right as often as the calibration says."""
    rng = np.random.default_rng(seed)
    pieces = []
    for _ in range(count):
        level = rng.normal(1.0, 1.0)
        raw = 1 / (1 + np.exp(-rng.normal(level, 1.5, size=10)))
        right = rng.random(10) < np.array(truth.calibrated(raw.tolist()))
        pieces.append(JudgedPiece(raw=tuple(raw.tolist()), right=tuple(right.tolist())))
    return pieces


def test_a_fit_finds_what_made_the_data() -> None:
    truth = Calibration(own=0.6, piece=0.5, bias=-0.7)
    found = fit(simulated(truth, 3000, 0))
    assert found.own == pytest.approx(truth.own, abs=0.05)
    assert found.piece == pytest.approx(truth.piece, abs=0.06)
    assert found.bias == pytest.approx(truth.bias, abs=0.06)
    assert found.characters == 30_000


def test_a_fit_is_the_least_cross_entropy_of_its_targets() -> None:
    pieces = simulated(Calibration(own=0.6, piece=0.5, bias=-0.7), 20, 1)
    right = [one for piece in pieces for one in piece.right]
    hits, misses = sum(right), len(right) - sum(right)
    high, low = (hits + 1) / (hits + 2), 1 / (misses + 2)

    def cost(c: Calibration) -> float:
        total = 0.0
        for piece in pieces:
            x = np.log(piece.raw) - np.log1p(-np.array(piece.raw))
            p = 1 / (1 + np.exp(-(c.own * x + c.piece * x.mean() + c.bias)))
            y = np.where(piece.right, high, low)
            total -= float((y * np.log(p) + (1 - y) * np.log(1 - p)).sum())
        return total

    best = fit(pieces)
    for name in ("own", "piece", "bias"):
        for change in (-0.02, 0.02):
            moved = {n: getattr(best, n) + change * (n == name) for n in ("own", "piece", "bias")}
            assert cost(Calibration(**moved)) > cost(best)


def test_what_is_separated_perfectly_or_single_has_a_fit_too() -> None:
    pieces = [JudgedPiece(raw=(p,), right=(p > 0.5,)) for p in np.linspace(0.0, 1.0, 100)]
    found = fit(pieces)
    assert np.isfinite([found.own, found.piece, found.bias]).all()
    assert found.calibrated([0.0])[0] < 0.1
    assert found.calibrated([1.0])[0] > 0.9


def test_too_little_to_fit_is_an_error_with_numbers() -> None:
    with pytest.raises(DataError, match="60 right and 0 wrong"):
        fit([JudgedPiece(raw=(0.9,) * 60, right=(True,) * 60)])


def test_calibrations_of_two_methods_live_in_one_file(tmp_path: Path) -> None:
    assert calibration.load(tmp_path) == {}
    one, other = Calibration(own=0.5, characters=7), Calibration(bias=-1.0)
    calibration.save(tmp_path, "ctc", one)
    calibration.save(tmp_path, "beam", other)
    calibration.save(tmp_path, "ctc", one)
    assert calibration.load(tmp_path) == {"ctc": one, "beam": other}


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format_version": 9}', '{"format_version": 1, "methods": {"a": 1}}']
)
def test_a_damaged_calibration_says_how_to_make_it_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / calibration.FILE).write_text(content)
    with pytest.raises(CheckpointError, match="--calibrate"):
        calibration.load(tmp_path)


@settings(deadline=None, max_examples=100)
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.35, 0.5, 0.8, 1.0]), st.booleans()), min_size=1
    ),
    bins=st.integers(1, 6),
)
def test_reliability_is_its_definition(pairs: list[tuple[float, bool]], bins: int) -> None:
    sure, right = [p for p, _ in pairs], [r for _, r in pairs]
    found = reliability(sure, right, bins=bins)
    wins = [
        1.0 if a > b else 0.5 if a == b else 0.0
        for a, hit in pairs
        for b, other in pairs
        if hit and not other
    ]
    assert found.auc == (pytest.approx(np.mean(wins)) if wins else None)
    wide = 0.0
    for k in range(bins):
        inside = [(p, r) for p, r in pairs if min(int(p * bins), bins - 1) == k]
        wide += abs(sum(p for p, _ in inside) - sum(r for _, r in inside)) / len(pairs)
    assert found.ece_equal_width == pytest.approx(wide, abs=1e-9)
    assert sum(one.count for one in found.bins) == found.count == len(pairs)
    assert max(one.count for one in found.bins) - min(one.count for one in found.bins) <= 1
    assert found.ece >= abs(found.mean - found.accuracy) - 1e-9
    backwards = reliability(sure[::-1], right[::-1], bins=bins)
    assert backwards.ece == pytest.approx(found.ece, abs=1e-9)


def test_nothing_to_judge_is_an_error() -> None:
    with pytest.raises(ConfigError, match="0 confidences"):
        reliability([], [])


def utterance(
    name: str, speaker: str | None, reference: str, pieces: Sequence[tuple[str, bool]]
) -> Utterance:
    """An utterance of (text, whether it has times) pieces, 0.9 sure of every character."""
    segments = tuple(
        Segment(
            start_s=0.0,
            end_s=1.0,
            text=text,
            hypotheses=(),
            characters=tuple(
                TimedCharacter(text=c, start_s=0.0, end_s=1.0, confidence=0.9)
                for c in "".join(text.split())
                if times
            ),
        )
        for text, times in pieces
    )
    heard = " ".join(text for text, _ in pieces)
    return Utterance(
        id=name,
        speaker=speaker,
        duration_s=1.0,
        reference=reference,
        hypothesis=heard,
        recognition=Recognition(text=heard, duration_s=1.0, segments=segments),
    )


def test_which_characters_are_right() -> None:
    found = Evaluation(
        utterances=(
            utterance("a", "one", "커피 한 잔 주세요", [("커피 한장", True), ("주세오요", True)]),
            utterance("b", None, "가나다", [("가", False), ("마다", True)]),
        ),
        speed=Speed(audio_s=1, load_s=1, decode_s=1, threads=1),
        size=Size(parameters=1, bytes_on_disk=1),
    )
    first, second = judge(found)
    assert [piece.right for piece in first.pieces] == [
        (True, True, True, False),
        (True, True, False, True),
    ]
    assert second.speaker == "b"
    assert [piece.right for piece in second.pieces] == [(False, True)]


def judged(truth: Calibration, speakers: int, seed: int) -> list[JudgedUtterance]:
    pieces = simulated(truth, 40 * speakers, seed)
    return [
        JudgedUtterance(speaker=f"s{i % speakers}", pieces=(piece,))
        for i, piece in enumerate(pieces)
    ]


def test_halves_share_no_speaker_and_are_alike_in_size() -> None:
    many = judged(Calibration(), 7, 0)
    left, right = by_speaker(many)
    assert not {u.speaker for u in left} & {u.speaker for u in right}
    assert len(left) + len(right) == len(many)
    assert abs(len(left) - len(right)) <= 40
    with pytest.raises(DataError, match="all speech is of s0"):
        by_speaker(judged(Calibration(), 1, 0))


def test_calibration_helps_speakers_it_has_not_seen() -> None:
    many = judged(Calibration(own=0.4, piece=0.3, bias=-1.0), 10, 2)
    plain = check(many, "ctc", calibrated=False, refit=False)
    assert list(plain.named()) == ["raw"]
    found = check(many, "ctc", calibrated=False, refit=True)
    assert found.held_out is not None
    assert found.given.ece > 0.15
    assert found.held_out.ece < 0.03
    assert found.held_out.count == len([x for p in pieces_of(many) for x in p.raw])
    assert len(found.halves) == 2
    record = json.loads(json.dumps(found.to_dict()))
    assert record["held_out"]["ece"] == found.held_out.ece
    page = confidence(found)
    assert page.count("<polyline") == 2
    assert f"{found.held_out.ece:.3f}" in page
    assert confidence(None) == ""


def test_applying_a_calibration_changes_confidence_alone() -> None:
    characters = tuple(
        TimedCharacter(text=c, start_s=i, end_s=i + 1, confidence=0.5 + 0.2 * i)
        for i, c in enumerate("가나")
    )
    timing = Timing(characters=characters, source="ctc")
    found = Calibration(own=0.5, bias=0.1).applied(timing)
    assert found.source == "ctc"
    assert [c.text for c in found.characters] == ["가", "나"]
    assert [c.start_s for c in found.characters] == [0, 1]
    assert [c.confidence for c in found.characters] == Calibration(own=0.5, bias=0.1).calibrated(
        [0.5, 0.7]
    )
