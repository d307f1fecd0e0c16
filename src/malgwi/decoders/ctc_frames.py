"""What CTC prefix beam search asks of its frames: which tokens may come, and which frames matter.

Most frames of a trained CTC model are blank and nothing else. A run of frames that are surely
blank does what one such frame does, part two equal tokens, so it becomes one frame.

Shapes: B utterances, T frames as given, t of those that are left, K beams, V vocabulary,
S shortlisted tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from malgwi.errors import MalgwiError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
        log_probs: Tensor,
        lengths: Tensor,
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
        values = log_probs.detach().float().cpu().contiguous()
        B, T, V = values.shape
        inside = torch.arange(T) < lengths.cpu()[:, None]
        if values[inside].isnan().any():
            raise MalgwiError("CTC beam search: the model returned NaN: see its training")
        blank = values[:, :, blank_id].double().masked_fill(~inside, 0.0)
        least = torch.inf if skip_blank is None else float(np.log(skip_blank))
        frame, blank, mute = _merge_runs(inside, inside & (blank >= least), blank)
        heard = ~mute
        which = (torch.arange(B)[:, None] * T + frame)[heard]
        chosen, ids = _shortlist(values.view(-1, V)[which], [blank_id, *never], shortlist)
        best = chosen[:, :1] > blank[heard][:, None]
        if min_log_prob is not None:
            dropped = chosen < min_log_prob
            dropped[:, :1] &= ~best
            chosen = chosen.masked_fill(dropped, -torch.inf)
        path = torch.full(mute.shape, -1)
        path[heard] = torch.where(best, ids[:, :1], -1)[:, 0]
        before = torch.nn.functional.pad(path, (1, 0), value=-1)[:, :-1]
        spread = torch.full((*mute.shape, ids.size(1)), -torch.inf, dtype=torch.float64)
        places = torch.zeros(spread.shape, dtype=torch.long)
        spread[heard], places[heard] = chosen.double(), ids
        return Frames(
            blank=_time_first(blank),
            ids=_time_first(places),
            log_probs=_time_first(spread),
            widths=(~spread.isneginf()).sum(2).amax(0).tolist(),
            moves=_time_first((path >= 0) & (path != before)),
            _all=values.view(-1).numpy(),
            _offsets=_time_first((torch.arange(B)[:, None] * T + frame) * V),
            _mute=_time_first(torch.zeros(mute.shape).double().masked_fill(mute, -torch.inf)),
        )


def _merge_runs(inside: Tensor, sure: Tensor, blank: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """[B, T] → [B, t]: the frame that stands for each that is left, log P(blank), sure or past."""
    follows = torch.nn.functional.pad(sure, (1, 0))[:, :-1]
    kept = inside & ~(sure & follows)
    counts = kept.sum(1)
    t = int(counts.max()) if len(counts) else 0
    frame = (~kept).long().argsort(dim=1, stable=True)[:, :t]
    run = (kept.cumsum(1) - 1).clamp(min=0, max=max(t - 1, 0))
    summed = torch.zeros(len(blank), t, dtype=blank.dtype)
    if t:
        summed.scatter_add_(1, run, blank)
    past = torch.arange(t) >= counts[:, None]
    return frame, summed, sure.gather(1, frame) | past


def _shortlist(values: Tensor, never: list[int], count: int | None) -> tuple[Tensor, Tensor]:
    """The likeliest tokens of frames [M, V]: log-probabilities and ids, [M, S] each."""
    allowed = values.index_fill(1, torch.tensor(never), -torch.inf)
    width = values.size(1) - len(set(never))
    best = allowed.topk(min(width, count or width), dim=1)
    return best.values, best.indices


def _time_first(values: Tensor) -> NDArray:  # type: ignore[type-arg]
    return values.transpose(0, 1).contiguous().numpy()
