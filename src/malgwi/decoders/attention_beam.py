"""Beam search for a model with attention: batched over utterances and beams, one model call a step.

A hypothesis leaves the beam when its end token is among the best ``beams`` candidates of its
step; the beam is refilled from the others. All that left compete by one stated score

    score = ((1 − w) · log P_attention + w · log P_CTC) / length**α + β · covered frames

with length counted in tokens, the end token included. The same score picks the candidates within
a step. An utterance stops when nothing still in the beam can reach its n-th best hypothesis.

The surprising choice: row 0 of every beam is the greedy path and is never pruned. A plain beam
search can lose to greedy decoding; this one cannot, whatever its width.

Papers: Chan et al. 2016 (arXiv 1508.01211) §3.3 finished hypotheses and length; Chorowski &
Jaitly 2016 (1612.02695) §3.3 coverage; Hannun et al. 2019 (1904.02619) §3.3 end-of-sentence
threshold; Watanabe et al. 2017 §IV-B joint scoring; Kasai et al. 2022 (2204.05424) patience.

Shapes: B utterances, K beams, N rows (B × K, utterance-major), T frames, U tokens, V vocabulary.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from malgwi.decoders.beam_history import BeamHistory, Departures
from malgwi.decoders.ctc_prefix import CtcPrefixScorer
from malgwi.errors import ConfigError, MalgwiError
from malgwi.types import Hypothesis, StepScorer


@dataclass(frozen=True, kw_only=True)
class BeamConfig:
    """How wide to search and what hypotheses compete by.

    Args:
        beams: Hypotheses kept alive for each utterance (K).
        nbest: Hypotheses returned for each utterance, at most.
        length_normalization: α; the log-probability is divided by length**α. 0 is off.
        coverage_weight: β; reward for each encoder frame that was listened to. 0 is off.
        coverage_threshold: Attention, summed over tokens, above which a frame counts as covered.
        end_threshold: γ; the end token is proposed only if its attention log-probability is at
            least γ times that of the best other token. 1 wants it on top, 1.5 is usual, None is
            off.
        ctc_weight: w, from 0 (attention alone) to 1 (CTC alone).
        patience: Also stop an utterance once ``patience × beams`` hypotheses have left its beam.
            Faster, and gives up what stopping late guarantees. None is off.
        tokens_per_second: With the next two, the maximum length of a transcript. Korean read fast
            has about 8 syllables a second, three times as many jamo.
        extra_tokens: Added, so that short audio is not cut.
        max_tokens: Never more than this.

    >>> BeamConfig(tokens_per_second=10, extra_tokens=5).max_lengths(torch.tensor([0.5, 2.04]))
    tensor([10, 25])
    """

    beams: int = 8
    nbest: int = 1
    length_normalization: float = 1.0
    coverage_weight: float = 0.0
    coverage_threshold: float = 0.5
    end_threshold: float | None = None
    ctc_weight: float = 0.0
    patience: float | None = None
    tokens_per_second: float = 10.0
    extra_tokens: int = 10
    max_tokens: int = 400

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ConfigError: A field out of its range.
        """
        wanted = {
            "beams": (self.beams >= 1, "at least 1"),
            "nbest": (self.nbest >= 1, "at least 1"),
            "length_normalization": (self.length_normalization >= 0, "0 (off) or more"),
            "coverage_weight": (self.coverage_weight >= 0, "0 (off) or more"),
            "end_threshold": (self.end_threshold is None or self.end_threshold > 0, "above 0"),
            "ctc_weight": (0 <= self.ctc_weight <= 1, "from 0 to 1"),
            "patience": (self.patience is None or self.patience > 0, "above 0"),
            "max_tokens": (self.max_tokens >= 1, "at least 1"),
        }
        for name, (good, range_) in wanted.items():
            if not good:
                raise ConfigError(f"beam search: {name} is {getattr(self, name)!r}, want {range_}")

    def max_lengths(self, durations_s: Tensor) -> Tensor:
        """Most tokens a transcript may have, from the audio's duration: [B] seconds → [B] long."""
        tokens = (durations_s * self.tokens_per_second).round().long() + self.extra_tokens
        return tokens.clamp(max=self.max_tokens)


