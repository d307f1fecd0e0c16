"""A pretrained encoder fine-tuned with CTC: wav2vec 2.0, Baevski et al. 2020, arXiv 2006.11477."""

from malgwi.batching import BatchConfig
from malgwi.config import RunConfig
from malgwi.front_end import preset
from malgwi.models.pretrained import PretrainedConfig
from malgwi.nn.transformer_decoder import TransformerDecoderConfig
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig


def finetune() -> RunConfig:
    """CTC on a pretrained encoder: first the head alone, then all but the convolutions (§4.3).

    ``malgwi train finetune --encoder PATH --train TRAIN --dev DEV --out RUN --budget 10h``, made
    for a GPU (``--device cuda``). Measured: not measured.

    From the paper: Adam, a rate that rises for 10 % of the run, holds for 40 % and falls in a line;
    3e-5 for the encoder; masks over time and channels, LayerDrop, and no training of the
    convolutions. Differences: the head alone is trained for a tenth of the run, which a budget can
    hold, instead of 10,000 updates; the head, which writes a thousand syllables and not 30 letters,
    learns ten times as fast as the encoder; batches hold 320 s of speech instead of 1,600 s;
    weights are averaged.
    """
    return RunConfig(
        front_end=preset("waveform"),
        batches=BatchConfig(max_batch_s=160.0, accumulate=2),
        model=PretrainedConfig(
            # of a joint head: --model.joint --objective.ctc-weight 0.5
            decoder=TransformerDecoderConfig(layers=2, dropout=0.2)
        ),
        objective=ObjectiveConfig(ctc_weight=1.0),
        optim=OptimConfig(
            learning_rate=3e-4,
            weight_decay=0.0,
            schedule="tri_stage",
            warmup_share=0.1,
            hold_share=0.4,
            final_ratio=0.05,
            encoder_rate=0.1,
            encoder_rest_share=0.1,
        ),
        trainer=TrainerConfig(max_steps=20_000),
        dev_decoding=DecodingConfig(method="ctc"),
        decoding=DecodingConfig(method="ctc"),
    )
