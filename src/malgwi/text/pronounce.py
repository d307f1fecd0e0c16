"""Spelling → pronounced Hangul, by the rules of standard pronunciation (국물 → 궁물, 좋다 → 조타).

Nearly all of the standard's changes happen at a *joint*: the final of one syllable meets the
initial of the next, and both may change. No joint touches its neighbours, so the whole of a text
is one pure function, ``_joint``, applied between syllables. What spelling alone cannot decide
(where a morpheme begins, whether 신고 is a verb) comes from the word lists on top; a word that is
not listed takes the regular rule.

Rules stop at spaces, as in careful speech; ``linked=True`` runs words together the way the
standard describes for "이어서 한 마디로" (옷 한 벌 → 오 탄 벌). The one exception: the modifier
ending -(으)ㄹ makes a dependent noun tense across its space in any style (할 수 → 할 쑤).
Where the standard allows two pronunciations this gives the first one, vowel length aside.

Source: 표준어 규정 제2부 표준 발음법 (국립국어원); 제n항 is its article n.
"""

import re
from typing import Literal

from malgwi.text.hangul import FINALS, INITIALS, MEDIALS, compose, is_syllable, letters

Mark = Literal["", "+", "|", "'", "=", " "]

#: Words whose pronunciation the spelling does not show, with a mark where the joint is special:
#: + inserts ㄴ (제29, 30항) · | a full morpheme follows (제15항) · ' the next initial is tense
#: (제24, 26, 28항) · = ㄴ meets ㄹ and stays (제20항 다만).
LEXICON = tuple(
    """
    솜+이불 홑+이불 막+일 삯+일 맨+입 꽃+잎 내복+약 한+여름 남존+여비 신+여성 색+연필 직행+열차
    늑막+염 콩+엿 담+요 눈+요기 영업+용 식용+유 국민+윤리 밤+윷 들+일 솔+잎 설+익 물+약 불+여우
    서울+역 물+엿 휘발+유 유들+유들 알+약 두통+약 감기+약 십+육 백+육 천+육
    강남+역 부산+역 대전+역 수원+역 용산+역
    베갯+잇 깻+잎 나뭇+잎 도리깻+열 뒷+윷 한국+여행 첫+여름 집안+일 큰+일 옛+이야기 뒷+이야기
    업무+용 가정+용 학생+용 여행+용
    맛|없 멋|없 겉|옷 맏|형 헛|웃 젖|어미 값|어치 값|있 넋|없 밭|아래 늪|앞 꽃|위 첫|인상 웃|어른
    갈'등 발'동 절'도 말'살 불'소 일'시 갈'증 물'질 발'전 몰'상식 불'세출 결'제 발'송 발'생 설'정
    일'정 실'시 출'장 철'도 활'동 열'정 절'대 출'시 별'도 출'동 일'단 월'세 질'서 달'성 발'달 할'증
    실'수 출'석 글'자 밀'접 결'정 실'제 물'건 설'치비 할'수록 할'지라도 할'지언정 할'진대
    문'고리 눈'동자 신'바람 산'새 손'재주 길'가 물'동이 발'바닥 굴'속 술'잔 바람'결 그믐'달 아침'밥
    점심'밥 저녁'밥 잠'자리 강'가 초승'달 등'불 창'살 강'줄기 손'가락 발'가락 손'등 물'고기 비빔'밥
    김'밥 인'기 사'건 조'건 물'가 문'법 보름'달 산'길 밤'길 안'과 내'과 치'과 외'과 갈'비집 용'건
    껴안'다 껴안'고 껴안'지 삼'고 더듬'지 더듬'고 줄넘'기 남'습니 넘'습니 담'습니 참'습니 감'습니
    숨'습니 심'습니 신'습니 안'습니 남'다 넘'다 담'다 참'다 남'지 넘'지 담'지 참'지 남'고 넘'고
    의견=란 임진=란 생산=량 결'단=력 공'권=력 동원=령 상견=례 횡단=로 이원=론 입원=료 구근=류
    음운=론 판단=력 통신=료 보관=료 주문=량 회원=료
    """.split()  # noqa: SIM905 - a list of 180 quoted words would hide the words
)

