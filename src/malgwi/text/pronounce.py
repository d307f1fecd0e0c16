"""Spelling → pronounced Hangul, by the rules of standard pronunciation (국물 → 궁물, 좋다 → 조타).

Nearly all of the standard's changes happen at a *joint*: the final of one syllable meets the
initial of the next, and both may change. No joint touches its neighbours, so a text is said joint
by joint, each a short derivation of named steps: ``explain`` lists the steps, ``pronounce`` keeps
the last. What spelling alone cannot decide (where a morpheme begins, whether 신고 is a verb) comes
from text/pronunciation_words.py; a word that is not listed takes the regular rule.

Rules stop at spaces, as in careful speech; ``linked=True`` runs words together the way the
standard describes for "이어서 한 마디로" (옷 한 벌 → 오 탄 벌). The one exception: the modifier
ending -(으)ㄹ makes a dependent noun tense across its space in any style (할 수 → 할 쑤).
Where the standard allows two pronunciations, ``pronounce`` gives the one it names first and
``pronunciations`` all of them. Hangul cannot write vowel length (제6, 7항), nor ㅟ as a diphthong
(제4항 붙임); both are left out.

Source: 표준어 규정 제2부 표준 발음법 (국립국어원); "12.3 붙임" is its 제12항 3 [붙임].
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from typing import Literal, NamedTuple

from malgwi.text.hangul import FINALS, INITIALS, MEDIALS, compose, is_syllable, letters
from malgwi.text.pronunciation_words import PLAIN, Mark, Marks, marks, respellings, vowel_choices

Rule = Literal[
    "liaison",
    "tensification",
    "nasalisation",
    "lateralisation",
    "aspiration",
    "palatalisation",
    "neutralisation",
    "cluster_simplification",
    "h_weakening",
    "n_insertion",
    "letter_name",
    "vowel",
]
#: ``pronunciations`` varies no more places of one text than this, 2⁸ forms where each has two.
MOST_PLACES = 8


@dataclass(frozen=True)
class Change:
    """One step from spelling to sound.

    Args:
        position: Index in the text of the first syllable that changes.
        rule: What happens, in the field's terms.
        article: Of 표준 발음법, e.g. ``"12.1 붙임 1"``; ``"사전"`` where no article decides and
            표준국어대사전 records the sound of the word.
        before: The stretch as it stood; it begins and ends with a syllable that changes.
        after: What it becomes, of the same length.
    """

    position: int
    rule: Rule
    article: str
    before: str
    after: str


def pronounce(text: str, *, linked: bool = False) -> str:
    """How ``text`` is said, written in Hangul; what is no Hangul syllable stays as it is.

    Args:
        text: Spelled text; numbers should have been written out before.
        linked: Apply the rules across single spaces too, as in fluent speech.

    >>> pronounce("국물이 좋습니다")
    '궁무리 조씀니다'
    >>> pronounce("같이 신라에 갈 수 없다")
    '가치 실라에 갈 쑤 업따'
    >>> pronounce("옷 한 벌", linked=True)
    '오 탄 벌'
    """
    return _say(text, next(iter(marks(text))), linked)


def pronunciations(text: str, *, linked: bool = False) -> frozenset[str]:
    """Every pronunciation that the standard allows, ``pronounce(text)`` among them.

    Meant for one word at a time: of a longer text no more than ``MOST_PLACES`` places are varied,
    the first ones; the rest is said as ``pronounce`` says it.

    >>> sorted(pronunciations("시계")), sorted(pronunciations("금융"))
    (['시게', '시계'], ['그뮹', '금늉'])
    """
    choices = list(islice(vowel_choices(text).items(), MOST_PLACES))
    said = (_say(text, reading, linked) for reading in islice(marks(text), 2**MOST_PLACES))
    return frozenset(
        _with_vowels(form, [place for place, _ in choices], vowels)
        for form in said
        for vowels in product(*(("", *others) for _, others in choices))
    )


def explain(text: str, *, linked: bool = False) -> list[Change]:
    """The steps that lead from ``text`` to ``pronounce(text)``, applied one after another.

    >>> for change in explain("꽃잎"):
    ...     print(change.rule, change.article, change.before, "→", change.after)
    n_insertion 29 잎 → 닢
    neutralisation 9 꽃 → 꼳
    nasalisation 18 꼳 → 꼰
    neutralisation 9 닢 → 닙
    """
    return list(_derivation(text, next(iter(marks(text))), linked))


def _say(text: str, reading: Marks, linked: bool) -> str:
    said = list(text)
    for change in _derivation(text, reading, linked):
        said[change.position : change.position + len(change.before)] = change.after
    return "".join(said)


def _with_vowels(said: str, places: Sequence[int], vowels: Sequence[str]) -> str:
    """``said`` with other vowels at some places; an empty vowel keeps what stands there."""
    out = list(said)
    for place, vowel in zip(places, vowels, strict=True):
        if vowel:
            out[place] = _syllable(letters(out[place])[0], vowel, letters(out[place])[2])
    return "".join(out)


def _derivation(text: str, reading: Marks, linked: bool) -> Iterator[Change]:
    said = list(text)
    for position, syllable, article in respellings(text):
        rule: Rule = "letter_name" if article == "16" else "cluster_simplification"
        yield Change(position, rule, article, said[position], syllable)
        said[position] = syllable
    spelled = "".join(said)
    for position, ch in enumerate(spelled):
        if not is_syllable(ch):
            continue
        after, apart = _next(spelled, position, reading, linked)
        yield from _joint_changes(spelled, said, position, after, reading.get(after, PLAIN), apart)
        yield from _vowel_change(ch, said, position)


def _next(text: str, position: int, reading: Marks, linked: bool) -> tuple[int, bool]:
    """The position of the syllable that this one meets, -1 if none, and whether a space parts them."""
    following = text[position + 1 : position + 3]
    if following and is_syllable(following[0]):
        return position + 1, False
    if len(following) == 2 and following[0] == " " and is_syllable(following[1]):
        if linked or position + 2 in reading:
            return position + 2, True
    return -1, False


def _joint_changes(
    text: str, said: list[str], position: int, after: int, mark: Mark, apart: bool
) -> Iterator[Change]:
    """The steps at one joint, written into ``said``."""
    if after < 0:
        steps = _pause(letters(text[position])[2])
    else:
        initial, medial, _ = letters(text[after])
        steps = _meet(_Joint(text[position], initial, medial, mark, apart))
    for step in steps:
        changed = {}
        head = letters(said[position])
        changed[position] = _syllable(head[0], head[1], step.final)
        if after >= 0:
            changed[after] = _syllable(step.initial, *letters(said[after])[1:])
        changed = {place: ch for place, ch in changed.items() if ch != said[place]}
        start, stop = min(changed), max(changed) + 1
        before = "".join(said[start:stop])
        for place, ch in changed.items():
            said[place] = ch
        yield Change(start, step.rule, step.article, before, "".join(said[start:stop]))


def _vowel_change(ch: str, said: list[str], position: int) -> Iterator[Change]:
    """제5항 다만 1 (가져 → 가저) and 다만 3 (희망 → 히망; not 협의 → 혀븨, spelled without one)."""
    initial, medial, final = letters(said[position])
    if initial in {"ㅈ", "ㅉ", "ㅊ"} and medial == "ㅕ":
        article, medial = "5 다만 1", "ㅓ"
    elif medial == "ㅢ" and letters(ch)[0] != "ㅇ":
        article, medial = "5 다만 3", "ㅣ"
    else:
        return
    before, said[position] = said[position], _syllable(initial, medial, final)
    yield Change(position, "vowel", article, before, said[position])


def _syllable(initial: str, medial: str, final: str) -> str:
    return compose(INITIALS.index(initial), MEDIALS.index(medial), FINALS.index(final))


# --- The rules of one joint, in the order in which they apply --------------------------------


class _Joint(NamedTuple):
    """A spelled syllable ``ch``, the next one's letters, and how they meet."""

    ch: str
    initial: str
    medial: str
    mark: Mark
    apart: bool


