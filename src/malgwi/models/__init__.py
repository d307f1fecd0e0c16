"""Acoustic models by name, one file each."""

from typing import Any

from malgwi.registry import resolve

MODELS = {
    "las": "malgwi.models.las:LAS",
    "deep_speech": "malgwi.models.deep_speech:DeepSpeech",
    "deep_speech2": "malgwi.models.deep_speech2:DeepSpeech2",
    "conformer": "malgwi.models.conformer:Conformer",
    "transducer": "malgwi.models.transducer:Transducer",
    "pretrained": "malgwi.models.pretrained:Pretrained",
}


def model_class(name: str) -> Any:
    """The model class of that name."""
    return resolve("model", MODELS, name)
