"""The baseline handed out to the 100 teams of the 2019 NAVER AI Hackathon SPEECH."""

from malgwi.batching import BatchConfig
from malgwi.config import RunConfig
from malgwi.front_end import preset
from malgwi.models.las import LASConfig, ListenerConfig, SpellerConfig
from malgwi.nn.initialize import InitConfig
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.text.normalize import NormalizerConfig
from malgwi.tokenizers import TokenizerConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig


def organisers() -> RunConfig:
    """Magnitude STFT, two convolutions, GRU 3 × 512, GRU decoder 3 × 512, dot attention, greedy.

    ``malgwi train organisers --train TRAIN --dev DEV --out RUN``. Measured: not measured.

    Kept as handed out: texts as found, spaces predicted, no smoothing, no trimming,
    U(−0.08, 0.08) over every parameter, norms included (the start-up check warns of it).
    Differences: attention is masked by length; teacher forcing 0.5 is drawn a step, not a batch;
    development decoding runs to the audio's own length bound, not to the reference's; units are
    learned from the training split unless ``--tokenizer.kind label_table`` names their table.
    """
    return RunConfig(
        text=NormalizerConfig(
            digits="keep", case="keep", symbols="keep", punctuation="keep", forms="keep"
        ),
        tokenizer=TokenizerConfig(spaces=True),
        front_end=preset("organisers_2019"),
        batches=BatchConfig(max_batch_size=8, max_batch_s=160.0),
        model=LASConfig(
            listener=ListenerConfig(
                front="conv", cell="gru", layers=3, units=512, bidirectional=False, dropout=0.2
            ),
            speller=SpellerConfig(
                attention="dot",
                attention_units=512,
                cell="gru",
                layers=3,
                units=512,
                embedding=512,
                dropout=0.2,
            ),
        ),
        init=InitConfig(scheme="uniform_everything", scale=0.08),
        objective=ObjectiveConfig(smoothing=0.0, sampling=0.5, sampling_start=0.0),
        optim=OptimConfig(
            optimizer="adam",
            learning_rate=1e-4,
            betas=(0.9, 0.999),
            weight_decay=0.0,
            schedule="constant",
            warmup_share=0.0,
        ),
        trainer=TrainerConfig(epochs=30, ema_decay=0.0, evaluations=30),
        decoding=DecodingConfig(method="attention"),
    )
