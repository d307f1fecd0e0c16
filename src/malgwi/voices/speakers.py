"""How many speakers there are, and which utterance is whose: clustering of voice embeddings.

Agglomerative clustering with average linkage on cosine distance, as nearest-neighbour chains. The
surprising choice: no matrix of distances. Between two clusters the mean cosine is the product of
their mean unit vectors, so a cluster is one vector, the result is that of
``scipy.cluster.hierarchy`` exactly, and memory is a few times N·D numbers: 20,000 utterances take
10 MB and four seconds where their distances alone would take 1.6 GB. A cluster whose nearest
neighbour is too far can never be joined under average linkage and leaves at once. Time grows with
N².

Estimated speakers are a suspicion, not a label: docs/decisions/0009-voice-embedding.md says how
often they are wrong.

Source: F. Murtagh and P. Contreras, "Algorithms for hierarchical clustering: an overview", WIREs
Data Mining and Knowledge Discovery 2 (2012), section 5.

Shapes: N utterances, D dimensions, L clusters that may still be joined.
"""

from math import inf

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph
from numpy.typing import NDArray

from malgwi.errors import ConfigError, DataError

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

#: Cosine distance up to which two clusters are one speaker: chosen by pairwise F1 on half of the
#: speakers of two corpora of real speech (benchmarks/speakers.py).
DEFAULT_THRESHOLD = 0.6
#: Nearer by less than this is as near: sums round, and a chain that turns on rounding never ends.
_TIE = 1e-12


def estimate_speakers(
    embeddings: Floats, *, threshold: float | None = None, num_speakers: int | None = None
) -> Labels:
    """A speaker's number for each utterance, [N, D] → [N], counted from 0 as they first occur.

    Args:
        embeddings: [N, D] from ``voice.voice_embedding``, all of one model.
        threshold: Mean cosine distance, 0 to 2, up to which clusters are joined; by default
            ``DEFAULT_THRESHOLD``.
        num_speakers: How many there are, where that is known; then no threshold is given.

    Raises:
        ConfigError: Both are given, or one is out of its range.
        DataError: An embedding is zero or not finite, or there are fewer than speakers.

    >>> voices = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.1], [0.1, 1.0]])
    >>> estimate_speakers(voices).tolist()
    [0, 1, 0, 1]
    >>> estimate_speakers(voices, num_speakers=1).tolist()
    [0, 0, 0, 0]
    """
    unit = _unit(embeddings)
    if num_speakers is None:
        limit = DEFAULT_THRESHOLD if threshold is None else threshold
        if not 0.0 <= limit <= 2.0:
            raise ConfigError(f"threshold is {limit}: a cosine distance lies between 0 and 2")
        return _labels([(a, b) for _, a, b in _merges(unit, limit)], len(unit))
    if threshold is not None:
        raise ConfigError("give a threshold or num_speakers, not both")
    if not 0 < num_speakers <= max(len(unit), 1):
        raise ConfigError(f"num_speakers is {num_speakers}: {len(unit)} utterances have 1 to that")
    nearest_first = sorted(_merges(unit, inf))
    return _labels([(a, b) for _, a, b in nearest_first[: len(unit) - num_speakers]], len(unit))


def _unit(embeddings: Floats) -> Floats:
    if embeddings.ndim != 2:
        raise DataError(f"embeddings of shape {embeddings.shape}: give [utterances, dimensions]")
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    wrong = np.flatnonzero(~np.isfinite(lengths[:, 0]) | (lengths[:, 0] == 0))
    if wrong.size:
        raise DataError(
            f"embedding {wrong[0]} is zero or not finite, as are {wrong.size - 1} others: "
            "leave these utterances out"
        )
    return np.asarray(embeddings / lengths, dtype=np.float64)


def _merges(unit: Floats, limit: float) -> list[tuple[float, int, int]]:
    """Joins up to a distance: (distance, an utterance of one cluster, one of the other).

    A chain goes from a cluster to its nearest neighbour and on, ever nearer, until two are each
    other's nearest: these are joined whatever else the chain holds.
    """
    merges: list[tuple[float, int, int]] = []
    means, sizes, names = unit.copy(), np.ones(len(unit)), np.arange(len(unit))
    gone = np.zeros(len(unit))  # -inf for clusters that are joined or out of reach
    chain: list[int] = []
    left = len(unit)
    while left:
        if left < len(gone) // 2:
            kept = np.flatnonzero(gone == 0)
            chain = np.searchsorted(kept, chain).tolist()
            means, sizes, names, gone = means[kept], sizes[kept], names[kept], gone[kept]
        if not chain:
            chain.append(int(np.argmax(gone)))
        top = chain[-1]
        cosines = means @ means[top] + gone
        cosines[top] = -inf
        near = int(np.argmax(cosines))
        if len(chain) > 1 and cosines[chain[-2]] >= cosines[near] - _TIE:
            near = chain[-2]
        distance = 1.0 - float(cosines[near])
        if distance > limit or left == 1:
            gone[chain.pop()] = -inf
        elif len(chain) > 1 and near == chain[-2]:
            merges.append((distance, int(names[near]), int(names[top])))
            joined = sizes[near] + sizes[top]
            means[near] = (sizes[near] * means[near] + sizes[top] * means[top]) / joined
            sizes[near] = joined
            gone[top] = -inf
            del chain[-2:]
        else:
            chain.append(near)
            continue
        left -= 1
    return merges


def _labels(joined: list[tuple[int, int]], count: int) -> Labels:
    """Connected utterances share a number: [N]."""
    ends = np.array(joined, dtype=np.int64).reshape(-1, 2)
    links = scipy.sparse.coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (count, count))
    labels = scipy.sparse.csgraph.connected_components(links, directed=False)[1]
    return np.asarray(labels, dtype=np.int64)
