"""Sets of 64-bit hashes: what an audit remembers of words it does not keep.

Two of a million different texts share a hash with a chance of one in 37 million.
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