#: Words first respelled: names of the letters before vowels (제16항), 넓- as [넙] (제10항 다만).
_RESPELLED = {
    r"넓(?=[죽둥])": "넙",
    r"디귿(?=[아-잏])": "디긋",
    r"지읒(?=[아-잏])": "지읏",
    r"치읓(?=[아-잏])": "치읏",
    r"키읔(?=[아-잏])": "키윽",
    r"티읕(?=[아-잏])": "티읏",
    r"피읖(?=[아-잏])": "피읍",
    r"히읗(?=[아-잏])": "히읏",
}
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
_TENSE = dict(zip("ㄱㄷㅂㅅㅈ", "ㄲㄸㅃㅆㅉ", strict=True))
_ASPIRATED = dict(zip("ㄱㄷㅂㅈ", "ㅋㅌㅍㅊ", strict=True))
_NASAL = dict(zip("ㄱㄷㅂ", "ㅇㄴㅁ", strict=True))
_NOUNS_IN_LG = "닭흙칡삵슭"  # 제11항 다만 speaks of stems only: 맑게 → 말께, but 닭과 → 닥꽈
#: 제27항: dependent nouns and endings that are tense after the modifier -(으)ㄹ.
_AFTER_MODIFIER = re.compile(
    r"(?<=(?P<end>[가-힣])) "
    r"(?=(?:것|거|게|걸|수|데|바|줄|적)(?:[을를이은도가는에]|[예였]\S*|밖에|입니\S*)?(?!\S))"
)
_MODIFIER_ENDING = re.compile(r"(?<=[가-힣])(?=(?:게요|걸요|수록|지라도|지언정)(?![가-힣]))")

_MARKED = {re.sub(r"[+|'=]", "", word): word for word in LEXICON}
_LEXICON_PATTERN = re.compile("|".join(sorted(map(re.escape, _MARKED), key=len, reverse=True)))


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
    text, marks = _marks(text)
    spelled = [letters(ch) if is_syllable(ch) else None for ch in text]
    initials = [syllable[0] if syllable else "" for syllable in spelled]
    finals = [syllable[2] if syllable else "" for syllable in spelled]
    for position, syllable in enumerate(spelled):
        if syllable is None:
            continue
        after, mark = _next(text, position, linked)
        if after is None:
            finals[position] = _HEARD[finals[position]]
            continue
        mark = marks.get(after) or mark
        medial = letters(text[after])[1]
        finals[position], initials[after] = _joint(
            text[position], finals[position], initials[after], medial, mark
        )
    return "".join(
        _voice(initials[i], syllable[1], finals[i]) if syllable else text[i]
        for i, syllable in enumerate(spelled)
    )


def _marks(text: str) -> tuple[str, dict[int, Mark]]:
    """The text with irregular words respelled; marks by the position of the *later* syllable."""
    for word, respelled in _RESPELLED.items():
        text = re.sub(word, respelled, text)
    marks: dict[int, Mark] = {}
    for match in _LEXICON_PATTERN.finditer(text):
        position = match.start()
        for ch in _MARKED[match.group()]:
            if ch in "+|'=":
                marks[position] = ch  # type: ignore[assignment]
            else:
                position += 1
    for match in _AFTER_MODIFIER.finditer(text):  # 제27항
        if letters(match["end"])[2] == "ㄹ":
            marks[match.end()] = "'"
    for match in _MODIFIER_ENDING.finditer(text):  # 제27항 붙임
        if letters(text[match.start() - 1])[2] == "ㄹ":
            marks[match.end()] = "'"
    return text, marks


def _next(text: str, position: int, linked: bool) -> tuple[int | None, Mark]:
    """The position of the syllable that this one meets, if any, and how they meet."""
    following = text[position + 1 : position + 3]
    if following and is_syllable(following[0]):
        return position + 1, ""
    if len(following) == 2 and following[0] == " " and is_syllable(following[1]):
        modifier = _AFTER_MODIFIER.match(text, position + 1)
        if linked or (modifier and letters(text[position])[2] == "ㄹ"):
            return position + 2, " "
    return None, ""


def _joint(ch: str, final: str, initial: str, medial: str, mark: Mark) -> tuple[str, str]:
    """Final and next initial as they sound where a syllable ``ch`` meets the next one."""
    if mark == "+" and initial == "ㅇ":  # 제29항: as if the next syllable were spelled with ㄴ
        initial = "ㄴ"
    if initial == "ㅇ":
        if mark in {"|", " "}:  # 제15항: first the heard final, then liaison
            final = _HEARD[final]
        return _before_vowel(final, medial)
    if "ㅎ" in (initial, final) or final in {"ㄶ", "ㅀ"}:
        merged = _merge_hieut(final, initial, medial, mark)
        if merged:
            return merged
        final = {"ㄶ": "ㄴ", "ㅀ": "ㄹ"}.get(final, final)
    if mark == "'" or _makes_tense(ch, final, initial, medial):
        initial = _TENSE.get(initial, initial)
    return _assimilate(_simplify(ch, final, initial), initial, mark)


