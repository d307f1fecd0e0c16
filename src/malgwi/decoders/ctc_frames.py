"""What CTC prefix beam search asks of its frames: which tokens may come, and which frames matter.

Most frames of a trained CTC model are blank and nothing else. A run of frames that are surely
blank does what one such frame does, part two equal tokens, so it becomes one frame.

Shapes: B utterances, T frames as given, t of those that are left, K beams, V vocabulary,
S shortlisted tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import MalgwiError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class Frames:
    """The frames that are left, time first. Past an utterance's end stand sure blanks."""

    blank: Floats  # [t, B] log P(blank), summed over a run
    ids: Ints  # [t, B, S] the shortlist, likeliest first
    log_probs: Floats  # [t, B, S]; −inf where a token is not proposed
    widths: list[int]  # [t] how many columns of the shortlist are in use
    moves: NDArray[np.bool_]  # [t, B] whether the greedy path writes ids[t, b, 0]
    _all: NDArray[np.float32]  # every log-probability, flat
    _offsets: Ints  # [t, B] where a frame begins in that
    _mute: Floats  # [t, B] −inf at sure blanks, else 0

    def of(self, t: int, tokens: Ints) -> Floats:
        """log P(tokens) at frame t: [B, K] → [B, K]."""
        values: Floats = self._all.take(self._offsets[t][:, None] + tokens) + self._mute[t][:, None]
        return values

    @staticmethod
    def prepare(
        log_probs: NDArray[np.floating],
        lengths: NDArray[np.integer],
        *,
        blank_id: int,
        never: Sequence[int],
        shortlist: int | None,
        min_log_prob: float | None,
        skip_blank: float | None,
    ) -> "Frames":
        """Merge sure blanks and rank the tokens of all other frames.

        Args:
            log_probs: [B, T, V] log-softmax of the CTC layer.
            lengths: [B] valid frames.
            blank_id: The CTC blank.
            never: Other tokens that are not proposed.
            shortlist: Most tokens proposed at a frame; None is all of them.
            min_log_prob: Least log-probability of a token that is proposed, but for a frame's
                likeliest, which is what greedy decoding takes.
            skip_blank: P(blank) from which a frame counts as surely blank.

        Raises:
            MalgwiError: NaN among the log-probabilities.
        """
        values = np.ascontiguousarray(log_probs, np.float32)
        B, T, V = values.shape
        inside = np.arange(T) < lengths[:, None]
        if np.isnan(values.max(2)[inside]).any():
            raise MalgwiError("CTC beam search: the model returned NaN: see its training")
        blank = np.where(inside, values[:, :, blank_id].astype(np.float64), 0.0)
        least = np.inf if skip_blank is None else float(np.log(skip_blank))
        frame, blank, mute = _merge_runs(inside, inside & (blank >= least), blank)
        heard, offsets = ~mute, np.arange(B)[:, None] * T + frame
        frames = values.reshape(-1, V)[offsets[heard]]
        frames[:, [blank_id, *never]] = -np.inf
        chosen, ids = _likeliest(frames, V - len({blank_id, *never}), shortlist)
        best = chosen[:, 0] > blank[heard]
        if min_log_prob is not None:
            dropped = chosen < min_log_prob
            dropped[:, 0] &= ~best
            chosen[dropped] = -np.inf
        path = np.full(mute.shape, -1)
        path[heard] = np.where(best, ids[:, 0], -1)
        spread = np.full((*mute.shape, ids.shape[1]), -np.inf)
        places = np.zeros(spread.shape, np.int64)
        spread[heard], places[heard] = chosen, ids
        return Frames(
            blank=_time_first(blank),
            ids=_time_first(places),
            log_probs=_time_first(spread),
            widths=(spread > -np.inf).sum(2).max(0).tolist(),
            moves=_time_first((path >= 0) & (path != _before(path, -1))),
            _all=values.reshape(-1),
            _offsets=_time_first(offsets * V),
            _mute=_time_first(np.where(mute, -np.inf, 0.0)),
        )


def _merge_runs(
    inside: NDArray[np.bool_], sure: NDArray[np.bool_], blank: Floats
) -> tuple[Ints, Floats, NDArray[np.bool_]]:
    """[B, T] → [B, t]: the frame that stands for each that is left, log P(blank), sure or past."""
    kept = inside & ~(sure & _before(sure, False))
    counts = kept.sum(1)
    B, t = len(counts), int(counts.max(initial=0))
    frame: Ints = (~kept).argsort(axis=1, kind="stable")[:, :t]
    run = (kept.cumsum(1) - 1).clip(min=0)
    summed = np.zeros((B, t))
    if t:
        np.add.at(summed, (np.arange(B)[:, None], run), blank)
    past = np.arange(t) >= counts[:, None]
    mute: NDArray[np.bool_] = np.take_along_axis(sure, frame, 1) | past
    return frame, summed, mute


def _likeliest(
    values: NDArray[np.float32], proposed: int, count: int | None
) -> tuple[NDArray[np.float32], Ints]:
    """The likeliest of ``proposed`` tokens of frames [M, V]: values and ids, [M, S] each."""
    width = min(proposed, count or proposed)
    best = values.argpartition(-width, axis=1)[:, -width:]
    scores = np.take_along_axis(values, best, 1)
    order = (-scores).argsort(axis=1)
    return np.take_along_axis(scores, order, 1), np.take_along_axis(best, order, 1)


def _before(values: NDArray[Value], first: int | bool) -> NDArray[Value]:
    """[B, T] one frame later, ``first`` at the beginning."""
    moved = np.empty_like(values)
    moved[:, :1], moved[:, 1:] = first, values[:, :-1]
    return moved


def _time_first(values: NDArray[Value]) -> NDArray[Value]:
    return np.ascontiguousarray(values.swapaxes(0, 1))
