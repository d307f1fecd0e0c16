"""Where in the audio each token of a known string lies: CTC's best path through that string.

Not to be confused with `malgwi.metrics.alignment`, which lays one text beside another.

CTC lets a path stay on a token, rest on blanks, or go on to the next token; the string with a
blank before, between and after its tokens is the line of states that every path walks from left
to right (Graves et al., *Connectionist Temporal Classification*, 2006, §4.1). The Viterbi
recursion runs over frames for all utterances at once. Float64, so that a path's score is the sum
of its frames to the last digit that matters.

The surprising choice: ties are broken by rule, never by the order of evaluation. Of equally good
paths the one that reaches its last state first wins, then its last but one, and so on.

Shapes: B utterances, T encoder frames, U tokens, S = 2·U + 1 states, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from malgwi.errors import ConfigError


@dataclass(frozen=True)
class AlignedToken:
    """Frames [first, last) that emit one token, and their log-probability."""

    first: int
    last: int
    log_prob: float


@dataclass(frozen=True)
class CtcAlignment:
    """The likeliest CTC path of one string: its tokens in order, and its log-probability."""

    tokens: tuple[AlignedToken, ...]
    log_prob: float


def frames_needed(tokens: Sequence[int]) -> int:
    """The fewest frames that can emit the string: equal neighbours need a blank between them.

    >>> frames_needed([5, 5, 7]), frames_needed([])
    (4, 0)
    """
    return len(tokens) + sum(a == b for a, b in pairwise(tokens))


def align_ctc(
    log_probs: Tensor, lengths: Tensor, tokens: Sequence[Sequence[int]], *, blank_id: int
) -> list[CtcAlignment | None]:
    """The likeliest alignment of each string to its frames.

    Args:
        log_probs: [B, T, V] log-softmax of the CTC layer.
        lengths: [B] valid frames.
        tokens: The B strings, without blanks.
        blank_id: The CTC blank.

    Returns:
        One alignment an utterance; None where there is none, because it has fewer frames than
        ``frames_needed`` of its string, or the string has probability 0.

    Raises:
        ConfigError: A token is the blank or no column of ``log_probs``, or the counts differ.

    >>> even = torch.tensor([[[0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.6, 0.4]]]).log()
    >>> best = align_ctc(even, torch.tensor([4]), [[1]], blank_id=0)[0]
    >>> best.tokens[0].first, best.tokens[0].last, round(best.log_prob, 4)
    (1, 3, -1.196)
    """
    _check(log_probs, lengths, tokens, blank_id)
    if not len(tokens):
        return []
    states = _states(tokens, blank_id, log_probs.device)
    emitted = log_probs.detach().double()  # [B, T, V] → [B, T, S]
    emitted = emitted.gather(2, states[:, None].expand(-1, emitted.size(1), -1))
    best, moves = _viterbi(emitted, states, lengths.to(states.device), blank_id)
    counts = torch.tensor([2 * len(string) + 1 for string in tokens], device=states.device)
    scores, last = _finish(best, counts)
    paths = _walk_back(moves, last).cpu().numpy()
    return [
        _spans(paths[b, :length], emitted[b, :length].cpu().numpy(), len(string), score)
        if score > -torch.inf
        else None
        for b, (string, length, score) in enumerate(
            zip(tokens, lengths.tolist(), scores.tolist(), strict=True)
        )
    ]


def _check(
    log_probs: Tensor, lengths: Tensor, tokens: Sequence[Sequence[int]], blank_id: int
) -> None:
    if not len(log_probs) == len(lengths) == len(tokens):
        raise ConfigError(
            f"{len(tokens)} strings and {len(lengths)} lengths for {len(log_probs)} utterances: "
            "give one of each"
        )
    size = log_probs.size(-1)
    for number, string in enumerate(tokens):
        for token in string:
            if token == blank_id or not 0 <= token < size:
                raise ConfigError(
                    f"utterance {number}: token {token} cannot be aligned: it is the blank "
                    f"({blank_id}) or outside the CTC vocabulary of {size}"
                )


def _states(tokens: Sequence[Sequence[int]], blank_id: int, device: torch.device) -> Tensor:
    """[B, S]: each string with a blank round every token; blanks behind the shorter ones."""
    longest = max(len(string) for string in tokens)
    states = torch.full((len(tokens), 2 * longest + 1), blank_id)
    for row, string in zip(states, tokens, strict=True):
        row[1 : 2 * len(string) : 2] = torch.tensor(string, dtype=row.dtype)
    return states.to(device)


def _viterbi(
    emitted: Tensor, states: Tensor, lengths: Tensor, blank_id: int
) -> tuple[Tensor, Tensor]:
    """Best score of a path that ends in each state [B, S], and the step into it [B, T, S].

    A step is 0 (stay), 1 (from the state before) or 2 (over a blank, between unequal tokens).
    Past an utterance's end every state stays as it is, at no cost.
    """
    B, T, S = emitted.shape
    skips = torch.zeros_like(states, dtype=torch.bool)
    skips[:, 2:] = (states[:, 2:] != blank_id) & (states[:, 2:] != states[:, :-2])
    never = emitted.new_full((B, 2), -torch.inf)
    best = emitted.new_full((B, S), -torch.inf)
    best[:, 0] = 0.0  # before the first frame; a path may begin in state 0 or 1
    moves = torch.zeros(B, T, S, dtype=torch.uint8, device=emitted.device)
    for t in range(T):
        reached = torch.cat([never, best], dim=1)
        step = reached[:, 1:-1]
        skip = reached[:, :-2].masked_fill(~skips, -torch.inf)
        ahead = torch.maximum(step, skip)
        move = torch.where(skip > step, 2, 1).masked_fill(ahead <= best, 0)
        found = torch.maximum(best, ahead) + emitted[:, t]
        inside = (t < lengths)[:, None]
        best = torch.where(inside, found, best)
        moves[:, t] = move.masked_fill(~inside, 0).to(torch.uint8)
    return best, moves


def _finish(best: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Score and place of the last state of each, [B] and [B]: the last token or the blank after."""
    ends = torch.stack([(counts - 2).clamp(min=0), counts - 1], dim=1)
    token, blank = best.gather(1, ends).unbind(dim=1)
    return torch.maximum(token, blank), torch.where(blank > token, ends[:, 1], ends[:, 0])


def _walk_back(moves: Tensor, last: Tensor) -> Tensor:
    """The state of every frame, [B, T], from the steps into each and the last state [B]."""
    B, T, _ = moves.shape
    path, state = torch.zeros(B, T, dtype=torch.long, device=moves.device), last
    for t in range(T - 1, -1, -1):
        path[:, t] = state
        state = state - moves[:, t].gather(1, state[:, None])[:, 0].long()
    return path


def _spans(
    path: NDArray[np.int64], emitted: NDArray[np.float64], count: int, score: float
) -> CtcAlignment:
    """path [T] and emitted [T, S] of one utterance, read as the frames of its tokens."""
    of_tokens = 2 * np.arange(count) + 1
    firsts = np.searchsorted(path, of_tokens, side="left")  # a path never goes back
    lasts = np.searchsorted(path, of_tokens, side="right")
    return CtcAlignment(
        tokens=tuple(
            AlignedToken(int(a), int(b), float(emitted[a:b, state].sum()))
            for a, b, state in zip(firsts, lasts, of_tokens, strict=True)
        ),
        log_prob=score,
    )
