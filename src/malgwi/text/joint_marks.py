"""Where two syllables of a text meet in a way that spelling does not show.

Three sources, in this order of trust: the listed words (text/pronunciation_words.py), endings that
the standard describes (제24항 stems, 제27항 modifiers), and rules of thumb about suffixes that the
spelling all but settles (-권, -증, -법 are tense after two syllables: 상품권, 우울증, 사용법). The
thumb's exceptions are named beside each; where it is wrong, the word belongs into the list.

The vowels that may be said otherwise (제4, 5, 22항) are found here too, since they as well depend
on what is a particle and what an ending.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import Literal, NamedTuple, get_args

from malgwi.text.hangul import FINALS, compose, is_syllable, letters
from malgwi.text.pronunciation_words import NOUNS_IN_UI, SAISIOT, WORDS

Sign = Literal["", "+", "|", "'", "*", "="]


class Mark(NamedTuple):
    """How two syllables meet (a sign of text/pronunciation_words.py), and the article for it."""

    sign: Sign
    article: str


PLAIN = Mark("", "")
#: Marks by the position of the *later* syllable of the joint.
Marks = Mapping[int, Mark]


def marks(text: str, *, linked: bool = False) -> Iterator[Marks]:
    """Readings of the special joints of ``text``, the standard's first choice first.

    Args:
        text: Spelled text.
        linked: Mark joints across spaces too that only fluent speech makes.
    """
    fixed: dict[int, Mark] = dict(_by_rule(text, linked))
    places: list[tuple[Marks, ...]] = []
    for start, forms in _found(text):
        moved = tuple({start + place: mark for place, mark in form.items()} for form in forms)
        fixed.update(moved[0])
        if len(moved) > 1:
            places.append(moved)
    for choice in product(*places):
        reading = dict(fixed)
        for first, chosen in zip((moved[0] for moved in places), choice, strict=True):
            for place in first:
                reading.pop(place, None)
            reading.update(chosen)
        yield {place: mark for place, mark in reading.items() if mark.sign}


def looks_ahead(word: str) -> bool:
    """Whether the joints in or after ``word`` may depend on what follows the next space.

    Those are the modifier -(으)ㄹ before a dependent noun, and 신고, a verb before another one.
    """
    return word.endswith("신고") or (is_syllable(word[-1:]) and letters(word[-1])[2] == "ㄹ")


# --- Listed words -----------------------------------------------------------------------------


class _Entry(NamedTuple):
    word: str
    at_start: bool
    at_end: bool
    forms: tuple[Marks, ...]


_SIGNS = re.compile("[" + re.escape("".join(get_args(Sign))) + "]")


@cache
def _entries() -> dict[str, tuple[_Entry, ...]]:
    """Listed words by their first syllable, the longest first."""
    entries = [
        _entry(listed, article) for article, words in WORDS.items() for listed in words.split()
    ]
    entries += [_saisiot(head) for head in SAISIOT]
    by_first: dict[str, list[_Entry]] = {}
    for entry in sorted(entries, key=lambda entry: -len(entry.word)):
        by_first.setdefault(entry.word[0], []).append(entry)
    return {first: tuple(listed) for first, listed in by_first.items()}


def _entry(listed: str, article: str) -> _Entry:
    forms = listed.strip("<>").split("/")
    marked = tuple(_marked(form, article) for form in forms)
    return _Entry(_SIGNS.sub("", forms[0]), listed[0] == "<", listed[-1] == ">", marked)


def _saisiot(head: str) -> _Entry:
    return _Entry(head, False, False, ({len(head): Mark("*", "30.1")}, {}))


def _marked(form: str, article: str) -> Marks:
    """The marks of one form; a joint without one is marked plain, against the rules of thumb."""
    found: dict[int, Mark] = {}
    for match in _SIGNS.finditer(form):
        found[match.start() - len(found)] = Mark(match.group(), article)  # type: ignore[arg-type]
    return {place: found.get(place, PLAIN) for place in range(1, len(_SIGNS.sub("", form)))}


def _found(text: str) -> Iterator[tuple[int, tuple[Marks, ...]]]:
    """Listed words from left to right; one may begin with the last syllable of another."""
    entries, position = _entries(), 0
    while position < len(text):
        step = 1
        for entry in entries.get(text[position], ()):
            if _is_at(entry, text, position):
                yield position, entry.forms
                step = max(1, len(entry.word) - 1)
                break
        position += step


def _is_at(entry: _Entry, text: str, position: int) -> bool:
    end = position + len(entry.word)
    return (
        text.startswith(entry.word, position)
        and not (entry.at_start and position and is_syllable(text[position - 1]))
        and not (entry.at_end and is_syllable(text[end : end + 1]))
    )


# --- Endings and suffixes ---------------------------------------------------------------------


def _class(finals: str) -> str:
    """A character class of all syllables that end in one of ``finals``; "-" is none."""
    syllables = (
        compose(initial, medial, index)
        for index, final in enumerate(FINALS)
        if (final or "-") in finals
        for initial in range(19)
        for medial in range(21)
    )
    return "[" + "".join(syllables) + "]"


_L, _N, _VOICED = _class("ㄹ"), _class("ㄴ"), _class("ㄴㄹㅁㅇ")
_OPEN = _class("-ㄴㄹㅁㅇ")  # after these a tense initial is not already 제23항
_CLOSED = _class("".join(FINALS))
_END = "(?=[을를이은는가도만과와의에로인입까부보처마들뿐]|하|(?![가-힣]))"  # a particle, or nothing
#: Stems in ㄴ, ㅁ that no noun is spelled like, before endings (제24항; 남고, 넘지, 숨습니다).
_STEMS = "남|넘|담|숨|품|뿜|삼|머금|다듬|더듬|보듬|심|참(?!고|게)"
_ENDINGS = (
    "고|다(?=[고가는며면니]|(?![가-힣]))|던|더[니라군]|거[나든]|게|습니|도록|자마자"
    "|지(?=[마만도는요 ]|않|못|$)"
)
_STEM_STARTS = "(?:(?<![가-힣])|(?<=[아어러워겨려져]))"  # 남고, 살아남고, 뛰어넘고
#: Modifiers in -(으)ㄹ that are no noun; 를 and 길, 날, 말, 물 … are left out on purpose.
_MODIFIERS = "(?:[할될갈올볼낼릴킬]|[ㅆㅄ]을|[먹읽잡찾받앉잊웃믿입]을|만날|떠날|끝날)".replace(
    "[ㅆㅄ]", _class("ㅆㅄ")
)
#: Dependent nouns after them (제27항), with what may follow.
_DEPENDENT = (
    r"(?:것\S*|거(?:[야예였고라죠지니든같는]\S*|[를가도]?(?!\S))|겁니\S*|[건게걸](?:요|가\S*|데\S*)?(?!\S)"
    r"|수(?:[가는도를]?(?!\S)|밖\S*|[있없]\S*|조차\S*)|데(?:[가는도를에로서]?(?!\S)|까지\S*|에[서는]\S*)"
    r"|바(?:[를는가도]?(?!\S)|에\S*)|줄(?:[을은도로]?(?!\S)|[이로]?[야만]\S*)"
    r"|적(?:[이은도에엔]?(?!\S)|부터\S*)|듯\S*|지경\S*|즈음\S*|성싶\S*|법(?:하\S*|[한도]?(?!\S)))"
)
#: Words in ㄴ + ㄹ that are [ㄹㄹ], so that 한국언론 is not taken for 한국언 + 론 (제20항 다만).
_LATERAL = (
    "진료|원료|원론|훈련|훈령|혼란|관련|관료|전력|전략|인력|권력|논란|곤란|연료|연령|분량|산란|문란"
    "|환란|전란|완료|완력|안료|만료|신령|관령|언론|본론|본령|현란|근력|선량|탄력|한량|찬란|변론"
)
_LINKED_NOUNS = "곳|도리|사람|시간|생각|자신|정도|방법|계획|준비|사이|가능성|것|자리|돈|집|길|기회"
_TWO = "(?<=[가-힣]{2})"  # two syllables before

#: First characters of what follows the joint; a rule that ends there; its mark. The exceptions in
#: ``(?<![…])`` are words such as 영수증, 방법, 훈련, 지역, 작용, 필요, by their syllable before.
_RULES: tuple[tuple[str, str, Sign, str], ...] = (
    ("고다던더거게습도자지", rf"{_STEM_STARTS}(?:{_STEMS})(?={_ENDINGS})", "'", "24"),
    ("고", r"(?<![가-힣])신(?=고(?:$|[.,?!]| [있가나다오왔온갔걷서]))", "'", "24"),
    (" ", rf"(?<={_L}) (?={_DEPENDENT})", "'", "27"),
    ("게걸수지", rf"(?<={_L})(?=(?:게요|걸요|수록|지라도|지언정)(?![가-힣]))", "'", "27 붙임"),
    ("게걸세진밖", rf"{_MODIFIERS}(?=(?:게|걸|세라|진대|밖에)(?![가-힣]))", "'", "27 붙임"),
    ("듯", rf"(?<={_L})(?=듯)", "'", "27"),  # words written together: 볼수있는, 어울릴듯
    ("수것줄", rf"{_MODIFIERS}(?=수(?:[가는도있없밖]|(?![가-힣]))|것|줄[은을도알모몰])", "'", "27"),
    ("지", rf"{_MODIFIERS}(?=지(?:[도는를만요]|(?![가-힣])))", "'", "27 붙임"),
    ("적", rf"(?<=[가-힣]){_L}(?=적(?:으로|{_END}))", "'", "26"),
    ("성", rf"(?<=[가-힣]){_L}(?=성{_END})", "'", "26"),
    ("값", rf"{_VOICED}(?=값{_END})", "'", "28"),
    ("권", rf"{_TWO}(?<={_OPEN})(?=권{_END})", "'", "사전"),
    ("증", rf"{_TWO}(?<={_OPEN})(?<![보검인공고예논])(?<!영수)(?=증(?!인){_END})", "'", "사전"),
    ("법", rf"{_TWO}(?<={_OPEN})(?<![방마사무준])(?=법{_END})", "'", "사전"),
    (
        "력량료론란령",
        rf"(?<=[가-힣])(?!{_LATERAL}){_N}(?=[력량료론란령]{_END})",
        "=",
        "20 다만",
    ),
    ("율", rf"(?<=[가-힣]){_N}(?<![전선운환])(?=율{_END})", "+", "29"),
    (
        "역",
        rf"(?<=[가-힣]){_CLOSED}(?<![번통면현용영권단방광배악전학직])(?=역(?:으로|에서|{_END}))",
        "+",
        "29",
    ),
    (
        "용",
        rf"(?<=[가-힣]){_CLOSED}(?<![작적활신인관전겸남복실군식학임착징상응공통등병영잔])"
        rf"(?=용(?:으로|{_END}))",
        "+",
        "29",
    ),
    ("여이", rf"{_CLOSED}(?=여행|이야기)", "+", "29"),
    ("요", rf"[가-힣]{_CLOSED}(?<![필중동민긴강월일금건담])(?=요(?![가-힣]))", "+", "29"),
)
_LINKED_RULES: tuple[tuple[str, str, Sign, str], ...] = (
    (" ", rf"{_MODIFIERS} (?={_LINKED_NOUNS})", "'", "27"),
)


def _by_rule(text: str, linked: bool) -> Iterator[tuple[int, Mark]]:
    for firsts, regex, sign, article in (*_RULES, *(_LINKED_RULES if linked else ())):
        if any(first in text for first in firsts):  # seldom: most words need no regex
            for match in _compiled(regex).finditer(text):
                yield match.end(), Mark(sign, article)


@cache
def _compiled(regex: str) -> re.Pattern[str]:
    return re.compile(regex)


# --- Other spellings and other vowels ---------------------------------------------------------

#: 제16항: names of the letters before vowels; 제10항 다만: 넓- as [넙].
_RESPELLED = tuple(
    (re.compile(regex), syllable, article)
    for regex, syllable, article in (
        ("넓(?=[죽둥적])", "넙", "10 다만"),
        ("(?<=디)귿(?=[아-잏])", "긋", "16"),
        ("(?<=지)읒(?=[아-잏])", "읏", "16"),
        ("(?<=치)읓(?=[아-잏])", "읏", "16"),
        ("(?<=키)읔(?=[아-잏])", "윽", "16"),
        ("(?<=티)읕(?=[아-잏])", "읏", "16"),
        ("(?<=피)읖(?=[아-잏])", "읍", "16"),
        ("(?<=히)읗(?=[아-잏])", "읏", "16"),
    )
)


def respellings(text: str) -> Iterator[tuple[int, str, str]]:
    """Syllables said as if spelled otherwise: position, other spelling, article."""
    for regex, syllable, article in _RESPELLED:
        for match in regex.finditer(text):
            yield match.start(), syllable, article


def vowel_choices(text: str) -> dict[int, str]:
    """The other vowels that are allowed, by position.

    제4항 붙임 (ㅚ as a diphthong, which is ㅞ), 제5항 다만 2 (ㅖ as ㅔ) and 다만 4 (의 as 이, the
    particle as 에), 제22항 (되어 as 되여, 아니오 as 아니요).
    """
    choices: dict[int, str] = {}
    for position, ch in enumerate(text):
        if is_syllable(ch) and (vowel := _other_vowel(text, position)):
            choices[position] = vowel
    return choices


def _other_vowel(text: str, position: int) -> str:
    initial, medial, _ = letters(text[position])
    before = text[position - 1] if position and is_syllable(text[position - 1]) else ""
    last = not is_syllable(text[position + 1 : position + 2])
    if medial == "ㅚ":
        return "ㅞ"
    if medial == "ㅖ" and initial not in {"ㅇ", "ㄹ"}:
        return "ㅔ"
    if not before:
        return ""
    if text[position] == "의":
        return "ㅔ" if last and not _is_noun_in_ui(text[: position + 1]) else "ㅣ"
    if text[position] in "어었" and _stem_in_i(before) and _VERB_GOES_ON.match(text, position):
        return "ㅕ"
    return "ㅛ" if text[position] == "오" and last and before in {"이", "니"} else ""


def _is_noun_in_ui(text: str) -> bool:
    """Whether the last 의 belongs to a noun; of 강의의 the particle does not."""
    word = re.split(r"[^가-힣]", text)[-1]
    return word in NOUNS_IN_UI or (word[-2:] in NOUNS_IN_UI and word[-2:] != "의의")


_VERB_GOES_ON = re.compile("었|어(?:[서야도요지있버보주놓나가갔왔라쓰]|(?![가-힣]))")


def _stem_in_i(syllable: str) -> bool:
    _, medial, final = letters(syllable)
    return not final and medial in {"ㅣ", "ㅚ", "ㅟ", "ㅢ"}
