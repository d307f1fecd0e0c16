"""The recurrent transducer as published: Graves, Mohamed & Hinton 2013, arXiv 1303.5778, §3.2, §4.

*Speech Recognition with Deep Recurrent Neural Networks*: the first transducer of Graves 2012
(arXiv 1211.3711) made deep, on TIMIT ("Trans-3l-250h").
"""

from malgwi.batching import BatchConfig
from malgwi.config import RunConfig
from malgwi.decoders.attention_beam import BeamConfig
from malgwi.front_end import preset
from malgwi.models.transducer import EncoderConfig, PredictorConfig, TransducerConfig
from malgwi.nn.initialize import InitConfig
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig


def transducer() -> RunConfig:
    """The paper's: 40 log-mel, BLSTM 3 × 250, prediction LSTM 250, tanh joint, beam 100.

    ``malgwi train transducer --train TRAIN --dev DEV --out RUN`` (made for a GPU: the lattice has
    a node for every frame of 10 ms). Measured: not measured (the paper: 18.3 % phone error rate on
    TIMIT; 17.7 % with both networks pretrained).

    Differences from the paper: no energy and no derivatives beside the 40 bands; plain SGD at its
    10⁻⁴ and momentum 0.9 on batches instead of single utterances, clipped; its weight noise of
    0.075 sets in at a fixed step, not where a first training without it stopped; no pretraining;
    units are syllables, not phones.
    """
    return RunConfig(
        front_end=preset("las_2015"),
        batches=BatchConfig(max_batch_size=8, max_batch_s=80.0),
        model=TransducerConfig(
            encoder=EncoderConfig(stack=1, layers=3, units=250, layer_norm=False),
            predictor=PredictorConfig(context=0, embedding=250, layers=1, units=250),
            joint_units=250,
        ),
        init=InitConfig(scheme="uniform", scale=0.1),
        objective=ObjectiveConfig(),
        optim=OptimConfig(
            optimizer="sgd",
            learning_rate=1e-4,
            momentum=0.9,
            weight_decay=0.0,
            schedule="constant",
            warmup_share=0.0,
            weight_noise=0.075,
        ),
        trainer=TrainerConfig(epochs=50, ema_decay=0.0, evaluations=50),
        dev_decoding=DecodingConfig(method="transducer"),
        decoding=DecodingConfig(method="transducer_beam", beam=BeamConfig(beams=100)),
    )