class _Step(NamedTuple):
    """What a rule does: the final and the next initial after it."""

    rule: Rule
    article: str
    final: str
    initial: str


#: 제8-11항: the seven finals that are ever heard, by the written final.
_HEARD = {
    **{final: final for final in FINALS},
    **dict.fromkeys("ㄲㅋㄳㄺ", "ㄱ"),
    **dict.fromkeys("ㅅㅆㅈㅊㅌㅎ", "ㄷ"),
    **dict.fromkeys("ㅍㅄㄿ", "ㅂ"),
    **dict.fromkeys("ㄼㄽㄾㅀ", "ㄹ"),
    **dict.fromkeys("ㄵㄶ", "ㄴ"),
    "ㄻ": "ㅁ",
}
_SPLIT = {  # a cluster's first letter, and its second as it sounds when it moves on (제14항)
    "ㄳ": ("ㄱ", "ㅆ"),
    "ㄵ": ("ㄴ", "ㅈ"),
    "ㄺ": ("ㄹ", "ㄱ"),
    "ㄻ": ("ㄹ", "ㅁ"),
    "ㄼ": ("ㄹ", "ㅂ"),
    "ㄽ": ("ㄹ", "ㅆ"),
    "ㄾ": ("ㄹ", "ㅌ"),
    "ㄿ": ("ㄹ", "ㅍ"),
    "ㅄ": ("ㅂ", "ㅆ"),
}
_WITHOUT_H = {"ㅎ": "", "ㄶ": "ㄴ", "ㅀ": "ㄹ"}
_TENSE = dict(zip("ㄱㄷㅂㅅㅈ", "ㄲㄸㅃㅆㅉ", strict=True))
_ASPIRATED = dict(zip("ㄱㄷㅂㅈ", "ㅋㅌㅍㅊ", strict=True))
_NASAL = dict(zip("ㄱㄷㅂ", "ㅇㄴㅁ", strict=True))
_NOUNS_IN_LG = "닭흙칡삵슭"  # 제11항 다만 speaks of stems only: 맑게 → 말께, but 닭과 → 닥꽈
_NOUNS_IN_LB = "덟"  # 여덟; 제25항 speaks of stems
_Y_VOWELS = "ㅣㅑㅕㅛㅠ"


