"""A corpus of a million utterances, scored: the counts of `error_rate.score` as arrays.

Same counts, same record, but no object an utterance: four ways of counting times four counts of
four bytes. The work is done in chunks, by as many processes as there are cores where it pays.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from malgwi.metrics.countings import (
    TREATMENTS,
    Figure,
    Sums,
    as_array,
    count_treated,
    has_marks,
    treatments,
)
from malgwi.metrics.counts import Counts, PairCounts, count_pair
from malgwi.metrics.error_rate import (
    Rates,
    check_ids,
    countable,
    counting,
    rates_of,
    score_record,
)
from malgwi.metrics.passport import Passport, hash_sum, hash_text
from malgwi.metrics.units import Units
from malgwi.text.normalize import NormalizerConfig

#: Utterances handed over at once.
CHUNK = 10_000
#: With fewer utterances, starting processes takes longer than they save.
PARALLEL_FROM = 100_000
_WAYS = PairCounts._fields
_COUNTS = 4


@dataclass(frozen=True, kw_only=True)
class Tally:
    """A scored corpus.

    Attributes:
        ids: Of the utterances, N.
        counts: [N, 4, 4]: utterance; way of counting, as in ``PairCounts``; hits,
            substitutions, deletions, insertions.
        passport: How and on what it was counted.
        figures: The same counted as others do; empty if not asked for.
    """

    ids: Sequence[str]
    counts: NDArray[np.int32]
    passport: Passport
    figures: tuple[Figure, ...] = ()

    @property
    def corpus(self) -> Rates:
        """The five metrics over the corpus."""
        sums = self.counts.sum(axis=0, dtype=np.int64).tolist()
        return rates_of(_pair_counts(sums))

    def units(self, metric: str) -> Units:
        """Errors and tokens of each utterance, for intervals.

        >>> tally({"a": "네 네"}, {"a": "네"}).units("mer").tokens.tolist()
        [2]
        """
        way = self.counts[:, _WAYS.index("wer" if metric == "mer" else metric), :].astype(np.int64)
        last = 4 if metric == "mer" else 3  # the match error rate divides by all columns
        return Units(way[:, 1:].sum(axis=1), way[:, :last].sum(axis=1))

    def to_dict(self) -> dict[str, Any]:
        """As ``Scores.to_dict``."""
        return score_record(self.corpus, self.passport)


def tally(
    references: Mapping[str, str],
    hypotheses: Mapping[str, str],
    normalizer: NormalizerConfig | None = None,
    *,
    figures: bool = False,
    workers: int | None = None,
) -> Tally:
    """Score a corpus by all metrics.

    Args:
        references: id → what was said.
        hypotheses: id → what was recognised; the same ids, in any order.
        normalizer: As for ``error_rate.score``.
        figures: Count as others do, too.
        workers: Processes; None for one a core where it pays.

    Raises:
        DataError: The ids differ.
    """
    check_ids(references, hypotheses)
    chosen: tuple[str, ...] = ()
    if figures:
        marks = has_marks(references.values()) or has_marks(hypotheses.values())
        chosen = tuple(treatments(marks=marks))
    work = partial(_count_chunk, normalizer=normalizer, chosen=chosen)
    counts = np.empty((len(references), len(_WAYS), _COUNTS), dtype=np.int32)
    hashed, at, sums = 0, 0, dict.fromkeys(chosen, _NOTHING)
    for part in _mapped(work, _chunks(references, hypotheses), len(references), workers):
        counts[at : at + len(part.counts)] = part.counts
        at, hashed = at + len(part.counts), hashed + part.hashed
        sums = {name: found + part.sums[name] for name, found in sums.items()}
    passport = Passport(
        counting=counting(normalizer), references=hash_text(hashed), utterances=len(references)
    )
    return Tally(
        ids=list(references),
        counts=counts,
        passport=passport,
        figures=tuple(figure for name, found in sums.items() for figure in found.figures(name)),
    )


class _Chunk(NamedTuple):
    ids: list[str]
    said: list[str]
    heard: list[str]


class _Part(NamedTuple):
    counts: NDArray[np.int32]
    hashed: int
    sums: dict[str, Sums]


_NOTHING = Sums.of(np.zeros((0, len(_WAYS), _COUNTS), dtype=np.int32))


def _chunks(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> Iterator[_Chunk]:
    names = iter(references)
    while ids := list(islice(names, CHUNK)):
        said, heard = ([side[name] for name in ids] for side in (references, hypotheses))
        yield _Chunk(ids, said, heard)


def _count_chunk(
    chunk: _Chunk, *, normalizer: NormalizerConfig | None, chosen: Sequence[str]
) -> _Part:
    said = [countable(text, normalizer) for text in chunk.said]
    counted = [
        count_pair(one, countable(other, normalizer))
        for one, other in zip(said, chunk.heard, strict=True)
    ]
    counts, sums = as_array(counted), {}
    if chosen:
        treated = {name: TREATMENTS[name] for name in chosen}
        spaced = normalizer is None or normalizer.whitespace == "collapse"
        sums = count_treated(chunk.said, chunk.heard, treated, counts if spaced else None)
    return _Part(counts=counts, hashed=hash_sum(zip(chunk.ids, said, strict=True)), sums=sums)


def _mapped(
    work: "partial[_Part]", chunks: Iterable[_Chunk], utterances: int, workers: int | None
) -> Iterator[_Part]:
    """The work on each chunk, in order; never more than some chunks ahead of it."""
    if workers is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        workers = min(8, cores or 1) if utterances >= PARALLEL_FROM else 1
    if workers == 1:
        yield from map(work, chunks)
        return
    # Not a fork: this process may hold locks and threads of torch or a BLAS.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting: deque[Future[_Part]] = deque()
        for chunk in chunks:
            waiting.append(pool.submit(work, chunk))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        for done in waiting:
            yield done.result()


def _pair_counts(values: Sequence[Sequence[int]]) -> PairCounts:
    return PairCounts(*(Counts(*way) for way in values))