@torch.no_grad()
def beam_search(
    scorer: StepScorer,
    *,
    start_id: int,
    end_id: int,
    encoder_lengths: Tensor,
    max_lengths: Tensor,
    config: BeamConfig,
    ctc_log_probs: Tensor | None = None,
    blank_id: int | None = None,
) -> list[list[Hypothesis]]:
    """The best transcripts of a batch of utterances.

    Args:
        scorer: The model over one encoded batch of B utterances, on one device with the rest.
        start_id: Fed first, never proposed.
        end_id: Ends a hypothesis.
        encoder_lengths: [B] valid frames.
        max_lengths: [B] most tokens, the end token not counted.
        config: Width and scoring.
        ctc_log_probs: [B, T, V] CTC output over the same vocabulary; needed if ``ctc_weight`` > 0.
        blank_id: The CTC blank, never proposed by the attention model either, if given.

    Returns:
        For each utterance 1 to ``nbest`` distinct hypotheses, best first: those that ended before
        those cut at the maximum length (scored without an end token), then by score, then in
        the order in which they left the beam. Of equal candidates in a step the better row, then
        the lower token id, comes first.

    Raises:
        ConfigError: Joint scoring without CTC output or blank id.
        MalgwiError: The model returned NaN.
    """
    max_lengths = max_lengths.to(encoder_lengths.device)
    ctc = _ctc_scorer(config, ctc_log_probs, encoder_lengths, blank_id, end_id)
    never = sorted({start_id} if blank_id is None else {start_id, blank_id})
    task = _Task(config, end_id, never, encoder_lengths, max_lengths)
    history = BeamHistory(len(max_lengths), config.nbest, encoder_lengths.device)
    beam, state = _first_beam(task, start_id), scorer.start(config.beams)
    ctc_state = ctc.start(config.beams) if ctc else None
    done = torch.zeros_like(max_lengths, dtype=torch.bool)
    for step in range(int(max_lengths.max()) + 1):
        log_probs, attention, state = scorer.step(beam.tokens.flatten(), state)
        ctc_scores = ctc.score(ctc_state) if ctc and ctc_state else None
        candidates = _extend(task, step, beam, log_probs, attention, ctc_scores)
        best = _pick(candidates, beam.leader, 2 * config.beams)
        ended = _ended(task, step, best, done)
        last_beam, beam = beam, _survivors(task, best, candidates, beam.leader)
        reachable = _reachable(task, beam)
        over = (step >= max_lengths) | reachable.isneginf()
        history.record(attention, beam.parents, beam.tokens)
        history.leave(ended)
        history.leave(_cut_off(step, last_beam, ended, over & ~done))
        done |= over | (history.nth_best >= reachable) | _impatient(config, history)
        if done.all():
            break
        rows = _flat_rows(beam.parents)
        state = scorer.select(state, rows)
        if ctc and ctc_state:
            ctc_state = ctc.advance(ctc_state, rows, beam.tokens.flatten())
    return history.hypotheses(encoder_lengths)


@dataclass(frozen=True)
class _Task:
    """What stays the same from step to step."""

    config: BeamConfig
    end_id: int
    never: list[int]  # tokens that are not proposed
    encoder_lengths: Tensor  # [B]
    max_lengths: Tensor  # [B]

    def joint(self, log_prob: Tensor, ctc: Tensor | None) -> Tensor:
        """The two models' weighted sum; what the attention model excludes stays excluded."""
        if ctc is None:
            return log_prob
        weight = self.config.ctc_weight
        mixed = (1 - weight) * log_prob + weight * ctc
        return mixed.masked_fill(log_prob.isneginf(), -torch.inf)


