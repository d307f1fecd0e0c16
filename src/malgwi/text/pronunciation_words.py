"""What Korean spelling does not show of pronunciation: where morphemes meet, word by word.

Whether 물고기 is [물꼬기] and 불고기 [불고기] no rule can tell. The lists below mark the joints
of such words, under the article of 표준 발음법 that describes them; ``marks`` finds them in a
text. Words are found anywhere in a longer word unless anchored, the longest first; a listed word
without a mark guards a longer word against a shorter one (영수증 against 증).

Signs, written before the later syllable of a joint:
    + inserts ㄴ (제29, 30항)                | a full morpheme follows (제15항)
    ' the next initial is tense (제24-28항)  * ㅅ is written for tenseness alone (제30항 1)
    = ㄴ meets ㄹ and stays (제20항 다만)
``<`` before a word: only where a word begins; ``>`` after it: only where one ends.
``/`` parts pronunciations that are both allowed, the standard's first one first.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from typing import Literal, NamedTuple

from malgwi.text.hangul import is_syllable, letters

Sign = Literal["", "+", "|", "'", "*", "="]


class Mark(NamedTuple):
    """How two syllables meet, and the article that says so."""

    sign: Sign
    article: str


PLAIN = Mark("", "")
#: Marks by the position of the *later* syllable of the joint.
Marks = Mapping[int, Mark]

WORDS = {
    "15": """
        맛|없 멋|없 겉|옷 맏|형 헛|웃 젖|어미 값|어치 값|있 넋|없 밭|아래 늪|앞 꽃|위 첫|인상
        웃|어른
    """,
    "15 다만": "맛|있/맛있 멋|있/멋있",
    "20 다만": """
        의견=란 임진=란 생산=량 결'단=력 공'권=력 동원=령 상견=례 횡단=로 이원=론 입원=료 구근=류
        음운=론 판단=력 통신=료 보관=료 주문=량 회원=료
    """,
    "26": """
        갈'등 발'동 절'도 말'살 불'소 일'시 갈'증 물'질 발'전 몰'상식 불'세출 결'제 발'송 발'생
        설'정 일'정 실'시 출'장 철'도 활'동 열'정 절'대 출'시 별'도 출'동 일'단 월'세 질'서 달'성
        발'달 할'증 실'수 출'석 글'자 밀'접 결'정 실'제 물'건 설'치비
    """,
    "27 붙임": "할'수록 할'지라도 할'지언정 할'진대",
    "28": """
        문'고리 눈'동자 신'바람 산'새 손'재주 길'가 물'동이 발'바닥 굴'속 술'잔 바람'결 그믐'달
        아침'밥 점심'밥 저녁'밥 잠'자리 강'가 초승'달 등'불 창'살 강'줄기 손'가락 발'가락 손'등
        물'고기 비빔'밥 김'밥 인'기 사'건 조'건 물'가 문'법 보름'달 산'길 밤'길 안'과 내'과 치'과
        외'과 용'건
    """,
    "24": """
        껴안'다 껴안'고 껴안'지 삼'고 더듬'지 더듬'고 줄넘'기 남'습니 넘'습니 담'습니 참'습니
        감'습니 숨'습니 심'습니 신'습니 안'습니 남'다 넘'다 담'다 참'다 남'지 넘'지 담'지 참'지
        남'고 넘'고
    """,
    "29": """
        솜+이불 홑+이불 막+일 삯+일 맨+입 꽃+잎 내복+약 한+여름 남존+여비 신+여성 색+연필
        직행+열차 늑막+염 콩+엿 담+요 눈+요기 영업+용 식용+유 국민+윤리 밤+윷 들+일 솔+잎 설+익
        물+약 불+여우 서울+역 물+엿 휘발+유 유들+유들 알+약 두통+약 감기+약 십+육 백+육 천+육
        강남+역 부산+역 대전+역 수원+역 용산+역 한국+여행 첫+여름 집안+일 옛+이야기 뒷+이야기
        업무+용 가정+용 학생+용 여행+용
    """,
    "29 다만": "검+열/검열 금+융/금융",
    "30.3": "베갯+잇 깻+잎 나뭇+잎 도리깻+열 뒷+윷",
}

#: 제27항: dependent nouns and endings that are tense after the modifier -(으)ㄹ.
_AFTER_MODIFIER = re.compile(
    r"(?<=(?P<end>[가-힣])) "
    r"(?=(?:것|거|게|걸|수|데|바|줄|적)(?:[을를이은도가는에]|[예였]\S*|밖에|입니\S*)?(?!\S))"
)
_MODIFIER_ENDING = re.compile(r"(?<=[가-힣])(?=(?:게요|걸요|수록|지라도|지언정)(?![가-힣]))")
#: 제16항: names of the letters before vowels; 제10항 다만: 넓- as [넙].
_RESPELLED = (
    (r"넓(?=[죽둥적])", "넙", "10 다만"),
    (r"(?<=디)귿(?=[아-잏])", "긋", "16"),
    (r"(?<=지)읒(?=[아-잏])", "읏", "16"),
    (r"(?<=치)읓(?=[아-잏])", "읏", "16"),
    (r"(?<=키)읔(?=[아-잏])", "윽", "16"),
    (r"(?<=티)읕(?=[아-잏])", "읏", "16"),
    (r"(?<=피)읖(?=[아-잏])", "읍", "16"),
    (r"(?<=히)읗(?=[아-잏])", "읏", "16"),
)
_SIGNS = re.compile(r"[+|'*=]")


def marks(text: str) -> Iterator[Marks]:
    """Readings of the special joints of ``text``, the standard's first choice first."""
    fixed: dict[int, Mark] = {}
    for match in (*_AFTER_MODIFIER.finditer(text), *_MODIFIER_ENDING.finditer(text)):
        if letters(text[match.start() - 1])[2] == "ㄹ":
            spaced = text[match.start() : match.end()] == " "
            fixed[match.end()] = Mark("'", "27" if spaced else "27 붙임")
    places: list[list[Marks]] = []
    for start, forms in _found(text):
        moved = [{start + place: mark for place, mark in form.items()} for form in forms]
        if len(moved) == 1:
            fixed.update(moved[0])
        else:
            places.append([*moved])
    for choice in product(*places):
        reading = dict(fixed)
        for chosen in choice:
            reading.update(chosen)
        yield reading


