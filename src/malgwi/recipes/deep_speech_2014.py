"""Deep Speech as published: Hannun et al. 2014, arXiv 1412.5567, §2 to §5."""

from malgwi.batching import BatchConfig
from malgwi.config import RunConfig
from malgwi.front_end import FrontEndConfig
from malgwi.models.deep_speech import DeepSpeechConfig
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig


def deep_speech() -> RunConfig:
    """The paper's: ±9 frames, 5 layers of 2048 clipped ReLUs, one of them recurrent, CTC.

    ``malgwi train deep_speech --train TRAIN --dev DEV --out RUN`` (made for GPUs and thousands of
    hours). Measured: not measured.

    Differences: 80 log-mel bands instead of 80 linearly spaced ones and the energy; the learning
    rate, of which the paper gives only that it falls by a constant factor after each epoch, is
    1e-4 times 0.9 an epoch; no jittered copies at decoding, no ensemble, no language model yet.
    """
    return RunConfig(
        front_end=FrontEndConfig(num_mels=80, window_ms=20.0, floor=1e-6),
        batches=BatchConfig(max_batch_size=64, max_batch_s=320.0),
        model=DeepSpeechConfig(context=9, stride=2, units=2048, dropout=0.05),
        objective=ObjectiveConfig(ctc_weight=1.0, smoothing=0.0),
        optim=OptimConfig(
            optimizer="sgd",
            learning_rate=1e-4,
            momentum=0.99,
            weight_decay=0.0,
            schedule="epochs",
            warmup_share=0.0,
            decay=0.9,
            milestones=tuple(range(1, 20)),
        ),
        trainer=TrainerConfig(epochs=20, ema_decay=0.0),
        dev_decoding=DecodingConfig(method="ctc"),
        decoding=DecodingConfig(method="ctc"),
    )
