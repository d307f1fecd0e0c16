"""What a later part says that the first one does not: characters and words.

A character that training never showed cannot be written by most recognisers; a word that it never
showed has to be heard letter by letter. Both are given as shares of what the later part says, since
that is what an error rate counts.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from malgwi.audit.fingerprints import Fingerprints
from malgwi.audit.texts import fingerprint, words

#: Words checked against the first part at a time.
_BATCH = 16_384
#: Different unseen words counted by name; of what comes after, only the number is kept.
_MOST_NAMED = 20_000


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """What of one kind (characters or words) the first part does not have.

    Attributes:
        distinct: Different ones in the later part.
        unseen: Of these, not in the first part.
        said: All in the later part, repetitions too.
        unseen_said: Of these, not in the first part.
        examples: The most frequent unseen ones with their counts.
    """

    distinct: int
    unseen: int
    said: int
    unseen_said: int
    examples: tuple[tuple[str, int], ...]

    @property
    def share(self) -> float:
        """Of all that is said."""
        return self.unseen_said / self.said if self.said else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "distinct": self.distinct,
            "unseen": self.unseen,
            "said": self.said,
            "unseen_said": self.unseen_said,
            "unseen_share": round(self.share, 6),
            "examples": [{"what": what, "count": count} for what, count in self.examples],
        }


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How well the first part covers a later one."""

    first: str
    second: str
    characters: Unseen
    words: Unseen

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "first": self.first,
            "second": self.second,
            "characters": self.characters.to_dict(),
            "words": self.words.to_dict(),
        }


class Vocabulary:
    """Characters and words of one part, words as hashes.

    Args:
        first: The vocabulary to compare with, complete; None for the first part itself.

    >>> train = Vocabulary()
    >>> train.add("오늘 비가 와요")
    >>> test = Vocabulary(train)
    >>> test.add("오늘 눈이 와요")
    >>> found = test.coverage("train", "test", examples=5)
    >>> found.words.examples, found.words.unseen_said, found.characters.unseen
    ((('눈이', 1),), 1, 2)
    """

    def __init__(self, first: "Vocabulary | None" = None) -> None:
        self.characters: Counter[str] = Counter()
        self.words = Fingerprints()
        self.words_said = 0
        self._first = first
        self._waiting: list[tuple[int, str]] = []
        self._unseen = Fingerprints()
        self._unseen_said = 0
        self._named: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Take in one text."""
        found = words(text)
        self.words_said += len(found)
        for word in found:
            self.characters.update(word)
            value = fingerprint(word)
            self.words.add(value)
            if self._first is not None:
                self._waiting.append((value, word))
        if len(self._waiting) >= _BATCH:
            self._check()

    def coverage(self, first: str, second: str, *, examples: int) -> Coverage:
        """Against the first part; names are only passed on.

        Raises:
            ValueError: This is the first part.
        """
        if self._first is None:
            raise ValueError(f"{second} has no first part to be compared with")
        self._check()
        unseen = Counter(
            {c: n for c, n in self.characters.items() if c not in self._first.characters}
        )
        return Coverage(
            first=first,
            second=second,
            characters=Unseen(
                distinct=len(self.characters),
                unseen=len(unseen),
                said=self.characters.total(),
                unseen_said=unseen.total(),
                examples=_frequent(unseen, examples),
            ),
            words=Unseen(
                distinct=len(self.words),
                unseen=len(self._unseen),
                said=self.words_said,
                unseen_said=self._unseen_said,
                examples=_frequent(self._named, examples),
            ),
        )

    def _check(self) -> None:
        """Which of the waiting words the first part does not have."""
        assert self._first is not None
        values = np.array([value for value, _ in self._waiting], np.uint64)
        known = self._first.words.known(values).tolist()
        for (value, word), seen in zip(self._waiting, known, strict=True):
            if not seen:
                self._unseen.add(value)
                self._unseen_said += 1
                if word in self._named or len(self._named) < _MOST_NAMED:
                    self._named[word] += 1
        self._waiting.clear()


def _frequent(counts: Counter[str], number: int) -> tuple[tuple[str, int], ...]:
    """The most frequent, of equals in the order of the alphabet."""
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:number])
