"""Which letters are taken for which: initials, medials and finals of substituted syllables.

A syllable that was misheard differs from what was said in one, two or three letters, and which
ones tells more than the pair of syllables: 잔 → 장, 반 → 방 and 간 → 강 are one confusion, that
of the finals ㄴ and ㅇ. Only substitutions between two Hangul syllables have letters to compare;
``sound_alignment`` pairs them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from malgwi.metrics.sound_alignment import Aligned
from malgwi.text.hangul import FINALS, INITIALS, MEDIALS, is_syllable, letters

#: Slot of the syllable → its letters in the order of the alphabet; "" is "no final".
SLOTS: dict[str, tuple[str, ...]] = {"initial": INITIALS, "medial": MEDIALS, "final": FINALS}


@dataclass(frozen=True)
class Confusions:
    """Counts of letters over a corpus.

    Attributes:
        pairs: slot → (letter said, letter heard) → how often, in substituted syllables, equal
            letters left out.
        said: slot → letter → how often it was said in syllables that have a counterpart, right or
            wrong: what a share is a share of.
        syllables: Substituted syllables that were compared.
    """

    pairs: Mapping[str, Mapping[tuple[str, str], int]]
    said: Mapping[str, Mapping[str, int]]
    syllables: int

    def share(self, slot: str, said: str, heard: str) -> float:
        """How much of what was said as one letter was heard as the other; 0 if never said."""
        occurrences = self.said[slot].get(said, 0)
        return self.pairs[slot].get((said, heard), 0) / occurrences if occurrences else 0.0

    def ranked(self, slot: str) -> list[tuple[str, str, int]]:
        """(said, heard, count) of a slot, the most frequent first."""
        found = [(said, heard, count) for (said, heard), count in self.pairs[slot].items()]
        return sorted(found, key=lambda row: (-row[2], row[0], row[1]))

    def to_dict(self) -> dict[str, Any]:
        """For JSON: each slot's pairs, the most frequent first, and how often a letter was said."""
        slots = {
            slot: {
                "pairs": [
                    {"said": said, "heard": heard, "count": count}
                    for said, heard, count in self.ranked(slot)
                ],
                "said": {letter: self.said[slot][letter] for letter in sorted(self.said[slot])},
            }
            for slot in SLOTS
        }
        return {"syllables": self.syllables, **slots}


def confusions(alignments: Iterable[Aligned]) -> Confusions:
    """Count the letters of every pair of syllables.

    >>> from malgwi.metrics.sound_alignment import align_by_sound
    >>> found = confusions([align_by_sound("한 잔", "한장")])
    >>> found.ranked("final"), found.syllables, found.share("final", "ㄴ", "ㅇ")
    ([('ㄴ', 'ㅇ', 1)], 1, 0.5)
    """
    together: Counter[tuple[str, str]] = Counter()
    for aligned in alignments:
        together.update(syllable_pairs(aligned))
    return confused_letters(together)


def syllable_pairs(aligned: Aligned) -> Iterator[tuple[str, str]]:
    """(said, heard) of every column that has both, equal ones too."""
    return ((c.said, c.heard) for c in aligned.columns if c.said and c.heard)


def confused_letters(together: Mapping[tuple[str, str], int]) -> Confusions:
    """The letters of counted pairs (said, heard); what is no Hangul syllable is passed over."""
    pairs: dict[str, Counter[tuple[str, str]]] = {slot: Counter() for slot in SLOTS}
    said: dict[str, Counter[str]] = {slot: Counter() for slot in SLOTS}
    syllables = 0
    for (one, other), count in together.items():
        if not (is_syllable(one) and is_syllable(other)):
            continue
        syllables += count if one != other else 0
        for slot, a, b in zip(SLOTS, letters(one), letters(other), strict=True):
            said[slot][a] += count
            if a != b:
                pairs[slot][a, b] += count
    return Confusions(pairs=pairs, said=said, syllables=syllables)
