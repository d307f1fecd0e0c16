"""Particles (조사) and endings (어미): is an error at the end of a word a matter of grammar?

There is no morphological analyser here, only tables and the end of a word. Where reference and
hypothesis share the beginning of a word and what follows is a particle on both sides (or nothing
on one), the error is one of a particle: 학교에 → 학교, 저는 → 저도. With endings alike: 갔어요 →
갔어, 합니다 → 해요. The rest is compared letter by letter, because an ending may begin inside a
syllable: 갑니다 is 가 + ㅂ니다. A tail that both tables know (는, 은, 을, 고, 지) is an ending
behind a stem that looks like a verb's, else a particle; 요 alone is an ending. A noun that happens
to end like a particle (바나나) is the price of doing without a lexicon.

Sources: the particles and endings of 표준국어대사전 (국립국어원, 품사 "조사" and "어미") that are
common in speech; contractions by 한글 맞춤법 제33항 (나는 → 난) and 제34, 35항 (가았다 → 갔다,
하여 → 해).
"""

import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import groupby, product
from typing import Literal

from malgwi.metrics.sound_alignment import Aligned
from malgwi.text.hangul import letters

Grammar = Literal["particle", "ending"]

#: Particles that others may follow, and those that follow (에서 + 는).
_CASE = """
    에 에서 에게 에게서 한테 한테서 께 께서 으로 로 와 과 하고 이랑 랑 까지 부터 만 보다 처럼
    대로 만큼 마다
"""
_AFTER_CASE = """
    는 은 도 만 의 요 나 이나 야 부터 까지 라도 이라도 밖에 조차 마저 ㄴ
"""
#: Those that stand alone; a letter alone is 는 or 를 drawn into the syllable before it.
_ALONE = """
    이 가 을 를 의 은 는 도 ㄴ ㄹ 야 아 나 이나 라도 이라도 든지 이든지 든 이든 나마 이나마
    마저 조차 밖에 밖에는 밖엔 뿐 뿐만 뿐이 커녕 은커녕 는커녕 이야 이야말로 야말로 며 이며 란
    이란 라고 이라고 고 이고 치고 더러 보고 로서 으로서 로써 으로써 에다 에다가 다가 마저도
    조차도 라도요 만이 만을 만은 하고도 이라는 라는
"""
#: Endings that begin with a consonant of their own and stand behind any stem, past or not.
_PLAIN = """
    고 고요 고서 고는 고도 거나 거든 거든요 거니 게 게요 게끔 기 기는 기도 기에 길 나 나요 냐
    냐고 네 네요 는 는가 는가요 는걸 는걸요 는구나 는군 는군요 는다 는다고 는다는 는다면 는대
    는대요 는데 는데요 는데도 는지 는지요 는지도 니 다 다가 다고 다고요 다는 다니 다니까 다며
    다면 다면서 답니다 대 대요 더니 더라 더라고 더라고요 던 던데 던데요 던지 도록 든 든지 듯
    듯이 습니까 습니다 습니다만 자 자고 자마자 잖아 잖아요 죠 지 지요 지는 지도 지만 지만요
    구나 군 군요 구요 거고 거예요 겠다 소
"""
#: Endings that take 으 behind a consonant; a first letter alone is the final of the stem.
_WITH_EU = """
    ㄴ ㄴ가 ㄴ가요 ㄴ걸 ㄴ걸요 ㄴ다 ㄴ다고 ㄴ다는 ㄴ다면 ㄴ대 ㄴ대요 ㄴ데 ㄴ데요 ㄴ데도 ㄴ지
    ㄴ지요 ㄴ지도 ㄹ ㄹ까 ㄹ까요 ㄹ게 ㄹ게요 ㄹ걸 ㄹ걸요 ㄹ래 ㄹ래요 ㄹ수록 ㄹ지 ㄹ지도
    ㄹ지라도 ㄹ텐데 ㄹ텐데요 ㅁ ㅂ니다 ㅂ니다만 ㅂ니까 ㅂ시다 니까 니까요 라 라고 라고요 라는
    라니 라면 래 래요 러 려 려고 려고요 려는 려면 려다가 며 면 면은 면서 므로 세요 셔요 시 시고
    시는 시면 시죠 시지 시네요 십니다 십니까 십시오 신 실 신데 신데요 실까요 셨 셨어요 셨습니다
    셨는데
"""
#: What follows the vowel of 아/어 (가서, 먹어요, 해도).
_AFTER_VOWEL = """
    서 서요 서는 서도 도 도요 야 야지 야지요 야죠 야만 야겠다 야겠어요 요 라 다 다가
"""
#: Signs of tense and respect that stand between stem and ending; "" is none.
_BETWEEN = """
    았 었 였 ㅆ 겠 았었 었었 ㅆ었 았겠 었겠 ㅆ겠 셨 으셨 시겠 으시겠
"""
#: Syllables that end a verb's stem far more often than a noun.
_VERB_STEMS = frozenset("하되있없같않싶좋많받먹알모르겠였했됐")
_VERB_FINALS = frozenset({"ㅆ", "ㅄ", "ㅎ", "ㄶ", "ㅀ"})
_SHORTEST_STEM = 2  # letters: an open syllable


