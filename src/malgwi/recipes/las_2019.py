"""LAS-d-w of the SpecAugment paper: Park et al. 2019, arXiv 1904.08779, §3 and §4."""

from malgwi.augment import policy
from malgwi.batching import BatchConfig
from malgwi.config import RunConfig
from malgwi.decoders.beam_config import BeamConfig
from malgwi.front_end import FrontEndConfig
from malgwi.models.las import LASConfig, ListenerConfig, SpellerConfig
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig


def las_4_1024() -> RunConfig:
    """LAS-4-1024 with policy LD and schedule D: two convolutions, BLSTM 4 × 1024, LSTM 2 × 1024.

    ``malgwi train las_4_1024 --train TRAIN --dev DEV --out RUN`` (made for accelerators and a
    thousand hours). Measured: not measured.

    Differences: 32 utterances a step (the paper: 512), static features without deltas, syllables
    instead of 16 k word pieces, strided convolutions without pooling, no language model yet.
    """
    return _las(layers=4, units=1024, ramp_hold_decay_steps=(1_000, 40_000, 160_000))


def las_6_1280() -> RunConfig:
    """LAS-6-1280 with policy LD and schedule L: the paper's best.

    ``malgwi train las_6_1280 --train TRAIN --dev DEV --out RUN`` (made for accelerators and a
    thousand hours). Measured: not measured (the paper: LibriSpeech WER 2.8 / 6.8 without a
    language model).

    Differences: as `las_4_1024`.
    """
    return _las(layers=6, units=1280, ramp_hold_decay_steps=(1_000, 140_000, 320_000))


def _las(*, layers: int, units: int, ramp_hold_decay_steps: tuple[int, int, int]) -> RunConfig:
    """LAS-d-w; the last of the schedule's steps ends the run."""
    listener = ListenerConfig(
        front="conv",
        conv_kernels=((3, 3), (3, 3)),
        conv_time_strides=(2, 2),
        layers=layers,
        units=units,
    )
    speller = SpellerConfig(
        attention="additive", attention_units=units, layers=2, units=units, embedding=units // 2
    )
    return RunConfig(
        front_end=FrontEndConfig(num_mels=80, floor=1e-6),
        masking=policy("LD"),
        batches=BatchConfig(max_batch_size=32, max_batch_s=320.0),
        model=LASConfig(listener=listener, speller=speller),
        objective=ObjectiveConfig(smoothing=0.1),
        optim=OptimConfig(
            optimizer="adam",
            learning_rate=1e-3,
            betas=(0.9, 0.999),
            weight_decay=0.0,
            schedule="specaugment",
            ramp_hold_decay_steps=ramp_hold_decay_steps,
            final_ratio=0.01,
            weight_noise=0.075,
            weight_noise_start=20_000,
        ),
        trainer=TrainerConfig(max_steps=ramp_hold_decay_steps[-1], ema_decay=0.0),
        decoding=DecodingConfig(beam=BeamConfig(beams=8)),
    )
