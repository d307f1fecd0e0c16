"""What kind of mistake an error is: by sound, by grammar, by reading, or not to be explained.

Every error of an alignment gets exactly one kind. More than one explanation may fit: the first of
``KINDS`` holds, which goes from the cause that leaves least to explain (nothing was said at all; it
is the same number; it sounds the same) to the one that leaves most, and what one explanation has
claimed no later one sees as wrong. None of it needs a model or a lexicon beyond the tables of
grammar.py, loanwords.py and text/pronounce.py; each file says where it guesses.

Sources: 표준 발음법 (국립국어원) for the kinds with an article; the others are this project's.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Literal, NamedTuple

from malgwi.metrics.grammar import grammatical
from malgwi.metrics.loanwords import loanwords
from malgwi.metrics.number_words import number_readings
from malgwi.metrics.phonology import sounds_alike
from malgwi.metrics.sound_alignment import Aligned, align_by_sound
from malgwi.text.hangul import is_syllable, letters

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
    "neutralisation": KindInfo("Final, same sound", "sound", "제8–11항: 낫 → 낮, 닭 → 닥"),
    "vowel": KindInfo("Vowel, same sound", "sound", "제5항: 가져 → 가저, 나의 → 나에"),
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
    return list(kinded(align_by_sound(reference, hypothesis), silent=silent))


_Found = Iterable[tuple[int, ErrorKind]]


def kinded(aligned: Aligned, *, silent: bool = False) -> Iterator[KindedError]:
    """As ``classify``, of texts that are aligned already."""
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
