"""Deep Speech (Hannun et al., arXiv 1412.5567): five layers, one of them recurrent, and CTC.

Three dense layers look at a frame and its neighbours, one bidirectional plain RNN reads the
utterance, one dense layer joins its directions; every unit is a ReLU clipped at 20. No
convolution, no gates: the paper's point was that this is enough, given data.

Shapes: B batch, T frames, S encoder frames, V vocabulary, D features, C frames of context, H units.
"""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from malgwi.nn.acoustic_model import AcousticModel, Encoded
from malgwi.nn.clipped_recurrence import SummedRecurrence, clipped_relu
from malgwi.nn.dropout import Dropout
from malgwi.nn.output_layer import Letters, letters_to_compose, output_layer
from malgwi.nn.recurrent import length_mask


@dataclass(frozen=True, kw_only=True)
class DeepSpeechConfig:
    """Sizes (§2, §5).

    Attributes:
        context: Frames on either side that the first layer sees, C: 5, 7 or 9 in the paper.
        stride: Frames from one step to the next (§3.3 takes every second, so that the recurrence
            is half as long).
        units: H, of every layer.
        dropout: On the three dense layers and the fifth, never on the recurrent one (§2.1).
        composed_output: Whether syllable scores are composed of initial, medial and final.
        kind: Deep Speech.
    """

    context: int = 9
    stride: int = 2
    units: int = 2048
    dropout: float = 0.05
    composed_output: bool = False
    kind: Literal["deep_speech"] = "deep_speech"

    @property
    def ctc(self) -> bool:
        """Its only output."""
        return True

    @property
    def writer(self) -> None:
        """Nothing writes unit by unit."""
        return


class DeepSpeech(AcousticModel):
    """Three dense layers, a bidirectional recurrent one, a dense one, CTC.

    Args:
        inputs: D, width of the features.
        size: V.
        config: Sizes.
        letters: (initial, medial, final) of every unit, for ``composed_output``.
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        config: DeepSpeechConfig,
        letters: Letters | None = None,
    ) -> None:
        super().__init__()
        self.config, self.size = config, size
        self.context, self.stride, units = config.context, config.stride, config.units
        widths = [inputs * (2 * config.context + 1), units, units]
        self.dense = nn.ModuleList(nn.Linear(width, units) for width in widths)
        self.projection = nn.Linear(units, units)  # W⁽⁴⁾ and b⁽⁴⁾, one for both directions
        self.recurrent = SummedRecurrence(units, "rnn", bidirectional=True)
        self.joined = nn.Linear(units, units)
        self.ctc = output_layer(units, size, letters_to_compose(config.composed_output, letters))
        self.dropout = Dropout(config.dropout)

    def encode(self, features: Tensor, lengths: Tensor) -> Encoded:
        """features [B, T, D] (zero past their lengths), lengths [B] → what was heard."""
        x = windows(features, self.context, self.stride)
        lengths = (lengths + self.stride - 1) // self.stride
        for layer in self.dense:
            x = self.dropout(clipped_relu(layer(x)))
        x = self.recurrent(self.projection(x), lengths)
        x = self.dropout(clipped_relu(self.joined(x)))
        x = x * length_mask(lengths, x.shape[1])[..., None]
        return Encoded(x, lengths, self.ctc(x).float().log_softmax(-1))


def windows(features: Tensor, context: int, stride: int) -> Tensor:
    """Every ``stride``-th frame with its neighbours: [B, T, D] → [B, ⌈T/stride⌉, (2C + 1)·D].

    >>> import torch
    >>> windows(torch.arange(1.0, 4.0).view(1, 3, 1), context=1, stride=2).tolist()
    [[[0.0, 1.0, 2.0], [2.0, 3.0, 0.0]]]
    """
    padded = F.pad(features, (0, 0, context, context))
    return padded.unfold(1, 2 * context + 1, stride).transpose(2, 3).flatten(2)
