"""Deep Speech 2 as published: Amodei et al. 2015, arXiv 1512.02595, §3 and §4."""

from dataclasses import replace

from malgwi.batching import BatchConfig
from malgwi.config import RunConfig
from malgwi.front_end import FrontEndConfig
from malgwi.models.deep_speech2 import DeepSpeech2Config
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig


def deep_speech2() -> RunConfig:
    """Three convolutions, 7 bidirectional layers of 1280, sequence-wise norms, CTC, SortaGrad.

    ``malgwi train deep_speech2 --train TRAIN --dev DEV --out RUN`` (made for GPUs and thousands of
    hours). Measured: not measured.

    The first epoch goes strictly from short to long (SortaGrad, §3.3). Differences: batches are
    bounded at 64 utterances for one process (the paper: 512 over many); the power spectrogram is
    normalised an utterance; no noise is added; no language model yet.
    """
    return RunConfig(
        front_end=FrontEndConfig(kind="spectrogram", n_fft=320, window_ms=20.0, floor=1e-6),
        batches=BatchConfig(max_batch_size=64, max_batch_s=320.0, curriculum_epochs=1),
        model=DeepSpeech2Config(channels=(32, 32, 96), cell="rnn", layers=7, units=1280),
        objective=ObjectiveConfig(ctc_weight=1.0, smoothing=0.0),
        optim=OptimConfig(
            optimizer="sgd",
            learning_rate=3e-4,
            momentum=0.99,
            weight_decay=0.0,
            schedule="epochs",
            warmup_share=0.0,
            decay=1 / 1.2,
            milestones=tuple(range(1, 20)),
        ),
        trainer=TrainerConfig(epochs=20, ema_decay=0.0, clip_norm=400.0),
        dev_decoding=DecodingConfig(method="ctc"),
        decoding=DecodingConfig(method="ctc"),
    )


def deep_speech2_streaming() -> RunConfig:
    """`deep_speech2` that reads onward only: 2 convolutions, GRU 3 × 1536, row convolution.

    ``malgwi train deep_speech2_streaming --train TRAIN --dev DEV --out RUN`` (made for GPUs).
    Measured: not measured.

    The paper's form for deployment (§3.7, §7) in this project's sizes: it does not state one set
    of them. The row convolution sees 19 frames of 20 ms ahead.
    """
    model = DeepSpeech2Config(
        channels=(32, 32), cell="gru", layers=3, units=1536, bidirectional=False, lookahead=19
    )
    return replace(deep_speech2(), model=model)