@dataclass(frozen=True)
class _Beam:
    """The live hypotheses. A score of −inf marks an empty place."""

    tokens: Tensor  # [B, K] the last token
    parents: Tensor  # [B, K] row in the beam before
    log_prob: Tensor  # [B, K]
    ctc: Tensor | None  # [B, K] prefix log-probability
    score: Tensor  # [B, K]
    attended: Tensor | None  # [B, K, T] attention summed over tokens, if coverage counts
    leader: Tensor  # [B] whether row 0 is the greedy path (False once that has left)


@dataclass(frozen=True)
class _Candidates:
    """Every row extended by every token."""

    log_prob: Tensor  # [B, K, V]
    ctc: Tensor | None  # [B, K, V]
    score: Tensor  # [B, K, V]
    attended: Tensor | None  # [B, K, T], this step included
    greedy: Tensor  # [B] row 0's best token


@dataclass(frozen=True)
class _Best:
    """The best candidates of a step, sorted: [B, M] each."""

    rows: Tensor
    tokens: Tensor
    log_prob: Tensor
    ctc: Tensor | None
    score: Tensor

    def take(self, index: Tensor) -> "_Best":
        """The candidates at ``index`` [B, …]."""
        ctc = None if self.ctc is None else self.ctc.gather(1, index)
        parts = (self.rows, self.tokens, self.log_prob, self.score)
        rows, tokens, log_prob, score = (part.gather(1, index) for part in parts)
        return _Best(rows, tokens, log_prob, ctc, score)


def _ctc_scorer(
    config: BeamConfig, log_probs: Tensor | None, lengths: Tensor, blank_id: int | None, end_id: int
) -> CtcPrefixScorer | None:
    if config.ctc_weight == 0:
        return None
    if log_probs is None or blank_id is None:
        raise ConfigError(
            f"beam search: ctc_weight is {config.ctc_weight} but no CTC output (ctc_log_probs and "
            "blank_id) was given: train with the auxiliary CTC, or set ctc_weight to 0"
        )
    return CtcPrefixScorer(log_probs, lengths, blank_id=blank_id, end_id=end_id)


def _first_beam(task: _Task, start_id: int) -> _Beam:
    """The empty string in row 0, the other rows empty places."""
    shape, device = (len(task.max_lengths), task.config.beams), task.encoder_lengths.device
    zeros = torch.zeros(shape, device=device)
    empty = zeros.clone()
    empty[:, 1:] = -torch.inf
    return _Beam(
        tokens=torch.full(shape, start_id, device=device),
        parents=torch.zeros(shape, dtype=torch.long, device=device),
        log_prob=empty,
        ctc=zeros if task.config.ctc_weight > 0 else None,
        score=empty,
        attended=None,
        leader=torch.ones(shape[0], dtype=torch.bool, device=device),
    )


def _extend(
    task: _Task, step: int, beam: _Beam, log_probs: Tensor, attention: Tensor, ctc: Tensor | None
) -> _Candidates:
    """Score all extensions of all rows at ``step`` (their length is step + 1)."""
    if log_probs.isnan().any():
        raise MalgwiError(f"beam search: the model returned NaN at step {step}: see its training")
    B, K = beam.tokens.shape
    allowed = _allowed(task, log_probs.float()).view(B, K, -1)
    ctc = None if ctc is None else ctc.view(B, K, -1)
    log_prob = allowed + beam.log_prob[:, :, None]
    score = task.joint(log_prob, ctc) / (step + 1) ** task.config.length_normalization
    attended = None
    if task.config.coverage_weight > 0:
        attention = attention.float().view(B, K, -1)
        attended = attention if beam.attended is None else beam.attended + attention
        covered = (attended > task.config.coverage_threshold).sum(-1, keepdim=True)
        score = score + task.config.coverage_weight * covered
    # Without what the rows share, so that rounding cannot part it from plain greedy decoding.
    greedy = task.joint(allowed[:, 0], None if ctc is None else ctc[:, 0]).argmax(-1)
    return _Candidates(log_prob, ctc, score, attended, greedy)


