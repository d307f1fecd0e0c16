"""Pace, repeats, labels and rankings, against counting by hand."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from malgwi.audit.histogram import even
from malgwi.audit.pace import Pace, robust_scale, widening
from malgwi.audit.part import Part, PartAudit
from malgwi.audit.ranking import Ranking, Suspect
from malgwi.audit.repeats import look_up, repeats
from malgwi.leakage.speaker_labels import speaker_labels
from malgwi.manifest import Facts
from malgwi.utterance_table import UtteranceTable


def utterance(name: str, text: str = "네", duration_s: float = 1.0, **more: object) -> Facts:
    values = {
        "id": name,
        "text": text,
        "speaker": None,
        "path": f"/x/{name}.wav",
        "start_s": 0.0,
        "duration_s": duration_s,
        "channel": 0,
        "sample_rate_hz": 16_000,
        "custom": {},
        "line": {},
    }
    return Facts(**{**values, **more})


class TestPace:
    def normal(self, pace: Pace, characters: int, count: int = 400, rate: float = 6.0) -> None:
        random = np.random.default_rng(1_000 + characters)
        for number, factor in enumerate(2 ** random.normal(0, 0.25, count)):
            facts = utterance(f"{characters}-{number}")
            pace.add(facts, characters, characters / (rate * factor))

    def test_the_wrong_text_is_found_on_both_sides(self) -> None:
        pace = Pace("train", 10, 5.0)
        self.normal(pace, 20)
        pace.add(utterance("short-audio"), 20, 0.5)
        pace.add(utterance("long-audio"), 20, 40.0)
        much, little = pace.outliers()
        assert [suspect.facts.id for suspect in much.listed()] == ["short-audio"]
        assert [suspect.facts.id for suspect in little.listed()] == ["long-audio"]
        found = much.listed()[0]
        assert found.reason.startswith("20 characters in 0.50 s; ")
        # 40 a second against a median of 6, deviation a quarter of an octave
        assert found.score == pytest.approx(np.log2(40 / 6) / 0.25, rel=0.15)

    def test_short_texts_are_judged_among_their_like(self) -> None:
        """One syllable in a second is slow for a sentence, and usual for a syllable."""
        pace = Pace("train", 10, 4.0)
        self.normal(pace, 30, rate=7.0)
        self.normal(pace, 1, rate=1.0)
        much, little = pace.outliers()
        assert much.count == little.count == 0

    def test_no_judgement_on_few(self) -> None:
        pace = Pace("train", 10, 3.0)
        self.normal(pace, 20, count=20)
        pace.add(utterance("odd"), 20, 400.0)
        assert [ranking.count for ranking in pace.outliers()] == [0, 0]

    def test_a_lively_speaker_beside_even_ones_is_not_suspicious(self) -> None:
        """Actors at one speed deviate by 7 %; who says 6.8 syllables a second is in no hurry."""
        pace = Pace("train", 10, 4.0)
        for number in range(300):
            pace.add(utterance(f"actor{number}"), 40, 40 / (4.8 * 2 ** (0.05 * (number % 5 - 2))))
        pace.add(utterance("lively"), 34, 5.0)
        pace.add(utterance("half"), 40, 2 * 40 / 4.8)  # half of what is heard
        much, little = pace.outliers()
        assert much.count == 0
        assert [suspect.facts.id for suspect in little.listed()] == ["half"]

    def test_a_class_of_few_is_judged_by_its_neighbours(self) -> None:
        """One syllable in a second, among a few like it and many sentences three times as fast."""
        pace = Pace("train", 10, 4.0)
        self.normal(pace, 1, count=20, rate=1.3)
        self.normal(pace, 4, count=100, rate=2.0)
        self.normal(pace, 30, count=2_000, rate=6.0)
        assert [ranking.count for ranking in pace.outliers()] == [0, 0]

    @pytest.mark.parametrize("count", [50, 100, 400])
    def test_false_alarms_are_as_rare_as_the_bound_says(self, count: int) -> None:
        """Of normal rates 0.27 % lie beyond three deviations, of few as of many."""
        random, beyond, trials = np.random.default_rng(count), 0, 40_000 // count
        for _ in range(trials):
            rates = even(-5, 8, 1 / 32, "")
            values = random.normal(2.3, 0.3, count)
            for value in values:
                rates.add(value)
            middle, deviation = robust_scale(rates)
            beyond += int((np.abs(values - middle) > 3 * deviation * widening(count, 3.0)).sum())
        assert 0.0015 < beyond / (count * trials) < 0.0045

    def test_more_than_are_kept_are_counted(self) -> None:
        pace = Pace("train", 5, 4.0)
        self.normal(pace, 20, count=1000)
        for number in range(40):
            pace.add(utterance(f"odd{number}"), 20, 0.1)
        much, _ = pace.outliers()
        assert (len(much.listed()), much.count) == (5, 40)

    def test_nothing_said_has_no_pace(self) -> None:
        pace = Pace("train", 5, 4.0)
        pace.add(utterance("a"), 0, 1.0)
        pace.add(utterance("b"), 5, 0.0)
        assert [ranking.count for ranking in pace.outliers()] == [0, 0]


@given(st.lists(st.integers(0, 20), max_size=40), st.integers(1, 10))
def test_a_ranking_is_the_head_of_a_stable_sort(scores: list[int], size: int) -> None:
    ranking = Ranking(size)
    for number, score in enumerate(scores):
        suspect = Suspect(part="", facts=utterance(str(number)), score=score, reason="")
        ranking.add(suspect)
    wanted = sorted(range(len(scores)), key=lambda n: -scores[n])[:size]
    assert [suspect.facts.id for suspect in ranking.listed()] == [str(n) for n in wanted]
    assert ranking.count == len(scores)


ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([1.0, 2.0, 6.0])), max_size=25
)


@contextmanager
def filled(*parts: list[tuple[int, int, float]]) -> Iterator[UtteranceTable]:
    with UtteranceTable() as table:
        for part, rows in enumerate(parts):
            for key, (sound, script, seconds) in enumerate(rows):
                table.add(
                    part,
                    utterance(str(key), text=str(script) if script else ""),
                    sound=sound or None,
                    seconds=seconds,
                    characters=10,
                )
        yield table


class TestRepeats:
    @given(ROWS, ROWS)
    def test_against_going_through_all(self, train: list, dev: list) -> None:
        with filled(train, dev) as table:
            found = repeats(table, ("train", "dev"), size=1000)
        by_sound: dict[int, list[int]] = defaultdict(list)
        by_script: dict[int, list[float]] = defaultdict(list)
        for sound, script, seconds in train + dev:
            if sound:
                by_sound[sound].append(script)
            if script:
                by_script[script].append(seconds)
        texts = sum(len(set(scripts)) - 1 for scripts in by_sound.values())
        again = sum(len(scripts) - len(set(scripts)) for scripts in by_sound.values())
        assert found["same_audio_other_text"].count == texts
        assert found["repeated_audio"].count == again
        apart = sum(max(s) >= 2.5 * min(s) for s in by_script.values())
        assert found["same_text_other_pace"].count == apart
        every = {"train": train, "dev": dev}
        for kind, each in found.items():
            for pair in each.pairs:
                one, other = (every[part][row] for part, row in (pair.first, pair.second))
                assert (one[1] == other[1]) == (kind != "same_audio_other_text")
                if kind != "same_text_other_pace":
                    assert one[0] == other[0]

    def test_pairs_are_looked_up_by_place(self) -> None:
        parts = {
            "train": [utterance("a"), utterance("b")],
            "dev": [utterance("c", text="아니요")],
        }
        with filled([(1, 1, 1.0), (2, 2, 1.0)], [(2, 3, 1.0)]) as table:
            found = {s.kind: s for s in look_up(repeats(table, tuple(parts), 5), parts)}
        (suspect,) = found["same_audio_other_text"].suspects
        assert (suspect.part, suspect.facts.id) == ("dev", "c")
        assert suspect.other is not None
        assert (suspect.other[0], suspect.other[1].id) == ("train", "b")
        assert suspect.to_dict()["other"]["id"] == "b"


class TestSpeakerLabels:
    def labels(self, names: list[int], same: int = 0) -> tuple[str, ...]:
        counts = Counter(name for name in names if name)
        return speaker_labels(counts.values(), len(names), same).doubts()

    def test_real_labels_are_not_doubted(self) -> None:
        assert self.labels([1 + n // 10 for n in range(100)]) == ()

    def test_missing(self) -> None:
        (doubt,) = self.labels([0] * 30 + [1 + n // 10 for n in range(70)])
        assert doubt.startswith("30 of 100 utterances name no speaker")

    def test_utterance_numbers(self) -> None:
        (doubt,) = self.labels(list(range(1, 101)))
        assert "100 speakers for 100 utterances" in doubt
        (doubt,) = self.labels(list(range(1, 101)), same=100)
        assert "their own id" in doubt

    def test_one_for_all(self) -> None:
        (doubt,) = self.labels([7] * 50)
        assert doubt.startswith("one speaker for all 50")

    def test_roles(self) -> None:
        (doubt,) = self.labels([1 + n % 2 for n in range(2000)])
        assert doubt.startswith("2 speakers for 2,000 utterances: are these people, or roles")

    def test_a_few_utterances_prove_nothing(self) -> None:
        assert self.labels([1, 2, 3]) == ()


def test_one_part_by_hand() -> None:
    with UtteranceTable() as table:
        part = PartAudit(Part("train", Path("x")), table, first=None, examples=3, pace_z=4.0)
        part.add(utterance("a", "네, 네!", speaker="kim"), None)
        part.add(utterance("b", "네 네", speaker="lee", duration_s=2.0), None)
        part.add(utterance("c", "", speaker=None), None)
        part.conclude()
        assert table.distinct("sound") == 3
    totals = part.totals()
    assert totals == {
        "utterances": 3,
        "hours": round(4 / 3600, 4),
        "speakers": 2,
        "scripts": 1,
        "characters": 4,
        "distinct_characters": 1,
        "words": 4,
        "distinct_words": 1,
    }
    assert part.rankings["empty"].count == 1
    record = part.to_dict()
    assert record["sound"] is None
    assert record["speaker_labels"]["missing"] == 1
    assert record["distributions"]["duration_s"]["count"] == 3
    assert "snr_db" not in record["distributions"]
