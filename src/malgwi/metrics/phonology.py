"""Errors that sound right: the hypothesis spells what the reference sounds like, by which rule?

국물 → 궁물 is no mishearing. Both texts are pronounced (``text.pronounce``) with the reference's
word boundaries; where a substituted syllable then sounds the same on both sides, and so do its
correct neighbours and the joint where a letter moved, the error is phonological. What explains it
are the rules that shaped the differing letter on one side only. Four views are tried, the
strictest first:

1. words said apart, as in careful speech;
2. words run together (옷 한 벌 → 오 탄 벌);
3. ㅎ between voiced sounds not said (전화 → 저놔): common, though not standard;
4. a plain initial inside a word said tense (효과 → 효꽈): where 제26-28항 apply, spelling does not
   tell, and no word list is complete.

In all of them the vowels that most speakers no longer keep apart are one: ㅐ and ㅔ, ㅒ and ㅖ, and
ㅙ, ㅚ and ㅞ; the standard's own licences (제5항: 의 as 이 or 에, ㅖ as ㅔ) hold too.

Sources: 표준 발음법 (국립국어원), articles by ``text.pronounce.explain``; for the mergers and for
weak ㅎ, J. Shin, J. Kiaer & J. Cha, "The Sounds of Korean", Cambridge University Press 2013.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from malgwi.metrics.sound_alignment import Aligned, Column
from malgwi.text.hangul import FINALS, INITIALS, MEDIALS, compose, is_syllable
from malgwi.text.hangul import letters as _letters
from malgwi.text.joint_rules import Rule
from malgwi.text.pronounce import explain

Phonological = Literal[
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
]
#: Rule of ``text.pronounce`` → class of the error; of several, the class that stands first here.
OF_RULE: dict[Rule, Phonological] = {
    "palatalisation": "palatalisation",
    "aspiration": "hieut",
    "h_weakening": "hieut",
    "n_insertion": "n_insertion",
    "lateralisation": "lateralisation",
    "nasalisation": "nasalisation",
    "liaison": "liaison",
    "letter_name": "liaison",
    "tensification": "tensification",
    "neutralisation": "neutralisation",
    "cluster_simplification": "neutralisation",
    "vowel": "vowel",
}
_ORDER: tuple[Phonological, ...] = (*dict.fromkeys(OF_RULE.values()), "ae_e")
_SLOTS = ("initial", "medial", "final")
#: Vowels that merged.
_MERGED = {"ㅐ": "ㅔ", "ㅒ": "ㅖ", "ㅙ": "ㅞ", "ㅚ": "ㅞ"}
#: Vowels that can sound alike at all: what differs here need not be pronounced.
_COARSE = _MERGED | {"ㅕ": "ㅓ", "ㅢ": "ㅣ", "ㅔ": "ㅣ", "ㅐ": "ㅣ", "ㅒ": "ㅣ", "ㅖ": "ㅣ"}
#: Consonant → where it is made; ㅇ, ㅎ and double finals may be or become anything.
_PLACE = {
    **dict.fromkeys("ㄱㄲㅋ", "velar"),
    **dict.fromkeys("ㄴㄷㄸㄹㅅㅆㅈㅉㅊㅌ", "alveolar"),
    **dict.fromkeys("ㅁㅂㅃㅍ", "labial"),
}
_PLAIN = dict(zip("ㄲㄸㅃㅆㅉ", "ㄱㄷㅂㅅㅈ", strict=True))
_VOICED_FINALS = frozenset({"", "ㄴ", "ㄹ", "ㅁ", "ㅇ"})
letters = lru_cache(maxsize=1 << 14)(_letters)  # asked a hundred times an utterance


@dataclass(frozen=True)
class _Sound:
    """One text as it sounds: a syllable a character without spaces, and what shaped each letter."""

    syllables: tuple[str, ...]
    rules: dict[tuple[int, str], set[Rule]]


@dataclass(frozen=True)
class _View:
    """Both texts in one way of speaking, with the place of each pronounced column in either."""

    said: _Sound
    heard: _Sound
    places: dict[int, tuple[int, int]]


def sounds_alike(aligned: Aligned) -> Iterator[tuple[int, Phonological]]:
    """Place → class of every substitution that sounds like what was said.

    >>> from malgwi.metrics.sound_alignment import align_by_sound
    >>> list(sounds_alike(align_by_sound("국물이 좋다", "궁물이 조타")))
    [(0, 'nasalisation'), (3, 'hieut'), (4, 'hieut')]
    """
    left = [place for place in aligned.errors if _may_sound_alike(aligned.columns[place])]
    for linked, weak in ((False, False), (True, False), (True, True)):
        open_here = [place for place in left if _may_change(aligned, place, linked, weak)]
        if not open_here:
            continue
        view = _view(aligned, open_here, linked=linked, weak=weak)
        for place in open_here:
            if not _fits(aligned, view, place):
                continue
            left.remove(place)
            kind = "hieut" if weak else _kind(aligned, view, place)
            if kind is not None:
                yield place, kind
    yield from ((place, "tensification") for place in left if _tense_only(aligned, place))


def _may_sound_alike(column: Column) -> bool:
    if not (is_syllable(column.said) and is_syllable(column.heard)):
        return False
    (a, vowel, final), (b, other, last) = letters(column.said), letters(column.heard)
    if _COARSE.get(vowel, vowel) != _COARSE.get(other, other):
        return False
    return _same_place(a, b) and _same_place(final, last)


def _same_place(a: str, b: str) -> bool:
    """Whether a rule could turn one into the other: none changes lips into tongue."""
    return a not in _PLACE or b not in _PLACE or _PLACE[a] == _PLACE[b]


def _may_change(aligned: Aligned, place: int, linked: bool, weak: bool) -> bool:
    """Whether this view can say anything of the syllable that a stricter one has not said."""
    if weak:
        near = aligned.columns[max(0, place - 1) : place + 2]
        return any(ch and "하" <= ch <= "힣" for c in near for ch in (c.said, c.heard))
    return not linked or aligned.columns[place].starts_said or aligned.ends_word(place)


# --- Both texts, pronounced -------------------------------------------------------------------


def _view(aligned: Aligned, wanted: Iterable[int], *, linked: bool, weak: bool) -> _View:
    """The words of the wanted places and their neighbours, pronounced; no rule looks further."""
    words = {aligned.columns[place].word + step for place in wanted for step in (-1, 0, 1)}
    kept = [place for place, column in enumerate(aligned.columns) if column.word in words]
    said, heard = _spelled(aligned, kept)
    places, i, j = {}, 0, 0
    for place in kept:
        places[place] = (i, j)
        column = aligned.columns[place]
        i, j = i + bool(column.said), j + bool(column.heard)
    return _View(_sound(said, linked, weak), _sound(heard, linked, weak), places)


def _spelled(aligned: Aligned, places: Iterable[int]) -> tuple[str, str]:
    """Both texts with the reference's word boundaries; inserted text keeps its own.

    Two spaces, which no rule crosses, part what is not neighbours.
    """
    said, heard = "", ""
    pending = False  # a word of the reference has begun and nothing was heard of it yet
    before = 0
    for place in places:
        column = aligned.columns[place]
        if place > before + 1:
            said, heard = f"{said}  ", f"{heard}  "
        before = place
        pending = pending or column.starts_said
        said += f" {column.said}" if column.starts_said else column.said
        if column.heard:
            apart = pending if column.said else column.starts_heard
            syllable = _with_vowel_said(column)
            heard += f" {syllable}" if apart else syllable
            pending = pending and not column.said
    return said, heard


def _with_vowel_said(column: Column) -> str:
    """What was heard, with the vowel as it was said where the two have merged.

    The word lists of pronunciation know 웬일, not 왠일.
    """
    if not (is_syllable(column.said) and is_syllable(column.heard)):
        return column.heard
    said, (initial, medial, final) = letters(column.said)[1], letters(column.heard)
    if said == medial or _MERGED.get(said, said) != _MERGED.get(medial, medial):
        return column.heard
    return compose(INITIALS.index(initial), MEDIALS.index(said), FINALS.index(final))


def _sound(text: str, linked: bool, weak: bool) -> _Sound:
    if weak:
        text = _without_weak_hieut(text)
    place_of, syllables = dict[int, int](), list[str]()
    for position, ch in enumerate(text):
        if ch != " ":
            place_of[position] = len(syllables)
            syllables.append(ch)
    rules: dict[tuple[int, str], set[Rule]] = {}
    for change in explain(text, linked=linked):
        for offset, (before, after) in enumerate(zip(change.before, change.after, strict=True)):
            if before == after:
                continue
            place = place_of[change.position + offset]
            syllables[place] = after
            for slot, a, b in zip(_SLOTS, letters(before), letters(after), strict=True):
                if a != b:
                    rules.setdefault((place, slot), set()).add(change.rule)
    return _Sound(tuple(syllables), rules)


def _without_weak_hieut(text: str) -> str:
    """ㅎ inside a word after a vowel or ㄴ, ㄹ, ㅁ, ㅇ written as it is often said: 전화 → 전와."""
    out = list(text)
    for i in range(1, len(text)):
        if is_syllable(text[i]) and is_syllable(text[i - 1]):
            initial, medial, final = letters(text[i])
            if initial == "ㅎ" and letters(text[i - 1])[2] in _VOICED_FINALS:
                out[i] = compose(INITIALS.index("ㅇ"), MEDIALS.index(medial), FINALS.index(final))
    return "".join(out)


# --- Whether a syllable sounds alike, and why -------------------------------------------------


def _fits(aligned: Aligned, view: _View, place: int) -> bool:
    """The syllable sounds alike, and so do the joints that its differing letters belong to."""
    if not _alike(aligned, view, place):
        return False
    column = aligned.columns[place]
    said, heard = letters(column.said), letters(column.heard)
    return _joint_alike(aligned, view, place - 1, 2, moved=said[0] != heard[0]) and _joint_alike(
        aligned, view, place + 1, 0, moved=said[2] != heard[2]
    )


def _joint_alike(aligned: Aligned, view: _View, place: int, slot: int, *, moved: bool) -> bool:
    """Whether the letter beside a substitution sounds alike.

    A correct neighbour must not have changed by it; a letter that has moved to or from a neighbour
    must be found there, so that neighbour must be no deletion or insertion.
    """
    if place not in view.places or not (moved or aligned.columns[place].kind == "hit"):
        return True
    column = aligned.columns[place]
    if not (column.said and column.heard):
        return column.kind == "hit"
    a, b = _heard_syllables(view, place)
    return not (is_syllable(a) and is_syllable(b)) or letters(a)[slot] == letters(b)[slot]


def _heard_syllables(view: _View, place: int) -> tuple[str, str]:
    i, j = view.places[place]
    return view.said.syllables[i], view.heard.syllables[j]


def _alike(aligned: Aligned, view: _View, place: int) -> bool:
    a, b = (letters(syllable) for syllable in _heard_syllables(view, place))
    if (a[0], a[2]) != (b[0], b[2]):
        return False
    if _MERGED.get(a[1], a[1]) == _MERGED.get(b[1], b[1]):
        return True
    return _licensed(aligned, place, a[0])


def _licensed(aligned: Aligned, place: int, initial: str) -> bool:
    """제5항 다만 2, 4: ㅖ as ㅔ but in 예, 례; 의 inside a word as 이, at its end as 에."""
    column = aligned.columns[place]
    vowels = {letters(column.said)[1], letters(column.heard)[1]}
    if "ㅖ" in vowels:
        return bool(vowels & {"ㅔ", "ㅐ"}) and initial not in {"ㅇ", "ㄹ"}
    syllables, at_end = {column.said, column.heard}, aligned.ends_word(place)
    if vowels == {"ㅢ", "ㅣ"}:
        return not column.starts_said and not (at_end and syllables == {"의", "이"})
    return at_end and syllables == {"의", "에"}


def _kind(aligned: Aligned, view: _View, place: int) -> Phonological | None:
    """The class of the rules behind the letters that differ, by the order of the classes."""
    column = aligned.columns[place]
    i, j = view.places[place]
    found: set[Phonological] = set()
    for slot, a, b in zip(_SLOTS, letters(column.said), letters(column.heard), strict=True):
        if a == b:
            continue
        said, heard = (
            {OF_RULE[rule] for rule in sound.rules.get((at, slot), ())}
            for sound, at in ((view.said, i), (view.heard, j))
        )
        merged = slot == "medial" and _MERGED.get(a, a) == _MERGED.get(b, b)
        found |= {"ae_e"} if merged else (said ^ heard) or (said | heard)
        if slot == "medial" and not merged:
            found.add("vowel")
    return next((kind for kind in _ORDER if kind in found), None)


def _tense_only(aligned: Aligned, place: int) -> bool:
    """Inside a word, behind what is right, only a tense initial for a plain one or the reverse."""
    column = aligned.columns[place]
    if column.starts_said or not place or aligned.columns[place - 1].kind != "hit":
        return False
    (a, *said), (b, *heard) = letters(column.said), letters(column.heard)
    return said == heard and a != b and _PLAIN.get(a, a) == _PLAIN.get(b, b)
