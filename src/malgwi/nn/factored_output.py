"""Output layer that scores initial, medial and final apart: 68 outputs write 11,172 syllables.

The score of a syllable is the sum of the scores of its letters, and of what the three have to say
together: a sum of ``rank`` products of one factor a letter (a canonical decomposition of the table
initial × medial × final), each weighted by the features. Nothing belongs to one syllable alone, so
a syllable that training never saw can be written. Units without letters (blank, Latin, a digit)
keep an output of their own.

Shapes: D features, V vocabulary, R rank.
Source: Hitchcock 1927 (the decomposition); the letters are Unicode's, chapter 3.12.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from malgwi.errors import ConfigError

_PARTS = (19, 21, 28)  # initials, medials, finals of the Hangul block; index 0 of finals is "none"


class FactoredOutput(nn.Module):
    """Linear outputs for letters and other units, composed to D → V.

    Args:
        inputs: D.
        letters: For each of the V units its (initial, medial, final) indices, or (-1, -1, -1) for
            a unit that is no syllable.
        rank: R; 0 leaves out what letters have to say together.

    Raises:
        ConfigError: No unit is a syllable, or the rank is negative.
    """

    def __init__(
        self, inputs: int, letters: Sequence[tuple[int, int, int]], *, rank: int = 0
    ) -> None:
        super().__init__()
        if rank < 0:
            raise ConfigError(f"model.output_rank is {rank}: it must be 0 or more")
        table = torch.tensor(letters, dtype=torch.long)
        composed = table[:, 0] >= 0
        if not composed.any():
            raise ConfigError("a factored output needs a tokenizer of syllables: none is one")
        table = table[composed]
        self.letters = nn.Linear(inputs, sum(_PARTS))
        self.others = nn.Linear(inputs, int((~composed).sum()))
        self.mix = nn.Linear(inputs, rank, bias=False) if rank else None
        factors = _PARTS if rank else ()
        self.factors = nn.ParameterList(nn.Parameter(torch.zeros(n, rank)) for n in factors)
        spelt = torch.cat([F.one_hot(table[:, i], n) for i, n in enumerate(_PARTS)], dim=1)
        places = torch.cat([(~composed).nonzero()[:, 0], composed.nonzero()[:, 0]]).argsort()
        self.register_buffer("table", table, persistent=False)
        self.register_buffer("spelt", spelt.float(), persistent=False)  # [syllables, 68] of 0, 1
        self.register_buffer("places", places, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [..., D] → scores [..., V]."""
        said, spelling = self.letters(x), self.get_buffer("spelt")
        if self.mix is not None:
            said = torch.cat([said, self.mix(x)], dim=-1)
            spelling = torch.cat([spelling, self.products()], dim=-1)
        scores = torch.cat([self.others(x), F.linear(said, spelling.to(said.dtype))], dim=-1)
        ordered: Tensor = scores[..., self.get_buffer("places")]
        return ordered

    def products(self) -> Tensor:
        """For every syllable the R products of its letters' factors: [syllables, R]."""
        table = self.get_buffer("table")
        parts = [factor[table[:, place]] for place, factor in enumerate(self.factors)]
        product: Tensor = parts[0] * parts[1] * parts[2]
        return product
