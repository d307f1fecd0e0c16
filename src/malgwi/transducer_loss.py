"""What a transducer minimises: −log p(units | audio), summed over all alignments (RNN-T).

Graves 2012 (arXiv 1211.3711), §2.2 to 2.5. An alignment walks a lattice from its first frame and
no unit to its last frame and all units; each step writes the next unit or, by a blank, goes on to
the next frame.

The surprising choice: the joint's logits, [B, T, U + 1, V], are never made as one tensor, nor in
the padding. Nodes that exist are packed and taken a chunk at a time; a chunk keeps two numbers a
node, blank and next unit, and is computed again for its gradient. Within the lattice all units of
a frame are one cumulative log-sum, so that the loop runs over frames alone; its gradient is
torch's.

Shapes: B batch, T encoder frames, U units, V vocabulary, J joint width, N nodes of the lattice.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from malgwi.nn.recurrent import length_mask

#: heard [n, J] and said [n, J] → logits [n, V]
Join = Callable[[Tensor, Tensor], Tensor]
#: Nodes whose logits are held at once: with 1,000 units 32 MB in float32.
CHUNK_NODES = 8192


def transducer_loss(
    join: Join,
    heard: Tensor,
    said: Tensor,
    lengths: Tensor,
    targets: Tensor,
    target_lengths: Tensor,
    *,
    blank_id: int,
    chunk_nodes: int = CHUNK_NODES,
) -> Tensor:
    """−log p(targets | audio), summed over the batch and divided by its units.

    Args:
        join: From what was heard at a frame and what was said before, to the scores of a node.
        heard: [B, T, J] the encoder's part of the joint.
        said: [B, U + 1, J] the prediction network's, after 0 to U units.
        lengths: [B] frames, 1 or more.
        targets: [B, U].
        target_lengths: [B].
        blank_id: Id of the blank.
        chunk_nodes: Nodes whose logits are held at once: the bound on memory.

    Returns:
        A scalar, nats a unit.

    >>> even = lambda heard, said: (heard + said) * 0    # three units, all equally likely
    >>> loss = transducer_loss(
    ...     even, torch.ones(1, 2, 3), torch.ones(1, 2, 3), torch.tensor([2]),
    ...     torch.tensor([[1]]), torch.tensor([1]), blank_id=0,
    ... )
    >>> round(float(27 * (-loss).exp()), 3)              # two alignments of three steps
    2.0
    """
    nodes = lattice_nodes(lengths, target_lengths, heard.shape[1], said.shape[1])
    packed = node_log_probs(
        join, heard, said, nodes, targets, blank_id=blank_id, chunk_nodes=chunk_nodes
    )
    blank, unit = (_spread(plane, nodes, heard.shape[1], said.shape[1]) for plane in packed.T)
    log_probs = lattice_log_prob(blank, unit, lengths, target_lengths)
    return -log_probs.sum() / target_lengths.sum().clamp(min=1)


def lattice_nodes(lengths: Tensor, target_lengths: Tensor, frames: int, columns: int) -> Tensor:
    """The nodes that exist: [N, 3] utterance, frame, units before."""
    frame = length_mask(lengths, frames)[:, :, None]
    return (frame & length_mask(target_lengths + 1, columns)[:, None]).nonzero()


def node_log_probs(
    join: Join,
    heard: Tensor,
    said: Tensor,
    nodes: Tensor,
    targets: Tensor,
    *,
    blank_id: int,
    chunk_nodes: int,
) -> Tensor:
    """log P(blank) and log P(next unit) at every node: [N, 2], float32 or better.

    Where no unit comes next, the second is the blank's.
    """
    utterance, frame, before = nodes.T
    units = F.pad(targets, (0, 1), value=blank_id)[utterance, before]
    rows = (utterance * heard.shape[1] + frame, utterance * said.shape[1] + before, units)
    heard, said = heard.flatten(0, 1), said.flatten(0, 1)

    def scores(heard_rows: Tensor, said_rows: Tensor, units: Tensor) -> Tensor:
        # an embedding is a lookup whose gradient is summed by rows in parallel
        logits = join(F.embedding(heard_rows, heard), F.embedding(said_rows, said))
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        wanted = torch.stack([torch.full_like(units, blank_id), units], dim=1)
        return logits.gather(1, wanted) - logits.logsumexp(1, keepdim=True)

    chunks = zip(*(part.split(chunk_nodes) for part in rows), strict=True)
    found = [
        checkpoint(scores, *chunk, use_reentrant=False, preserve_rng_state=False)
        for chunk in chunks
    ]
    return torch.cat(found)


def lattice_log_prob(
    blank: Tensor, unit: Tensor, lengths: Tensor, target_lengths: Tensor
) -> Tensor:
    """log p of each reference, summed over its alignments (Graves 2012, eq. 16 to 18): [B] float64.

    With a(u) the log-probability of coming to frame t after u units and X(u) the sum of the first
    u unit log-probabilities there, α(u) = log(e^a(u) + e^(α(u−1) + unit(u−1))) unrolls to
    α(u) = X(u) + log Σ_{v≤u} e^(a(v) − X(v)).

    Args:
        blank: [B, T, U + 1] log P(blank) after u units; what lies in the padding has no effect,
            but must be finite.
        unit: [B, T, U + 1] log P(next unit).
        lengths: [B] frames, 1 or more.
        target_lengths: [B] units.
    """
    blank = blank.double()
    written = F.pad(unit[:, :, :-1].double().cumsum(-1), (1, 0))  # X at every frame
    alpha = written[:, 0]
    reached = [alpha]
    for frame in range(1, blank.shape[1]):
        arrived = alpha + blank[:, frame - 1]
        alpha = written[:, frame] + torch.logcumsumexp(arrived - written[:, frame], dim=-1)
        reached.append(alpha)
    ends = torch.stack(reached, dim=1) + blank
    return ends[torch.arange(len(ends), device=ends.device), lengths - 1, target_lengths]


def _spread(values: Tensor, nodes: Tensor, frames: int, columns: int) -> Tensor:
    """Values [N] at their nodes of [B, T, U + 1], zero in the padding."""
    utterance, frame, before = nodes.T
    batch = int(utterance[-1]) + 1  # every utterance has a node
    flat = (utterance * frames + frame) * columns + before
    plane = values.new_zeros(batch * frames * columns).index_put((flat,), values)
    return plane.view(batch, frames, columns)
