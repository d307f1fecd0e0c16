"""What one batch costs: the writer's loss, mixed with the encoder's CTC.

An attention head's is smoothed cross-entropy, a transducer's the sum over its alignments.

Shapes: B batch, U tokens, S encoder frames, V vocabulary.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from malgwi.batching import Batch
from malgwi.errors import ConfigError
from malgwi.losses import (
    Smoothing,
    consistency_loss,
    count_unalignable,
    ctc_loss,
    smoothed_cross_entropy,
)
from malgwi.nn.acoustic_model import AcousticModel, Encoded, ModelConfig
from malgwi.nn.recurrent import length_mask
from malgwi.transducer_loss import CHUNK_NODES, lattice_nodes, node_log_probs, transducer_loss


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """Weights of the loss.

    Attributes:
        ctc_weight: λ in λ·CTC + (1 − λ)·the writer's loss (Watanabe et al. 2017); 0 without CTC.
            1 trains the encoder alone: the writer is never run.
        early_ctc_weight: Share of CTC's λ that goes to the layer of ``model.early_ctc``, if one is
            set (Lee & Watanabe 2021, arXiv 2102.03216).
        consistency: α of what two views of an utterance (``batches.views 2``) may disagree in their
            CTC outputs (CR-CTC; Yao et al. 2025, arXiv 2410.05101).
        smoothing: Probability mass taken from the reference. Smoothing and sampling are for
            attention heads.
        smoothing_kind: Where it goes: ``uniform`` or ``unigram``.
        sampling: Final probability of scheduled sampling, a step.
        sampling_start: Share of the run before which it is 0; it then rises linearly for as long.
        chunk_nodes: Nodes of a transducer's lattice (frame × unit) whose logits are held at once;
            fewer take less memory and a little more time.
    """

    ctc_weight: float = 0.0
    early_ctc_weight: float = 0.3
    consistency: float = 0.2
    smoothing: float = 0.1
    smoothing_kind: Smoothing = "uniform"
    sampling: float = 0.0
    sampling_start: float = 0.1
    chunk_nodes: int = CHUNK_NODES

    def __post_init__(self) -> None:
        for name in ("ctc_weight", "early_ctc_weight", "consistency", "smoothing", "sampling"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"objective.{name} is {getattr(self, name)}, want 0 to 1")
        if self.chunk_nodes < 1:
            raise ConfigError(f"objective.chunk_nodes is {self.chunk_nodes}, want 1 or more")

    def sampling_at(self, progress: float) -> float:
        """Probability of sampling when this share of the run is over."""
        if self.sampling_start <= 0:
            return self.sampling
        return self.sampling * min(1.0, max(0.0, progress / self.sampling_start - 1.0))


class Objective:
    """The loss of a batch and its parts, for logs.

    Args:
        config: Weights.
        start_id: Token fed first.
        end_id: Token wanted last.
        blank_id: CTC's blank.
        prior: [V] unigram distribution, for ``smoothing_kind="unigram"``.
    """

    def __init__(
        self,
        config: ObjectiveConfig,
        *,
        start_id: int,
        end_id: int,
        blank_id: int,
        prior: Tensor | None = None,
    ) -> None:
        if config.smoothing_kind == "unigram" and prior is None:
            raise ConfigError("smoothing_kind='unigram' needs the units' frequencies")
        self.config = config
        self.start_id, self.end_id, self.blank_id = start_id, end_id, blank_id
        self.prior = prior if config.smoothing_kind == "unigram" else None

    def __call__(
        self,
        model: AcousticModel,
        batch: Batch,
        progress: float,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss (nats a unit) and its parts by name."""
        weight = self.config.ctc_weight
        check_heads(self.config, model.config)
        encoded = model.encode(batch.features, batch.lengths)
        losses: dict[str, Tensor] = {}
        parts: dict[str, float] = {}
        if weight > 0 and encoded.ctc_log_probs is not None:
            last = self.ctc(encoded.ctc_log_probs, encoded.lengths, batch)
            losses["ctc"] = weight * last
            parts["loss_ctc"] = float(last.detach())
            if encoded.early is not None:
                early, share = self.ctc(*encoded.early, batch), self.config.early_ctc_weight
                losses["ctc"] = weight * ((1 - share) * last + share * early)
                parts["loss_early_ctc"] = float(early.detach())
            if batch.views == 2:
                views = (encoded.ctc_log_probs, encoded.lengths, batch.token_lengths)
                disagreement = consistency_loss(*views)
                losses["consistency"] = weight * self.config.consistency * disagreement
                parts["loss_consistency"] = float(disagreement.detach())
            unalignable = count_unalignable(encoded.lengths, batch.tokens, batch.token_lengths)
            parts["unalignable_share"] = unalignable / len(batch.lengths)
        if weight < 1:
            sampling = self.config.sampling_at(progress)
            writer = str(model.config.writer)
            if writer == "transducer":
                losses[writer] = (1 - weight) * self.transducer(model, encoded, batch)
            else:
                logits = model.write(self.inputs(batch), encoded, sampling, generator)
                losses[writer] = (1 - weight) * self.cross_entropy(logits, batch)
            parts[f"loss_{writer}"] = float(losses[writer].detach()) / (1 - weight)
        return torch.stack(list(losses.values())).sum(), parts

    def at_start(self, model: AcousticModel, batch: Batch) -> Tensor:
        """What a unit costs a model that knows nothing; ln V where all units are equally likely.

        The attention head's cross-entropy, the mean cost of a step through a transducer's lattice,
        or, of a model that has no writer, the mean cost of every unit in every frame (losses that
        sum alignments have no such mark).
        """
        encoded = model.encode(batch.features, batch.lengths)
        if model.config.writer == "transducer":
            return self.step_costs(model, encoded, batch).mean()
        if model.config.writer is not None:
            return self.cross_entropy(model.write(self.inputs(batch), encoded), batch)
        assert encoded.ctc_log_probs is not None
        frames = length_mask(encoded.lengths, encoded.ctc_log_probs.shape[1])
        return -encoded.ctc_log_probs[frames].mean()

    def ctc(self, log_probs: Tensor, lengths: Tensor, batch: Batch) -> Tensor:
        """CTC's loss of one output against the reference."""
        return ctc_loss(log_probs, lengths, batch.tokens, batch.token_lengths, self.blank_id)

    def transducer(self, model: AcousticModel, encoded: Encoded, batch: Batch) -> Tensor:
        """The transducer's loss against the reference."""
        heard, said = model.joint_parts(self.inputs(batch), encoded)
        return transducer_loss(
            model.join,
            heard,
            said,
            encoded.lengths,
            batch.tokens,
            batch.token_lengths,
            blank_id=self.blank_id,
            chunk_nodes=self.config.chunk_nodes,
        )

    def step_costs(self, model: AcousticModel, encoded: Encoded, batch: Batch) -> Tensor:
        """Nats of the blank and of the next unit at each of a transducer's N nodes: [N, 2]."""
        heard, said = model.joint_parts(self.inputs(batch), encoded)
        frames, columns = heard.shape[1], said.shape[1]
        nodes = lattice_nodes(encoded.lengths, batch.token_lengths, frames, columns)
        return -node_log_probs(
            model.join,
            heard,
            said,
            nodes,
            batch.tokens,
            blank_id=self.blank_id,
            chunk_nodes=self.config.chunk_nodes,
        )

    def inputs(self, batch: Batch) -> Tensor:
        """[B, U + 1]: the start token, then the reference."""
        return F.pad(batch.tokens, (1, 0), value=self.start_id)

    def cross_entropy(self, logits: Tensor, batch: Batch) -> Tensor:
        """Smoothed cross-entropy of logits [B, U + 1, V] against the reference and its end."""
        targets = F.pad(batch.tokens, (0, 1), value=self.end_id)
        rows = torch.arange(len(targets), device=targets.device)
        targets[rows, batch.token_lengths] = self.end_id
        return smoothed_cross_entropy(
            logits,
            targets,
            batch.token_lengths + 1,
            smoothing=self.config.smoothing,
            prior=self.prior,
        )


def check_heads(config: ObjectiveConfig, model: ModelConfig) -> None:
    """Refuse a loss that the model has no head for.

    Raises:
        ConfigError: CTC without a CTC output, or less than all of it without a writer.
    """
    if config.ctc_weight > 0 and not model.ctc:
        raise ConfigError("objective.ctc_weight > 0 needs a CTC output: set model.ctc to True")
    if config.ctc_weight < 1 and model.writer is None:
        raise ConfigError(
            f"objective.ctc_weight is {config.ctc_weight}, but the model has a CTC output alone: "
            "set it to 1"
        )
