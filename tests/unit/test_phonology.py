"""Kinds of error: a linguist's table of cases, and what must hold for any two texts."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from malgwi.errors import DataError
from malgwi.metrics.error_classes import KINDS, classify
from malgwi.metrics.error_kinds import error_kinds
from malgwi.metrics.error_rate import utterance_rates
from malgwi.metrics.grammar import tail_class
from malgwi.metrics.jamo_confusions import SLOTS, confusions
from malgwi.metrics.loanwords import VARIANTS
from malgwi.metrics.number_words import readings
from malgwi.metrics.phonology import OF_RULE
from malgwi.metrics.sound_alignment import align_by_sound
from malgwi.text.hangul import is_syllable, letters
from malgwi.text.joint_rules import Rule

#: reference, hypothesis, the kind of every error from left to right.
CASES = [
    # 연음, 제13, 14항
    ("먹어", "머거", "liaison liaison"),
    ("옷이 커요", "오시 커요", "liaison liaison"),
    ("값을 물었다", "갑슬 물었다", "liaison liaison"),
    ("없어요", "업서요", "liaison liaison"),
    ("앉아서", "안자서", "liaison liaison"),
    ("꽃을 샀다", "꼬츨 샀다", "liaison liaison"),
    ("설거지를 한다", "설겆이를 한다", "liaison liaison"),
    # 경음화, 제23-28항
    ("국밥 주세요", "국빱 주세요", "tensification"),
    ("학교에 가자", "학꾜에 가자", "tensification"),
    ("할게요", "할께요", "tensification"),
    ("갈 수 있다", "갈 쑤 있다", "tensification"),
    ("갈등이 있다", "갈뜽이 있다", "tensification"),
    ("효과가 있다", "효꽈가 있다", "tensification"),
    # 비음화, 제18, 19항
    ("국물이 맛있다", "궁물이 맛있다", "nasalisation"),
    ("합니다", "함니다", "nasalisation"),
    ("강릉에 간다", "강능에 간다", "nasalisation"),
    ("협력 업체", "혐녁 업체", "nasalisation nasalisation"),
    ("먹는 사람", "멍는 사람", "nasalisation"),
    # 유음화, 제20항
    ("신라 시대", "실라 시대", "lateralisation"),
    ("칼날이 날카롭다", "칼랄이 날카롭다", "lateralisation"),
    ("연락을 주세요", "열락을 주세요", "lateralisation"),
    # 구개음화, 제17항
    ("같이 가자", "가치 가자", "palatalisation palatalisation"),
    ("굳이 왜", "구지 왜", "palatalisation palatalisation"),
    ("문이 닫혔다", "문이 다쳤다", "palatalisation palatalisation"),
    # ㅎ, 제12항
    ("좋다", "조타", "hieut hieut"),
    ("좋아요", "조아요", "hieut"),
    ("많이 먹어", "마니 먹어", "hieut liaison"),
    ("않는다", "안는다", "hieut"),
    ("입학식", "이팍식", "hieut hieut"),
    ("전화 받아", "저놔 받아", "hieut hieut"),
    ("결혼 축하해", "겨론 축하해", "hieut hieut"),
    # ㄴ 첨가, 제29항
    ("꽃잎 하나", "꼰닙 하나", "nasalisation n_insertion"),
    ("담요를 덮다", "담뇨를 덮다", "n_insertion"),
    # 받침, 제8-11항
    ("낫과 호미", "낮과 호미", "neutralisation"),
    ("닭도 있다", "닥도 있다", "neutralisation"),
    ("부엌 쪽", "부억 쪽", "neutralisation"),
    # 제5항
    ("가져 와", "가저 와", "vowel"),
    ("희망을 갖자", "히망을 갖자", "vowel"),
    ("나의 집", "나에 집", "vowel"),
    ("시계를 봐", "시게를 봐", "vowel"),
    ("주의하세요", "주이하세요", "vowel"),
    # ㅐ/ㅔ, ㅙ/ㅚ/ㅞ, ㅒ/ㅖ
    ("어제 봤는데", "어재 봤는데", "ae_e"),
    ("안 돼요", "안 되요", "ae_e"),
    ("웬일이야", "왠일이야", "ae_e"),
    ("그 애가", "그 에가", "ae_e"),
    ("얘기해 줘", "예기해 줘", "ae_e"),
    ("외국 사람", "왜국 사람", "ae_e"),
    # 조사
    ("학교에 갔다", "학교 갔다", "particle"),
    ("어제 비가 왔어요", "어제 비 왔어요", "particle"),
    ("밥은 먹었니", "밥을 먹었니", "particle"),
    ("친구에게 줬다", "친구한테 줬다", "particle particle"),
    ("집에서 잤다", "집에 잤다", "particle"),
    ("나는 몰라", "난 몰라", "particle particle"),
    ("우리 간다", "우리는 간다", "particle"),
    ("사람들의 집", "사람들이 집", "particle"),
    ("서울까지 가요", "서울부터 가요", "particle particle"),
    # 어미
    ("벌써 갔어요", "벌써 갔어", "ending"),
    ("지금 갑니다", "지금 가요", "ending ending ending"),
    ("공부합니다", "공부해요", "ending ending ending"),
    ("먹는 사과", "먹은 사과", "ending"),
    ("가고 싶어", "가지 싶어", "ending"),
    ("비가 왔다", "비가 왔지", "ending"),
    ("먹으면 돼", "먹어서 돼", "ending ending"),
    ("춥지만 간다", "춥고 간다", "ending ending"),
    # 수
    ("7시에 만나", "일곱 시에 만나", "number number"),
    ("15,000원", "만 오천 원", "number number number number number number"),
    ("일곱 시", "칠 시", "number number"),
    ("열두 명", "십이 명", "number number"),
    ("010-1234", "공일공 일이삼사", "number number number number number number number number"),
    ("3.5%", "삼 점 오 퍼센트", "number number number number number number"),
    ("15,000원", "15000원", "number"),
    # 외래어
    ("콘텐츠 제작", "컨텐츠 제작", "loanword"),
    ("오렌지 주스", "오렌지 쥬스", "loanword"),
    ("메시지를 보내", "메세지를 보내", "loanword"),
    ("카페에서 봐", "까페에서 봐", "loanword"),
    ("화이팅 하자", "파이팅 하자", "loanword"),
    ("LG 텔레비전", "엘지 텔레비전", "loanword loanword"),
    # 띄어쓰기
    ("커피 한 잔 주세요", "커피 한잔 주세요", "spacing"),
    ("빨리 집에 가고 싶어", "빨리 집에 가고싶어", "spacing"),
    ("못하다니", "못 하다니", "spacing"),
    # 없는 말, 빠진 말
    ("", "시청해 주셔서 감사합니다", " ".join(["hallucination"] * 11)),
    ("오늘은 정말 날씨가 좋다", "오늘은 좋다", " ".join(["deleted_stretch"] * 5)),
    ("우리 지금 만나", "우리 만나", "deleted_stretch deleted_stretch"),
    ("네 알겠습니다", "네 알겠습니다감사합니다", " ".join(["added_stretch"] * 5)),
    # 받침 탈락과 첨가
    ("갑자기 왜", "가자기 왜", "dropped_final"),
    ("사람이 많다", "사라이 많다", "dropped_final"),
    ("바다를 봐", "반다를 봐", "added_final"),
    ("삶의 이유", "살의 이유", "dropped_final"),
    # 설명할 수 없는 것
    ("커피 한 잔 주세요", "커피 한 장 주세요", "unexplained"),
    ("나무 아래", "나비 아래", "unexplained"),
    ("달이 떴다", "딸이 떴다", "unexplained"),
    ("3시에 봐", "네 시에 봐", "unexplained"),
    # 여럿이 한 문장에
    ("국물이 정말 좋아요", "궁물 정말 조아요", "nasalisation particle hieut"),
    ("학교에 갔어요", "학꾜 갔어", "tensification particle ending"),
]


def kinds_of(reference, hypothesis, **settings):
    return [error.kind for error in classify(reference, hypothesis, **settings)]


@pytest.mark.parametrize(("reference", "hypothesis", "expected"), CASES)
def test_case(reference, hypothesis, expected):
    assert kinds_of(reference, hypothesis) == expected.split()


def test_every_kind_has_a_case():
    assert {kind for *_, expected in CASES for kind in expected.split()} == set(KINDS)


TEXTS = st.text(alphabet="가나다먹어국물좋값을에서요는은일3 lL", max_size=12)


@given(TEXTS, TEXTS)
def test_every_error_has_one_kind_and_they_sum_to_the_score(reference, hypothesis):
    errors = classify(reference, hypothesis)
    edits = [error for error in errors if error.kind != "spacing"]
    assert len(edits) == utterance_rates(reference, hypothesis).cer_nospace.errors
    assert len({error.place for error in edits}) == len(edits)
    assert {error.kind for error in errors} <= set(KINDS)
    counts = error_kinds({"u": reference}, {"u": hypothesis})
    assert counts.errors == len(edits) == sum(counts.counts.values()) - counts.counts["spacing"]
    assert counts.reference == len("".join(reference.split()))


@given(TEXTS)
def test_identical_texts_have_no_errors(text):
    assert classify(text, text) == []


@given(TEXTS, TEXTS)
def test_alignment_is_a_cheapest_one_and_holds_both_texts(reference, hypothesis):
    columns = align_by_sound(reference, hypothesis).columns
    said, heard = ("".join(text.split()) for text in (reference, hypothesis))
    assert "".join(column.said for column in columns) == said
    assert "".join(column.heard for column in columns) == heard
    assert sum(c.kind != "hit" for c in columns) == Levenshtein.distance(said, heard)
    assert all((c.kind == "hit") == (c.said == c.heard) for c in columns)
    words = [column.word for column in columns]
    assert words == sorted(words)


#: What a kind becomes when reference and hypothesis change places.
MIRRORED = {"dropped_final": "added_final", "added_final": "dropped_final"}


SYMMETRIC = {"number", "loanword", "dropped_final", "added_final", "ae_e", *OF_RULE.values()}


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [case for case in CASES if set(case[2].split()) <= SYMMETRIC],
)
def test_sound_letters_and_readings_do_not_depend_on_who_said_it(reference, hypothesis, expected):
    """Grammar may: which word an inserted particle belongs to is known from one side only."""
    wanted = [MIRRORED.get(kind, kind) for kind in expected.split()]
    assert kinds_of(hypothesis, reference) == wanted


@given(TEXTS)
def test_silence_makes_every_inserted_text_a_hallucination(text):
    count = len("".join(text.split()))
    assert kinds_of("", text) == ["hallucination"] * count
    assert kinds_of(text, "", silent=True).count("hallucination") == 0


def test_a_silent_utterance_with_a_reference():
    found = error_kinds({"a": "여보세요", "b": "네"}, {"a": "감사합니다", "b": "네"}, silent=["a"])
    assert found.counts["hallucination"] == 5
    assert found.errors == 5


def test_corpus_counts_examples_and_the_dictionary():
    references = {"a": "국물이 좋아요", "b": "국물 맛", "c": "집에 가요", "d": "네"}
    hypotheses = {"a": "궁물이 좋아요", "b": "궁물 맛", "c": "집 가요", "d": "네"}
    found = error_kinds(references, hypotheses, examples=1)
    assert found.counts["nasalisation"] == 2
    assert found.counts["particle"] == 1
    assert list(found.counts) == list(KINDS)
    assert found.examples["nasalisation"] == (("a", "국물이", "궁물이"),)
    record = found.to_dict()
    assert record["kinds"]["nasalisation"]["share"] == pytest.approx(2 / 3)
    assert record["kinds"]["particle"]["examples"] == [{"id": "c", "said": "집에", "heard": "집"}]
    assert (record["errors"], record["reference"]) == (3, 14)
    with pytest.raises(DataError, match="have no hypothesis"):
        error_kinds(references, {})


def test_spaces_count_only_where_the_recogniser_writes_any():
    assert error_kinds({"a": "한 잔"}, {"a": "한잔"}).counts["spacing"] == 0
    found = error_kinds({"a": "한 잔", "b": "네 네"}, {"a": "한잔", "b": "네 네"})
    assert found.counts["spacing"] == 1
    assert found.spaces_counted
    assert found.errors == 0


def test_recogniser_without_spaces_keeps_its_grammar():
    assert kinds_of("학교에 갔다", "학교갔다")[0] == "particle"
    assert "particle" in kinds_of("친구 만나러 간다", "친구를만나러간다")


@given(TEXTS, TEXTS)
def test_letters_confused_are_those_of_the_substituted_syllables(reference, hypothesis):
    aligned = align_by_sound(reference, hypothesis)
    found = confusions([aligned])
    pairs = [
        (column.said, column.heard)
        for column in aligned.columns
        if column.kind == "substitution" and is_syllable(column.said) and is_syllable(column.heard)
    ]
    assert found.syllables == len(pairs)
    for slot, name in enumerate(SLOTS):
        differ = [(letters(a)[slot], letters(b)[slot]) for a, b in pairs]
        expected = sorted((a, b) for a, b in differ if a != b)
        assert (
            sorted((a, b) for a, b, count in found.ranked(name) for _ in range(count)) == expected
        )
        assert all(0 < found.share(name, a, b) <= 1 for a, b, _ in found.ranked(name))


@pytest.mark.parametrize(
    ("said", "heard", "expected"),
    [
        ("학교에서는", "학교에서", "particle"),
        ("저는", "저도", "particle"),
        ("책이", "책을", "particle"),
        ("먹었습니다", "먹었어요", "ending"),
        ("하겠습니다", "합니다", "ending"),
        ("학생입니다", "학생이에요", "ending"),
        ("가시는데요", "가는데요", "ending"),
        ("좋은데", "좋은지", "ending"),
        ("나는", "난", "particle"),
        ("어제", "어젠", None),
        ("하늘", "하물", None),
        ("나무", "나비", None),
        ("책", "책", None),
    ],
)
def test_ends_of_words(said, heard, expected):
    assert tail_class(said, heard) == expected


def test_readings_of_one_number_meet_and_of_two_do_not():
    assert readings("20살") & readings("스무살")
    assert readings("12,500원") & readings("만이천오백원")
    assert not readings("3시") & readings("네시")
    assert not readings("서른") & readings("사십")


def test_loanword_table_has_no_spelling_twice_in_a_group_and_rules_are_all_known():
    groups = [word.split("/") for word in VARIANTS.split()]
    assert all(len(group) == len(set(group)) > 1 for group in groups)
    assert len({group[0] for group in groups}) == len(groups)
    assert set(OF_RULE) == set(Rule.__args__)
    assert set(OF_RULE.values()) <= set(KINDS)


def test_thousand_utterances_take_a_moment():
    said = "지난달 국물이 좋아서 학교에 갔다가 일곱 시에 왔습니다"
    heard = "지난달궁물조아서핵교갔다가칠시에왔어요아"
    names = [f"u{i}" for i in range(1000)]
    began = time.process_time()
    found = error_kinds(dict.fromkeys(names, said), dict.fromkeys(names, heard))
    assert found.errors % 1000 == 0
    assert time.process_time() - began < 5  # about 1 s; ten times that would be a mistake
