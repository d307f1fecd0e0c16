"""What CTC thinks of a growing string: prefix probabilities for joint CTC/attention decoding.

An attention model asks, token by token, "how likely is a transcript that begins like this?".
CTC answers by the sum over all alignments (Graves, *Supervised Sequence Labelling*, 2008, §7.5;
Watanabe et al., *Hybrid CTC/Attention Architecture*, 2017, §IV-B, algorithm 2).

The surprising choice: every token of the vocabulary is scored, not a shortlist. The sum over
frames of "prefix done before frame t" × "token at frame t" is a matrix product, cheaper than the
model's own output layer. The recursion over frames runs only for the rows that survive, and in
closed form (a cumulative log-sum) instead of a loop. Float64, because both lean on it.

Shapes: B utterances, N rows (B × beams, utterance-major), T encoder frames, V vocabulary.
"""

from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from malgwi.errors import ConfigError

#: log of "impossible", finite so that cumulative sums stay finite; exp of it is exactly 0, and no
#: possible string of any utterance is less likely than half of it.
LOG_ZERO = -1e6


@dataclass(frozen=True)
class CtcPrefixState:
    """Forward variables of each row's prefix.

    ``forward[n, t, 0]`` (``…, 1``) is the log-probability of having emitted the prefix within the
    first t frames, with frame t a token (a blank). Index t = 0 is before the first frame.
    """

    forward: Tensor  # [N, T + 1, 2] float64
    last: Tensor  # [N] last token of the prefix; the blank for the empty prefix


