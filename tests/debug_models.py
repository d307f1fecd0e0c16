"""A debug size of every model: one configuration a kind, small enough for a test of a second.

Whatever holds for every family (tests/contracts/test_families.py, the golden loss curves) is
tested on these.
"""

import torch
from torch import Tensor

from malgwi.batching import Batch
from malgwi.models import model_class
from malgwi.models.conformer import ConformerConfig
from malgwi.models.deep_speech import DeepSpeechConfig
from malgwi.models.deep_speech2 import DeepSpeech2Config
from malgwi.models.las import LASConfig, ListenerConfig, SpellerConfig
from malgwi.models.transducer import EncoderConfig, PredictorConfig, TransducerConfig
from malgwi.nn.acoustic_model import AcousticModel, Encoded, ModelConfig
from malgwi.nn.conformer_block import ConformerEncoderConfig
from malgwi.nn.initialize import InitConfig, initialize
from malgwi.nn.subsampling import SubsamplingConfig
from malgwi.nn.transformer_decoder import TransformerDecoderConfig
from malgwi.objective import Objective, ObjectiveConfig

WIDTH, SIZE = 16, 12
BLANK, START, END = 0, 1, 2

DEBUG: dict[str, ModelConfig] = {
    "las": LASConfig(
        listener=ListenerConfig(front="stack", stack=2, layers=2, units=8, dropout=0.1),
        speller=SpellerConfig(layers=1, units=12, embedding=6, attention_units=8),
        ctc=True,
    ),
    "deep_speech": DeepSpeechConfig(context=3, units=16),
    "deep_speech2": DeepSpeech2Config(channels=(4, 4), cell="rnn", layers=2, units=16),
    "conformer": ConformerConfig(
        front=SubsamplingConfig(kind="separable", factor=4, channels=4),
        encoder=ConformerEncoderConfig(layers=2, units=16, heads=2, kernel=5),
        decoder=TransformerDecoderConfig(layers=2, heads=2),
    ),
    "transducer": TransducerConfig(
        encoder=EncoderConfig(stack=2, layers=2, units=8, dropout=0.1),
        predictor=PredictorConfig(context=0, embedding=6, layers=2, units=10, dropout=0.1),
        joint_units=12,
        ctc=True,
    ),
}


def make(config: ModelConfig, seed: int = 0) -> AcousticModel:
    """The initialised model of that configuration over WIDTH features and SIZE units."""
    torch.manual_seed(seed)
    model: AcousticModel = model_class(config.kind)(WIDTH, SIZE, config, None)
    initialize(model, InitConfig())
    return model


def batch(seed: int = 4) -> Batch:
    """Three utterances of different lengths, in a padded batch."""
    random = torch.Generator().manual_seed(seed)
    lengths, token_lengths = torch.tensor([61, 42, 23]), torch.tensor([6, 4, 3])
    features = torch.randn(3, 61, WIDTH, generator=random)
    tokens = torch.randint(3, SIZE, (3, 6), generator=random)
    return Batch(
        ids=("a", "b", "c"),
        features=features * _exists(lengths, 61)[..., None],
        lengths=lengths,
        tokens=tokens * _exists(token_lengths, 6),
        token_lengths=token_lengths,
        audio_s=1.26,
    )


def objective(config: ModelConfig) -> Objective:
    """A loss in which every head of the model takes part."""
    weight = 0.0 if not config.ctc else 1.0 if config.writer is None else 0.5
    ids = {"start_id": START, "end_id": END, "blank_id": BLANK}
    return Objective(ObjectiveConfig(ctc_weight=weight), **ids)


def written(model: AcousticModel, tokens: Tensor, encoded: Encoded) -> Tensor:
    """What its writer makes of tokens [B, U]: logits [B, U, V], a transducer's at frame 0."""
    if model.config.writer == "transducer":
        heard, said = model.joint_parts(tokens, encoded)
        return model.join(heard[:, :1], said)
    return model.write(tokens, encoded)


def _exists(lengths: Tensor, size: int) -> Tensor:
    return torch.arange(size)[None] < lengths[:, None]
