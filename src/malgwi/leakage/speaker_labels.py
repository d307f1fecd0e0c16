"""Whether speaker labels can be what they say: missing, or an utterance number in disguise.

A split by speaker is worth what its labels are worth. If nearly every utterance has a speaker of
its own, the label most likely numbers utterances, and a split by it separates nothing.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

#: From this many labelled utterances on, shares say something.
_FEWEST = 20
#: Distinct labels over labelled utterances: real corpora have below 0.2, one label each has 1.
_TOO_MANY = 0.5
#: So few labels over so many utterances may be roles, which many people share.
_FEW, _MANY = 3, 1000


@dataclass(frozen=True, kw_only=True)
class SpeakerLabels:
    """The labels of one part.

    Attributes:
        distinct: Different labels.
        labelled: Utterances with one.
        missing: Utterances without.
        alone: Labels that only one utterance has.
        same_as_id: Utterances whose label is their own id.
    """

    distinct: int
    labelled: int
    missing: int
    alone: int
    same_as_id: int

    @property
    def numbered(self) -> bool:
        """Whether the labels seem to number utterances: they then say nothing about people."""
        many = max(self.same_as_id / 0.5, self.distinct / _TOO_MANY)
        return self.labelled >= _FEWEST and many > self.labelled

    def doubts(self) -> tuple[str, ...]:
        """Why the labels should not be relied on, in words; empty where nothing speaks so.

        >>> SpeakerLabels(distinct=98, labelled=100, missing=0, alone=96, same_as_id=0).doubts()
        ('98 speakers for 100 utterances: the label seems to number utterances, not people',)
        """
        found = []
        if self.missing:
            utterances = self.labelled + self.missing
            found.append(f"{self.missing:,} of {utterances:,} utterances name no speaker")
        if self.labelled >= _FEWEST:
            if self.same_as_id > self.labelled / 2:
                found.append(f"the label of {self.same_as_id:,} utterances is their own id")
            elif self.numbered:
                found.append(
                    f"{self.distinct:,} speakers for {self.labelled:,} utterances: the label "
                    "seems to number utterances, not people"
                )
            elif self.distinct == 1:
                found.append(f"one speaker for all {self.labelled:,} utterances: is it one person?")
            elif self.distinct <= _FEW and self.labelled >= _MANY:
                found.append(
                    f"{self.distinct} speakers for {self.labelled:,} utterances: are these people, "
                    "or roles such as agent and customer?"
                )
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "doubts": list(self.doubts())}


def speaker_labels(counts: Iterable[int], utterances: int, same_as_id: int) -> SpeakerLabels:
    """Judge labels.

    Args:
        counts: For each label, how many utterances have it.
        utterances: All of them, those without a label too.
        same_as_id: Those whose label is their own id.
    """
    distinct = labelled = alone = 0
    for count in counts:
        distinct += 1
        labelled += count
        alone += count == 1
    return SpeakerLabels(
        distinct=distinct,
        labelled=labelled,
        missing=utterances - labelled,
        alone=alone,
        same_as_id=same_as_id,
    )
