"""What training, search and export ask of every acoustic model.

A model encodes, and may carry two heads over what it encoded: CTC, whose log-probabilities come
with the encoding, and a writer, which spells one unit at a time: by attention, or as a transducer.
The loss mixes the two; a search takes either or both.

Shapes: B batch, T frames, S encoder frames, U tokens, V vocabulary, D features, E encoder width,
J width of a transducer's joint.
"""

from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from malgwi.types import StepScorer, TransducerScorer

Writer = Literal["attention", "transducer"]


class ModelConfig(Protocol):
    """What every model's configuration says, as a field or as a property."""

    @property
    def kind(self) -> str:
        """Its name in the table of models."""

    @property
    def ctc(self) -> bool:
        """Whether the encoder carries a CTC output."""

    @property
    def writer(self) -> Writer | None:
        """What spells unit by unit, if anything does."""

    @property
    def composed_output(self) -> bool:
        """Whether syllable scores are composed of initial, medial and final."""


class Encoded(NamedTuple):
    """What was heard: memory [B, S, E], lengths [B], ctc log_probs [B, S, V] or None.

    ``early`` has ctc log_probs and lengths of a layer below, in training, where one is set.
    """

    memory: Tensor
    lengths: Tensor
    ctc_log_probs: Tensor | None
    early: tuple[Tensor, Tensor] | None = None


class AcousticModel(nn.Module):
    """A model of any kind.

    With an attention head it has `write` and `scorer`, as a transducer the three that follow.

    Attributes:
        config: Its settings.
        max_frames: The most frames of the front end that it hears at once; None is any number.
    """

    config: ModelConfig
    max_frames: int | None = None

    @property
    def divisible(self) -> bool:
        """Whether pieces of a batch may be learned from side by side, each by a copy.

        Not where a norm keeps statistics of whole batches, nor where chance comes from elsewhere
        than `malgwi.nn.dropout`, whose order would change from run to run.
        """
        return self.state_dict().keys() == dict(self.named_parameters()).keys()

    def encode(self, features: Tensor, lengths: Tensor) -> Encoded:
        """features [B, T, D], lengths [B] → what was heard."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def write(
        self,
        tokens: Tensor,
        encoded: Encoded,
        sampling: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Teacher-forced logits [B, U + 1, V] of an attention head.

        Args:
            tokens: [B, U + 1] the start token and the reference.
            encoded: The batch.
            sampling: Probability that the model's own sample takes the reference's place.
            generator: Source of that randomness.
        """
        raise TypeError(f"{type(self).__name__} has no attention head")

    def scorer(self, encoded: Encoded) -> StepScorer:
        """The attention head as a beam search sees it, for one encoded batch."""
        raise TypeError(f"{type(self).__name__} has no attention head")

    def joint_parts(self, tokens: Tensor, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """What meets in a transducer's joint: heard [B, S, J] and said [B, U + 1, J].

        Args:
            tokens: [B, U + 1] the start token and the reference.
            encoded: The batch.
        """
        raise TypeError(f"{type(self).__name__} is no transducer")

    def join(self, heard: Tensor, said: Tensor) -> Tensor:
        """Where they meet: heard [..., J] and said [..., J] → logits [..., V], the blank's too."""
        raise TypeError(f"{type(self).__name__} is no transducer")

    def transducer(self, encoded: Encoded) -> TransducerScorer:
        """A transducer as a search sees it, for one encoded batch."""
        raise TypeError(f"{type(self).__name__} is no transducer")

    def load_pretrained(self) -> None:
        """Take over what was trained elsewhere; a model that starts afresh has nothing to take."""

    def pretrained_depths(self) -> dict[str, int]:
        """Names of the parameters that were trained elsewhere → layers above each, 0 at the top."""
        return {}
