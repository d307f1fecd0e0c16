"""Recipes for two CPU cores and an hour; `quick` is the one to start with."""

from dataclasses import replace

from malgwi.augment import SpecAugmentConfig
from malgwi.batching import BatchConfig
from malgwi.config import RunConfig
from malgwi.decoders.attention_beam import BeamConfig
from malgwi.decoders.fusion import FusionConfig
from malgwi.front_end import FrontEndConfig, preset
from malgwi.lm.transcripts import TranscriptsLmConfig
from malgwi.models.conformer import ConformerConfig
from malgwi.models.las import LASConfig, ListenerConfig, SpellerConfig
from malgwi.models.transducer import EncoderConfig, PredictorConfig, TransducerConfig
from malgwi.nn.conformer_block import ConformerEncoderConfig
from malgwi.nn.subsampling import SubsamplingConfig
from malgwi.nn.transformer_decoder import TransformerDecoderConfig
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.tokenizers import TokenizerConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig

_LISTENER = ListenerConfig(
    front="stack", stack=8, layers=4, units=320, layer_norm=True, dropout=0.3
)
_SPELLER = SpellerConfig(
    attention="multihead",
    attention_units=256,
    heads=4,
    input_feeding=False,
    layers=1,
    units=320,
    embedding=128,
    dropout=0.2,
)


def quick() -> RunConfig:
    """CTC over letters (jamo) on 40 ms frames: BLSTM 4 × 256, 60 minutes.

    ``malgwi train quick --train TRAIN --dev DEV --out RUN --budget 60m``, two CPU cores.
    Measured: CER without spaces 43.9 % (27.8 to 53.6), 40.2 % (22.7 to 52.1) with more text
    (``malgwi lm TEXT --tokenizer RUN``, ``--lm``), 55.0 % (37.8 to 64.6) greedy, on unseen speakers
    and sentences after 3.25 h of real speech, on cores without AVX-512 (docs/experiments.md).

    Alone, letters are as good as syllables; with a language model they are far better, since a beam
    of letters keeps what was half heard. So one of the training transcripts comes with it. CTC's
    output is trained on the second of the four layers as well (arXiv 2102.03216), worth two to
    three points. Dropout, masks and other speeds begin at nothing and grow for forty epochs, which
    is more than two plain cores come to in an hour with as much speech; after them two views of
    every utterance under other masks have to agree (arXiv 2410.05101). The masks are lighter than
    the papers'.
    """
    base = joint_quick()
    decoding = DecodingConfig(
        method="ctc_beam", fusion=FusionConfig(lm_weight=0.7, insertion_bonus=1.5)
    )
    return replace(
        base,
        tokenizer=TokenizerConfig(kind="jamo"),
        batches=replace(
            base.batches,
            speeds=(0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15),
            length_jitter_s=0.1,
            views=2,
        ),
        model=LASConfig(
            listener=replace(_LISTENER, stack=4, units=256), speller=None, ctc=True, early_ctc=2
        ),
        objective=ObjectiveConfig(ctc_weight=1.0),
        trainer=replace(base.trainer, ramp_epochs=40),
        dev_decoding=DecodingConfig(method="ctc"),
        decoding=decoding,
        transcripts_lm=TranscriptsLmConfig(order=6),
    )


def telephone() -> RunConfig:
    """`quick` on 8 kHz audio.

    ``malgwi train telephone --train TRAIN --dev DEV --out RUN --budget 60m``, two CPU cores.
    Measured: CER without spaces 46.8 % (27.7 to 57.6), 44.3 % (26.4 to 56.4) with more text,
    57.5 % (38.8 to 67.4) greedy, as `quick` was (docs/experiments.md).
    """
    base = quick()
    return replace(base, front_end=replace(preset("telephone"), trim_db=40.0, floor=1e-6))


