"""Loanwords written otherwise: 콘텐츠 and 컨텐츠 are one word, LG and 엘지 too.

A recogniser that writes 쥬스 for 주스 heard well. Two things are recognised: a word of the table in
another of its spellings (the first is the standard's), and Latin letters on one side where the
other has Hangul or another case; the sound of Latin letters is not compared.

Sources: 외래어 표기법 (문화체육관광부 고시), 제1장 제4항 (no tense consonant for a plosive: 카페,
not 까페) and 제3장 제1절 (주스, not 쥬스); the standard spellings are those of the 외래어 표기 용례
of 국립국어원, the others those one meets beside them.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Literal

from malgwi.metrics.sound_alignment import Aligned
from malgwi.text.hangul import is_syllable

#: A loanword a word: the standard's spelling, then others that one meets.
VARIANTS = """
    가스/까스/개스 가톨릭/카톨릭 글라스/글래스 깁스/기브스 난센스/넌센스 내레이션/나레이션
    뉘앙스/늬앙스 달러/딸라 댄스/땐스 데뷔/데뷰 데스크톱/데스크탑 데이터/데이타
    도넛/도너츠/도나스 드라이클리닝/드라이크리닝 디렉터리/디렉토리 디지털/디지탈 라벨/레이블
    라이선스/라이센스 라이터/라이타 랑데부/랑데뷰 러닝/런닝 레이더/레이다 레이저/레이져
    레저/레져 레크리에이션/레크레이션 로봇/로보트 로열티/로얄티 로열/로얄 로켓/로케트
    로브스터/랍스터 리더십/리더쉽 리모컨/리모콘 링거/링겔 마니아/매니아 마사지/맛사지
    매뉴얼/메뉴얼 매트리스/메트리스 메시지/메세지/멧세지 멤버십/멤버쉽 모터/모타 몽타주/몽타쥬
    미스터리/미스테리 바비큐/바베큐 밸런스/발란스 배터리/밧데리/바테리/빠떼리 버스/뻐스
    버튼/보턴 보디/바디 불도저/불도우저 뷔페/부페 브러시/브러쉬 블록/블럭 비스킷/비스켓
    비전/비젼 비즈니스/비지니스 사이다/싸이다 사이렌/싸이렌 사이즈/싸이즈 사이클/싸이클
    사이트/싸이트 사인/싸인 새시/샤시/샷시 샌들/샌달 샐러드/사라다 샴푸/삼푸 서비스/써비스
    서클/써클 선글라스/썬글라스/선그라스 세미나/쎄미나 세일/쎄일 센서/쎈서 센스/쎈스
    센터/쎈터/센타/쎈타 셔터/샷다/샷타 셰이크/쉐이크 셰프/쉐프 소시지/소세지/쏘세지
    소파/쇼파/쏘파 숍/샵 스낵/스넥 스노보드/스노우보드 스케줄/스케쥴 스태프/스탭
    스탠더드/스탠다드 스테인리스/스텐레스/스테인레스 스펀지/스폰지 스프링클러/스프링쿨러
    슈퍼/수퍼 슈퍼마켓/수퍼마켓/슈퍼마켙 슈트/수트 시스템/씨스템 심벌/심볼 싱크대/씽크대
    아웃렛/아울렛 아이섀도/아이섀도우 악센트/액센트 알레르기/알러지 알루미늄/알미늄 알코올/알콜
    애드리브/애드립 애플리케이션/어플리케이션 액세서리/악세사리/악세서리/액세사리
    액셀/악셀/엑셀 앰뷸런스/앰블런스 에스컬레이터/에스칼레이터 에어컨/에어콘 엔도르핀/엔돌핀
    엘리베이터/엘레베이터 오디세이/오딧세이 오렌지/오랜지 오리지널/오리지날 오프너/오프나
    옵서버/옵저버 워크숍/워크샵 윈도/윈도우 이미지/이메지 잉글리시/잉글리쉬 재즈/째즈
    재킷/자켓/쟈켓 잼/쨈 점퍼/잠바 젤리/제리 주니어/쥬니어 주스/쥬스 지퍼/자크 찬스/챤스
    차트/챠트 채널/챈널/체널 초콜릿/초콜렛/쵸콜릿/쵸코렛 추리닝/츄리닝 카디건/가디건 카페/까페
    카펫/카페트 칼럼/컬럼 캐러멜/카라멜 캐럴/캐롤 캐비닛/캐비넷 캡처/캡쳐 커닝/컨닝 커튼/커텐
    컨디션/콘디션 컨테이너/콘테이너 컨트롤/콘트롤 컬러/칼라 컴퍼스/콤파스 컴퓨터/콤퓨터/컴퓨타
    케이크/케익/케잌 케첩/케찹 코미디/코메디 콘서트/컨서트 콘셉트/컨셉/컨셉트 콘테스트/컨테스트
    콘텐츠/컨텐츠 콤플렉스/컴플렉스 콩쿠르/콩쿨 쿠데타/쿠테타 크리스천/크리스찬
    크리스털/크리스탈 클라이맥스/클라이막스 클랙슨/크락션/클락션 킬로/키로 킬로그램/키로그램
    킬로미터/키로미터 타깃/타겟/타켓 타월/타올 탤런트/탈렌트 터미널/터미날 터부/타부
    테이프/테입 텔레비전/텔레비젼/테레비 트로트/트롯 티켓/티킷 파이팅/화이팅 파일/화일
    판타지/환타지 패밀리/훼밀리 팸플릿/팜플렛 퍼센트/프로 페스티벌/페스티발 포클레인/포크레인
    포털/포탈 프라이/후라이 프라이드/후라이드 프라이팬/후라이팬 프러포즈/프로포즈 프런트/프론트
    프레젠테이션/프리젠테이션 플라스틱/프라스틱 플래시/후래쉬/플래쉬 플래카드/플랭카드/플랜카드
    플랫폼/플래폼 플루트/플룻 피에로/삐에로 핀셋/핀세트 필름/필림 핼러윈/할로윈
    모차르트/모짜르트 파리/빠리 포일/호일
