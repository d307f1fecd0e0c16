"""Sets and columns of 64-bit hashes: what an audit remembers of texts it does not keep.

Two of a million different texts share a hash with a chance of one in 37 million.

Shapes: N utterances.
"""

from array import array

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

#: Hashes taken in before they are sorted into the rest.
_FEWEST = 65_536


class Fingerprints:
    """A set of hashes in 8 bytes each, and half as much again while it is filled.

    >>> seen = Fingerprints()
    >>> for value in (7, 3, 7):
    ...     seen.add(value)
    >>> len(seen), seen.known(np.array([3, 4], dtype=np.uint64)).tolist()
    (2, [True, False])
    """

    def __init__(self) -> None:
        self._sorted: Hashes = np.empty(0, np.uint64)
        self._new = array("Q")

    def add(self, value: int) -> None:
        """Put one hash in."""
        self._new.append(value)
        if len(self._new) >= max(_FEWEST, len(self._sorted) // 2):
            self._settle()

    def __len__(self) -> int:
        self._settle()
        return len(self._sorted)

    def known(self, values: Hashes) -> NDArray[np.bool_]:
        """[n] which of the hashes are in."""
        self._settle()
        places = np.searchsorted(self._sorted, values)
        inside = places < len(self._sorted)
        found = np.zeros(len(values), np.bool_)
        found[inside] = self._sorted[places[inside]] == values[inside]
        return found

    def _settle(self) -> None:
        if self._new:
            fresh = np.frombuffer(self._new, np.uint64)
            self._sorted = np.union1d(self._sorted, fresh)
            del fresh  # an array lent to numpy cannot change its size
            self._new = array("Q")


class Columns:
    """What is remembered of each utterance: 40 bytes, whatever it says.

    Attributes:
        key: Of the utterance itself.
        speaker: 0 where none is named.
        script: 0 where there is no text.
        sound: Of its samples, or where these were not decoded of its stretch of a file; 0 where
            there is none.
        seconds: How long it lasts.
        characters: As spoken.
    """

    def __init__(self) -> None:
        self._hashes = {name: array("Q") for name in ("key", "speaker", "script", "sound")}
        self._seconds = array("f")
        self._characters = array("I")

    def add(
        self,
        *,
        key: int,
        speaker: int,
        script: int,
        sound: int,
        seconds: float,
        characters: int,
    ) -> None:
        """Remember one more utterance."""
        values = {"key": key, "speaker": speaker, "script": script, "sound": sound}
        for name, value in values.items():
            self._hashes[name].append(value)
        self._seconds.append(seconds)
        self._characters.append(characters)

    def __len__(self) -> int:
        return len(self._seconds)

    @property
    def key(self) -> Hashes:
        return np.array(self._hashes["key"], np.uint64)

    @property
    def speaker(self) -> Hashes:
        return np.array(self._hashes["speaker"], np.uint64)

    @property
    def script(self) -> Hashes:
        return np.array(self._hashes["script"], np.uint64)

    @property
    def sound(self) -> Hashes:
        return np.array(self._hashes["sound"], np.uint64)

    @property
    def seconds(self) -> NDArray[np.float32]:
        return np.array(self._seconds, np.float32)

    @property
    def characters(self) -> NDArray[np.uint32]:
        return np.array(self._characters, np.uint32)


def distinct(hashes: Hashes) -> int:
    """How many different ones there are, 0 aside.

    >>> distinct(np.array([5, 5, 0, 9], dtype=np.uint64))
    2
    """
    return len(np.unique(hashes[hashes != 0]))
