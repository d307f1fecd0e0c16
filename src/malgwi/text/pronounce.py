"""Spelling → pronounced Hangul, by the rules of standard pronunciation (국물 → 궁물, 좋다 → 조타).

Nearly all of the standard's changes happen at a *joint*: the final of one syllable meets the
initial of the next, and both may change. No joint touches its neighbours, so a text is said joint
by joint, each a short derivation of named steps (text/joint_rules.py): ``explain`` lists them,
``pronounce`` keeps the last. What spelling alone cannot decide (where a morpheme begins, whether
신고 is a verb) comes from text/joint_marks.py; a word unknown there takes the regular rule.

Rules stop at spaces, as in careful speech; ``linked=True`` runs words together the way the
standard describes for "이어서 한 마디로" (옷 한 벌 → 오 탄 벌). The one exception: the modifier
ending -(으)ㄹ makes a dependent noun tense across its space in any style (할 수 → 할 쑤).
Where the standard allows two pronunciations, ``pronounce`` gives the one it names first (but
맛있다 [마싣따], the commoner) and ``pronunciations`` all of them. Hangul cannot write vowel length
(제6, 7항), nor ㅟ as a diphthong (제4항 붙임); both are left out.

Source: 표준어 규정 제2부 표준 발음법 (국립국어원, 2017); "12.3 붙임" is its 제12항 3 [붙임].
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product

from malgwi.text.hangul import FINALS, INITIALS, MEDIALS, compose, is_syllable, letters
from malgwi.text.joint_marks import (
    PLAIN,
    Mark,
    Marks,
    looks_ahead,
    marks,
    respellings,
    vowel_choices,
)
from malgwi.text.joint_rules import Joint, Rule, meet, pause

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
    if linked:
        return _say(text, next(marks(text, linked=True)), linked)
    return " ".join(map(_said_apart, _chunks(text)))


def pronunciations(text: str, *, linked: bool = False) -> frozenset[str]:
    """Every pronunciation that the standard allows, ``pronounce(text)`` among them.

    Meant for one word at a time: of a longer text no more than ``MOST_PLACES`` places are varied,
    the first ones; the rest is said as ``pronounce`` says it.

    >>> sorted(pronunciations("시계")), sorted(pronunciations("금융"))
    (['시게', '시계'], ['그뮹', '금늉'])
    """
    choices = list(islice(vowel_choices(text).items(), MOST_PLACES))
    said = (
        _say(text, reading, linked)
        for reading in islice(marks(text, linked=linked), 2**MOST_PLACES)
    )
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
    return list(_derivation(text, next(marks(text, linked=linked)), linked))


def _chunks(text: str) -> Iterator[str]:
    """The text parted at the spaces across which no rule looks; words recur, so each is cached."""
    words = text.split(" ")
    start = 0
    for i, word in enumerate(words, 1):
        if i == len(words) or not looks_ahead(word):
            yield " ".join(words[start:i])
            start = i


@lru_cache(maxsize=1 << 16)
def _said_apart(chunk: str) -> str:
    return _say(chunk, next(marks(chunk)), False)


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
    """The position of the syllable that this one meets (or -1), and whether a space parts them."""
    following = text[position + 1 : position + 3]
    if following and is_syllable(following[0]):
        return position + 1, False
    beyond_space = len(following) == 2 and following[0] == " " and is_syllable(following[1])
    if beyond_space and (linked or position + 2 in reading):
        return position + 2, True
    return -1, False


def _joint_changes(
    text: str, said: list[str], position: int, after: int, mark: Mark, apart: bool
) -> Iterator[Change]:
    """The steps at one joint, written into ``said``."""
    if after < 0:
        steps = pause(letters(text[position])[2])
    else:
        initial, medial, _ = letters(text[after])
        steps = meet(Joint(text[position], initial, medial, mark, apart))
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
