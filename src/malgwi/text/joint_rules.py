"""The rules of one joint: what happens where a syllable's final meets the next one's initial.

A joint's derivation is a short list of steps, each the work of one rule with its article; the
rules run in one fixed order and each sees what those before it have left: ㄴ is inserted (제29항),
finals move to an empty initial (제12-17항), ㅎ merges (제12항), initials become tense (제23-28항),
finals are reduced to the seven that are heard (제8-11항), and what then stands side by side is
assimilated (제18-20항).

Source: 표준어 규정 제2부 표준 발음법 (국립국어원).
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from malgwi.text.hangul import FINALS, letters
from malgwi.text.joint_marks import Mark

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


class Joint(NamedTuple):
    """A spelled syllable ``ch``, the next one's letters, and how they meet."""

    ch: str
    initial: str
    medial: str
    mark: Mark
    apart: bool


class Step(NamedTuple):
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
def meet(joint: Joint) -> tuple[Step, ...]:
    """All steps at a joint; each rule sees what the rules before it have left."""
    final, initial = letters(joint.ch)[2], joint.initial
    steps: list[Step] = []
    for rule in (_insert_n, _link, _merge_h, _make_tense, _simplify, _assimilate):
        for step in rule(joint, final, initial):
            steps.append(step)
            final, initial = step.final, step.initial
    return tuple(steps)


@lru_cache(maxsize=len(FINALS))
def pause(final: str) -> tuple[Step, ...]:
    """제8-11항 at the end of a word."""
    return (_heard(final, ""),) if _HEARD[final] != final else ()


def _heard(final: str, initial: str) -> Step:
    """The written final as one of the seven that are heard."""
    if final in _SPLIT:
        article = "11" if final in {"ㄺ", "ㄻ", "ㄿ"} else "10"
        return Step("cluster_simplification", article, _HEARD[final], initial)
    if final in {"ㄶ", "ㅀ"}:
        return Step("h_weakening", "12.3 붙임", _HEARD[final], initial)
    return Step("neutralisation", "12.3" if final == "ㅎ" else "9", _HEARD[final], initial)


def _insert_n(joint: Joint, final: str, initial: str) -> Iterator[Step]:
    """제29항, 제30항 3: ㄴ before 이, 야, 여, 요, 유 of a new word."""
    if initial != "ㅇ" or not final:
        return
    if joint.mark.sign == "+":
        yield Step("n_insertion", joint.mark.article, final, "ㄴ")
    elif joint.apart and joint.medial in _Y_VOWELS:
        yield Step("n_insertion", "29 붙임 2", final, "ㄴ")


def _link(joint: Joint, final: str, initial: str) -> Iterator[Step]:
    """Silent ㅎ (제12항 4), liaison (제13-15항), palatalisation (제17항)."""
    if initial != "ㅇ" or final in {"", "ㅇ"}:
        return
    if final in _WITHOUT_H:
        final = _WITHOUT_H[final]
        yield Step("h_weakening", "12.4", final, "ㅇ")
        if not final:
            return
    new_word = joint.apart or joint.mark.sign == "|"
    if new_word and _HEARD[final] != final:
        article = "15 붙임" if final in _SPLIT else "15"
        step = _heard(final, "ㅇ")._replace(article=article)
        final = step.final
        yield step
    stays, moves = _SPLIT.get(final, ("", final))
    if not new_word and joint.medial in {"ㅣ", "ㅕ"} and moves in {"ㄷ", "ㅌ"}:
        yield Step("palatalisation", "17", stays, {"ㄷ": "ㅈ", "ㅌ": "ㅊ"}[moves])
    else:
        yield Step("liaison", "15" if new_word else "14" if stays else "13", stays, moves)