def respellings(text: str) -> Iterator[tuple[int, str, str]]:
    """Syllables said as if spelled otherwise: position, other spelling, article."""
    for pattern, syllable, article in _RESPELLED:
        for match in re.finditer(pattern, text):
            yield match.start(), syllable, article


def vowel_choices(text: str) -> dict[int, str]:
    """Other vowels that are allowed, by position (제5항 다만 2, 4)."""
    choices: dict[int, str] = {}
    for position, ch in enumerate(text):
        if not is_syllable(ch):
            continue
        initial, medial, _ = letters(ch)
        if medial == "ㅖ" and initial not in {"ㅇ", "ㄹ"}:
            choices[position] = "ㅔ"
        elif ch == "의" and position and is_syllable(text[position - 1]):
            last = not is_syllable(text[position + 1 : position + 2])
            choices[position] = "ㅣㅔ" if last else "ㅣ"
    return choices


class _Entry(NamedTuple):
    word: str
    at_start: bool
    at_end: bool
    forms: tuple[Marks, ...]


@cache
def _entries() -> dict[str, tuple[_Entry, ...]]:
    """Listed words by their first syllable, the longest first."""
    by_first: dict[str, list[_Entry]] = {}
    for article, words in WORDS.items():
        for listed in words.split():
            forms = listed.strip("<>").split("/")
            word = _SIGNS.sub("", forms[0])
            marked = tuple(_marked(form, article) for form in forms)
            entry = _Entry(word, listed[0] == "<", listed[-1] == ">", marked)
            by_first.setdefault(word[0], []).append(entry)
    return {
        first: tuple(sorted(entries, key=lambda entry: -len(entry.word)))
        for first, entries in by_first.items()
    }


def _marked(form: str, article: str) -> Marks:
    found: dict[int, Mark] = {}
    for match in _SIGNS.finditer(form):
        found[match.start() - len(found)] = Mark(match.group(), article)  # type: ignore[arg-type]
    return found


def _found(text: str) -> Iterator[tuple[int, tuple[Marks, ...]]]:
    """Listed words in ``text`` from left to right; one may begin with the last syllable of another."""
    entries, position = _entries(), 0
    while position < len(text):
        step = 1
        for entry in entries.get(text[position], ()):
            end = position + len(entry.word)
            if (
                text.startswith(entry.word, position)
                and not (entry.at_start and position and is_syllable(text[position - 1]))
                and not (entry.at_end and is_syllable(text[end : end + 1]))
            ):
                yield position, entry.forms
                step = max(1, len(entry.word) - 1)
                break
        position += step
