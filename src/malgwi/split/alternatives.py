"""What it would cost to let a relation leak, where parts cannot be disjoint in both for little.

The surprising choice: nothing is estimated. Each way out is solved as it would be if it were asked
for, and what then leaks is counted.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from malgwi.split.linkage import Linked, size

Relation = Literal["speaker", "script"]
#: Utterance → its part's number, 0 for training; None where a part would be empty.
Divide = Callable[[Relation], NDArray[np.int8] | None]

RELATIONS: tuple[Relation, ...] = ("speaker", "script")
#: From this share of dropped utterances on, the other ways out are worth their time.
MANY = 0.1


def alternatives(
    linked: Linked, names: Sequence[str], relations: Sequence[Relation], divide: Divide
) -> str:
    """One clause for each relation that could yield: what then leaks, or that it is impossible."""
    return "; ".join(_cost(linked, names, relation, divide(relation)) for relation in relations)


def _cost(
    linked: Linked, names: Sequence[str], relation: Relation, part: NDArray[np.int8] | None
) -> str:
    option = f"--yield {relation}"
    if part is None:
        return f"{option} is impossible, too"
    side = linked.rows.speaker if relation == "speaker" else linked.rows.script
    trained = np.zeros(size(side), bool)
    trained[side[part == 0]] = True
    shares = " and ".join(
        f"{trained[side[part == number]].mean():.1%} of {name}"
        for number, name in enumerate(names[1:], 1)
    )
    return f"{option} drops nothing, and {shares} share a {relation} with train"
