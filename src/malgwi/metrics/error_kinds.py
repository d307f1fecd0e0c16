"""What kind of mistake each error is: by sound, by grammar, by reading, or not to be explained.

Every error of the character alignment without spaces gets exactly one kind, so the counts sum to
the errors that the CER without spaces counts; where words are set apart differently stands beside
them, since that alignment knows no spaces. More than one explanation may fit: the first of
``KINDS`` holds, which goes from the cause that leaves least to explain (nothing was said at all; it
sounds the same) to the one that leaves most. None of it needs a model or a lexicon beyond the
tables of grammar.py, loanwords.py and text/pronounce.py; each file says where it guesses.

Sources: 표준 발음법 (국립국어원) for the kinds with an article; the other kinds are this project's.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, NamedTuple

from malgwi.metrics.error_rate import check_ids, countable
from malgwi.metrics.grammar import grammatical
from malgwi.metrics.jamo_confusions import Confusions, confused_letters, syllable_pairs
from malgwi.metrics.loanwords import loanwords
from malgwi.metrics.number_words import number_readings
from malgwi.metrics.phonology import sounds_alike
from malgwi.metrics.sound_alignment import Aligned, align_by_sound
from malgwi.text.hangul import is_syllable, letters
from malgwi.text.normalize import NormalizerConfig

ErrorKind = Literal[
    "hallucination",
    "number",
    "loanword",
    "palatalisation",
    "hieut",
    "n_insertion",
    "lateralisation",
    "nasalisation",
    "liaison",
    "tensification",
    "neutralisation",
    "vowel",
    "ae_e",
    "particle",
    "ending",
    "deleted_stretch",
    "added_stretch",
    "dropped_final",
    "added_final",
    "unexplained",
    "spacing",
]


class KindInfo(NamedTuple):
    """How a kind is shown.

    Attributes:
        title: Its name for readers.
        group: ``sound``, ``grammar``, ``writing``, ``stretch``, ``letter`` or ``unexplained``.
        meaning: What makes an error one of this kind, in a line, with an example.
    """

    title: str
    group: str
    meaning: str


#: Every kind, in the order in which an error is tried against them.
KINDS: dict[ErrorKind, KindInfo] = {
    "hallucination": KindInfo(
        "Hallucination", "stretch", "text where nothing was said: silence, or an empty reference"
    ),
    "number": KindInfo(
        "Number reading", "writing", "one number read or written otherwise: 7시 → 일곱시, 칠 시"
    ),
    "loanword": KindInfo(
        "Loanword", "writing", "a loanword spelled otherwise or in other letters: 콘텐츠 → 컨텐츠"
    ),
    "palatalisation": KindInfo("Palatalisation 구개음화", "sound", "제17항: 같이 → 가치"),
    "hieut": KindInfo("ㅎ weakened or merged", "sound", "제12항: 좋다 → 조타; 전화 → 저놔"),
    "n_insertion": KindInfo("ㄴ inserted", "sound", "제29항: 꽃잎 → 꼰닙"),
    "lateralisation": KindInfo("ㄹ-assimilation 유음화", "sound", "제20항: 신라 → 실라"),
    "nasalisation": KindInfo("Nasalisation 비음화", "sound", "제18, 19항: 국물 → 궁물"),
    "liaison": KindInfo("Liaison 연음", "sound", "제13–16항: 먹어 → 머거"),
    "tensification": KindInfo("Tensification 경음화", "sound", "제23–28항: 학교 → 학꾜"),
    "neutralisation": KindInfo("Final that sounds the same", "sound", "제8–11항: 낫 → 낮, 닭 → 닥"),
    "vowel": KindInfo("Vowel that sounds the same", "sound", "제5항: 가져 → 가저, 나의 → 나에"),
    "ae_e": KindInfo("ㅐ/ㅔ, ㅙ/ㅚ/ㅞ", "sound", "vowels that have merged: 내가 → 네가, 돼 → 되"),
    "particle": KindInfo("Particle 조사", "grammar", "lost, added or another: 학교에 → 학교"),
    "ending": KindInfo("Ending 어미", "grammar", "lost, added or another: 갔어요 → 갔어"),
    "deleted_stretch": KindInfo(
        "Stretch lost", "stretch", "a whole word, or three characters and more in a row"
    ),
    "added_stretch": KindInfo(
        "Stretch added", "stretch", "three characters and more in a row that nobody said"
    ),
    "dropped_final": KindInfo("Final dropped", "letter", "the rest of the syllable right: 밥 → 바"),
    "added_final": KindInfo("Final added", "letter", "the rest of the syllable right: 바 → 밥"),
    "unexplained": KindInfo("Unexplained", "unexplained", "none of the above"),
    "spacing": KindInfo(
        "Spacing only", "writing", "a word boundary on one side only, what it parts being right"
    ),
}
_STRETCH = 3
_SHORTEST_WORD = 2
#: What is cut off an example beyond its word.
_EXAMPLE_CHARACTERS = 24


class KindedError(NamedTuple):
    """One error and its kind.

    Attributes:
        kind: Of ``KINDS``.
        said: The reference's character; empty for an insertion; " " for a space that is missing.
        heard: The hypothesis's; empty for a deletion; " " for a space too many.
        place: Column of the alignment.
    """

    kind: ErrorKind
    said: str
    heard: str
    place: int


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
        examples: Kind → a few cases, of different utterances.
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


def classify(reference: str, hypothesis: str, *, silent: bool = False) -> list[KindedError]:
    """Every error of one utterance with its kind, from left to right.

    Args:
        reference: What was said.
        hypothesis: What was recognised.
        silent: Nothing is audible, whatever the reference says; an empty reference says so too.

    Returns:
        As many entries as the CER without spaces counts errors, and those of kind ``spacing``.

    >>> [(e.kind, e.said, e.heard) for e in classify("국물이 좋아요", "궁물 조아요")]
    [('nasalisation', '국', '궁'), ('particle', '이', ''), ('hieut', '좋', '조')]
    >>> classify("네", "네")
    []
    """
    return list(_classified(align_by_sound(reference, hypothesis), silent=silent))


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
    examples: dict[ErrorKind, list[Example]] = field(default_factory=dict)
    together: Counter[tuple[str, str]] = field(default_factory=Counter)
    reference: int = 0

    def add(self, name: str, aligned: Aligned, *, silent: bool) -> None:
        self.together.update(syllable_pairs(aligned))
        self.reference += sum(column.said != "" for column in aligned.columns)
        seen = set()
        for error in _classified(aligned, silent=silent):
            self.counts[error.kind] += 1
            shown = self.examples.setdefault(error.kind, [])
            if error.kind not in seen and len(shown) < self.most_examples:
                seen.add(error.kind)
                shown.append(Example(name, *_around(aligned, error.place)))

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
            examples={kind: tuple(found) for kind, found in self.examples.items()},
            confusions=confused_letters(self.together),
        )


# --- One utterance ----------------------------------------------------------------------------

_Found = Iterable[tuple[int, ErrorKind]]


def _classified(aligned: Aligned, *, silent: bool) -> Iterator[KindedError]:
    kinds = _explained(aligned, silent)
    right = False  # the column before this one
    for place, column in enumerate(aligned.columns):
        if column.kind == "hit":
            if right and column.starts_said != column.starts_heard:
                sides = (" ", "") if column.starts_said else ("", " ")
                yield KindedError("spacing", *sides, place)
        else:
            kind = kinds.get(place, "unexplained")
            yield KindedError(kind, column.said, column.heard, place)
        right = column.kind == "hit"


def _explained(aligned: Aligned, silent: bool) -> dict[int, ErrorKind]:
    """Place → kind of what can be explained; what one explanation has, no later one sees wrong."""
    kinds: dict[int, ErrorKind] = dict(_hallucinated(aligned, silent))
    left = aligned.corrected(kinds)
    for explain in _EXPLANATIONS:
        if not left.errors:
            break
        found = dict(explain(left))
        if found:
            kinds |= found
            left = left.corrected(found)
    return kinds


def _hallucinated(aligned: Aligned, silent: bool) -> _Found:
    """Whatever was heard while nothing was said."""
    if silent or not any(column.said for column in aligned.columns):
        for place in aligned.errors:
            if aligned.columns[place].heard:
                yield place, "hallucination"


def _stretches(aligned: Aligned) -> _Found:
    """Deletions that are a whole word or three in a row, insertions that are three in a row."""
    for kind, group in groupby(aligned.errors, lambda place: aligned.columns[place].kind):
        for first, end in _unbroken(group):
            long = end - first >= _STRETCH
            if kind == "insertion" and long:
                yield from ((place, "added_stretch") for place in range(first, end))
            elif kind == "deletion":
                whole = range(first, end) if long else _whole_words(aligned, first, end)
                yield from ((place, "deleted_stretch") for place in whole)


def _unbroken(places: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Places in order as stretches of neighbours: (first, behind the last)."""
    first = end = -1
    for place in places:
        if place != end:
            if end >= 0:
                yield first, end
            first = place
        end = place + 1
    if end >= 0:
        yield first, end


