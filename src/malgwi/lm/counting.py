"""Counting n-grams in text larger than memory: sorted runs on disk, merged.

An n-gram is one number, its words side by side, the *last word first*: sorted so, all n-grams
that end alike stand together, and the counts of every lower order are sums over neighbours
(the suffix order of Heafield et al., "Scalable Modified Kneser-Ney Language Model Estimation",
ACL 2013, §3.1 and 3.2). At the beginning of a sentence the window is cut at ``<s>`` and filled with
0, which is no word; so each position of the text gives exactly one key and nothing is lost.

A key of more than 64 bits becomes a string of bytes, which numpy sorts alike, only more slowly.

Shapes: n keys, N order.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError
from malgwi.lm.units import END, START, UNKNOWN

UNKNOWN_ID, START_ID, END_ID = 0, 1, 2
_KEY_BYTES = 8
#: Bytes in use at once for each key that is cut, sorted and summed, besides its N columns.
_WORKING_BYTES = 64


@dataclass(frozen=True)
class Counted:
    """All n-grams of a text: distinct keys, ascending, and how often each occurs."""

    order: int
    words: tuple[str, ...]
    keys: NDArray[Any]  # [n]
    counts: NDArray[np.int64]  # [n]

    def column(self, place: int) -> NDArray[np.int64]:
        """The words ``place`` before the last, [n]; −1 before the beginning of a sentence."""
        return unpack(self.keys, place, self.order, len(self.words) + 1) - 1


def count(
    sentences: Iterable[Sequence[str]], order: int, folder: Path, memory_bytes: int = 1 << 30
) -> Counted:
    """Count the n-grams of the highest order, those cut at a sentence's beginning included.

    Args:
        sentences: Units of one sentence each, read once.
        order: N, at least 1.
        folder: For temporary files: four bytes a unit of text, and the runs.
        memory_bytes: Roughly what cutting, sorting and merging may take. The distinct n-grams
            themselves, which become the model, are mapped from disk.

    Raises:
        ConfigError: An order below 1.
    """
    if order < 1:
        raise ConfigError(f"language model order is {order}: it must be 1 or more")
    text = folder / "text.u4"
    words = _to_ids(sentences, text, memory_bytes)
    size = max(memory_bytes // (_WORKING_BYTES + 12 * order), order + 1)
    runs: list[_Run] = []
    for tokens in _blocks(text, size, order):
        keys, counts = np.unique(windows(tokens, order, len(words) + 1), return_counts=True)
        runs.append(_Run.write(folder / f"run-{len(runs):05d}", keys, counts.astype(np.int64)))
    keys, counts = _merge(runs, folder, memory_bytes)
    return Counted(order, words, keys, counts)


def _to_ids(sentences: Iterable[Sequence[str]], path: Path, memory_bytes: int) -> tuple[str, ...]:
    """The text as numbers on disk, ``<s>`` and ``</s>`` added; ids in order of appearance."""
    ids = {UNKNOWN: UNKNOWN_ID, START: START_ID, END: END_ID}
    waiting: list[int] = []
    with path.open("wb") as file:
        for units in sentences:
            waiting.append(START_ID)
            waiting += [ids.setdefault(unit, len(ids)) for unit in units]
            waiting.append(END_ID)
            if len(waiting) > memory_bytes // 128:
                file.write(np.array(waiting, np.uint32).tobytes())
                waiting.clear()
        file.write(np.array(waiting, np.uint32).tobytes())
    return tuple(ids)


def _blocks(path: Path, size: int, order: int) -> Iterator[NDArray[np.int64]]:
    """The text in pieces, each led by the ``order − 1`` tokens before it (−1 before the first)."""
    before = np.full(order - 1, -1, np.int64)
    with path.open("rb") as file:
        while data := file.read(4 * size):
            tokens = np.concatenate([before, np.frombuffer(data, np.uint32).astype(np.int64)])
            before = tokens[len(tokens) - (order - 1) :]
            yield tokens


def windows(tokens: NDArray[np.int64], order: int, size: int) -> NDArray[Any]:
    """The keys of every n-gram that ends at a word or at ``</s>``.

    Args:
        tokens: ``order − 1`` of left context, then the text.
        order: N.
        size: Numbers that a word can be, 0 (no word) included.
    """
    length = len(tokens) - (order - 1)
    columns = np.zeros((length, order), np.int64)
    alive = np.ones(length, bool)
    for place in range(order):
        column = tokens[order - 1 - place : order - 1 - place + length]
        columns[:, place] = np.where(alive, column + 1, 0)
        alive = alive & (column != START_ID)
    return pack(columns[tokens[order - 1 :] != START_ID], size)


def pack(columns: NDArray[np.int64], size: int) -> NDArray[Any]:
    """One sortable key a row, the first column weightiest.

    >>> pack(np.array([[1, 2], [0, 3]]), size=4).tolist()
    [6, 3]
    """
    order, bits = columns.shape[1], _bits(size)
    if bits * order > 8 * _KEY_BYTES:
        wide = np.ascontiguousarray(columns, dtype=">u4")
        return wide.view(f"S{4 * order}").reshape(-1)
    keys = np.zeros(len(columns), np.uint64)
    for place in range(order):
        keys = (keys << np.uint64(bits)) | columns[:, place].astype(np.uint64)
    return keys


def unpack(keys: NDArray[Any], place: int, order: int, size: int) -> NDArray[np.int64]:
    """Column ``place`` of what was packed, [n]."""
    bits = _bits(size)
    if bits * order > 8 * _KEY_BYTES:
        wide = np.ascontiguousarray(keys).view(">u4").reshape(-1, order)
        return wide[:, place].astype(np.int64)
    shift, mask = np.uint64(bits * (order - 1 - place)), np.uint64((1 << bits) - 1)
    return ((keys >> shift) & mask).astype(np.int64)


def _bits(size: int) -> int:
    return max(1, (size - 1).bit_length())


@dataclass
class _Run:
    """Sorted distinct keys with counts on disk, read from ``at`` on."""

    keys: NDArray[Any]
    counts: NDArray[np.int64]
    at: int = 0

    @classmethod
    def write(cls, stem: Path, keys: NDArray[Any], counts: NDArray[np.int64]) -> "_Run":
        """Put a run on disk and map it back."""
        np.save(stem.with_suffix(".keys.npy"), keys)
        np.save(stem.with_suffix(".counts.npy"), counts)
        return cls(
            np.load(stem.with_suffix(".keys.npy"), mmap_mode="r"),
            np.load(stem.with_suffix(".counts.npy"), mmap_mode="r"),
        )

    def last_of(self, size: int) -> Any:
        """The last key among the next ``size``."""
        return self.keys[min(self.at + size, len(self.keys)) - 1]

    def take(self, bound: Any, size: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """What stands up to ``bound``, and move on."""
        keys = np.array(self.keys[self.at : self.at + size])
        keys = keys[: int(np.searchsorted(keys, bound, side="right"))]
        counts = np.array(self.counts[self.at : self.at + len(keys)])
        self.at += len(keys)
        return keys, counts


def _merge(
    runs: Sequence[_Run], folder: Path, memory_bytes: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """One run of all, counts of equal keys summed."""
    if len(runs) == 1:
        return runs[0].keys, runs[0].counts
    if not runs:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    size = max(memory_bytes // (_WORKING_BYTES * len(runs)), 16)
    kind, total = runs[0].keys.dtype, 0
    with (folder / "keys").open("wb") as key_file, (folder / "counts").open("wb") as count_file:
        while waiting := [run for run in runs if run.at < len(run.keys)]:
            # Every run's next keys up to the smallest "last of a block" are in memory: they can
            # be summed for good. That run's block is used up, so the loop moves on.
            bound = min(run.last_of(size) for run in waiting)
            keys, counts = _summed([run.take(bound, size) for run in waiting])
            key_file.write(keys.tobytes())
            count_file.write(counts.tobytes())
            total += len(keys)
    return (
        np.memmap(folder / "keys", kind, "r", shape=(total,)),
        np.memmap(folder / "counts", np.int64, "r", shape=(total,)),
    )


def _summed(
    parts: Sequence[tuple[NDArray[Any], NDArray[np.int64]]],
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    keys = np.concatenate([keys for keys, _ in parts])
    counts = np.concatenate([counts for _, counts in parts])
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[first], np.add.reduceat(counts, first)
