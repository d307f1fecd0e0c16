"""The recipe to start with: the best small recogniser known here for two CPU cores and an hour."""

from dataclasses import replace

from malgwi.augment import SpecAugmentConfig
from malgwi.batching import BatchConfig
from malgwi.config import RunConfig
from malgwi.decoders.attention_beam import BeamConfig
from malgwi.features import FrontEndConfig, preset
from malgwi.models.las import LASConfig, ListenerConfig, SpellerConfig
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig


def quick() -> RunConfig:
    """Joint CTC and attention on 80 ms frames: BLSTM 4 × 320, composed syllables, 60 minutes.

    ``malgwi train quick --train TRAIN --dev DEV --out RUN --budget 60m``, two CPU cores.
    Measured: CER without spaces 58.3 % (46.2 to 70.7) on unseen speakers and sentences after 3.6 h
    of real speech (docs/experiments.md).
    """
    return RunConfig(
        front_end=FrontEndConfig(num_mels=80, f_min_hz=20.0, floor=1e-6, trim_db=40.0),
        masking=SpecAugmentConfig(
            freq_mask_width=20,
            num_freq_masks=2,
            time_mask_width=40,
            num_time_masks=4,
            max_time_fraction=0.2,
        ),
        batches=BatchConfig(max_batch_s=80.0, speeds=(0.9, 1.0, 1.1), nonspeech_share=0.03),
        model=LASConfig(
            listener=ListenerConfig(
                front="stack", stack=8, layers=4, units=320, layer_norm=True, dropout=0.3
            ),
            speller=SpellerConfig(
                attention="multihead",
                attention_units=256,
                heads=4,
                input_feeding=False,
                layers=1,
                units=320,
                embedding=128,
                dropout=0.2,
            ),
            ctc=True,
            composed_output=True,
        ),
        objective=ObjectiveConfig(ctc_weight=0.5, smoothing=0.1),
        optim=OptimConfig(learning_rate=1.5e-3, schedule="cosine", warmup_share=0.05),
        trainer=TrainerConfig(budget_s=3600.0, ema_decay=0.999),
        dev_decoding=DecodingConfig(beam=BeamConfig(beams=4, ctc_weight=0.6, patience=1.0)),
        decoding=DecodingConfig(beam=BeamConfig(beams=8, ctc_weight=0.6)),
    )


def telephone() -> RunConfig:
    """`quick` on 8 kHz audio.

    ``malgwi train telephone --train TRAIN --dev DEV --out RUN --budget 60m``, two CPU cores.
    Measured: not measured.
    """
    base = quick()
    return replace(base, front_end=replace(preset("telephone"), trim_db=40.0, floor=1e-6))


def demo() -> RunConfig:
    """`telephone`, smaller and at 60 ms, for the embedded corpus and five minutes.

    ``malgwi demo``, two CPU cores. Measured: CER without spaces 5.1 % (3.4 to 6.9) on unseen
    voices and sentences (docs/experiments.md).
    """
    base = telephone()
    assert isinstance(base.model, LASConfig)
    listener = replace(base.model.listener, stack=6, layers=3, units=256, dropout=0.1)
    speller = replace(base.model.speller, units=256, dropout=0.1)
    return replace(
        base,
        masking=SpecAugmentConfig(
            freq_mask_width=10,
            num_freq_masks=2,
            time_mask_width=20,
            num_time_masks=2,
            max_time_fraction=0.2,
        ),
        batches=replace(base.batches, max_batch_s=60.0),
        model=replace(base.model, listener=listener, speller=speller),
        optim=replace(base.optim, learning_rate=2e-3),
        trainer=replace(base.trainer, budget_s=280.0, evaluations=10),
    )
