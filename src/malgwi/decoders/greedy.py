"""Greedy decoding: the likeliest token at each step, or CTC's likeliest path. Fast, and the floor
that beam search is measured against.

Shapes: B utterances, T encoder frames, U tokens, V vocabulary.
"""

import torch
from torch import Tensor

from malgwi.types import Hypothesis, StepScorer


@torch.no_grad()
def attention_greedy(
    scorer: StepScorer,
    *,
    start_id: int,
    end_id: int,
    encoder_lengths: Tensor,
    max_lengths: Tensor,
    blank_id: int | None = None,
) -> list[Hypothesis]:
    """The likeliest token at each step until the end token or the utterance's maximum length.

    Args:
        scorer: The model over one encoded batch of B utterances.
        start_id: Fed first, never proposed.
        end_id: Ends a hypothesis; of equally likely tokens the lowest id wins.
        encoder_lengths: [B] valid frames, to which the attention is cut.
        max_lengths: [B] most tokens, the end token not counted.
        blank_id: Never proposed, if given.

    Returns:
        One hypothesis an utterance; ``score`` is ``log_prob``. ``ended`` is False where the
        maximum length came first.
    """
    limits, device = max_lengths.cpu(), encoder_lengths.device
    never = torch.tensor([start_id if blank_id is None else blank_id, start_id], device=device)
    tokens = torch.full((len(limits),), start_id, device=device)
    state, history = scorer.start(1), []
    open_rows = torch.ones(len(limits), dtype=torch.bool)
    for step in range(int(limits.max()) + 1):
        log_probs, attention, state = scorer.step(tokens, state)
        best, tokens = log_probs.float().index_fill(1, never, -torch.inf).max(-1)
        history.append((tokens.cpu(), best.cpu(), attention.cpu()))
        open_rows &= (history[-1][0] != end_id) & (step < limits)
        if not open_rows.any():
            break
    ids, scores, attentions = (torch.stack(values, dim=1) for values in zip(*history, strict=True))
    return [
        _cut(ids[b], scores[b], attentions[b, :, : int(encoder_lengths[b])], end_id, int(limits[b]))
        for b in range(len(limits))
    ]


def ctc_greedy(log_probs: Tensor, lengths: Tensor, *, blank_id: int) -> list[Hypothesis]:
    """The likeliest alignment, repeats merged and blanks dropped (Graves et al. 2006, §3.2).

    Args:
        log_probs: [B, T, V] log-softmax of the CTC layer.
        lengths: [B] valid frames.
        blank_id: The CTC blank.

    Returns:
        One hypothesis an utterance; its scores are the log-probability of that one alignment,
        a lower bound of the string's.

    >>> paths = torch.tensor([[[0.1, 0.9], [0.4, 0.6], [0.8, 0.2], [0.3, 0.7]]]).log()
    >>> best = ctc_greedy(paths, torch.tensor([4]), blank_id=0)[0]
    >>> best.tokens, round(best.score, 4)                  # 1 1 _ 1; log(.9 × .6 × .8 × .7)
    ((1, 1), -1.196)
    """
    best, path = log_probs.detach().float().max(-1)
    hypotheses = []
    for scores, ids, length in zip(best.cpu(), path.cpu(), lengths.tolist(), strict=True):
        merged = torch.unique_consecutive(ids[:length])
        score = float(scores[:length].double().sum())
        hypotheses.append(
            Hypothesis(
                tokens=tuple(merged[merged != blank_id].tolist()),
                score=score,
                log_prob=score,
                ended=True,
                ctc_log_prob=score,
            )
        )
    return hypotheses


def _cut(ids: Tensor, scores: Tensor, attention: Tensor, end_id: int, limit: int) -> Hypothesis:
    """One row of steps [U], [U], [U, T] cut after its end token, or at ``limit`` tokens."""
    ends = (ids[: limit + 1] == end_id).nonzero()
    ended = len(ends) > 0
    num_tokens = int(ends[0]) if ended else limit
    steps = num_tokens + ended
    log_prob = float(scores[:steps].double().sum())
    return Hypothesis(
        tokens=tuple(ids[:num_tokens].tolist()),
        score=log_prob,
        log_prob=log_prob,
        ended=ended,
        attention=attention[:steps].clone(),
    )
