"""Hot-words: words and sentences that a request expects, each with a boost.

A text earns a phrase's boost for every time the phrase stands in it. Counting goes from the left:
where phrases begin at one place the longest counts, and counting goes on behind it. So no token
is counted twice, and 서울 earns nothing of its own within 서울역 if both are given.

A beam search cannot wait for the end of a phrase, so the boost is spread over its tokens: after d
of its n tokens a text has been given d/n of it. When the match is abandoned, at the end of the
text too, what was given too soon is taken back. The sum over a finished text is exact.

The surprising choice: all of that is one finite automaton, computed beforehand. Its states are the
prefixes of the phrases, linked as in Aho & Corasick (1975, CACM 18(6)) but for leftmost-longest
matches: giving up a state banks the longest phrase that it began with and reads the rest anew.

Shapes: N rows, V vocabulary, S states, C columns (tokens that stand in a phrase, then the end,
then all others).
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError, DataError
from malgwi.types import Tokenizer

Phrase = tuple[int, ...]
States = NDArray[np.int64]

#: Nats that a hot-word is worth if nobody says how much.
BOOST = 4.0


class HotWords:
    """A LanguageModel (and BonusModel) whose scores are bonuses.

    Args:
        boosts: Phrases, as tokens, and what each occurrence adds to a text's score, in nats.
            A negative boost makes a phrase unlikely.
        vocabulary_size: V.
        end_id: The token that ends a text.

    Raises:
        ConfigError: No phrase, an empty one, or a boost that is no number.

    >>> words = HotWords({(5, 6): 4.0}, vocabulary_size=8, end_id=2)
    >>> state = words.advance(words.start(1), np.array([0]), np.array([5]))
    >>> [(v, bonus) for v, bonus in enumerate(words.score(state)[0].tolist()) if v in (2, 5, 6, 7)]
    [(2, -2.0), (5, 0.0), (6, 2.0), (7, -2.0)]
    """

    def __init__(
        self, boosts: Mapping[Phrase, float], *, vocabulary_size: int, end_id: int
    ) -> None:
        phrases = {phrase: float(boost) for phrase, boost in boosts.items()}
        if not phrases or not all(phrases) or not all(map(math.isfinite, phrases.values())):
            raise ConfigError(f"hot-words {phrases}: give phrases of a token or more, with numbers")
        self.vocabulary_size = vocabulary_size
        letters = sorted({token for phrase in phrases for token in phrase} - {end_id})
        columns = np.full(vocabulary_size, len(letters) + 1)
        columns[letters] = np.arange(len(letters))
        columns[end_id] = len(letters)
        follow, scores = _automaton(phrases, letters)
        self._columns = columns  # [V]
        self._follow = follow  # [S, C] the state after a token
        self._scores = scores.astype(np.float32)  # [S, C]
        self.ceiling = max(0.0, float(scores.max()))

    @classmethod
    def of_texts(cls, boosts: Mapping[str, float], tokenizer: Tokenizer) -> "HotWords":
        """From phrases as text. Of two that are written alike the greater boost holds.

        Raises:
            ConfigError: A phrase of characters that the tokenizer cannot write, or of none.
        """
        phrases: dict[Phrase, float] = {}
        for text, boost in boosts.items():
            phrase = tuple(tokenizer.encode(text))
            if not phrase or tokenizer.unknown_id in phrase:
                raise ConfigError(
                    f"hot-word {text!r}: this recogniser has no units to write it with; leave it "
                    "out, or spell it as it is pronounced"
                )
            phrases[phrase] = max(boost, phrases.get(phrase, boost))
        return cls(phrases, vocabulary_size=tokenizer.size, end_id=tokenizer.end_id)

    def start(self, rows: int) -> States:
        """The automaton's first state, [N]."""
        return np.zeros(rows, np.int64)

    def score(self, state: States) -> NDArray[np.float32]:
        """What each token gives or takes back: [N, V] float32."""
        return self._scores.take(state, axis=0).take(self._columns, axis=1)

    def advance(self, state: States, rows: NDArray[np.int64], tokens: NDArray[np.int64]) -> States:
        """The states after one token more; a negative token leaves its row as it is."""
        before = state[rows]
        after = self._follow[before, self._columns[np.maximum(tokens, 0)]]
        return np.where(tokens < 0, before, after)

    def contexts(self, state: States) -> NDArray[np.uint64]:
        """The automaton's states are all that it remembers: [N]."""
        return state.astype(np.uint64)


def boosts(phrases: Sequence[str]) -> dict[str, float]:
    """Phrases as given, ``phrase`` or ``phrase:boost`` or a file with one a line.

    >>> boosts(["말귀:6", "서울역"])
    {'말귀': 6.0, '서울역': 4.0}
    """
    found: dict[str, float] = {}
    for phrase in phrases:
        lines = [phrase]
        if Path(phrase).is_file():
            lines = Path(phrase).read_text(encoding="utf-8").splitlines()
        found |= dict(_boost(line.strip()) for line in lines if line.strip())
    return found


def _boost(line: str) -> tuple[str, float]:
    phrase, colon, number = line.rpartition(":")
    if not colon:
        return line, BOOST
    try:
        return phrase.strip(), float(number)
    except ValueError:
        raise DataError(f"hot-word {line!r}: {number!r} is no number; write  phrase:4.0") from None


def _automaton(
    phrases: Mapping[Phrase, float], letters: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The state after each state and column, and the score of that step: [S, C] each.

    Given up, a state's prefix is read as the longest phrase that it begins with (its boost is
    banked) or, if there is none, as one token that earns nothing; then comes what the rest of it
    leads to. That rest is shorter, so shorter prefixes go first.
    """
    prefixes = sorted(
        {p[:n] for p in phrases for n in range(len(p) + 1)}, key=lambda p: (len(p), p)
    )
    number = {prefix: state for state, prefix in enumerate(prefixes)}
    end, width = len(letters), len(letters) + 2
    column = {token: place for place, token in enumerate(letters)}
    follow = np.zeros((len(prefixes), width), np.int64)
    banked = np.zeros((len(prefixes), width))
    for state, prefix in enumerate(prefixes):
        if state:
            longest = max(
                (n for n in range(1, len(prefix) + 1) if prefix[:n] in phrases), default=0
            )
            gained, at = phrases.get(prefix[:longest], 0.0), 0
            for token in prefix[longest or 1 :]:
                gained += banked[at, column[token]]
                at = follow[at, column[token]]
            follow[state], banked[state] = follow[at], gained + banked[at]
        for token in letters:
            if (*prefix, token) in number:
                follow[state, column[token]] = number[*prefix, token]
                banked[state, column[token]] = 0.0
    given = _given(phrases, prefixes, banked[:, end])
    follow[:, end] = 0
    return follow, banked + given[follow] - given[:, None]


def _given(
    phrases: Mapping[Phrase, float], prefixes: Sequence[Phrase], certain: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What a text in each state has been given: [S].

    The greatest share of any phrase that it may become, and no less than what it has for
    ``certain`` [S]; the empty prefix has nothing.
    """
    shares = dict(zip(prefixes, certain.tolist(), strict=True))
    for phrase, boost in phrases.items():
        for n in range(1, len(phrase) + 1):
            shares[phrase[:n]] = max(shares[phrase[:n]], boost * n / len(phrase))
    return np.array([shares[prefix] for prefix in prefixes])
