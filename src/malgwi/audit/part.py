"""Everything measured on one part of a corpus, an utterance at a time.

What is kept is counts, histograms, a few suspects and the different words as hashes; what has to be
compared goes to a table on disk. So a million utterances take no more room than a thousand do.
"""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from malgwi import manifest
from malgwi.audit.histogram import Histogram, even, octaves
from malgwi.audit.listening import Heard, Unreadable
from malgwi.audit.pace import Pace
from malgwi.audit.ranking import KINDS, Ranking, Suspect
from malgwi.audit.sound import Sound
from malgwi.audit.texts import oddities, spoken_characters
from malgwi.audit.vocabulary import Vocabulary
from malgwi.leakage.speaker_labels import SpeakerLabels, speaker_labels
from malgwi.manifest import Facts
from malgwi.utterance_table import UtteranceTable, number, signed

#: Where signal and noise are this close a recogniser hears both.
NOISY_DB = 5.0
#: One clipped sample in a thousand can be heard.
CLIPPED_SHARE = 0.001


@dataclass(frozen=True)
class Part:
    """One part of a corpus: a manifest, or its utterances of one official part. Iterable again.

    Attributes:
        name: How the audit calls it.
        path: The manifest.
        official: Only utterances whose ``custom["part"]`` is this; None for all.
    """

    name: str
    path: Path
    official: str | None = None

    def __iter__(self) -> Iterator[Facts]:
        for facts in manifest.facts(self.path):
            if self.official is None or str(facts.custom.get("part")) == self.official:
                yield facts


class PartAudit:
    """The measures of one part: ``add`` its utterances one after the other, then ``conclude``.

    Args:
        part: What is measured.
        table: Where its utterances go, for comparison.
        place: Its number there.
        first: The part whose vocabulary this one is compared with; None for the first itself.
        examples: How many suspects of each kind to keep.
        pace_z: Robust z-score of characters a second that is suspicious.

    Attributes:
        distributions: Name → histogram; those of sound stay empty where nothing is listened to.
        rankings: Kind of suspicion → suspects, for the kinds found on one utterance alone.
        voices: Row → [D] embedding of the voice, where it was asked for.
        labels: The speaker labels, judged; from `conclude`.
        scripts: Different ones; from `conclude`.
    """

    def __init__(
        self,
        part: Part,
        table: UtteranceTable,
        place: int = 0,
        *,
        first: "PartAudit | None",
        examples: int,
        pace_z: float,
    ) -> None:
        self.part = part
        self.place = place
        self.utterances = 0
        self._table = table
        self.seconds = 0.0
        self.speech_s = 0.0
        self.measured_s = 0.0
        self.characters = 0
        self.measured = 0
        self.telephone = 0
        self.sample_rates: Counter[int] = Counter()
        self.vocabulary: Vocabulary = Vocabulary(None if first is None else first.vocabulary)
        self.distributions = _distributions()
        self.rankings = {kind: Ranking(examples) for kind in KINDS}
        self.labels: SpeakerLabels
        self.scripts: int
        self.voices: dict[int, NDArray[np.float32]] = {}
        self._pace = Pace(part.name, examples, pace_z)
        self._same_as_id = 0

    def add(self, facts: Facts, heard: Heard | Unreadable | None) -> None:
        """Take in one utterance and what was heard, None where nobody listened."""
        characters = spoken_characters(facts.text)
        sound = heard.sound if isinstance(heard, Heard) else None
        seconds = facts.duration_s if sound is None else sound.speech_s
        self.seconds += facts.duration_s
        self.characters += characters
        self.sample_rates[facts.sample_rate_hz] += 1
        self._same_as_id += facts.speaker == facts.id
        self.vocabulary.add(facts.text)
        self.distributions["duration_s"].add(facts.duration_s)
        if characters and seconds > 0:
            self.distributions["characters_per_second"].add(characters / seconds)
        self._pace.add(facts, characters, seconds)
        for kind, score, reason in oddities(facts.text):
            self._suspect(kind, facts, score, reason)
        if isinstance(heard, Unreadable):
            self._suspect("unreadable", facts, 0.0, heard.reason)
        elif isinstance(heard, Heard):
            self._listen(facts, heard)
        self._remember(facts, heard, seconds, characters)

    @cached_property
    def outliers(self) -> dict[str, Ranking]:
        """The kinds that are known only once all utterances are in."""
        much, little = self._pace.outliers()
        return {"too_much_text": much, "too_little_text": little}

    def conclude(self) -> None:
        """Count speakers and scripts, once all utterances are in and while the table is open."""
        labels = self._table.select(
            "count(*) FROM utterance WHERE part = ? AND speaker IS NOT NULL GROUP BY speaker",
            self.place,
        )
        counts = (count for (count,) in labels)
        self.labels = speaker_labels(counts, self.utterances, self._same_as_id)
        self.scripts = self._table.distinct("script", self.place)

    @property
    def edge_silence(self) -> float:
        """Silence before and behind the speech, as a share of what was listened to."""
        return 1.0 - self.speech_s / self.measured_s if self.measured_s else 0.0

    @property
    def telephone_share(self) -> float:
        """Utterances of telephone band in files that could hold more, of those measured."""
        return self.telephone / self.measured if self.measured else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "manifest": str(self.part.path),
            "official_part": self.part.official,
            **self.totals(),
            "sample_rates_hz": {str(rate): n for rate, n in sorted(self.sample_rates.items())},
            "sound": self._sound_totals() if self.measured else None,
            "speaker_labels": self.labels.to_dict(),
            "distributions": {
                name: histogram.to_dict()
                for name, histogram in self.distributions.items()
                if histogram.count
            },
        }

    def totals(self) -> dict[str, Any]:
        """Hours and counts."""
        return {
            "utterances": self.utterances,
            "hours": round(self.seconds / 3600, 4),
            "speakers": self.labels.distinct,
            "scripts": self.scripts,
            "characters": self.characters,
            "distinct_characters": len(self.vocabulary.characters),
            "words": self.vocabulary.words_said,
            "distinct_words": len(self.vocabulary.words),
        }

    def _sound_totals(self) -> dict[str, Any]:
        return {
            "measured": self.measured,
            "unreadable": self.rankings["unreadable"].count,
            "hours_between_silent_edges": round(self.speech_s / 3600, 4),
            "edge_silence_share": round(self.edge_silence, 6),
            "upsampled_telephone": self.telephone,
            "upsampled_telephone_share": round(self.telephone_share, 6),
        }

    def _listen(self, facts: Facts, heard: Heard) -> None:
        sound = heard.sound
        self.measured += 1
        self.measured_s += sound.duration_s
        self.speech_s += sound.speech_s
        self.telephone += sound.upsampled_telephone
        for name, value in _values(sound).items():
            self.distributions[name].add(value)
        if sound.silent:
            self._suspect("silent", facts, sound.duration_s, f"{sound.duration_s:.1f} s of it")
        if sound.clipped_share > CLIPPED_SHARE:
            said = f"{sound.clipped_share:.2%} of the samples"
            self._suspect("clipped", facts, sound.clipped_share, said)
        if sound.snr_db is not None and sound.snr_db < NOISY_DB:
            self._suspect("noisy", facts, -sound.snr_db, f"about {sound.snr_db:.0f} dB")
        if heard.voice is not None:
            self.voices[self.utterances] = heard.voice.astype(np.float32)

    def _suspect(self, kind: str, facts: Facts, score: float, reason: str) -> None:
        ranking = self.rankings[kind]
        if ranking.wants(score):
            score = round(score, 4)
            suspect = Suspect(part=self.part.name, facts=facts, score=score, reason=reason)
            ranking.keep(suspect)

    def _remember(
        self, facts: Facts, heard: Heard | Unreadable | None, seconds: float, characters: int
    ) -> None:
        sound = _sound_key(facts, heard)
        self._table.add(
            self.place,
            facts,
            content=sound if isinstance(heard, Heard) else None,
            sound=sound,
            seconds=float(np.float32(seconds)),
            characters=characters,
        )
        self.utterances += 1


