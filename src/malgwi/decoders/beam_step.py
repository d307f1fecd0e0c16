"""One step of beam search: extend every row by every token, pick the best, part ends from the rest.

Plain functions over small values; `malgwi.decoders.attention_beam` strings them together.

Shapes: B utterances, K beams, N rows (B × K, utterance-major), T frames, V vocabulary, M picked.
"""

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from malgwi.decoders.beam_config import BeamConfig
from malgwi.decoders.beam_history import Departures
from malgwi.errors import MalgwiError


@dataclass(frozen=True)
class Task:
    """What stays the same from step to step."""

    config: BeamConfig
    end_id: int
    never: list[int]  # tokens that are not proposed
    encoder_lengths: Tensor  # [B]
    max_lengths: Tensor  # [B]

    def narrow(self, utterances: Tensor) -> "Task":
        """Only these utterances, [b] indices."""
        return replace(
            self,
            encoder_lengths=self.encoder_lengths[utterances],
            max_lengths=self.max_lengths[utterances],
        )

    def joint(self, log_prob: Tensor, ctc: Tensor | None, fused: Tensor | None) -> Tensor:
        """The models' weighted sum; what the attention model excludes stays excluded."""
        if ctc is None and fused is None:
            return log_prob
        mixed = log_prob
        if ctc is not None:
            weight = self.config.ctc_weight
            mixed = (1 - weight) * log_prob + weight * ctc
        if fused is not None:
            mixed = mixed + fused
        return mixed.masked_fill(log_prob.isneginf(), -torch.inf)


@dataclass(frozen=True)
class Beam:
    """The live hypotheses. A score of −inf marks an empty place."""

    tokens: Tensor  # [B, K] the last token
    parents: Tensor  # [B, K] row in the beam before
    log_prob: Tensor  # [B, K]
    ctc: Tensor | None  # [B, K] prefix log-probability
    fused: Tensor | None  # [B, K] what language models added
    score: Tensor  # [B, K]
    attended: Tensor | None  # [B, K, T] attention summed over tokens, if coverage counts
    leader: Tensor  # [B] whether row 0 is the greedy path (False once that has left)

    def narrow(self, utterances: Tensor) -> "Beam":
        """Only these utterances, [b] indices."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{n: p[utterances] for n, p in parts.items() if p is not None})


@dataclass(frozen=True)
class Candidates:
    """Every row extended by every token."""

    log_prob: Tensor  # [B, K, V]
    ctc: Tensor | None  # [B, K, V]
    fused: Tensor | None  # [B, K, V]
    score: Tensor  # [B, K, V]
    attended: Tensor | None  # [B, K, T], this step included
    greedy: Tensor  # [B] row 0's best token
    leads: Tensor  # [B] whether that continues the greedy path, and possibly


@dataclass(frozen=True)
class Best:
    """The best candidates of a step, sorted: [B, M] each."""

    rows: Tensor
    tokens: Tensor
    log_prob: Tensor
    ctc: Tensor | None
    fused: Tensor | None
    score: Tensor

    def take(self, index: Tensor) -> "Best":
        """The candidates at ``index`` [B, …]."""
        ctc = None if self.ctc is None else self.ctc.gather(1, index)
        fused = None if self.fused is None else self.fused.gather(1, index)
        parts = (self.rows, self.tokens, self.log_prob, self.score)
        rows, tokens, log_prob, score = (part.gather(1, index) for part in parts)
        return Best(rows, tokens, log_prob, ctc, fused, score)


def first_beam(task: Task, start_id: int, *, fuses: bool) -> Beam:
    """The empty string in row 0, the other rows empty places; ``fuses`` with language models."""
    shape, device = (len(task.max_lengths), task.config.beams), task.encoder_lengths.device
    zeros = torch.zeros(shape, device=device)
    empty = zeros.clone()
    empty[:, 1:] = -torch.inf
    return Beam(
        tokens=torch.full(shape, start_id, device=device),
        parents=torch.zeros(shape, dtype=torch.long, device=device),
        log_prob=empty,
        ctc=zeros if task.config.ctc_weight > 0 else None,
        fused=zeros if fuses else None,
        score=empty,
        attended=None,
        leader=torch.ones(shape[0], dtype=torch.bool, device=device),
    )


def extend(
    task: Task,
    step: int,
    beam: Beam,
    log_probs: Tensor,
    attention: Tensor,
    ctc: Tensor | None,
    added: Tensor | None,
) -> Candidates:
    """Score all extensions of all rows at ``step`` (their length is step + 1).

    ``log_probs`` and ``added`` (by language models), [N, V], are of the last token alone; ``ctc``
    is of the whole prefix.
    """
    if log_probs.isnan().any():
        raise MalgwiError(f"beam search: the model returned NaN at step {step}: see its training")
    B, K = beam.tokens.shape
    allowed = _allowed(task, log_probs.float()).view(B, K, -1)
    ctc = None if ctc is None else ctc.view(B, K, -1)
    added = None if added is None else added.float().view(B, K, -1)
    log_prob = allowed + beam.log_prob[:, :, None]
    fused = None if added is None or beam.fused is None else added + beam.fused[:, :, None]
    score = task.joint(log_prob, ctc, fused) / (step + 1) ** task.config.length_normalization
    attended = None
    if task.config.coverage_weight > 0:
        attention = attention.float().view(B, K, -1)
        attended = attention if beam.attended is None else beam.attended + attention
        covered = (attended > task.config.coverage_threshold).sum(-1, keepdim=True)
        score = score + task.config.coverage_weight * covered
    # Without what the rows share, so that rounding cannot part it from plain greedy decoding.
    first = [None if part is None else part[:, 0] for part in (ctc, added)]
    greedy = task.joint(allowed[:, 0], *first).argmax(-1)
    leads = beam.leader & ~score[:, 0].gather(1, greedy[:, None])[:, 0].isneginf()
    return Candidates(log_prob, ctc, fused, score, attended, greedy, leads)


def _allowed(task: Task, log_probs: Tensor) -> Tensor:
    """[N, V] with −inf where a token may not be proposed: never, or an end that comes too early."""
    index = torch.tensor(task.never, device=log_probs.device)
    allowed = log_probs.index_fill(1, index, -torch.inf)
    if task.config.end_threshold is not None:
        end = allowed[:, task.end_id].clone()
        allowed[:, task.end_id] = -torch.inf
        early = end < task.config.end_threshold * allowed.amax(-1)
        allowed[:, task.end_id] = end.masked_fill(early, -torch.inf)
    return allowed


def pick(candidates: Candidates, count: int) -> Best:
    """The ``count`` best candidates of each utterance, the greedy path's first."""
    V = candidates.score.size(-1)
    scores = candidates.score.flatten(1)
    greedy = candidates.greedy[:, None]
    first = scores.gather(1, greedy).masked_fill(candidates.leads[:, None], torch.inf)
    index = _top(scores.scatter(1, greedy, first), count)
    parts = (candidates.ctc, candidates.fused)
    ctc, fused = (p if p is None else p.flatten(1).gather(1, index) for p in parts)
    return Best(
        rows=index // V,
        tokens=index % V,
        log_prob=candidates.log_prob.flatten(1).gather(1, index),
        ctc=ctc,
        fused=fused,
        score=scores.gather(1, index),
    )