def grammatical(aligned: Aligned) -> Iterator[tuple[int, Grammar]]:
    """Place → class of every error that a particle or an ending explains.

    >>> from malgwi.metrics.sound_alignment import align_by_sound
    >>> list(grammatical(align_by_sound("학교에 갔다", "학교 갔어요")))
    [(2, 'particle'), (4, 'ending'), (5, 'ending')]
    """
    for word, wrong in groupby(aligned.errors, lambda place: aligned.columns[place].word):
        places = list(wrong)
        start, end = aligned.word_bounds[word]
        for first in (place for place in places if place - 1 not in places):
            stem = first
            while stem > start and stem - 1 not in places:
                stem -= 1
            kind = tail_class(aligned.said(stem, end), aligned.heard(stem, end))
            if kind is not None:
                yield from ((place, kind) for place in places if place >= first)
                break


def tail_class(said: str, heard: str) -> Grammar | None:
    """What the ends of two words differ in, beginning at most where their letters part.

    >>> tail_class("학교에서", "학교에"), tail_class("갑니다", "가요"), tail_class("나무", "나비")
    ('particle', 'ending', None)
    >>> tail_class("먹는", "먹은"), tail_class("밥은", "밥을")
    ('ending', 'particle')
    """
    if said == heard:
        return None
    a, b = (unicodedata.normalize("NFD", text) for text in (said, heard))
    same = 0
    while same < min(len(a), len(b)) and a[same] == b[same]:
        same += 1
    cuts = range(same, -1, -1)
    if any(_particles_differ(a[cut:], b[cut:], a[:cut]) for cut in cuts):
        return "particle"
    return "ending" if any(_endings_differ(a[cut:], b[cut:], a[:cut]) for cut in cuts) else None


def _particles_differ(a: str, b: str, stem: str) -> bool:
    if len(stem) < _SHORTEST_STEM or not {a, b} <= _particles() or _letter_alone(a, b):
        return False
    return not (_like_a_verb(stem) and {a, b} <= _endings())


def _endings_differ(a: str, b: str, stem: str) -> bool:
    """Without a stem only where the verb is all ending: 합니다 → 해요."""
    if len(stem) < _SHORTEST_STEM:
        return {a, b} <= _light_verbs()
    return {a, b} <= _endings() and not _letter_alone(a, b)


def _letter_alone(a: str, b: str) -> bool:
    """One letter against nothing (어제 → 어젠): a misheard final rather than a particle."""
    return len(a) + len(b) == 1


def _like_a_verb(stem: str) -> bool:
    last = unicodedata.normalize("NFC", stem)[-1]
    return last in _VERB_STEMS or letters(last)[2] in _VERB_FINALS


@cache
def _particles() -> frozenset[str]:
    joined = (case + after for case, after in product(_CASE.split(), _AFTER_CASE.split()))
    return _as_letters(["", *_CASE.split(), *_ALONE.split(), *joined])


@cache
def _endings() -> frozenset[str]:
    return _as_letters(["", *_conjugated()]) | _light_verbs()


@cache
def _light_verbs() -> frozenset[str]:
    """All forms of -하다 and of the copula: with a noun before them they are its ending."""
    plain, after_vowel = _PLAIN.split(), ["", *_AFTER_VOWEL.split()]
    do = [f"하{form}" for form in (*plain, *_WITH_EU.split())]
    do += [f"{vowel}{form}" for vowel in ("해", "하여") for form in after_vowel]
    do += [f"{past}{form}" for past in ("했", "하였", "했었", "하겠") for form in _behind_past()]
    be = [f"이{form}" for form in (*plain, *_WITH_EU.split())]
    be += ["이에요", "예요", "에요", "이어서", "여서", "이요", "이라서", "라서"]
    be += [f"{past}{form}" for past in ("이었", "이겠") for form in _behind_past()]
    return _as_letters([*do, *be])


def _conjugated() -> Iterator[str]:
    """Every ending, alone and behind tense and respect."""
    after_vowel = _AFTER_VOWEL.split()
    yield from _PLAIN.split()
    yield from _WITH_EU.split()
    yield from _with_eu()
    yield from after_vowel
    yield from (f"{v}{form}" for v in ("아", "어", "여") for form in ("", *after_vowel))
    for sign, form in product(_BETWEEN.split(), _behind_past()):
        yield sign + form
    yield from (f"{sign}{form}" for sign in ("시", "으시") for form in _PLAIN.split())


def _behind_past() -> Iterator[str]:
    yield from _PLAIN.split()
    yield from _with_eu()
    yield from (f"어{form}" for form in ("", *_AFTER_VOWEL.split()))


def _with_eu() -> Iterator[str]:
    """The forms behind a consonant: ㄴ데 → 은데, 면 → 으면; ㅂ니다 is 습니다 there."""
    for form in _WITH_EU.split():
        if form[0] in "ㄴㄹㅁ":
            yield {"ㄴ": "은", "ㄹ": "을", "ㅁ": "음"}[form[0]] + form[1:]
        elif form[0] != "ㅂ":
            yield f"으{form}"


def _as_letters(forms: Iterable[str]) -> frozenset[str]:
    """The forms in conjoining letters; a letter alone is a final."""
    return frozenset(unicodedata.normalize("NFD", form).translate(_FINALS) for form in forms)


_FINALS = str.maketrans("ㄴㄹㅁㅂㅆ", "\u11ab\u11af\u11b7\u11b8\u11bb")