"""
_LATIN = re.compile(r"[A-Za-z]+")


def loanwords(aligned: Aligned) -> Iterator[tuple[int, Literal["loanword"]]]:
    """Places of the errors that are another spelling of one loanword.

    >>> from malgwi.metrics.sound_alignment import align_by_sound
    >>> [place for place, _ in loanwords(align_by_sound("오렌지 주스", "오랜지 쥬스"))]
    [1, 3]
    """
    errors = set(aligned.errors)
    for first, end in (*_respelled(aligned), *_latin(aligned)):
        yield from ((place, "loanword") for place in range(first, end) if place in errors)


def _respelled(aligned: Aligned) -> Iterator[tuple[int, int]]:
    """Stretches where one spelling of a loanword stands against another."""
    text, places = "", list[int]()
    for place, column in enumerate(aligned.columns):
        if column.said:
            text, places = text + column.said, [*places, place]
    for match in _pattern().finditer(text):
        first, last = places[match.start()], places[match.end() - 1]
        others = _others()[match.group()]
        for end in range(last + 1, _behind_insertions(aligned, last + 1) + 1):
            if aligned.heard(first, end) in others:
                yield first, end
                break


def _behind_insertions(aligned: Aligned, place: int) -> int:
    while place < len(aligned.columns) and aligned.columns[place].kind == "insertion":
        place += 1
    return place


def _latin(aligned: Aligned) -> Iterator[tuple[int, int]]:
    """Stretches of errors in Latin letters on one side, in Hangul or another case on the other."""
    for first, end in aligned.runs:
        said, heard = aligned.said(first, end), aligned.heard(first, end)
        for latin, other in ((said, heard), (heard, said)):
            if _LATIN.fullmatch(latin) and (_is_hangul(other) or latin.lower() == other.lower()):
                yield first, end
                break


def _is_hangul(text: str) -> bool:
    return bool(text) and all(map(is_syllable, text))


@cache
def _others() -> dict[str, frozenset[str]]:
    """Spelling → the other spellings of its word."""
    groups = [word.split("/") for word in VARIANTS.split()]
    others: dict[str, set[str]] = {}
    for group in groups:
        for spelling in group:
            others.setdefault(spelling, set()).update(set(group) - {spelling})
    return {spelling: frozenset(found) for spelling, found in others.items()}


@cache
def _pattern() -> re.Pattern[str]:
    """Any spelling, the longest first."""
    return re.compile("|".join(sorted(_others(), key=len, reverse=True)))