@lru_cache(maxsize=1 << 15)
def _meet(joint: _Joint) -> tuple[_Step, ...]:
    """All steps at a joint; each rule sees what the rules before it have left."""
    final, initial = letters(joint.ch)[2], joint.initial
    steps: list[_Step] = []
    for rule in (_insert_n, _link, _merge_h, _make_tense, _simplify, _assimilate):
        for step in rule(joint, final, initial):
            steps.append(step)
            final, initial = step.final, step.initial
    return tuple(steps)


@lru_cache(maxsize=len(FINALS))
def _pause(final: str) -> tuple[_Step, ...]:
    """제8-11항 at the end of a word."""
    return (_heard(final, ""),) if _HEARD[final] != final else ()


def _heard(final: str, initial: str) -> _Step:
    """The written final as one of the seven that are heard."""
    if final in _SPLIT:
        article = "11" if final in {"ㄺ", "ㄻ", "ㄿ"} else "10"
        return _Step("cluster_simplification", article, _HEARD[final], initial)
    if final in {"ㄶ", "ㅀ"}:
        return _Step("h_weakening", "12.3 붙임", _HEARD[final], initial)
    return _Step("neutralisation", "12.3" if final == "ㅎ" else "9", _HEARD[final], initial)


def _insert_n(joint: _Joint, final: str, initial: str) -> Iterator[_Step]:
    """제29항, 제30항 3: ㄴ before 이, 야, 여, 요, 유 of a new word."""
    if initial != "ㅇ" or not final:
        return
    if joint.mark.sign == "+":
        yield _Step("n_insertion", joint.mark.article, final, "ㄴ")
    elif joint.apart and joint.medial in _Y_VOWELS:
        yield _Step("n_insertion", "29 붙임 2", final, "ㄴ")


def _link(joint: _Joint, final: str, initial: str) -> Iterator[_Step]:
    """Silent ㅎ (제12항 4), liaison (제13-15항), palatalisation (제17항)."""
    if initial != "ㅇ" or final in {"", "ㅇ"}:
        return
    if final in _WITHOUT_H:
        final = _WITHOUT_H[final]
        yield _Step("h_weakening", "12.4", final, "ㅇ")
        if not final:
            return
    new_word = joint.apart or joint.mark.sign == "|"
    if new_word and _HEARD[final] != final:
        step = _heard(final, "ㅇ")._replace(article="15")
        final = step.final
        yield step
    stays, moves = _SPLIT.get(final, ("", final))
    if not new_word and joint.medial in {"ㅣ", "ㅕ"} and moves in {"ㄷ", "ㅌ"}:
        yield _Step("palatalisation", "17", stays, {"ㄷ": "ㅈ", "ㅌ": "ㅊ"}[moves])
    else:
        yield _Step("liaison", "15" if new_word else "14" if stays else "13", stays, moves)


