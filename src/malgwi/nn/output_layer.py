"""Which output layer writes the units: with a vector for each, or with its letters' alone."""

from collections.abc import Sequence

from torch import nn

from malgwi.errors import ConfigError
from malgwi.nn.composed_output import ComposedOutput
from malgwi.nn.factored_output import FactoredOutput

#: (initial, medial, final) of every unit; (-1, -1, -1) for one that is no syllable.
Letters = Sequence[tuple[int, int, int]]


def letters_to_compose(composed: bool, letters: Letters | None) -> Letters | None:
    """The letters of a model with ``composed_output``; None for any other.

    Raises:
        ConfigError: A composed output without letters.
    """
    if composed and letters is None:
        raise ConfigError("composed_output needs a tokenizer of syllables (letters missing)")
    return letters if composed else None


def output_layer(
    inputs: int, size: int, letters: Letters | None = None, rank: int | None = None
) -> nn.Module:
    """D → V.

    Args:
        inputs: D.
        size: V.
        letters: For syllables that share what their letters have in common; None for an ordinary
            linear layer.
        rank: None gives every unit a vector of its own as well; a number leaves syllables with
            their letters and so many products of them.

    Raises:
        ConfigError: A rank without letters.
    """
    if rank is None:
        return ComposedOutput(inputs, size, letters)
    if letters is None:
        raise ConfigError("model.output_rank is for model.composed_output: set that to True")
    return FactoredOutput(inputs, letters, rank=rank)
