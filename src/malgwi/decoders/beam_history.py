"""What a beam search leaves behind: back pointers, and the hypotheses that left the beam.

Live hypotheses carry no strings; each step stores one token and one parent row a place. Only the
n-best are read back, all at once, from the last step to the first.

Shapes: B utterances, b those that go on, K beams, H hypotheses returned, S steps, T frames.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from malgwi.types import Hypothesis


@dataclass(frozen=True)
class Departures:
    """Hypotheses that leave the beam at one step, by its end token or cut off: [B, K] each."""

    leaving: Tensor  # bool; the other places are void
    rows: Tensor  # row in the beam of this step
    score: Tensor
    log_prob: Tensor
    ctc: Tensor | None
    fused: Tensor | None  # what language models added
    ended: bool
    step: int


@dataclass(frozen=True)
class _Step:
    attention: Tensor  # [B, K, T]
    parents: Tensor  # [B, K] of the next step's rows
    tokens: Tensor  # [B, K] of the next step's rows


class BeamHistory:
    """The record of one search, which may go on with fewer utterances.

    Args:
        batch: Utterances (B).
        nbest: Hypotheses wanted of each.
        device: Where the search runs.
    """

    def __init__(self, batch: int, nbest: int, device: torch.device) -> None:
        self._steps: list[_Step] = []
        self._departures: list[Departures] = []
        self._batch = batch
        self._utterances = torch.arange(batch, device=device)
        self._best = torch.full((batch, nbest), -torch.inf, device=device)
        #: [b] of the utterances that go on: hypotheses that ended so far.
        self.num_left = torch.zeros(batch, dtype=torch.long, device=device)
        #: [b] whether the utterance is settled: what leaves after that does not count.
        self.closed = torch.zeros(batch, dtype=torch.bool, device=device)

    @property
    def nth_best(self) -> Tensor:
        """The n-th best score among those that ended, −inf while there are fewer: [b]."""
        return self._best[:, -1]

    def record(self, attention: Tensor, parents: Tensor, tokens: Tensor) -> None:
        """A step: attention [N, T] of its rows, then parents and tokens [b, K] of the next."""
        parts = (attention.view(*parents.shape, -1), parents, tokens)
        self._steps.append(_Step(*(self._spread(part) for part in parts)))

    def leave(self, departures: Departures) -> None:
        """Hypotheses leave at the step last recorded, in the order of their places."""
        leaving = departures.leaving & ~self.closed[:, None]
        if departures.ended:
            scores = departures.score.masked_fill(~leaving, -torch.inf)
            pool = torch.cat([self._best, scores], dim=1)
            self._best = pool.topk(self._best.size(1)).values
            self.num_left += leaving.sum(1)
        self._departures.append(
            replace(
                departures,
                leaving=self._spread(leaving),
                rows=self._spread(departures.rows),
                score=self._spread(departures.score),
                log_prob=self._spread(departures.log_prob),
                ctc=None if departures.ctc is None else self._spread(departures.ctc),
                fused=None if departures.fused is None else self._spread(departures.fused),
            )
        )

    def close(self, utterances: Tensor) -> None:
        """Settle the utterances where this [b] is True."""
        self.closed |= utterances

    def narrow(self, utterances: Tensor) -> None:
        """From now on only these of the present utterances are reported, [b] indices."""
        self._utterances = self._utterances[utterances]
        self._best, self.num_left = self._best[utterances], self.num_left[utterances]
        self.closed = self.closed[utterances]

    def _spread(self, values: Tensor) -> Tensor:
        """[b, …] of the present utterances → [B, …], void for the others."""
        if len(values) == self._batch:
            return values
        whole = values.new_zeros(self._batch, *values.shape[1:])
        whole[self._utterances] = values
        return whole

    def hypotheses(self, encoder_lengths: Tensor) -> list[list[Hypothesis]]:
        """The n-best of each utterance, best first; attention is cut to ``encoder_lengths`` [B]."""
        chosen = _Chosen.best(self._departures, self._best.size(1))
        tokens, attention = self._read_back(chosen)
        results: list[list[Hypothesis]] = [[] for _ in range(self._batch)]
        for i, b in enumerate(chosen.utterances.tolist()):
            length, ended = int(chosen.steps[i]), bool(chosen.ended[i])
            results[b].append(
                Hypothesis(
                    tokens=tuple(tokens[i, :length].tolist()),
                    score=float(chosen.score[i]),
                    log_prob=float(chosen.log_prob[i]),
                    ended=ended,
                    ctc_log_prob=None if chosen.ctc is None else float(chosen.ctc[i]),
                    lm_score=None if chosen.fused is None else float(chosen.fused[i]),
                    attention=attention[i, : length + ended, : int(encoder_lengths[b])].clone(),
                    finished_at=int(chosen.finished_at[i]),
                )
            )
        return results

    def _read_back(self, chosen: "_Chosen") -> tuple[Tensor, Tensor]:
        """tokens [H, S] and attention [H, S, T] of the chosen, void past each one's own step."""
        b, rows = chosen.utterances, chosen.rows
        tokens, attention = [torch.zeros_like(rows)], []
        for s in range(len(self._steps) - 1, -1, -1):
            attention.append(self._steps[s].attention.cpu()[b, rows])
            if s > 0:
                before = self._steps[s - 1]
                tokens.append(before.tokens.cpu()[b, rows])
                rows = torch.where(s <= chosen.steps, before.parents.cpu()[b, rows], rows)
        return torch.stack(tokens[::-1], dim=1), torch.stack(attention[::-1], dim=1)


@dataclass(frozen=True)
class _Chosen:
    """The hypotheses to return, utterance by utterance, best first: [H] each, on the CPU."""

    utterances: Tensor
    rows: Tensor
    steps: Tensor
    ended: Tensor
    score: Tensor
    log_prob: Tensor
    ctc: Tensor | None
    fused: Tensor | None
    finished_at: Tensor

    @staticmethod
    def best(departures: list[Departures], nbest: int) -> "_Chosen":
        """Those that ended before those cut off; then by score; then the first to leave."""
        leaving = _joined([d.leaving for d in departures])
        score = _joined([d.score for d in departures])
        ended = _joined([torch.full_like(d.leaving, d.ended) for d in departures])
        steps = _joined([torch.full_like(d.rows, d.step) for d in departures])
        order = score.masked_fill(~leaving, -torch.inf).argsort(dim=1, descending=True, stable=True)
        tier = torch.where(leaving, (~ended).long(), 2)
        order = order.gather(1, tier.gather(1, order).argsort(dim=1, stable=True))[:, :nbest]
        b, place = leaving.gather(1, order).nonzero(as_tuple=True)
        at = (b, order[b, place])
        ctc = [d.ctc for d in departures if d.ctc is not None]
        fused = [d.fused for d in departures if d.fused is not None]
        return _Chosen(
            utterances=b,
            rows=_joined([d.rows for d in departures])[at],
            steps=steps[at],
            ended=ended[at],
            score=score[at],
            log_prob=_joined([d.log_prob for d in departures])[at],
            ctc=_joined(ctc)[at] if ctc else None,
            fused=_joined(fused)[at] if fused else None,
            finished_at=(leaving.long().cumsum(1) - 1)[at],
        )


def _joined(parts: list[Tensor]) -> Tensor:
    """[B, K] parts side by side, on the CPU."""
    return torch.cat([part.cpu() for part in parts], dim=1)
