"""Acoustic models by name, one file each."""

from typing import Any

from malgwi.registry import resolve

MODELS = {
    "las": "malgwi.models.las:LAS",
    "pretrained": "malgwi.models.pretrained:Pretrained",
}


def model_class(name: str) -> Any:
    """The model class of that name."""
    return resolve("model", MODELS, name)
