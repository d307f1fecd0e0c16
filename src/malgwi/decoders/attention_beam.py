"""Beam search for a model with attention: batched over utterances and beams, one model call a step.

A hypothesis leaves the beam when its end token is among the best ``beams`` candidates of its
step; the beam is refilled from the others. All that left compete by one stated score

    score = ((1 − w) · log P_attention + w · log P_CTC + fused) / length**α + β · covered frames

with length counted in tokens, the end token included, and ``fused`` what language models and
hot-words add to them (`malgwi.decoders.fusion`). The same score picks the candidates within a
step. An utterance stops when nothing still in the beam can reach its n-th best hypothesis.

The surprising choice: row 0 of every beam is the greedy path and is never pruned. A plain beam
search can lose to greedy decoding; this one cannot, whatever its width.

Papers: Chan et al. 2016 (arXiv 1508.01211) finished hypotheses and length; Chorowski & Jaitly 2016
(1612.02695) coverage; Hannun et al. 2019 (1904.02619) end-of-sentence threshold; Watanabe et al.
2017 (hybrid CTC/attention) joint scoring; Gulcehre et al. 2015 (1503.03535) fusion; Kasai et al.
2022 (2204.05424) patience.

Shapes: B utterances, K beams, N rows (B × K, utterance-major), T frames, U tokens, V vocabulary.
"""

import torch
from torch import Tensor

from malgwi.decoders.beam_config import BeamConfig
from malgwi.decoders.beam_history import BeamHistory
from malgwi.decoders.beam_step import (
    Beam,
    Task,
    cut_off,
    ended,
    extend,
    first_beam,
    pick,
    survivors,
)
from malgwi.decoders.ctc_prefix import CtcPrefixScorer
from malgwi.decoders.tensor_text import TensorText
from malgwi.errors import ConfigError
from malgwi.types import BonusModel, Hypothesis, LanguageModel, NarrowingScorer, StepScorer

__all__ = ["BeamConfig", "beam_search"]


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
    language_model: LanguageModel | None = None,
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
        language_model: What is added token by token, weights applied. Where it is a BonusModel,
            nothing stops early that its ``ceiling`` might still lift; where that is infinite, as
            under a negative weight, the search goes on to the maximum length (or ``patience``).

    Returns:
        For each utterance 1 to ``nbest`` distinct hypotheses, best first: those that ended before
        those cut at the maximum length (scored without an end token), then by score, then in
        the order in which they left the beam. Of equal candidates in a step the better row, then
        the lower token id, comes first.

    Raises:
        ConfigError: Joint scoring without CTC output or blank id.
        MalgwiError: The model returned NaN.
    """
    limits = max_lengths.to(encoder_lengths.device)
    ctc = _ctc_scorer(config, ctc_log_probs, encoder_lengths, blank_id, end_id)
    never = sorted({start_id} if blank_id is None else {start_id, blank_id})
    task = Task(config, end_id, never, encoder_lengths, limits)
    history = BeamHistory(len(limits), config.nbest, encoder_lengths.device)
    _check_vocabulary(language_model, scorer.vocabulary_size)
    ceiling = language_model.ceiling if isinstance(language_model, BonusModel) else 0.0
    beam = first_beam(task, start_id, fuses=language_model is not None)
    state = scorer.start(config.beams)
    rows, device = beam.tokens.numel(), beam.tokens.device
    text = TensorText.begin(language_model, rows, device) if language_model else None
    ctc_state = ctc.start(config.beams) if ctc else None
    for step in range(int(limits.max()) + 1):
        log_probs, attention, state = scorer.step(beam.tokens.flatten(), state)
        ctc_scores = ctc.score(ctc_state) if ctc and ctc_state else None
        added = text.score() if text else None
        candidates = extend(task, step, beam, log_probs, attention, ctc_scores, added)
        best = pick(candidates, 2 * config.beams)
        leaving = ended(task, step, best)
        last_beam, beam = beam, survivors(task, best, candidates)
        history.record(attention, beam.parents, beam.tokens)
        history.leave(leaving)
        reachable = _reachable(task, beam, step, ceiling)
        over = (step >= task.max_lengths) | reachable.isneginf()
        history.leave(cut_off(step, last_beam, leaving, over))
        history.close(over | (history.nth_best >= reachable) | _impatient(config, history))
        if history.closed.all():
            break
        sources = _flat_rows(beam.parents)
        if isinstance(scorer, NarrowingScorer) and _is_worth_narrowing(history.closed):
            kept = (~history.closed).nonzero()[:, 0]
            sources = sources.view(-1, config.beams)[kept].flatten()
            scorer, beam, task = scorer.narrow(kept), beam.narrow(kept), task.narrow(kept)
            ctc = ctc.narrow(kept) if ctc else None
            history.narrow(kept)
        state = scorer.select(state, sources)
        if ctc and ctc_state:
            ctc_state = ctc.advance(ctc_state, sources, beam.tokens.flatten())
        if text:
            text = text.advance(sources, beam.tokens.flatten())
    return history.hypotheses(encoder_lengths)


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


def _check_vocabulary(model: LanguageModel | None, vocabulary_size: int) -> None:
    if model is not None and model.vocabulary_size != vocabulary_size:
        raise ConfigError(
            f"the language model has {model.vocabulary_size} tokens, the recogniser "
            f"{vocabulary_size}: bind it to the recogniser's own tokenizer"
        )


def _reachable(task: Task, beam: Beam, step: int, ceiling: float) -> Tensor:
    """The most that any live hypothesis can still score: [B].

    Log-probabilities only fall, dividing by the greatest length hurts least, and no more frames
    can be covered than there are. Each token to come, the end included, may add ``ceiling``; a sum
    above 0 is hurt least by the smallest length.
    """
    alpha = task.config.length_normalization
    longest = (task.max_lengths + 1).float() ** alpha
    joint = task.joint(beam.log_prob, beam.ctc, beam.fused).amax(1)
    if ceiling > 0:
        gain = ceiling * (task.max_lengths - step).clamp(min=1)
        joint = (joint + gain).masked_fill(joint.isneginf(), -torch.inf)
        longest = torch.where(joint > 0, (step + 2) ** alpha, longest)
    return joint / longest + task.config.coverage_weight * task.encoder_lengths


def _impatient(config: BeamConfig, history: BeamHistory) -> Tensor:
    """The utterances of which enough hypotheses have left: [B] bool."""
    if config.patience is None:
        return torch.zeros_like(history.num_left, dtype=torch.bool)
    return history.num_left >= config.patience * config.beams


def _is_worth_narrowing(closed: Tensor) -> bool:
    """Whether a quarter of the utterances are settled; copying what the rest needs has a price."""
    return int(closed.sum()) * 4 >= len(closed)


def _flat_rows(parents: Tensor) -> Tensor:
    """[B, K] rows within each utterance → [N] rows of the batch."""
    B, K = parents.shape
    return (parents + K * torch.arange(B, device=parents.device)[:, None]).flatten()