def _before_vowel(final: str, medial: str) -> tuple[str, str]:
    """Liaison (제13, 14항), palatalisation (제17항), silent ㅎ (제12항 4)."""
    if final in {"", "ㅇ"}:
        return final, "ㅇ"
    if final in {"ㅎ", "ㄶ", "ㅀ"}:
        return _before_vowel({"ㅎ": "", "ㄶ": "ㄴ", "ㅀ": "ㄹ"}[final], medial)
    stays, moves = _SPLIT.get(final, ("", final))
    if medial in {"ㅣ", "ㅕ"} and moves in {"ㄷ", "ㅌ"}:  # 굳이 → 구지, 붙여 → 부처
        moves = {"ㄷ": "ㅈ", "ㅌ": "ㅊ"}[moves]
    return stays, moves


def _merge_hieut(final: str, initial: str, medial: str, mark: Mark) -> tuple[str, str] | None:
    """제12항: ㅎ makes its neighbour aspirated or tense and is gone; None where it does neither."""
    if final in {"ㅎ", "ㄶ", "ㅀ"}:
        stays = {"ㅎ": "", "ㄶ": "ㄴ", "ㅀ": "ㄹ"}[final]
        if initial in {"ㄱ", "ㄷ", "ㅈ"}:  # 12.1 놓고 → 노코
            return stays, _ASPIRATED[initial]
        if initial == "ㅅ":  # 12.2 닿소 → 다쏘
            return stays, "ㅆ"
        return ("", "ㅌ") if final == initial else None  # 히읗하고 → 히으타고
    if final in {"ㄷ", "ㅌ"} and medial in {"ㅣ", "ㅕ"} and not mark:  # 제17항 붙임 닫히다 → 다치다
        return "", "ㅊ"
    if final in {"ㄺ", "ㄼ", "ㄵ"}:  # 12.1 붙임 1 밝히다 → 발키다
        stays, moves = _SPLIT[final]
        return stays, _ASPIRATED[moves]
    if final == "ㅈ" and not mark:  # 꽂히다 → 꼬치다, but 낮 한때 → 나 탄때
        return "", "ㅊ"
    heard = _HEARD[final]
    return ("", _ASPIRATED[heard]) if heard in {"ㄱ", "ㄷ", "ㅂ"} else None


def _makes_tense(ch: str, final: str, initial: str, medial: str) -> bool:
    """제23항 after every stop; 제24, 25항 after the clusters that only verb stems end in.

    기 after ㄻ is taken for the causative, which stays plain (굶기다, 옮기다).
    """
    if initial not in _TENSE:
        return False
    if _HEARD[final] in {"ㄱ", "ㄷ", "ㅂ"} or final in {"ㄵ", "ㄾ"}:
        return True
    if final == "ㄼ":
        return ch != "덟"  # 여덟 is a noun
    return final == "ㄻ" and ch != "삶" and (initial, medial) != ("ㄱ", "ㅣ")


def _simplify(ch: str, final: str, initial: str) -> str:
    """제8-11항: the one consonant that is heard of a final before another consonant."""
    if final == "ㄺ" and initial in {"ㄱ", "ㄲ"} and ch not in _NOUNS_IN_LG:  # 제11항 다만
        return "ㄹ"
    return "ㅂ" if ch == "밟" else _HEARD[final]  # 제10항 다만


def _assimilate(final: str, initial: str, mark: Mark) -> tuple[str, str]:
    """Nasalisation (제18, 19항) and ㄹ-assimilation (제20항) of the heard consonants."""
    if initial == "ㄹ" and final not in {"", "ㄹ"} and (final != "ㄴ" or mark == "="):
        initial = "ㄴ"  # 제19항 강릉 → 강능, 협력 → 혐녁; 제20항 다만 의견란 → 의견난
        return _NASAL.get(final, final), initial
    if {final, initial} == {"ㄴ", "ㄹ"}:
        return "ㄹ", "ㄹ"
    if initial in {"ㄴ", "ㅁ"}:
        return _NASAL.get(final, final), initial
    return final, initial


def _voice(initial: str, medial: str, final: str) -> str:
    """One syllable, its vowel by 제5항 다만 1 (가져 → 가저) and 3 (희망 → 히망)."""
    if initial in {"ㅈ", "ㅉ", "ㅊ"} and medial == "ㅕ":
        medial = "ㅓ"
    if initial != "ㅇ" and medial == "ㅢ":
        medial = "ㅣ"
    return compose(INITIALS.index(initial), MEDIALS.index(medial), FINALS.index(final))