def _merge_h(joint: _Joint, final: str, initial: str) -> Iterator[_Step]:
    """제12항: ㅎ makes its neighbour aspirated or tense and is gone."""
    if final in _WITHOUT_H:
        if initial in {"ㄱ", "ㄷ", "ㅈ"}:  # 놓고 → 노코
            yield _Step("aspiration", "12.1", _WITHOUT_H[final], _ASPIRATED[initial])
        elif initial == "ㅅ":  # 닿소 → 다쏘
            yield _Step("tensification", "12.2", _WITHOUT_H[final], "ㅆ")
        elif (final, initial) == ("ㅎ", "ㅎ"):  # 히읗하고 → 히으타고
            yield _Step("aspiration", "12.1 붙임 2", "", "ㅌ")
        return
    if initial != "ㅎ":
        return
    new_word = joint.apart or bool(joint.mark.sign)
    if final in {"ㄷ", "ㅌ"} and joint.medial in {"ㅣ", "ㅕ"} and not new_word:  # 닫히다 → 다치다
        yield _Step("palatalisation", "17 붙임", "", "ㅊ")
    elif final in {"ㄺ", "ㄼ", "ㄵ"} and not new_word:  # 밝히다 → 발키다
        stays, moves = _SPLIT[final]
        yield _Step("aspiration", "12.1 붙임 1", stays, _ASPIRATED[moves])
    elif final == "ㅈ" and not new_word:  # 꽂히다 → 꼬치다, but 낮 한때 → 나 탄때
        yield _Step("aspiration", "12.1 붙임 1", "", "ㅊ")
    elif (heard := _HEARD[final]) in _NASAL:
        if heard != final:
            yield _heard(final, initial)
        article = "12.1 붙임 1" if heard == final and not joint.apart else "12.1 붙임 2"
        yield _Step("aspiration", article, "", _ASPIRATED[heard])


def _make_tense(joint: _Joint, final: str, initial: str) -> Iterator[_Step]:
    """제23항 after every stop; 제24, 25항 after clusters of verb stems; 제26-28, 30항 as listed."""
    if initial not in _TENSE:
        return
    if joint.mark.sign == "*":  # 냇가 → 내까
        yield _Step("tensification", joint.mark.article, "", _TENSE[initial])
    elif joint.mark.sign == "'":
        yield _Step("tensification", joint.mark.article, final, _TENSE[initial])
    elif article := _tense_article(joint, final):
        yield _Step("tensification", article, final, _TENSE[initial])


def _tense_article(joint: _Joint, final: str) -> str:
    """The article by which the spelling alone makes the next initial tense; "" if none does.

    기 after ㄻ is taken for the causative, which stays plain (굶기다, 옮기다); 삶 is a stem only
    before endings that no noun takes (삶고, but 삶과).
    """
    if _HEARD[final] in _NASAL:
        return "23"
    if final in {"ㄼ", "ㄾ"} and joint.ch not in _NOUNS_IN_LB:
        return "25"
    follows = joint.initial + joint.medial
    if final == "ㄻ" and joint.ch == "삶":
        return "24" if follows in {"ㄱㅗ", "ㄷㅏ", "ㅈㅣ", "ㄷㅓ"} else ""
    return "24" if final == "ㄵ" or (final == "ㄻ" and follows != "ㄱㅣ") else ""


def _simplify(joint: _Joint, final: str, initial: str) -> Iterator[_Step]:
    """제8-11항: the one consonant that is heard of a final before another consonant."""
    if _HEARD[final] == final or initial == "ㅇ":
        return
    if final == "ㄺ" and initial in {"ㄱ", "ㄲ"} and joint.ch not in _NOUNS_IN_LG:
        yield _Step("cluster_simplification", "11 다만", "ㄹ", initial)
    elif joint.ch == "밟":
        yield _Step("cluster_simplification", "10 다만", "ㅂ", initial)
    else:
        yield _heard(final, initial)


def _assimilate(joint: _Joint, final: str, initial: str) -> Iterator[_Step]:
    """Nasalisation (제18, 19항) and ㄹ-assimilation (제20항) of the heard consonants."""
    if initial == "ㄹ" and final not in {"", "ㄹ"} and (final != "ㄴ" or joint.mark.sign == "="):
        article = "20 다만" if final == "ㄴ" else "19 붙임" if final in _NASAL else "19"
        initial = "ㄴ"  # 강릉 → 강능, 협력 → 협녁; 의견란 → 의견난
        yield _Step("nasalisation", article, final, initial)
    if {final, initial} == {"ㄴ", "ㄹ"}:
        article = "20 붙임" if letters(joint.ch)[2] in {"ㄾ", "ㅀ"} else "20"
        inserted = joint.initial == "ㅇ"
        yield _Step("lateralisation", "29 붙임 1" if inserted else article, "ㄹ", "ㄹ")
    elif initial in {"ㄴ", "ㅁ"} and final in _NASAL:
        yield _Step("nasalisation", "18 붙임" if joint.apart else "18", _NASAL[final], initial)