def _whole_words(aligned: Aligned, first: int, end: int) -> Iterator[int]:
    """The places within a stretch of deletions where a word is lost from beginning to end."""
    for word in sorted({column.word for column in aligned.columns[first:end]}):
        start, stop = aligned.word_bounds[word]
        if first <= start and stop <= end and stop - start >= _SHORTEST_WORD:
            yield from range(start, stop)


def _finals(aligned: Aligned) -> _Found:
    """Syllables right but for a final, or for one letter of a double final, on one side only."""
    for place in aligned.errors:
        column = aligned.columns[place]
        if not (is_syllable(column.said) and is_syllable(column.heard)):
            continue
        (*said, a), (*heard, b) = letters(column.said), letters(column.heard)
        if said == heard and a in _parts(b):
            yield place, "added_final"
        elif said == heard and b in _parts(a):
            yield place, "dropped_final"


def _parts(final: str) -> tuple[str, ...]:
    """What is left of a final when it, or one of its two letters, is dropped."""
    return ("", *_DOUBLE.get(final, ()))


#: Double final → its letters.
_DOUBLE = {
    "ㄳ": "ㄱㅅ",
    "ㄵ": "ㄴㅈ",
    "ㄶ": "ㄴㅎ",
    "ㄺ": "ㄹㄱ",
    "ㄻ": "ㄹㅁ",
    "ㄼ": "ㄹㅂ",
    "ㄽ": "ㄹㅅ",
    "ㄾ": "ㄹㅌ",
    "ㄿ": "ㄹㅍ",
    "ㅀ": "ㄹㅎ",
    "ㅄ": "ㅂㅅ",
}

#: In the order of ``KINDS``; the first that claims an error has it.
_EXPLANATIONS: tuple[Callable[[Aligned], _Found], ...] = (
    number_readings,
    loanwords,
    sounds_alike,
    grammatical,
    _stretches,
    _finals,
)


def _around(aligned: Aligned, place: int) -> tuple[str, str]:
    """The word of an error on both sides; with a lost space, both words."""
    column = aligned.columns[place]
    first, end = aligned.word_bounds[column.word]
    if column.starts_said != column.starts_heard and column.kind == "hit" and place:
        first = min(first, aligned.word_bounds[aligned.columns[place - 1].word][0])
    said = aligned.said(first, end, spaced=True)
    heard = aligned.heard(first, end, spaced=True)
    return said[:_EXAMPLE_CHARACTERS], heard[:_EXAMPLE_CHARACTERS]