def _merge_h(joint: Joint, final: str, initial: str) -> Iterator[Step]:
    """제12항: ㅎ makes its neighbour aspirated or tense and is gone."""
    if final in _WITHOUT_H:
        if initial in {"ㄱ", "ㄷ", "ㅈ"}:  # 놓고 → 노코
            yield Step("aspiration", "12.1", _WITHOUT_H[final], _ASPIRATED[initial])
        elif initial == "ㅅ":  # 닿소 → 다쏘
            yield Step("tensification", "12.2", _WITHOUT_H[final], "ㅆ")
        elif (final, initial) == ("ㅎ", "ㅎ"):  # 히읗하고 → 히으타고
            yield Step("aspiration", "12.1 붙임 2", "", "ㅌ")
        return
    if initial != "ㅎ":
        return
    new_word = joint.apart or bool(joint.mark.sign)
    if final in {"ㄷ", "ㅌ"} and joint.medial in {"ㅣ", "ㅕ"} and not new_word:  # 닫히다 → 다치다
        yield Step("palatalisation", "17 붙임", "", "ㅊ")
    elif final in {"ㄺ", "ㄼ", "ㄵ"} and not new_word:  # 밝히다 → 발키다
        stays, moves = _SPLIT[final]
        yield Step("aspiration", "12.1 붙임 1", stays, _ASPIRATED[moves])
    elif final == "ㅈ" and not new_word:  # 꽂히다 → 꼬치다, but 낮 한때 → 나 탄때
        yield Step("aspiration", "12.1 붙임 1", "", "ㅊ")
    elif (heard := _HEARD[final]) in _NASAL:
        if heard != final:
            yield _heard(final, initial)
        article = "12.1 붙임 1" if heard == final and not joint.apart else "12.1 붙임 2"
        yield Step("aspiration", article, "", _ASPIRATED[heard])


def _make_tense(joint: Joint, final: str, initial: str) -> Iterator[Step]:
    """제23항 after every stop; 제24, 25항 after clusters of verb stems; 제26-28, 30항 as listed."""
    if initial not in _TENSE or joint.initial == "ㅇ":  # 나룻이: what liaison moved stays plain
        return
    if joint.mark.sign == "*":  # 냇가 → 내까
        yield Step("tensification", joint.mark.article, "", _TENSE[initial])
    elif joint.mark.sign == "'":
        yield Step("tensification", joint.mark.article, final, _TENSE[initial])
    elif article := _tense_article(joint, final):
        yield Step("tensification", article, final, _TENSE[initial])


def _tense_article(joint: Joint, final: str) -> str:
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


def _simplify(joint: Joint, final: str, initial: str) -> Iterator[Step]:
    """제8-11항: the one consonant that is heard of a final before another consonant."""
    if _HEARD[final] == final or initial == "ㅇ":
        return
    if final == "ㄺ" and initial in {"ㄱ", "ㄲ"} and joint.ch not in _NOUNS_IN_LG:
        yield Step("cluster_simplification", "11 다만", "ㄹ", initial)
    elif joint.ch == "밟":
        yield Step("cluster_simplification", "10 다만", "ㅂ", initial)
    else:
        yield _heard(final, initial)


def _assimilate(joint: Joint, final: str, initial: str) -> Iterator[Step]:
    """Nasalisation (제18, 19항) and ㄹ-assimilation (제20항) of the heard consonants."""
    if initial == "ㄹ" and final not in {"", "ㄹ"} and (final != "ㄴ" or joint.mark.sign == "="):
        article = "20 다만" if final == "ㄴ" else "19 붙임" if final in _NASAL else "19"
        initial = "ㄴ"  # 강릉 → 강능, 협력 → 협녁; 의견란 → 의견난
        yield Step("nasalisation", article, final, initial)
    if {final, initial} == {"ㄴ", "ㄹ"}:
        article = "20 붙임" if letters(joint.ch)[2] in {"ㄾ", "ㅀ"} else "20"
        inserted = joint.initial == "ㅇ"
        yield Step("lateralisation", "29 붙임 1" if inserted else article, "ㄹ", "ㄹ")
    elif initial in {"ㄴ", "ㅁ"} and final in _NASAL:
        yield Step("nasalisation", "18 붙임" if joint.apart else "18", _NASAL[final], initial)
