"""Conformer S as published: Gulati et al. 2020, arXiv 2005.08100, §3."""

from malgwi.augment import SpecAugmentConfig
from malgwi.batching import BatchConfig
from malgwi.config import RunConfig
from malgwi.decoders.beam_config import BeamConfig
from malgwi.front_end import FrontEndConfig
from malgwi.models.conformer import ConformerConfig
from malgwi.nn.conformer_block import ConformerEncoderConfig
from malgwi.nn.subsampling import SubsamplingConfig
from malgwi.nn.transformer_decoder import TransformerDecoderConfig
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig


def conformer() -> RunConfig:
    """The paper's S: two convolutions, 16 blocks of 144 with 4 heads, 40 ms frames.

    ``malgwi train conformer --train TRAIN --dev DEV --out RUN`` (made for accelerators and a
    thousand hours). Measured: not measured.

    Differences: CTC and a Transformer decoder write instead of a transducer; the depthwise kernel
    is 31, not 32, so that it has a middle; the learning rate warms up for 10,000 steps to
    0.05/√144 as there, but falls as a cosine; no weight noise; 32 utterances a step.
    """
    return RunConfig(
        front_end=FrontEndConfig(num_mels=80, floor=1e-6),
        masking=SpecAugmentConfig(
            freq_mask_width=27,
            num_freq_masks=2,
            time_mask_width=100,
            num_time_masks=10,
            max_time_fraction=0.05,
        ),
        batches=BatchConfig(max_batch_size=32, max_batch_s=320.0),
        model=ConformerConfig(
            front=SubsamplingConfig(kind="conv", factor=4, channels=144),
            encoder=ConformerEncoderConfig(
                layers=16, units=144, heads=4, kernel=31, conv_norm="batch", dropout=0.1
            ),
            decoder=TransformerDecoderConfig(layers=2, heads=4, dropout=0.1),
        ),
        objective=ObjectiveConfig(ctc_weight=0.3, smoothing=0.1),
        optim=OptimConfig(
            learning_rate=0.05 / 144**0.5,
            betas=(0.9, 0.98),
            weight_decay=1e-6,
            schedule="cosine",
            warmup_steps=10_000,
        ),
        trainer=TrainerConfig(epochs=100, ema_decay=0.999, evaluations=50),
        dev_decoding=DecodingConfig(method="ctc"),
        decoding=DecodingConfig(beam=BeamConfig(beams=8, ctc_weight=0.3)),
    )
