"""When two utterances read the same script: exactly, or nearly.

A script is the text without spaces, punctuation and case, so that two transcribers' habits do not
make two scripts of one sentence.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from malgwi.errors import ConfigError
from malgwi.text.similarity_join import similar_pairs


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

    Found by shared pieces (see `malgwi.text.similarity_join`), so a million short scripts take
    seconds. What is held at once is a few numbers a character and the pairs of two lengths;
    `similar_pairs` gives them block by block where many scripts are nearly the same.

    Args:
        scripts: As `script` gives them, each once; what is given twice is a pair at distance 0.
        max_distance: Edits (insertion, deletion, substitution) over the longer length, below 0.5.

    Raises:
        ConfigError: ``max_distance`` out of bounds.

    >>> list(near_duplicates(["저식당음식이맛있나봐요", "저식당음식이맛있나봐", "다른말"]))
    [NearDuplicate(first=0, second=1, distance=1)]
    """
    check_distance(max_distance)
    for _, blocks in groupby(similar_pairs(scripts, max_distance), lambda block: block.lengths):
        found = list(blocks)
        first, second, distance = (
            np.concatenate([getattr(block, name) for block in found])
            for name in ("first", "second", "distance")
        )
        _, once = np.unique(first * len(scripts) + second, return_index=True)
        values = (column[once].tolist() for column in (first, second, distance))
        yield from map(NearDuplicate, *values)


def check_distance(max_distance: float) -> None:
    """Raise where no near-duplicate is meant any more.

    Raises:
        ConfigError: Below 0, or 0.5 and above.
    """
    if not 0 <= max_distance < 0.5:
        raise ConfigError(
            f"max_distance={max_distance:g}: near-duplicates differ in a share of their "
            "characters, from 0 (exact scripts only) to below 0.5"
        )
