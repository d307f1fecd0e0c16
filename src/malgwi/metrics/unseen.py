"""Characters of the references that training never saw: how often they were said, and recognised.

Units of whole syllables that come from the training texts cannot write them; letters, subwords
down to letters, or all 11,172 syllables can. Counted by the same alignment as the error rate.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from malgwi.metrics.alignment import align


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """Counts by character; white space is none.

    Attributes:
        said: In the references.
        recognised: Of these, heard as they were said.
        characters: Of all references, seen or not.
    """

    said: Mapping[str, int] = field(default_factory=dict)
    recognised: Mapping[str, int] = field(default_factory=dict)
    characters: int = 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON, the most frequent first."""
        return {
            "said": sum(self.said.values()),
            "recognised": sum(self.recognised.values()),
            "of_characters": self.characters,
            "by_character": {
                ch: [count, self.recognised.get(ch, 0)] for ch, count in self.said.items()
            },
        }


def unseen(
    references: Mapping[str, str], hypotheses: Mapping[str, str], seen: frozenset[str]
) -> Unseen:
    """What of the references training never saw.

    Args:
        references: id → text, normalised.
        hypotheses: id → text, for every id of the references.
        seen: The characters of the training texts.

    >>> found = unseen({"a": "말귀 뷁 뷁"}, {"a": "말귀뷁북"}, frozenset("말귀"))
    >>> found.said, found.recognised, found.characters
    ({'뷁': 2}, {'뷁': 1}, 4)
    """
    said, recognised, characters = Counter[str](), Counter[str](), 0
    for name, reference in references.items():
        text = "".join(reference.split())
        characters += len(text)
        strange = Counter(ch for ch in text if ch not in seen)
        if not strange:
            continue
        said.update(strange)
        edits = align(text, "".join(hypotheses[name].split()))
        hits = (edit.reference for edit in edits if edit.kind == "hit")
        recognised.update(ch for ch in hits if ch is not None and ch in strange)
    ordered = dict(sorted(said.items(), key=lambda pair: (-pair[1], pair[0])))
    return Unseen(said=ordered, recognised=dict(recognised), characters=characters)
