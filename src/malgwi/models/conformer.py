"""Conformer (Gulati et al., arXiv 2005.08100) with a CTC output, an attention head, or both.

A front makes frames few, Conformer blocks encode them, CTC reads them off and a small Transformer
decoder writes from them; joint training and decoding as in Watanabe et al. 2017. The encoder's
defaults are the paper's S; the surprising choice is the cheap front (stacked frames, or by setting
FastConformer's separable convolutions, arXiv 2305.05084), since on a CPU the front costs most.

Shapes: B batch, T frames, S encoder frames, U tokens, V vocabulary, D features, E width.
"""

from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from malgwi.errors import ConfigError
from malgwi.nn.acoustic_model import Encoded, Writer
from malgwi.nn.conformer_block import ConformerEncoderConfig
from malgwi.nn.conformer_encoder import ConformerEncoder
from malgwi.nn.output_layer import Letters, letters_to_compose, output_layer
from malgwi.nn.subsampling import Subsampling, SubsamplingConfig
from malgwi.nn.transformer_decoder import (
    TransformerDecoder,
    TransformerDecoderConfig,
    TransformerWriter,
)


@dataclass(frozen=True, kw_only=True)
class ConformerConfig:
    """The whole model.

    Attributes:
        front: What makes frames fewer.
        encoder: The Conformer blocks.
        decoder: The attention head; None for CTC alone.
        ctc: Whether the encoder carries a CTC output.
        composed_output: Whether syllable scores are composed of initial, medial and final.
        output_rank: Of a composed output. None leaves every syllable a vector of its own beside
            its letters'; a number allows only so many products of letters.
        kind: Conformer.
    """

    front: SubsamplingConfig = field(default_factory=SubsamplingConfig)
    encoder: ConformerEncoderConfig = field(default_factory=ConformerEncoderConfig)
    decoder: TransformerDecoderConfig | None = field(default_factory=TransformerDecoderConfig)
    ctc: bool = True
    composed_output: bool = False
    output_rank: int | None = None
    kind: Literal["conformer"] = "conformer"

    def __post_init__(self) -> None:
        if not self.ctc and self.decoder is None:
            raise ConfigError("model has no output: set model.ctc to True or give model.decoder")

    @property
    def writer(self) -> Writer | None:
        """The decoder, if there is one."""
        return None if self.decoder is None else "attention"


class Conformer(TransformerWriter):
    """Front, encoder, and its heads.

    Args:
        inputs: D, width of the features.
        size: V.
        config: Sizes and heads.
        letters: (initial, medial, final) of every unit, for ``composed_output``.
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        config: ConformerConfig,
        letters: Letters | None = None,
    ) -> None:
        super().__init__()
        letters, rank = letters_to_compose(config.composed_output, letters), config.output_rank
        self.config, self.size = config, size
        units, head = config.encoder.units, config.decoder
        self.front = Subsampling(inputs, units, config.front)
        self.encoder = ConformerEncoder(config.encoder)
        self.ctc = output_layer(units, size, letters, rank) if config.ctc else None
        self.decoder = (
            None if head is None else TransformerDecoder(units, size, head, letters, rank)
        )

    def encode(self, features: Tensor, lengths: Tensor) -> Encoded:
        """features [B, T, D] (zero past their lengths), lengths [B] → what was heard."""
        x, lengths = self.front(features, lengths)
        memory = self.encoder(x, lengths)
        log_probs = None if self.ctc is None else self.ctc(memory).float().log_softmax(-1)
        return Encoded(memory, lengths, log_probs)
