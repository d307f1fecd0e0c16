"""Pronunciation against the examples that the standard itself gives, article by article."""

import csv
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from malgwi.text import joint_marks
from malgwi.text import pronounce as pronounce_module
from malgwi.text.hangul import is_syllable
from malgwi.text.pronounce import Change, explain, pronounce, pronunciations
from malgwi.text.pronunciation_words import WORDS

GOLDEN = Path(__file__).parents[1] / "golden" / "standard_pronunciation.tsv"


class Example(NamedTuple):
    """A row of the golden file: one example of the standard."""

    article: str
    spelling: str
    forms: tuple[str, ...]

    @property
    def linked(self) -> bool:
        return " " in self.spelling


def examples() -> list[Example]:
    with GOLDEN.open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [
            Example(row["article"], row["spelling"], tuple(row["pronunciation"].split("/")))
            for row in rows
        ]


EXAMPLES = [pytest.param(row, id=f"{row.article}-{row.spelling}") for row in examples()]
EVERY_DAY = """
    습니다 슴니다 같이 가치 좋다 조타 독립 동닙 값이 갑씨 닭이 달기 고객님 고갱님 십만 심만
    육만 융만 백만 뱅만 결제 결쩨 안녕하십니까 안녕하심니까 어떻게 어떠케 괜찮아요 괜차나요
    여덟도 여덜도 닭과 닥꽈 연락 열락 전화번호 전화번호 백화점 배콰점 맞히다 마치다 붙여 부처
    밀가루 밀까루 맹장염 맹장념 장염이 장녀미 관절염 관절렴 중이염 중이염
    십육 심뉵 절약 저략 월요일 워료일 목요일 모교일 금요일 그묘일 삶과 삼과 삶고 삼꼬
"""
#: Word → pronunciation, where a suffix decides and neither the word nor the standard is listed.
BY_SUFFIX = """
    상품권 상품꿘 우울증 우울쯩 영수증 영수증 본인인증 보니닌증 사용법 사용뻡 해결방법 해결방법
    기름값 기름깝 현실적인 현실쩌긴 강남역에서 강남녀게서 지역에서 지여게서 표현력 표현녁
    재훈련 재훌련 할인율 하린뉼 가족여행 가종녀행 여행용 여행뇽 재활용 재화룡 거든요 거든뇨
    필요 피료 살아남고 사라남꼬 강남고 강남고 넘기다 넘기다 할게 할께 만들게 만들게 될지 될찌
    전율을 저뉴를 언론 얼론 한국언론 한구걸론 통신료 통신뇨 생산력 생산녁 의료진료 의료질료
    대관령 대괄령 구성과 구성과 성과 성꽈 역사적 역싸적
    볼수있는 볼쑤인는 어울릴듯 어울릴뜯 물을 무를
"""


def pairs(text: str) -> list[tuple[str, str]]:
    words = text.split()
    return list(zip(words[::2], words[1::2], strict=True))


@pytest.mark.parametrize("row", EXAMPLES)
def test_examples_of_the_standard(row: Example) -> None:
    said = pronounce(row.spelling, linked=row.linked).replace(" ", "")
    assert said == row.forms[0]
    allowed = {form.replace(" ", "") for form in pronunciations(row.spelling, linked=row.linked)}
    assert said in allowed
    assert set(row.forms) <= allowed


#: Articles whose examples change nothing, or by another article, or in length alone.
WITHOUT_STEP = "5 다만 2|5 다만 4|6.*|7.*|15 다만|21|22.*|24 다만|26 다만|29 붙임 2 다만|30.2"


@pytest.mark.parametrize("row", EXAMPLES)
def test_the_steps_cite_the_article_of_the_example(row: Example) -> None:
    cited = {change.article for change in explain(row.spelling, linked=row.linked)}
    assert row.article in cited or re.fullmatch(WITHOUT_STEP, row.article), cited


def test_the_golden_file_covers_the_articles_that_have_examples() -> None:
    rows = examples()
    assert len({row.spelling for row in rows}) >= 430
    numbers = {int(re.match(r"\d+", row.article)[0]) for row in rows}  # type: ignore[index]
    assert numbers == set(range(1, 31)) - {1, 2, 3, 4, 8}
    assert all(is_syllable(ch) for row in rows for form in row.forms for ch in form)


