"""What is odd about texts, what is remembered of them, and how parts cover each other."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from malgwi.audit.fingerprints import Fingerprints
from malgwi.audit.histogram import even, octaves
from malgwi.audit.texts import fingerprint, misread, oddities, spoken_characters, words
from malgwi.audit.vocabulary import Vocabulary
from malgwi.text.scripts import script

SENTENCES = (
    "안녕하세요",
    "오늘 날씨가 참 좋네요.",
    "네, 그렇습니다!",
    "국물이 뜨거우니 조심하세요",
    "다음 주 월요일에 뵙겠습니다",
)
HANGUL = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=12)


def kinds(text: str) -> list[str]:
    return [oddity.kind for oddity in oddities(text)]


@pytest.mark.parametrize("text", SENTENCES)
def test_plain_korean_is_not_odd(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["empty"]),
        (" \n", ["empty"]),
        ("3시까지", ["digits"]),
        ("３시", ["digits"]),
        ("OK 알겠어", ["latin"]),
        ("ㅋㅋ 그래", ["jamo"]),
        ("大韓民國 만세", ["other_script"]),
        ("(70%)/(칠십 퍼센트) 확실", ["digits", "markup"]),
        ("아/ 그러니까 b/", ["latin", "markup"]),
        ("그+ 그거", ["markup"]),
        ("안녕\ufffd\ufffd요", ["charset"]),
        ("????? ???", ["charset"]),
        ("정말? 정말?", []),
        ("한글", []),  # decomposed, as macOS wrote it: no letters standing alone
    ],
)
def test_what_is_odd(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize(
    ("really", "read_as"), [("cp949", "latin-1"), ("utf-8", "latin-1"), ("utf-8", "cp1252")]
)
def test_a_misread_text_is_repaired(text: str, really: str, read_as: str) -> None:
    try:
        wrong = text.encode(really).decode(read_as)
    except UnicodeDecodeError:
        pytest.skip("these bytes do not exist there")
    repair = misread(wrong)
    assert repair is not None
    assert repair.text == text
    assert kinds(wrong) == ["charset"]


def test_utf8_read_as_cp949_with_losses_is_seen() -> None:
    wrong = "안녕하세요".encode().decode("cp949", errors="replace")
    assert kinds(wrong) == ["charset"]


@given(HANGUL)
def test_syllables_are_never_taken_for_misread(text: str) -> None:
    assert misread(text) is None


def test_accents_are_not_misread() -> None:
    for text in ("café에서", "Müller 씨", "naïve", "ÀÉÎÕÜ", "£10"):
        assert misread(text) is None, text


@pytest.mark.parametrize(
    ("text", "count"),
    [("네, 알겠습니다!", 6), ("", 0), ("...", 0), ("15,000원", 4), ("한글", 2), ("3시", 2)],
)
def test_spoken_characters(text: str, count: int) -> None:
    assert spoken_characters(text) == count


@given(st.text(max_size=30))
def test_words_make_up_the_script(text: str) -> None:
    joined = "".join(words(text))
    if joined:
        assert joined == script(text)


@given(st.lists(st.integers(0, 2**64 - 1)), st.lists(st.integers(0, 2**64 - 1)))
def test_fingerprints_are_a_set(inside: list[int], asked: list[int]) -> None:
    seen = Fingerprints()
    for value in inside:
        seen.add(value)
    assert len(seen) == len(set(inside))
    wanted = [*asked, *inside[:3]]
    found = seen.known(np.array(wanted, np.uint64)).tolist()
    assert found == [value in set(inside) for value in wanted]


def test_fingerprints_settle_while_filled() -> None:
    seen = Fingerprints()
    for value in range(200_000):
        seen.add(value % 150_000)
    assert len(seen) == 150_000


def test_fingerprint_takes_anything() -> None:
    assert fingerprint("\ud800") != 0


@given(st.lists(HANGUL, min_size=1, max_size=30), st.lists(HANGUL, min_size=1, max_size=30))
def test_coverage_against_counting(first: list[str], later: list[str]) -> None:
    one = Vocabulary()
    two = Vocabulary(one)
    for text in first:
        one.add(text)
    for text in later:
        two.add(text)
    found = two.coverage("train", "dev", examples=10_000)
    said = Counter(later)
    unseen = {word: count for word, count in said.items() if word not in set(first)}
    assert dict(found.words.examples) == unseen
    assert found.words.unseen == len(unseen)
    assert found.words.unseen_said == sum(unseen.values())
    assert (found.words.distinct, found.words.said) == (len(said), len(later))
    known = set("".join(first))
    missing = [character for character in "".join(later) if character not in known]
    assert found.characters.unseen_said == len(missing)
    assert found.characters.unseen == len(set(missing))


def test_the_first_part_has_nothing_to_compare_with() -> None:
    with pytest.raises(ValueError, match="no first part"):
        Vocabulary().coverage("a", "b", examples=1)


@given(st.lists(st.floats(-5, 15), min_size=1, max_size=300), st.floats(0, 1))
def test_quantiles_to_within_a_bin(values: list[float], share: float) -> None:
    histogram = even(0, 10, 0.25, "")
    for value in values:
        histogram.add(value)
    assert (
        histogram.count == len(values) == histogram.below + histogram.above + sum(histogram.counts)
    )
    assert histogram.mean == pytest.approx(np.mean(values), abs=1e-9)
    low = np.quantile(values, share, method="lower")
    high = np.quantile(values, share, method="higher")
    found = histogram.quantile(share)
    inside = low > 0 and high < 10
    if inside:
        assert low - 0.2501 <= found <= high + 0.2501
    assert min(values) <= found <= max(values)


def test_histograms_pass_over_what_is_no_number() -> None:
    histogram = octaves(0.125, 1_024, 6, "s")
    for value in (None, float("nan"), float("inf"), 1.0):
        histogram.add(value)
    assert histogram.count == 1
    assert histogram.to_dict()["quantiles"]["0.5"] == 1.0
    assert even(0, 1, 0.1, "").to_dict()["mean"] is None
