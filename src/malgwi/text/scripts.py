"""When two utterances read the same script: exactly, or nearly.

A script is the text without spaces, punctuation and case, so that two transcribers' habits do not
make two scripts of one sentence.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from malgwi.errors import ConfigError


class NearDuplicate(NamedTuple):
    """Two scripts by their places in the sequence given, and their edit distance."""

    first: int
    second: int
    distance: int


def script(text: str) -> str:
    """What makes two utterances the same text: letters and digits, composed, lower case.

    >>> script("네, 알겠습니다!") == script("네 알겠습니다")
    True
    >>> script("...")
    '...'
    """
    composed = unicodedata.normalize("NFC", text).casefold()
    return "".join(c for c in composed if c.isalnum()) or composed.strip()


def near_duplicates(
    scripts: Sequence[str], *, max_distance: float = 0.1
) -> Iterator[NearDuplicate]:
    """All pairs whose edit distance is at most this share of the longer one's length.

    Args:
        scripts: As `script` gives them, each once; what is given twice is a pair at distance 0.
        max_distance: Edits (insertion, deletion, substitution) over the longer length, below 0.5.

    Raises:
        ConfigError: ``max_distance`` out of bounds.

    >>> list(near_duplicates(["저식당음식이맛있나봐요", "저식당음식이맛있나봐", "다른말"]))
    [NearDuplicate(first=0, second=1, distance=1)]
    """
    if not 0 <= max_distance < 0.5:
        raise ConfigError(f"max_distance={max_distance:g}: a share of the length, 0 to below 0.5")
    for second, text in enumerate(scripts):
        for first in range(second):
            longer = max(len(text), len(scripts[first]))
            bound = int(max_distance * longer + 1e-9)
            distance = Levenshtein.distance(scripts[first], text, score_cutoff=bound)
            if distance <= bound:
                yield NearDuplicate(first, second, distance)
