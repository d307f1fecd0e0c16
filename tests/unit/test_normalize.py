"""The normaliser policy by policy, with the traps that real transcripts set."""

import json
import unicodedata

import pytest

from malgwi.errors import ConfigError
from malgwi.text.normalize import VERSION, NormalizerConfig, normalize


def check(text: str, expected: str, **policies: str) -> None:
    config = NormalizerConfig(**policies)  # type: ignore[arg-type]
    assert normalize(text, config) == expected
    assert normalize(expected, config) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (unicodedata.normalize("NFD", "말귀"), "말귀"),
        ("말\u200b귀\ufeff\u00ad", "말귀"),
        ("\u202b말귀\u202c\u200d", "말귀"),
        ("말\u3164귀\u115f", "말귀"),
        ("\ue000말\uf8ff귀\u0378", "말귀"),
        ("말\u00a0\u3000귀\r\n\t", "말 귀"),
        ("말\u2028귀\x00\x07", "말 귀"),
        ("ᄏᄏ", "ㅋㅋ"),
        ("\u11a8ㅏ", "ㄱㅏ"),
        ("ㅋㅋ ㅠㅠ", "ㅋㅋ ㅠㅠ"),
    ],
)
def test_what_no_reader_sees_is_always_removed(text: str, expected: str) -> None:
    check(text, expected, forms="fold")
    check(text, expected, forms="keep", punctuation="keep", symbols="keep")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ＡＢＣ　１２３！", "ABC 123!"),
        ("ﾡﾢ", "ㄱㄲ"),
        ("‘말’ “귀” 「말」", '\'말\' "귀" "말"'),
        ("가–나—다−라", "가-나-다-라"),
        ("네〜～", "네~~"),
        ("가ㆍ나・다", "가·나·다"),
        ("음…", "음..."),
        ("㎞ ㎏ ㎡ ℃", "km kg m2 °C"),
        ("①②", "1 2"),
        ("3①", "3 1"),
        ("1½컵", "1 1/2컵"),
        ("10²", "10 2"),
        ("㉮", "가"),
        ("ㅋㆎ", "ㅋㆎ"),
    ],
)
def test_forms(text: str, expected: str) -> None:
    keep = {"punctuation": "keep", "symbols": "keep", "digits": "keep", "case": "keep"}
    check(text, expected, **keep)
    shown = " ".join(unicodedata.normalize("NFC", text).split())
    check(text, shown, **keep, forms="keep")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("네, 알겠습니다. 왜요?!", "네 알겠습니다 왜요"),
        ("왔어.그런데", "왔어 그런데"),
        ("'사과'를 “먹었다”", "사과를 먹었다"),
        ("서울(서울특별시)에서", "서울서울특별시에서"),
        ("남/여 구분", "남 여 구분"),
        ("네~ 고객님~~", "네 고객님"),
        ("...", ""),
        ("3.5점 15,000원 1,2", "3.5점 15000원 1 2"),
        ("1,234,567", "1234567"),
        ("끝 3. 4", "끝 3 4"),
    ],
)
def test_punctuation(text: str, expected: str) -> None:
    check(text, expected, digits="keep")
    check("네, 왜요?! (정말)", "네, 왜요?! (정말)", punctuation="keep")


def test_symbols() -> None:
    check("좋아요♥👍 #말귀 @집 100%", "좋아요 말귀 집 100", digits="keep")
    check("좋아요♥👍🏽 #말귀", "좋아요♥👍🏽 #말귀", symbols="keep")
    check("100%", "백 퍼센트")


def test_case() -> None:
    check("Ok é straße", "OK É STRASSE")
    check("Ok É", "ok é", case="lower")
    check("Ok", "Ok", case="keep")


def test_latin() -> None:
    check("LG TV 봐", "엘지 티브이 봐", latin="spell")
    check("café", "시에이에프이", latin="spell")
    check("OK 고객님 OK캐시백", "고객님 캐시백", latin="drop")
    check("Жук Ω", "жук ω", latin="drop", case="lower")
    check("Ａ4", "에이사", latin="spell")


def test_units_are_read_before_letters_are_spelled_or_dropped() -> None:
    check("3km", "삼 킬로미터", latin="spell")
    check("3km", "삼 킬로미터", latin="drop")
    check("㎞ 3㎞", "KM 삼 킬로미터")
    check("3㎞", "3KM", digits="keep")


def test_digits() -> None:
    check("2019년 3시 30분", "이천십구년 세시 삼십분")
    check("2019년 3시 30분", "2019년 3시 30분", digits="keep")
    check("３시", "세시")
    check("010—1234–5678", "공일공 일이삼사 오육칠팔")
    check("영하 −5℃", "영하 오 도")


