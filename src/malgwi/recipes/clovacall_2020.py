"""ClovaCall's Listen, Attend and Spell: Ha et al. 2020, arXiv 2004.09367, §4, and its code."""

from malgwi.batching import BatchConfig
from malgwi.config import RunConfig
from malgwi.front_end import preset
from malgwi.models.las import LASConfig, ListenerConfig, SpellerConfig
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig


def clovacall() -> RunConfig:
    """log1p STFT, two convolutions, BLSTM 3 × 512, LSTM 2 × 512, location-aware attention.

    ``malgwi train clovacall --train TRAIN --dev DEV --out RUN``. Measured: not measured (the
    paper: CER 15.1 % on ClovaCall-Full from scratch, after many GPU hours).

    Differences: the best checkpoint is chosen on the development split, theirs on the test split;
    weight decay spares biases and norms.
    """
    return RunConfig(
        front_end=preset("clovacall"),
        batches=BatchConfig(max_batch_size=32, max_batch_s=320.0),
        model=LASConfig(
            listener=ListenerConfig(front="conv", layers=3, units=512, dropout=0.3),
            speller=SpellerConfig(
                attention="location",
                attention_units=512,
                layers=2,
                units=512,
                embedding=512,
                dropout=0.3,
            ),
        ),
        objective=ObjectiveConfig(smoothing=0.0),
        optim=OptimConfig(
            optimizer="adam",
            learning_rate=3e-4,
            betas=(0.9, 0.999),
            weight_decay=1e-5,
            schedule="epochs",
            decay=1 / 1.1,
            milestones=tuple(range(1, 100)),
            warmup_share=0.0,
        ),
        trainer=TrainerConfig(epochs=100, clip_norm=400.0, ema_decay=0.0, evaluations=100),
        decoding=DecodingConfig(method="attention"),
    )