def _allowed(task: _Task, log_probs: Tensor) -> Tensor:
    """[N, V] with −inf where a token may not be proposed: never, or an end that comes too early."""
    index = torch.tensor(task.never, device=log_probs.device)
    allowed = log_probs.index_fill(1, index, -torch.inf)
    if task.config.end_threshold is not None:
        end = allowed[:, task.end_id].clone()
        allowed[:, task.end_id] = -torch.inf
        early = end < task.config.end_threshold * allowed.amax(-1)
        allowed[:, task.end_id] = end.masked_fill(early, -torch.inf)
    return allowed


def _pick(candidates: _Candidates, leader: Tensor, count: int) -> _Best:
    """The ``count`` best candidates of each utterance, the greedy path's first."""
    V = candidates.score.size(-1)
    scores = candidates.score.flatten(1)
    greedy = candidates.greedy[:, None]
    first = scores.gather(1, greedy).masked_fill(leader[:, None], torch.inf)
    index = _top(scores.scatter(1, greedy, first), count)
    return _Best(
        rows=index // V,
        tokens=index % V,
        log_prob=candidates.log_prob.flatten(1).gather(1, index),
        ctc=None if candidates.ctc is None else candidates.ctc.flatten(1).gather(1, index),
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


def _ended(task: _Task, step: int, best: _Best, done: Tensor) -> Departures:
    """The hypotheses among the K best candidates that end here."""
    best = best.take(torch.arange(task.config.beams, device=done.device).expand(len(done), -1))
    leaving = (best.tokens == task.end_id) & ~best.score.isneginf() & ~done[:, None]
    return Departures(leaving, best.rows, best.score, best.log_prob, best.ctc, True, step)


def _survivors(task: _Task, best: _Best, candidates: _Candidates, leader: Tensor) -> _Beam:
    """The next beam: the K best candidates that do not end."""
    ends = (best.tokens == task.end_id).long()
    kept = best.take(ends.argsort(dim=1, stable=True)[:, : task.config.beams])
    attended = candidates.attended
    if attended is not None:
        attended = attended.gather(1, kept.rows[:, :, None].expand(-1, -1, attended.size(2)))
    return _Beam(
        tokens=kept.tokens,
        parents=kept.rows,
        log_prob=kept.log_prob.masked_fill(kept.score.isneginf(), -torch.inf),
        ctc=kept.ctc,
        score=kept.score,
        attended=attended,
        leader=leader & (candidates.greedy != task.end_id),
    )


def _cut_off(step: int, beam: _Beam, ended: Departures, over: Tensor) -> Departures:
    """The rows of ``beam`` that may not grow (``over`` [B]) and did not end either."""
    did_end = torch.zeros_like(beam.tokens).scatter_add_(1, ended.rows, ended.leaving.long()) > 0
    leaving = over[:, None] & ~did_end & ~beam.score.isneginf()
    rows = torch.arange(beam.tokens.size(1), device=over.device).expand_as(beam.tokens)
    return Departures(leaving, rows, beam.score, beam.log_prob, beam.ctc, False, step)


def _reachable(task: _Task, beam: _Beam) -> Tensor:
    """The most that any live hypothesis can still score: [B].

    Log-probabilities only fall, dividing by the greatest length hurts least, and no more frames
    can be covered than there are.
    """
    longest = (task.max_lengths + 1).float() ** task.config.length_normalization
    joint = task.joint(beam.log_prob, beam.ctc).amax(1)
    return joint / longest + task.config.coverage_weight * task.encoder_lengths


def _impatient(config: BeamConfig, history: BeamHistory) -> Tensor:
    """The utterances of which enough hypotheses have left: [B] bool."""
    if config.patience is None:
        return torch.zeros_like(history.num_left, dtype=torch.bool)
    return history.num_left >= config.patience * config.beams


def _flat_rows(parents: Tensor) -> Tensor:
    """[B, K] rows within each utterance → [N] rows of the batch."""
    B, K = parents.shape
    return (parents + K * torch.arange(B, device=parents.device)[:, None]).flatten()
