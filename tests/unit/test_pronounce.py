"""Pronunciation against the examples that the standard itself gives, article by article."""

import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from malgwi.text.hangul import is_syllable, letters
from malgwi.text.pronounce import explain, pronounce
from malgwi.text.pronunciation_words import WORDS

#: 표준 발음법: article → "spelling pronunciation" pairs, all from the text of the standard.
EXAMPLES = {
    "5": "가져 가저 쪄 쩌 다쳐 다처 늴리리 닐리리 희망 히망 유희 유히 띄어쓰기 띠어쓰기",
    "9": """
        닦다 닥따 키읔 키윽 옷 옫 웃다 욷따 있다 읻따 젖 젇 빚다 빋따 꽃 꼳 쫓다 쫃따 솥 솓
        뱉다 밷따 앞 압 덮다 덥따
    """,
    "10": """
        넋 넉 넋과 넉꽈 앉다 안따 여덟 여덜 넓다 널따 외곬 외골 핥다 할따 값 갑 없다 업따
        밟다 밥따 밟소 밥쏘 밟지 밥찌 밟는 밤는 밟게 밥께 밟고 밥꼬 넓죽하다 넙쭈카다
        넓둥글다 넙뚱글다
    """,
    "11": """
        닭 닥 흙과 흑꽈 맑다 막따 늙지 늑찌 삶 삼 젊다 점따 읊고 읍꼬 읊다 읍따 맑게 말께
        묽고 물꼬 얽거나 얼꺼나
    """,
    "12.1": """
        놓고 노코 좋던 조턴 쌓지 싸치 많고 만코 않던 안턴 닳지 달치 각하 가카 먹히다 머키다
        밝히다 발키다 맏형 마텽 좁히다 조피다 넓히다 널피다 꽂히다 꼬치다 앉히다 안치다
        숱하다 수타다
    """,
    "12.2": "닿소 다쏘 많소 만쏘 싫소 실쏘",
    "12.3": "놓는 논는 쌓네 싼네 않네 안네 않는 안는 뚫네 뚤레 뚫는 뚤른",
    "12.4": "낳은 나은 놓아 노아 쌓이다 싸이다 많아 마나 않은 아는 닳아 다라 싫어도 시러도",
    "13": """
        깎아 까까 옷이 오시 있어 이써 낮이 나지 꽂아 꼬자 꽃을 꼬츨 쫓아 쪼차 밭에 바테
        앞으로 아프로 덮이다 더피다
    """,
    "14": """
        넋이 넉씨 앉아 안자 닭을 달글 젊어 절머 곬이 골씨 핥아 할타 읊어 을퍼 값을 갑쓸
        없어 업써
    """,
    "15": """
        밭아래 바다래 늪앞 느밥 젖어미 저더미 맛없다 마덥따 겉옷 거돋 헛웃음 허두슴
        꽃위 꼬뒤 값어치 가버치 값있는 가빈는
    """,
    "16": """
        디귿이 디그시 지읒을 지으슬 치읓에 치으세 키읔이 키으기 티읕을 티으슬 피읖이 피으비
        히읗에 히으세
    """,
    "17": """
        곧이듣다 고지듣따 굳이 구지 미닫이 미다지 땀받이 땀바지 밭이 바치 벼훑이 벼훌치
        굳히다 구치다 닫히다 다치다 묻히다 무치다
    """,
    "18": """
        먹는 멍는 국물 궁물 깎는 깡는 키읔만 키응만 몫몫이 몽목씨 긁는 긍는 흙만 흥만
        닫는 단는 짓는 진는 옷맵시 온맵씨 있는 인는 맞는 만는 젖멍울 전멍울 쫓는 쫀는
        꽃망울 꼰망울 붙는 분는 놓는 논는 잡는 잠는 밥물 밤물 앞마당 암마당 밟는 밤는
        읊는 음는 없는 엄는
    """,
    "19": """
        담력 담녁 침략 침냑 강릉 강능 항로 항노 대통령 대통녕 막론 망논 백리 뱅니 협력 혐녁
        십리 심니
    """,
    "20": """
        난로 날로 신라 실라 천리 철리 광한루 광할루 대관령 대괄령 칼날 칼랄 물난리 물랄리
        줄넘기 줄럼끼 할는지 할른지 닳는 달른 뚫는 뚤른 핥네 할레 의견란 의견난
        임진란 임진난 생산량 생산냥 결단력 결딴녁 동원령 동원녕 상견례 상견녜 횡단로 횡단노
        이원론 이원논 입원료 이붠뇨 구근류 구근뉴 공권력 공꿘녁
    """,
    "23": """
        국밥 국빱 깎다 깍따 넋받이 넉빠지 삯돈 삭똔 닭장 닥짱 칡범 칙뻠 뻗대다 뻗때다
        옷고름 옫꼬름 있던 읻떤 꽂고 꼳꼬 꽃다발 꼳따발 낯설다 낟썰다 밭갈이 받까리
        솥전 솓쩐 곱돌 곱똘 덮개 덥깨 옆집 엽찝 읊조리다 읍쪼리다 값지다 갑찌다
    """,
    "24": """
        앉고 안꼬 얹다 언따 삼고 삼꼬 더듬지 더듬찌 닮고 담꼬 젊지 점찌 껴안다 껴안따
        굶기다 굼기다 옮기다 옴기다
    """,
    "25": "넓게 널께 핥다 할따 훑소 훌쏘 떫지 떨찌",
    "26": """
        갈등 갈뜽 발동 발똥 절도 절또 말살 말쌀 불소 불쏘 일시 일씨 갈증 갈쯩 물질 물찔
        발전 발쩐 몰상식 몰쌍식 불세출 불쎄출
    """,
    "27": "할수록 할쑤록 할지라도 할찌라도 할지언정 할찌언정 할진대 할찐대",
    "28": """
        문고리 문꼬리 눈동자 눈똥자 신바람 신빠람 산새 산쌔 손재주 손째주 길가 길까
        물동이 물똥이 발바닥 발빠닥 굴속 굴쏙 술잔 술짠 바람결 바람껼 그믐달 그믐딸
        아침밥 아침빱 잠자리 잠짜리 강가 강까 초승달 초승딸 등불 등뿔 창살 창쌀
        강줄기 강쭐기
    """,
    "29": """
        솜이불 솜니불 홑이불 혼니불 막일 망닐 삯일 상닐 맨입 맨닙 꽃잎 꼰닙 내복약 내봉냑
        한여름 한녀름 남존여비 남존녀비 신여성 신녀성 색연필 생년필 직행열차 지캥녈차
        늑막염 능망념 콩엿 콩녇 담요 담뇨 눈요기 눈뇨기 영업용 영엄뇽 식용유 시굥뉴
        국민윤리 궁민뉼리 밤윷 밤뉻 들일 들릴 솔잎 솔립 설익다 설릭따 물약 물략
        불여우 불려우 서울역 서울력 물엿 물렫 휘발유 휘발류 유들유들 유들류들
    """,
    "29 no insertion": """
        송별연 송벼련 등용문 등용문 절약 저략 월요일 워료일 목요일 모교일 금요일 그묘일
    """,
    "30": """
        콧날 콘날 아랫니 아랜니 툇마루 퇸마루 뱃머리 밴머리 베갯잇 베갠닏 깻잎 깬닙
        나뭇잎 나문닙 도리깻열 도리깬녈 뒷윷 뒨뉻
    """,
    "said every day": """
        습니다 슴니다 같이 가치 좋다 조타 독립 동닙 값이 갑씨 닭이 달기 고객님 고갱님
        십만 심만 육만 융만 백만 뱅만 결제 결쩨 안녕하십니까 안녕하심니까 어떻게 어떠케
        괜찮아요 괜차나요 여덟도 여덜도 닭과 닥꽈 연락 열락 전화번호 전화번호 백화점 배콰점
        맞히다 마치다 붙여 부처 십육 심뉵
    """,
}
PAIRS = [
    pytest.param(*pair, id=f"{article}-{pair[0]}")
    for article, text in EXAMPLES.items()
    for pair in zip(text.split()[::2], text.split()[1::2], strict=True)
]