def test_how_many_examples_pass_by_rule_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list holds the standard's own words: what passes without it is what generalises."""

    right = {"with the word list": _right()}
    monkeypatch.setattr(joint_marks, "_entries", dict)
    right["with endings and suffixes"] = _right()
    monkeypatch.setattr(joint_marks, "_RULES", ())
    monkeypatch.setattr(joint_marks, "_LINKED_RULES", ())
    right["by rule alone"] = _right()
    pronounce_module._said_apart.cache_clear()
    print(right)  # shown by pytest -s
    assert right == {
        "with the word list": 438,
        "with endings and suffixes": 339,
        "by rule alone": 314,
    }


def _right() -> int:
    """How many distinct spellings of the golden file are said as the standard says."""
    pronounce_module._said_apart.cache_clear()
    return len(
        {
            row.spelling
            for row in examples()
            if pronounce(row.spelling, linked=row.linked).replace(" ", "") == row.forms[0]
        }
    )


@pytest.mark.parametrize(("spelled", "said"), pairs(EVERY_DAY))
def test_words_said_every_day(spelled: str, said: str) -> None:
    assert pronounce(spelled) == said


@pytest.mark.parametrize(("spelled", "said"), pairs(BY_SUFFIX))
def test_endings_and_suffixes(spelled: str, said: str) -> None:
    assert pronounce(spelled) == said


@pytest.mark.parametrize(
    ("spelled", "said"),
    [
        ("시계", {"시계", "시게"}),  # 제5항 다만 2
        ("예의", {"예의", "예이"}),  # its 예 stays
        ("의의", {"의의", "의이"}),  # 제5항 다만 4
        ("강의의", {"강의의", "강의에", "강이의", "강이에"}),
        ("민주주의의", {"민주주의의", "민주주의에", "민주주이의", "민주주이에"}),
        ("책의", {"채긔", "채게"}),
        ("희망의", {"히망의", "히망에"}),  # 다만 3 leaves no choice
        ("되었다", {"되얻따", "되엳따", "뒈얻따", "뒈엳따"}),  # 제4항 붙임, 제22항
        ("시어머니", {"시어머니"}),  # 어 is no ending here
        ("국어", {"구거"}),
        ("아니오", {"아니오", "아니요"}),
        ("맛있는", {"마신는", "마딘는"}),  # 제15항 다만
        ("금융", {"금늉", "그뮹"}),  # 제29항 다만
        (
            "냇가의 햇살",
            {
                f"{a} {b}"
                for a in ("내까의", "내까에", "낻까의", "낻까에")
                for b in ("해쌀", "핻쌀")
            },
        ),
        ("국물", {"궁물"}),
        ("", {""}),
    ],
)
def test_all_pronunciations_that_are_allowed(spelled: str, said: set[str]) -> None:
    assert pronunciations(spelled) == said
    assert pronounce(spelled) in said


def test_a_step_names_its_rule_its_article_and_its_place() -> None:
    assert explain("그 국물이 좋다") == [
        Change(2, "nasalisation", "18", "국", "궁"),
        Change(3, "liaison", "13", "물이", "무리"),
        Change(6, "aspiration", "12.1", "좋다", "조타"),
    ]
    assert explain("옷 한 벌", linked=True) == [
        Change(0, "neutralisation", "9", "옷", "옫"),
        Change(0, "aspiration", "12.1 붙임 2", "옫 한", "오 탄"),
    ]
    assert [change.rule for change in explain("디귿이")] == ["letter_name", "liaison"]
    assert [(c.rule, c.article) for c in explain("붙여")] == [
        ("palatalisation", "17"),
        ("vowel", "5 다만 1"),
    ]
    assert explain("나무") == []


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


def test_no_word_is_listed_twice_and_the_readings_of_a_word_differ() -> None:
    listed = [form for words in WORDS.values() for form in words.split()]
    spelled = [re.sub(r"[+|'*=<>]", "", form).split("/")[0] for form in listed]
    assert [word for word, count in Counter(spelled).items() if count > 1] == []
    for forms in (form.strip("<>").split("/") for form in listed):
        assert len(set(forms)) == len(forms)
        assert len({re.sub(r"[+|'*=]", "", form) for form in forms}) == 1
        assert all(is_syllable(ch) for ch in re.sub(r"[+|'*=]", "", forms[0]))
