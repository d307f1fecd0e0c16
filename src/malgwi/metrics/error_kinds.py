"""Kinds of error over a corpus, with cases of each and the letters that were confused.

The counts sum to the errors that the CER without spaces counts; where words are set apart
differently stands beside them, since that alignment knows no spaces. ``error_classes`` says what
the kinds are.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from malgwi.metrics.error_classes import KINDS, ErrorKind, kinded
from malgwi.metrics.error_rate import check_ids, countable
from malgwi.metrics.jamo_confusions import Confusions, confused_letters, syllable_pairs
from malgwi.metrics.sound_alignment import Aligned, align_by_sound
from malgwi.text.normalize import NormalizerConfig

#: What is cut off an example beyond its word.
_EXAMPLE_CHARACTERS = 24


class Example(NamedTuple):
    """Where a kind was met: the words around it."""

    id: str
    said: str
    heard: str


@dataclass(frozen=True)
class KindCounts:
    """Kinds of error over a corpus.

    Attributes:
        counts: Kind → errors, every kind in the order of ``KINDS``.
        errors: All of them but ``spacing``: those of the CER without spaces.
        reference: Characters of the references without spaces.
        spaces_counted: False where no hypothesis has a space: then ``spacing`` is not counted.
        examples: Kind → a few cases of different utterances, the clearest first.
        confusions: Letters taken for others, from the same alignments.
    """

    counts: Mapping[ErrorKind, int]
    errors: int
    reference: int
    spaces_counted: bool
    examples: Mapping[ErrorKind, tuple[Example, ...]]
    confusions: Confusions

    def share(self, kind: ErrorKind) -> float:
        """Of all errors without spaces; 0 without any."""
        return self.counts[kind] / self.errors if self.errors else 0.0

    def to_dict(self) -> dict[str, Any]:
        """For JSON: each kind with count, share of the errors, and examples."""
        kinds = {
            kind: {
                "count": self.counts[kind],
                "share": None if kind == "spacing" else self.share(kind),
                "examples": [example._asdict() for example in self.examples.get(kind, ())],
            }
            for kind in KINDS
        }
        return {
            "errors": self.errors,
            "reference": self.reference,
            "spaces_counted": self.spaces_counted,
            "kinds": kinds,
        }


def error_kinds(
    references: Mapping[str, str],
    hypotheses: Mapping[str, str],
    normalizer: NormalizerConfig | None = None,
    *,
    silent: Collection[str] = (),
    examples: int = 3,
) -> KindCounts:
    """Classify every error of a corpus.

    Args:
        references: id → what was said.
        hypotheses: id → what was recognised; the same ids.
        normalizer: Applied to both sides, as in scoring.
        silent: Ids of utterances in whose audio nothing is audible.
        examples: Cases kept of each kind.

    Raises:
        DataError: The ids differ.

    >>> found = error_kinds({"a": "학교에 갔다"}, {"a": "학교 갔다"})
    >>> found.counts["particle"], found.errors, found.examples["particle"][0].said
    (1, 1, '학교에')
    """
    check_ids(references, hypotheses)
    silent = frozenset(silent)
    tally = _Tally(examples)
    for name, said in references.items():
        tally.add(
            name,
            align_by_sound(countable(said, normalizer), countable(hypotheses[name], normalizer)),
            silent=name in silent,
        )
    return tally.result(spaces=any(" " in text.strip() for text in hypotheses.values()))


@dataclass
class _Tally:
    """Counts while they grow."""

    most_examples: int
    counts: Counter[ErrorKind] = field(default_factory=Counter)
    examples: dict[ErrorKind, list[tuple[int, Example]]] = field(default_factory=dict)
    together: Counter[tuple[str, str]] = field(default_factory=Counter)
    reference: int = 0

    def add(self, name: str, aligned: Aligned, *, silent: bool) -> None:
        self.together.update(syllable_pairs(aligned))
        self.reference += sum(column.said != "" for column in aligned.columns)
        seen = set()
        for error in kinded(aligned, silent=silent):
            self.counts[error.kind] += 1
            if error.kind not in seen:
                seen.add(error.kind)
                self._show(error.kind, name, aligned, error.place)

    def _show(self, kind: ErrorKind, name: str, aligned: Aligned, place: int) -> None:
        """Keep a case if it is among the clearest: those with fewest errors around."""
        first, end = _bounds(aligned, place)
        around = sum(first <= other < end for other in aligned.errors)
        shown = self.examples.setdefault(kind, [])
        if len(shown) == self.most_examples and (not shown or shown[-1][0] <= around):
            return
        shown.append((around, Example(name, *_words(aligned, first, end))))
        shown.sort(key=lambda case: case[0])
        del shown[self.most_examples :]

    def result(self, *, spaces: bool) -> KindCounts:
        counts = {kind: self.counts[kind] for kind in KINDS}
        if not spaces:
            counts["spacing"] = 0
            self.examples.pop("spacing", None)
        return KindCounts(
            counts=counts,
            errors=sum(count for kind, count in counts.items() if kind != "spacing"),
            reference=self.reference,
            spaces_counted=spaces,
            examples={kind: tuple(case for _, case in c) for kind, c in self.examples.items()},
            confusions=confused_letters(self.together),
        )


def _bounds(aligned: Aligned, place: int) -> tuple[int, int]:
    """The word of an error as (first place, behind the last); of a misplaced space both words."""
    column = aligned.columns[place]
    first, end = aligned.word_bounds[column.word]
    if column.kind == "hit":
        first = min(first, aligned.word_bounds[aligned.columns[place - 1].word][0])
    return first, end


def _words(aligned: Aligned, first: int, end: int) -> tuple[str, str]:
    said = aligned.said(first, end, spaced=True)
    heard = aligned.heard(first, end, spaced=True)
    return said[:_EXAMPLE_CHARACTERS], heard[:_EXAMPLE_CHARACTERS]
