"""What training minimises: smoothed cross-entropy on the speller, CTC on the listener.

Both are means over reference units, never over classes or padded positions (averaging over classes
divides the gradient by the vocabulary's size, a fault found in public toolkits).

Shapes: B batch, U tokens, S encoder frames, V vocabulary.
"""

from collections.abc import Iterable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from malgwi.nn.recurrent import length_mask

Smoothing = Literal["uniform", "unigram"]


def smoothed_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    lengths: Tensor,
    *,
    smoothing: float = 0.0,
    prior: Tensor | None = None,
) -> Tensor:
    """Mean cross-entropy against (1 − ε)·one-hot + ε·prior (Szegedy et al. 2016, §7).

    Args:
        logits: [B, U, V].
        targets: [B, U] ids; what lies beyond ``lengths`` is ignored.
        lengths: [B].
        smoothing: ε.
        prior: [V] distribution to smooth towards (unigram; Chorowski & Jaitly 2016); None is
            uniform.

    Returns:
        A scalar, nats a unit.

    >>> logits = torch.zeros(1, 2, 4)
    >>> loss = smoothed_cross_entropy(logits, torch.tensor([[1, 2]]), torch.tensor([2]))
    >>> round(float(loss.exp()), 3)
    4.0
    """
    mask = length_mask(lengths, targets.shape[1])
    log_probs = logits[mask].float().log_softmax(-1)
    nll = F.nll_loss(log_probs, targets[mask])
    if smoothing == 0.0:
        return nll
    spread = -log_probs.mean(-1) if prior is None else -(log_probs * prior.to(log_probs)).sum(-1)
    return (1 - smoothing) * nll + smoothing * spread.mean()


def ctc_loss(
    log_probs: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, blank_id: int
) -> Tensor:
    """−log p(targets | audio), summed over the batch and divided by its units (Graves 2006).

    An utterance with fewer frames than its reference needs has no alignment; its loss is infinite
    and counts as zero here (`count_unalignable` tells how many there are).

    Args:
        log_probs: [B, S, V].
        lengths: [B] frames.
        targets: [B, U].
        target_lengths: [B].
        blank_id: Id of the blank.

    Returns:
        A scalar, nats a unit.
    """
    total = F.ctc_loss(
        log_probs.transpose(0, 1),
        targets,
        lengths,
        target_lengths,
        blank=blank_id,
        reduction="sum",
        zero_infinity=True,
    )
    return total / target_lengths.sum().clamp(min=1)


def consistency_loss(log_probs: Tensor, lengths: Tensor, token_lengths: Tensor) -> Tensor:
    """How far two views of the same utterances disagree (CR-CTC; arXiv 2410.05101, §3.2).

    Half of the sum of both Kullback-Leibler divergences, frame by frame; each view is drawn to the
    other, which for that is held fixed.

    Args:
        log_probs: [2 B, S, V], the second view of utterance i in row B + i.
        lengths: [2 B] frames.
        token_lengths: [2 B] units of the references.

    Returns:
        A scalar, nats a unit, as CTC's loss is counted.
    """
    exists = length_mask(lengths, log_probs.shape[1])[: len(lengths) // 2]
    first, second = (view[exists] for view in log_probs.chunk(2))
    total = sum(
        F.kl_div(here, there.detach(), reduction="sum", log_target=True)
        for here, there in ((first, second), (second, first))
    )
    return total / token_lengths.sum().clamp(min=1)


def count_unalignable(lengths: Tensor, targets: Tensor, target_lengths: Tensor) -> int:
    """How many utterances have fewer frames than units plus repetitions need."""
    exists = length_mask(target_lengths, targets.shape[1])
    repeats = ((targets[:, 1:] == targets[:, :-1]) & exists[:, 1:]).sum(1)
    return int((target_lengths + repeats > lengths).sum())


def unigram_prior(sequences: Iterable[list[int]], size: int, end_id: int) -> Tensor:
    """Relative frequency of every unit in the training references, ends included: [V]."""
    counts = torch.zeros(size)
    for ids in sequences:
        counts += torch.bincount(torch.tensor([*ids, end_id]), minlength=size)
    return counts / counts.sum()