def _sound_key(facts: Facts, heard: Heard | Unreadable | None) -> int | None:
    """The samples if they were decoded, else the stretch of the file; None if silent or unknown."""
    if isinstance(heard, Heard):
        return None if heard.sound.silent or not heard.sound.digest else signed(heard.sound.digest)
    if heard is not None or not facts.path:
        return None
    return number(f"{facts.path}\n{facts.channel}\n{facts.start_s}\n{facts.duration_s}")


def _distributions() -> dict[str, Histogram]:
    shares = [10 ** (exponent / 2) for exponent in range(-12, 1)]
    return {
        "duration_s": octaves(0.125, 1_024, 6, "s"),
        "characters_per_second": even(0, 25, 0.25, "characters/s"),
        "level_dbfs": even(-80, 0, 1, "dBFS"),
        "peak_dbfs": even(-60, 6, 1, "dBFS"),
        "clipped_share": Histogram(shares, "share of samples", logarithmic=True),
        "leading_silence_s": even(0, 5, 0.05, "s"),
        "trailing_silence_s": even(0, 5, 0.05, "s"),
        "snr_db": even(-20, 80, 1, "dB"),
        "bandwidth_hz": even(0, 24_000, 250, "Hz"),
        "energy_above_4khz_db": even(-100, 0, 1, "dB"),
    }


def _values(sound: Sound) -> dict[str, float | None]:
    """What goes into the distributions of sound."""
    share = sound.share_above_4khz
    return {
        "level_dbfs": sound.level_dbfs,
        "peak_dbfs": sound.peak_dbfs,
        "clipped_share": sound.clipped_share,
        "leading_silence_s": sound.leading_s,
        "trailing_silence_s": sound.trailing_s,
        "snr_db": sound.snr_db,
        "bandwidth_hz": sound.bandwidth_hz,
        "energy_above_4khz_db": None if share is None else 10 * math.log10(max(share, 1e-10)),
    }
