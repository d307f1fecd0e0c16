"""Which things hang together, when links between them come a few at a time.

A union-find over whole arrays: a million things and their links take numpy a second, Python a
minute. Source: R. E. Tarjan, "Efficiency of a good but not linear set union algorithm",
J. ACM 22(2), 1975; each batch of links is resolved by SciPy's connected components.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ids = NDArray[np.int64]


class Components:
    """N things, each a component of its own until linked.

    >>> parts = Components(5)
    >>> parts.link(np.array([0, 3]), np.array([1, 4]))
    >>> parts.labels().tolist()
    [0, 0, 1, 2, 2]
    """

    def __init__(self, count: int) -> None:
        self._parent: Ids = np.arange(count)

    def find(self, things: Ids) -> Ids:
        """[n] the representative of each thing: the smallest one of its component."""
        roots = self._parent[things]
        while True:
            above = self._parent[roots]
            if np.array_equal(above, roots):
                break
            roots = above
        self._parent[things] = roots
        return roots

    def link(self, first: Ids, second: Ids) -> None:
        """Make one component of ``first[n]`` and ``second[n]``, for all n."""
        first, second = self.find(first), self.find(second)
        roots, at = np.unique(np.concatenate([first, second]), return_inverse=True)
        ones = np.ones(len(first), np.int64)
        graph = coo_array((ones, (at[: len(first)], at[len(first) :])), (len(roots), len(roots)))
        _, labels = connected_components(graph, directed=False)
        smallest = np.full(len(roots), len(self._parent))
        np.minimum.at(smallest, labels, roots)
        self._parent[roots] = smallest[labels]

    def labels(self) -> Ids:
        """[N] the number of each thing's component, 0, 1, 2 … in order of first appearance."""
        roots = self.find(np.arange(len(self._parent)))
        return np.unique(roots, return_inverse=True)[1]