def _top(scores: Tensor, count: int) -> Tensor:
    """Indices of the ``count`` best of each row [B, M], of equals the lower index first.

    ``topk`` leaves ties open, so it is given integers that have none: a float's bits, made to
    sort like the float, with the index below them.
    """
    bits = (scores + 0.0).view(torch.int32)  # + 0.0 turns −0.0 into 0.0
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    M = scores.size(1)
    places = torch.arange(M - 1, -1, -1, device=scores.device)
    return ((ordered << 32) + places).topk(min(count, M)).indices


def ended(task: Task, step: int, best: Best) -> Departures:
    """The hypotheses among the K best candidates that end here."""
    places = torch.arange(task.config.beams, device=best.tokens.device)
    best = best.take(places.expand(len(best.tokens), -1))
    leaving = (best.tokens == task.end_id) & ~best.score.isneginf()
    parts = (best.rows, best.score, best.log_prob, best.ctc, best.fused)
    return Departures(leaving, *parts, ended=True, step=step)


def survivors(task: Task, best: Best, candidates: Candidates) -> Beam:
    """The next beam: the K best candidates that do not end."""
    ends = (best.tokens == task.end_id).long()
    kept = best.take(ends.argsort(dim=1, stable=True)[:, : task.config.beams])
    attended = candidates.attended
    if attended is not None:
        attended = attended.gather(1, kept.rows[:, :, None].expand(-1, -1, attended.size(2)))
    return Beam(
        tokens=kept.tokens,
        parents=kept.rows,
        log_prob=kept.log_prob.masked_fill(kept.score.isneginf(), -torch.inf),
        ctc=kept.ctc,
        fused=kept.fused,
        score=kept.score,
        attended=attended,
        leader=candidates.leads & (candidates.greedy != task.end_id),
    )


def cut_off(step: int, beam: Beam, leaving: Departures, over: Tensor) -> Departures:
    """The rows of ``beam`` that may not grow (``over`` [B]) and did not end either."""
    did_end = (
        torch.zeros_like(beam.tokens).scatter_add_(1, leaving.rows, leaving.leaving.long()) > 0
    )
    cut = over[:, None] & ~did_end & ~beam.score.isneginf()
    rows = torch.arange(beam.tokens.size(1), device=over.device).expand_as(beam.tokens)
    parts = (rows, beam.score, beam.log_prob, beam.ctc, beam.fused)
    return Departures(cut, *parts, ended=False, step=step)
