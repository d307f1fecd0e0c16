"""How wide a beam search looks, what its hypotheses compete by, and how long they may get."""

from dataclasses import dataclass

from torch import Tensor

from malgwi.errors import ConfigError


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

    >>> import torch
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