def joint_quick() -> RunConfig:
    """Joint CTC and attention on 80 ms frames: BLSTM 4 × 320, composed syllables, 60 minutes.

    ``malgwi train joint_quick --train TRAIN --dev DEV --out RUN --budget 60m``, two CPU cores.
    Measured: CER without spaces 53.6 % (43.5 to 74.6) on unseen speakers and sentences after 3.6 h
    of real speech (docs/experiments.md). The masks are lighter than the papers', which cost more
    than they give in so short a training.
    """
    return RunConfig(
        front_end=FrontEndConfig(num_mels=80, f_min_hz=20.0, floor=1e-6, trim_db=40.0),
        masking=SpecAugmentConfig(
            freq_mask_width=10,
            num_freq_masks=2,
            time_mask_width=20,
            num_time_masks=2,
            max_time_fraction=0.2,
        ),
        batches=BatchConfig(max_batch_s=80.0, speeds=(0.9, 1.0, 1.1), nonspeech_share=0.03),
        model=LASConfig(listener=_LISTENER, speller=_SPELLER, ctc=True, composed_output=True),
        objective=ObjectiveConfig(ctc_weight=0.5, smoothing=0.1),
        optim=OptimConfig(learning_rate=1.5e-3, schedule="cosine", warmup_share=0.05),
        trainer=TrainerConfig(budget_s=3600.0, ema_decay=0.999),
        dev_decoding=DecodingConfig(beam=BeamConfig(beams=4, ctc_weight=0.6, patience=1.0)),
        decoding=DecodingConfig(beam=BeamConfig(beams=8, ctc_weight=0.6)),
    )


def transducer_quick() -> RunConfig:
    """`joint_quick` with a transducer (arXiv 1211.3711) in the speller's place: BLSTM 4 × 320.

    ``malgwi train transducer_quick --train TRAIN --dev DEV --out RUN --budget 60m``, two CPU
    cores. Measured: after 30 minutes CER without spaces 64.7 % (52.5 to 71.0), by its CTC output
    with a language model 55.2 %, on unseen speakers and sentences (docs/experiments.md).

    Front end, batches, augmentation, encoder, CTC's share and budget are `joint_quick`'s, so that
    the families compare. What was written is remembered two syllables long (stateless prediction).
    """
    return replace(
        joint_quick(),
        model=TransducerConfig(
            encoder=EncoderConfig(stack=8, layers=4, units=320, dropout=0.3),
            predictor=PredictorConfig(context=2, embedding=128, units=256, dropout=0.2),
            joint_units=256,
            ctc=True,
            composed_output=True,
        ),
        dev_decoding=DecodingConfig(method="transducer"),
        decoding=DecodingConfig(method="transducer_beam", beam=BeamConfig(beams=8)),
    )


def demo() -> RunConfig:
    """`joint_quick` at 8 kHz, smaller and at 60 ms, for the embedded corpus and five minutes.

    ``malgwi demo``, two CPU cores. Measured: CER without spaces 5.1 % (3.4 to 6.9) on unseen
    voices and sentences (docs/experiments.md).
    """
    base = joint_quick()
    listener = replace(_LISTENER, stack=6, layers=3, units=256, dropout=0.1)
    speller = replace(_SPELLER, units=256, dropout=0.1)
    return replace(
        base,
        front_end=telephone().front_end,
        batches=replace(base.batches, max_batch_s=60.0),
        model=LASConfig(listener=listener, speller=speller, ctc=True, composed_output=True),
        optim=replace(base.optim, learning_rate=2e-3),
        trainer=replace(base.trainer, budget_s=280.0, evaluations=10),
    )


def conformer_quick() -> RunConfig:
    """`joint_quick` with a Conformer (arXiv 2005.08100): 8 blocks of 192, 80 ms.

    ``malgwi train conformer_quick --train TRAIN --dev DEV --out RUN --budget 60m``, two CPU cores.
    Measured: after 30 minutes CER without spaces 72.0 % (63.1 to 84.1), by its CTC output with a
    language model 69.8 %, on unseen speakers and sentences (docs/experiments.md).

    Front end, batches, augmentation, loss, decoding and budget are `joint_quick`'s, so that the
    families compare. The learning rate is lower and warms up for longer, as attention wants.
    """
    base = joint_quick()
    model = ConformerConfig(
        front=SubsamplingConfig(kind="stack", factor=8),
        encoder=ConformerEncoderConfig(
            layers=8, units=192, heads=4, kernel=15, conv_norm="layer", dropout=0.1
        ),
        decoder=TransformerDecoderConfig(layers=1, heads=4, dropout=0.1),
        composed_output=True,
    )
    return replace(
        base, model=model, optim=replace(base.optim, learning_rate=1e-3, warmup_share=0.1)
    )
