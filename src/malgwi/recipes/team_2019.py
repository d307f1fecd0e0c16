"""The system of the team that took ninth place in 2019, from its own account."""

from malgwi.augment import SpecAugmentConfig
from malgwi.batching import BatchConfig
from malgwi.config import RunConfig
from malgwi.decoders.attention_beam import BeamConfig
from malgwi.front_end import preset
from malgwi.models.las import LASConfig, ListenerConfig, SpellerConfig
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig


def team() -> RunConfig:
    """Log-mel 128, SpecAugment, two convolutions, bi-GRU 4 × 256, GRU 512, additive attention.

    ``malgwi train team --train TRAIN --dev DEV --out RUN``. Measured: not measured.

    Difference: initialised by layer, since they found out late what U(−0.08, 0.08) had cost.
    """
    return RunConfig(
        front_end=preset("team_2019"),
        masking=SpecAugmentConfig(
            freq_mask_width=20,
            num_freq_masks=2,
            time_mask_width=70,
            num_time_masks=2,
            max_time_fraction=1.0,
        ),
        batches=BatchConfig(max_batch_size=16, max_batch_s=160.0),
        model=LASConfig(
            listener=ListenerConfig(front="conv", cell="gru", layers=4, units=256, dropout=0.2),
            speller=SpellerConfig(
                attention="additive",
                attention_units=256,
                cell="gru",
                layers=1,
                units=512,
                embedding=64,
                dropout=0.2,
            ),
        ),
        objective=ObjectiveConfig(smoothing=0.1),
        optim=OptimConfig(
            optimizer="adam",
            learning_rate=1e-4,
            betas=(0.9, 0.999),
            weight_decay=0.0,
            schedule="epochs",
            warmup_steps=1000,
            milestones=(20, 35, 45),
        ),
        trainer=TrainerConfig(epochs=60, ema_decay=0.0, evaluations=60),
        decoding=DecodingConfig(beam=BeamConfig(beams=16, length_normalization=1.0)),
    )