@pytest.mark.parametrize(("spelled", "said"), PAIRS)
def test_words_of_the_standard(spelled: str, said: str) -> None:
    assert pronounce(spelled) == said


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        ("할 것을 갈 데가 할 바를", "할 꺼슬 갈 떼가 할 빠를"),  # 제27항
        ("할 수는 할 적에 갈 곳", "할 쑤는 할 쩌게 갈 곧"),
        ("서울 시청", "서울 시청"),
        ("할게요 도와드릴게요", "할께요 도와드릴께요"),
        ("옷 한 벌", "옫 한 벌"),
        ("책 넣는다", "책 넌는다"),
    ],
)
def test_spaces_part_words_but_for_the_modifier(spelled: str, said: str) -> None:
    assert pronounce(spelled) == said


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        ("옷 한 벌", "오 탄 벌"),  # 제12항
        ("낮 한때", "나 탄때"),
        ("꽃 한 송이", "꼬 탄 송이"),
        ("책 넣는다", "챙 넌는다"),  # 제18항
        ("흙 말리다", "흥 말리다"),
        ("옷 맞추다", "온 맏추다"),
        ("밥 먹는다", "밤 멍는다"),
        ("값 매기다", "감 매기다"),
        ("밭 아래", "바 다래"),  # 제15항
        ("몇 월", "며 둴"),
    ],
)
def test_linked_speech_runs_words_together(spelled: str, said: str) -> None:
    assert pronounce(spelled, linked=True) == said