class CtcPrefixScorer:
    """Prefix log-probabilities under one batch of CTC outputs.

    Args:
        log_probs: [B, T, V] log-softmax of the CTC layer.
        lengths: [B] valid frames.
        blank_id: The CTC blank.
        end_id: Column of the result that receives the probability of the finished string.

    Raises:
        ConfigError: The blank or end id is not a column of ``log_probs``.

    >>> even = torch.full((1, 2, 3), 1 / 3).log()          # two frames; blank, end and one token
    >>> scorer = CtcPrefixScorer(even, torch.tensor([2]), blank_id=0, end_id=1)
    >>> scores = scorer.score(scorer.start(1)).exp()
    >>> [round(9 * p) for p in scores[0].tolist()]         # of 9 paths: "" is 1, "2…" begins 4
    [0, 1, 4]
    """

    def __init__(self, log_probs: Tensor, lengths: Tensor, *, blank_id: int, end_id: int) -> None:
        vocabulary_size = log_probs.size(-1)
        for name, value in (("blank_id", blank_id), ("end_id", end_id)):
            if not 0 <= value < vocabulary_size:
                raise ConfigError(
                    f"{name} {value} is outside the CTC vocabulary of {vocabulary_size}: "
                    "give the tokenizer's id"
                )
        self._blank_id, self._end_id = blank_id, end_id
        self._log_probs = _pad_with_blanks(log_probs, lengths, blank_id)
        self._probs = self._log_probs.exp()
        # Cumulative blank log-probability, 0 before the first frame: [B, T + 1].
        self._blank_sum = _sum_before(self._log_probs[:, :, blank_id])

    def narrow(self, utterances: Tensor) -> "CtcPrefixScorer":
        """Only these utterances, [b] indices; states follow by the rows given to ``advance``."""
        narrowed = copy(self)
        narrowed._log_probs = self._log_probs[utterances]
        narrowed._probs = self._probs[utterances]
        narrowed._blank_sum = self._blank_sum[utterances]
        return narrowed

    def start(self, beams: int) -> CtcPrefixState:
        """The empty prefix on B × ``beams`` rows: nothing but blanks so far."""
        blank = self._blank_sum.repeat_interleave(beams, dim=0)
        forward = torch.stack([torch.full_like(blank, -torch.inf), blank], dim=-1)
        last = torch.full((len(blank),), self._blank_id, device=blank.device)
        return CtcPrefixState(forward, last)

    def score(self, state: CtcPrefixState) -> Tensor:
        """log P(the transcript begins with prefix + token), for every row and token: [N, V].

        The end column holds log P(the transcript is exactly the prefix); the blank's is −inf.
        The values are totals, not increments, and never rise as a prefix grows.
        """
        before = state.forward[:, :-1]
        ready = torch.logaddexp(before[..., 0], before[..., 1])  # [N, T] emitted before frame t
        top = ready.amax(-1, keepdim=True).clamp(min=torch.finfo(ready.dtype).min)
        scores = self._begin_next((ready - top).exp()).log() + top
        # The same token again needs a blank in between, or it would merge with the last one.
        last = self._column(self._probs, state.last)
        again = ((before[..., 1] - top).exp() * last).sum(-1, keepdim=True).log() + top
        scores.scatter_(1, state.last[:, None], again)
        scores[:, self._blank_id] = -torch.inf
        scores[:, self._end_id] = torch.logaddexp(state.forward[:, -1, 0], state.forward[:, -1, 1])
        return scores.masked_fill(scores < LOG_ZERO / 2, -torch.inf).float()

    def advance(self, state: CtcPrefixState, rows: Tensor, tokens: Tensor) -> CtcPrefixState:
        """Row i of the result is row ``rows[i]`` of ``state`` with ``tokens[i]`` appended.

        Both are [N]; ``rows`` never cross utterances. With x the token's log-probability and
        X its cumulative sum, r(t) = log(e^r(t−1) + e^φ(t−1)) + x(t) unrolls to
        r(t) = X(t) + log Σ_{s≤t} e^(φ(s−1) − X(s−1)).
        """
        before = state.forward[rows]
        ready = torch.logaddexp(before[..., 0], before[..., 1])
        ready = torch.where((tokens == state.last[rows])[:, None], before[..., 1], ready)
        token_sum = _sum_before(self._column(self._log_probs, tokens))
        blank_sum = self._blank_sum.repeat_interleave(len(rows) // len(self._blank_sum), dim=0)
        token = _unrolled(ready, token_sum)
        return CtcPrefixState(torch.stack([token, _unrolled(token, blank_sum)], dim=-1), tokens)

    def _begin_next(self, weights: Tensor) -> Tensor:
        """Σ_t weights[n, t] · P(v at frame t): [N, T] → [N, V], one matrix product an utterance."""
        B, T, V = self._probs.shape
        return torch.bmm(weights.reshape(B, -1, T), self._probs).reshape(-1, V)

    def _column(self, values: Tensor, tokens: Tensor) -> Tensor:
        """values[utterance of n, t, tokens[n]]: [B, T, V] and [N] → [N, T]."""
        B, T, _ = values.shape
        index = tokens.reshape(B, 1, -1).expand(B, T, -1)
        return values.gather(2, index).transpose(1, 2).reshape(-1, T)


def _pad_with_blanks(log_probs: Tensor, lengths: Tensor, blank_id: int) -> Tensor:
    """Float64 and finite; frames past the end become sure blanks, which change no probability."""
    values = log_probs.detach().double().clamp(min=LOG_ZERO)
    frames = torch.arange(values.size(1), device=values.device)
    past = frames >= lengths.to(values.device)[:, None]
    values = values.masked_fill(past[:, :, None], LOG_ZERO)
    values[:, :, blank_id] = values[:, :, blank_id].masked_fill(past, 0.0)
    return values


def _sum_before(values: Tensor) -> Tensor:
    """[N, T] → [N, T + 1]: the sum of the first t values at index t."""
    return torch.nn.functional.pad(values.cumsum(-1), (1, 0))


def _unrolled(source: Tensor, total: Tensor) -> Tensor:
    """Forward variables [N, T + 1] fed by the first T of ``source``; ``total`` is [N, T + 1]."""
    T = total.size(1) - 1
    fed = torch.logcumsumexp(source[:, :T] - total[:, :-1], dim=-1) + total[:, 1:]
    return torch.nn.functional.pad(fed, (1, 0), value=-torch.inf)
