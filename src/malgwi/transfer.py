"""Beginning where another run ended: its weights by parameter, and by unit where these differ.

A recogniser of one client's calls, or one pretrained on synthetic speech, becomes another's start.
The surprising choice: nothing has to fit. What is of another shape begins as it would have anyway,
and is named; only a model that would take over next to nothing is refused.

Shapes: V units of the new run, W of the other.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from malgwi.errors import ConfigError
from malgwi.front_end import FrontEndConfig
from malgwi.lm.units import unit_texts
from malgwi.nn.acoustic_model import AcousticModel
from malgwi.transcribe import Recogniser
from malgwi.types import Tokenizer

#: A smaller share of parameters in common is an accident of names.
LEAST = 0.1


@dataclass(frozen=True, kw_only=True)
class Transferred:
    """What was taken over.

    Attributes:
        parameters: How many numbers, of ``of`` that the model has.
        of: See there.
        units: How many of the new run's units the other knew.
        anew: Names of parameters that begin as they would have anyway.
    """

    parameters: int
    of: int
    units: int
    anew: tuple[str, ...]

    def __str__(self) -> str:
        anew = f"; anew: {', '.join(self.anew)}" if self.anew else ""
        return (
            f"{self.parameters / 1e6:.2f} of {self.of / 1e6:.2f} M parameters and {self.units} "
            f"units taken over{anew}"
        )


@torch.no_grad()
def transfer(
    model: AcousticModel, tokenizer: Tokenizer, front_end: FrontEndConfig, other: Recogniser
) -> Transferred:
    """Copy what fits of ``other`` into ``model``, whose remaining parameters stay as they are.

    Parameters and buffers of the same name and shape are copied. Where the units differ, those
    whose first dimension is the vocabulary, [V, …] and [W, …], are copied row by row: a unit's row
    is that of the same unit of the other.

    Raises:
        ConfigError: The other hears through another front end, or next to nothing fits.
    """
    differing = front_end.heard_otherwise(other.front_end.config)
    if differing:
        raise ConfigError(
            f"init.from_run: that run heard through another front end: {'; '.join(differing)}"
        )
    rows, other_rows = _shared(tokenizer, other.tokenizer)
    sizes = tokenizer.size, other.tokenizer.size
    same_units = tokenizer.to_dict() == other.tokenizer.to_dict()
    given = other.model.state_dict()
    parameters = {name: p.numel() for name, p in model.named_parameters()}
    taken, anew = 0, []
    for name, own in model.state_dict().items():
        source = given.get(name)
        if source is None:
            anew.append(name)
        elif not same_units and _by_unit(own, source, sizes):
            own[rows] = source[other_rows]
            taken += own[rows].numel() if name in parameters else 0
        elif own.shape == source.shape:
            own.copy_(source)
            taken += parameters.get(name, 0)
        else:
            anew.append(name)
    total = sum(parameters.values())
    if taken < LEAST * total:
        raise ConfigError(
            f"init.from_run: only {taken:,} of {total:,} parameters of this model of kind "
            f"{model.config.kind} have the name and shape of one of that run's, of kind "
            f"{other.model.config.kind}: train the same recipe with the same sizes"
        )
    return Transferred(parameters=taken, of=total, units=len(rows), anew=tuple(anew))


def _shared(tokenizer: Tokenizer, other: Tokenizer) -> tuple[list[int], list[int]]:
    """Ids of the units that both know: here, and there. The special ones are always among them."""
    known = {text: token for token, text in enumerate(_names(other))}
    pairs = [(token, known[text]) for token, text in enumerate(_names(tokenizer)) if text in known]
    return [own for own, _ in pairs], [theirs for _, theirs in pairs]


def _names(tokenizer: Tokenizer) -> list[str]:
    """A name of each id that no other id has."""
    names = unit_texts(tokenizer)
    names[tokenizer.blank_id] = "<blank>"
    return names


def _by_unit(own: Tensor, source: Tensor, sizes: tuple[int, int]) -> bool:
    if own.ndim == 0 or source.ndim == 0:
        return False
    return (len(own), len(source)) == sizes and own.shape[1:] == source.shape[1:]