def test_what_is_no_syllable_stays_and_parts_words() -> None:
    assert pronounce("국. 물, ㅋㅋ OK 3시!") == "국. 물, ㅋㅋ OK 3시!"
    assert pronounce("") == ""


@given(
    st.text(
        st.sampled_from("가각갂값갔강낳놓닭밟많앉없있좋핥 이어여야히하나마라다사자.")
        | st.characters()
    )
)
def test_length_and_vowels_are_kept(text: str) -> None:
    for linked in (False, True):
        said = pronounce(text, linked=linked)
        assert len(said) == len(text)
        for before, after in zip(text, said, strict=True):
            assert is_syllable(before) == is_syllable(after)
            if not is_syllable(before):
                assert before == after
            else:
                change = {letters(before)[1], letters(after)[1]}
                assert len(change) == 1 or change in ({"ㅕ", "ㅓ"}, {"ㅢ", "ㅣ"})


@given(st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=6))
def test_finals_that_are_heard_are_seven(text: str) -> None:
    assert {letters(ch)[2] for ch in pronounce(text)} <= set("ㄱㄴㄷㄹㅁㅂㅇ") | {""}


@given(st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), max_size=6))
def test_no_forbidden_neighbours_remain(text: str) -> None:
    said = [letters(ch) for ch in pronounce(text)]
    for (_, _, final), (initial, _, _) in pairwise(said):
        assert not (final in "ㄱㄷㅂ" and final and initial in "ㄴㅁㄹㅎ")
        assert (final, initial) not in {("ㄹ", "ㄴ"), ("ㅁ", "ㄹ"), ("ㅇ", "ㄹ")}
        assert final in {"", "ㅇ"} or initial != "ㅇ"


def test_no_word_is_listed_twice_and_the_readings_of_a_word_differ() -> None:
    listed = [form for words in WORDS.values() for form in words.split()]
    spelled = [re.sub(r"[+|'*=<>]", "", form).split("/")[0] for form in listed]
    assert [word for word, count in Counter(spelled).items() if count > 1] == []
    for forms in (form.strip("<>").split("/") for form in listed):
        assert len(set(forms)) == len(forms)
        assert len({re.sub(r"[+|'*=]", "", form) for form in forms}) == 1
        assert all(is_syllable(ch) for ch in re.sub(r"[+|'*=]", "", forms[0]))


@given(st.text(st.sampled_from("가각값강낳닭밟않없핥의계 이여히나라사자져.") | st.characters()))
def test_the_explained_steps_lead_from_spelling_to_sound(text: str) -> None:
    for linked in (False, True):
        said = text
        for change in explain(text, linked=linked):
            end = change.position + len(change.before)
            assert said[change.position : end] == change.before != change.after
            assert len(change.before) == len(change.after)
            assert change.before[0] != change.after[0]
            assert change.before[-1] != change.after[-1]
            said = said[: change.position] + change.after + said[end:]
        assert said == pronounce(text, linked=linked)