def test_numbers_written_compare_equal_whichever_way_they_came() -> None:
    for text in ("3시 30분", "세 시 삼십 분", "세시 삼십분", "3시30분"):
        check(text, "3시 30분", digits="written")
    for text in ("15,000원", "만 오천 원", "만오천원", "1만 5천원"):
        check(text, "15000원", digits="written")
    check("3.5%", "3.5 퍼센트", digits="written")
    check("삼 점 오 퍼센트", "3.5 퍼센트", digits="written")
    check("010-1234-5678", "010 1234 5678", digits="written")
    check("공일공 일이삼사 오육칠팔", "010 1234 5678", digits="written")
    check("1/2은 이분의 일", "이분의 일은 이분의 일", digits="written")
    check("이 사람 일이 많다", "이 사람 일이 많다", digits="written")
    check("3시 3명", "3시 3명", digits="written", symbols="keep", punctuation="keep")


def test_abbreviations_both_ways() -> None:
    check("KBS와 MP3, the pop", "케이비에스와 엠피쓰리 THE POP", latin="read")
    check("KBS와 MP3, 5G", "케이비에스와 엠피쓰리 파이브지", latin="read")
    check("티비 티브이 TV tv", "TV TV TV TV", latin="written")
    check("엠피쓰리 3시", "MP3 3시", latin="written", digits="written")
    check("엠피쓰리 MP3 3시", "엠피쓰리 엠피쓰리 세시", latin="written")


def test_jamo() -> None:
    check("아ㅋㅋ 왜ㅠ", "아ㅋㅋ 왜ㅠ")
    check("아ㅋㅋ 왜ㅠ", "아 왜", jamo="drop")


def test_whitespace() -> None:
    check("  커피\t한  잔\n", "커피 한 잔")
    check("  커피\t한  잔\n", "커피한잔", whitespace="remove")


class TestKsponSpeech:
    LINE = "아/ 몬 소리야, 그건 또. b/"

    def test_line(self) -> None:
        check(self.LINE, "아 몬 소리야 그건 또")
        check(self.LINE, "몬 소리야 그건 또", fillers="drop")
        check(self.LINE, "아/ 몬 소리야 그건 또", fillers="keep")
        check(self.LINE, "아/ 몬 소리야 그건 또 b/", fillers="keep", tags="keep")
        check(
            self.LINE, "아/ 몬 소리야, 그건 또. b/", fillers="keep", tags="keep", punctuation="keep"
        )

    def test_both_views(self) -> None:
        line = "o/ 그래 (70%)/(칠십 퍼센트) 라 (그러면)/(그믄) 돼"
        check(line, "그래 칠십 퍼센트 라 그러면 돼")
        check(line, "그래 칠십 퍼센트 라 그믄 돼", dual="pronunciation")
        check(line, "그래 70 라 그러면 돼", digits="keep")
        check(line, "그래 (70)/(칠십 퍼센트) 라 (그러면)/(그믄) 돼", digits="keep", dual="keep")

    def test_spoken_side_of_a_counted_thing(self) -> None:
        check("(3시)/(세 시)에 봐", "세 시에 봐", dual="pronunciation")
        check("(3시)/(세 시)에 봐", "세시에 봐", dual="spelling")
        check("(가) / (나) 있어", "가 있어")
        check("(가)/() 있어", "있어", dual="pronunciation")

    @pytest.mark.parametrize("tag", ["b/", "l/", "o/", "n/", "u/"])
    def test_tags(self, tag: str) -> None:
        check(f"{tag} 네{tag}{tag} 네", "네 네")
        check(f"{tag} 네", f"{tag} 네", tags="keep", case="upper", latin="spell")

    def test_a_tag_is_a_letter_of_its_own(self) -> None:
        check("and/or", "AND OR")
        check("B/S", "B S")

    def test_repetitions_and_unclear_words(self) -> None:
        line = "그+ 그래서 무슨* 말이야"
        check(line, "그 그래서 무슨 말이야")
        check(line, "그래서 무슨 말이야", repetitions="drop")
        check(line, "그 그래서 말이야", unclear="drop")
        check(line, line, repetitions="keep", unclear="keep")

    def test_marks_may_stand_together(self) -> None:
        check("음/+ 네", "네", repetitions="drop")
        check("음/+ 네", "음/+ 네", repetitions="keep", fillers="keep")
        check("음/* 네", "음* 네", unclear="keep")

    def test_a_slash_inside_words_is_no_filler(self) -> None:
        check("남/여 구분", "남 여 구분", fillers="drop")

    def test_nothing_spoken_is_an_empty_text(self) -> None:
        check("b/ n/ 아/", "", fillers="drop")


def test_a_second_pass_has_nothing_left_to_do() -> None:
    # Dropping ㅋ brings 가 and + together, which then reads as a repetition mark.
    check("가ㅋ+", "가", jamo="drop", symbols="keep")


def test_record() -> None:
    config = NormalizerConfig(dual="pronunciation", latin="spell")
    record = json.loads(json.dumps(config.to_dict()))
    assert record["version"] == VERSION
    assert record["latin"] == "spell"
    assert NormalizerConfig.from_dict(record) == config


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"version": "0"}, "version 0"),
        ({"latn": "keep"}, "latn"),
        ({"latin": "romanize"}, "romanize.*keep, drop, spell, read, written"),
    ],
)
def test_records_that_cannot_be_honoured(record: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NormalizerConfig.from_dict(record)
