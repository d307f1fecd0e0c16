"""Listen, Attend and Spell as published: Chan et al. 2015, arXiv 1508.01211, §4."""

from malgwi.batching import BatchConfig
from malgwi.config import RunConfig
from malgwi.decoders.attention_beam import BeamConfig
from malgwi.front_end import preset
from malgwi.models.las import LASConfig, ListenerConfig, SpellerConfig
from malgwi.nn.initialize import InitConfig
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig


def las() -> RunConfig:
    """The paper's: 40 log-mel; BLSTM and 3 pyramidal BLSTM of 256 a direction; 2 × 512 speller.

    ``malgwi train las --train TRAIN --dev DEV --out RUN`` (made for a GPU and thousands of hours).
    Measured: not measured.

    Differences from the paper: plain SGD at its 0.2 runs in one process instead of asynchronous
    replicas, and is halved where development CER stalls instead of decaying by a clock; units are
    syllables, not letters; no language model yet.
    """
    return RunConfig(
        front_end=preset("las_2015"),
        batches=BatchConfig(max_batch_size=32, max_batch_s=320.0),
        model=LASConfig(
            listener=ListenerConfig(front="pyramid", layers=4, units=256),
            speller=SpellerConfig(attention="content", layers=2, units=512, embedding=512),
        ),
        init=InitConfig(scheme="uniform", scale=0.1),
        objective=ObjectiveConfig(smoothing=0.0, sampling=0.1, sampling_start=0.0),
        optim=OptimConfig(
            optimizer="sgd",
            learning_rate=0.2,
            momentum=0.0,
            weight_decay=0.0,
            schedule="plateau",
            plateau_patience=1,
            warmup_share=0.0,
        ),
        trainer=TrainerConfig(epochs=20, ema_decay=0.0),
        decoding=DecodingConfig(beam=BeamConfig(beams=32, length_normalization=1.0)),
    )
