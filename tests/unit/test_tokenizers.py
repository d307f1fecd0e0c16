"""Every tokenizer: ids, round trips, unknowns, spaces, records, and the hackathon's table."""

import json
import pickle
from pathlib import Path

import pytest

from malgwi import tokenizers
from malgwi.errors import CheckpointError, ConfigError, DataError, MalgwiError
from malgwi.text import hangul
from malgwi.text.normalize import normalize
from malgwi.tokenizers import TokenizerConfig, from_dict, jamo_table, train, unknown_characters
from malgwi.tokenizers.label_table import LabelTable

TEXTS = [
    "안녕하세요 상담원 김말귀입니다",
    "네 요금제 바꾸려고 전화했어요",
    "어떤 요금제를 쓰고 계세요",
    "잘 모르겠어요 ㅋㅋ 그냥 제일 싼 걸로요",
    "네 고객님 확인해 드리겠습니다 OK",
]
LEARNED = ["syllable", "jamo", "subword"]


def config(kind: str, **fields: object) -> TokenizerConfig:
    return TokenizerConfig(kind=kind, vocab_size=120, **fields)  # type: ignore[arg-type]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A table in the hackathon's layout: 820 entries, literal backslash-t in the header only."""
    syllables = [chr(0xAC00 + 14 * index) for index in range(767)]
    marks = [chr(0x21 + index) for index in range(50)]
    symbols = ["_", *(syllables + [m for m in marks if m != "_"])]
    symbols = [*symbols[:662], " ", *symbols[662:817], "<s>", "</s>"]
    assert len(symbols) == 820
    lines = ["id\\tchar\\tfreq", *(f"{i}\t{s}\t{1000 - i}" for i, s in enumerate(symbols))]
    path = tmp_path / "hackathon.labels"
    path.write_bytes(("\n".join(lines) + "\n").encode())
    return path


@pytest.mark.parametrize("kind", LEARNED)
class TestLearned:
    def test_special_ids_and_size(self, kind: str) -> None:
        tokenizer = train(TEXTS, config(kind))
        specials = tokenizer.blank_id, tokenizer.start_id, tokenizer.end_id, tokenizer.unknown_id
        assert specials == (0, 1, 2, 3)
        ids = {token for text in TEXTS for token in tokenizer.encode(text)}
        assert min(ids) >= 4
        assert max(ids) < tokenizer.size

    def test_training_texts_come_back_without_spaces_by_default(self, kind: str) -> None:
        tokenizer = train(TEXTS, config(kind))
        for text in TEXTS:
            assert tokenizer.decode(tokenizer.encode(text)) == text.replace(" ", "")
            assert tokenizer.encode(text) == tokenizer.encode(text.replace(" ", ""))

    def test_spaces_are_kept_when_predicted(self, kind: str) -> None:
        tokenizer = train(TEXTS, config(kind, spaces=True))
        for text in TEXTS:
            padded = "\t " + text.replace(" ", " \n ") + " "
            assert tokenizer.decode(tokenizer.encode(padded)) == text

    def test_decode_writes_nothing_for_special_ids(self, kind: str) -> None:
        tokenizer = train(TEXTS, config(kind))
        ids = tokenizer.encode(TEXTS[0])
        assert tokenizer.decode([0, 1, 2, 3]) == ""
        assert tokenizer.decode([1, *ids, 3, 2, 0, 0]) == tokenizer.decode(ids)
        assert tokenizer.decode([]) == ""
        assert tokenizer.encode(" \n") == []

    def test_each_unknown_character_is_one_unknown_token(self, kind: str) -> None:
        tokenizer = train(TEXTS, config(kind))
        assert tokenizer.encode("네ZQ네") == [
            *tokenizer.encode("네"),
            3,
            3,
            *tokenizer.encode("네"),
        ]
        assert tokenizer.encode("★") == [3]

    def test_decomposed_input_gives_the_same_ids(self, kind: str) -> None:
        tokenizer = train(TEXTS, config(kind))
        decomposed = "".join(hangul.to_jamo(c) if hangul.is_syllable(c) else c for c in TEXTS[0])
        assert decomposed != TEXTS[0]
        assert tokenizer.encode(decomposed) == tokenizer.encode(TEXTS[0])

    def test_same_texts_give_the_same_record_and_it_survives_json(self, kind: str) -> None:
        first, second = train(TEXTS, config(kind)), train(iter(TEXTS), config(kind))
        assert first.to_dict() == second.to_dict()
        again = from_dict(json.loads(json.dumps(first.to_dict())))
        assert again.to_dict() == first.to_dict()
        assert again.size == first.size
        assert [again.encode(text) for text in TEXTS] == [first.encode(text) for text in TEXTS]

    def test_workers_can_be_given_a_copy(self, kind: str) -> None:
        tokenizer = train(TEXTS, config(kind))
        copy = pickle.loads(pickle.dumps(tokenizer))
        assert copy.encode(TEXTS[1]) == tokenizer.encode(TEXTS[1])

    def test_rare_characters_are_unknown(self, kind: str) -> None:
        tokenizer = train(["ab", "ab", "abc"], config(kind, min_count=2))
        assert tokenizer.encode("c") == [3]
        assert 3 not in tokenizer.encode("ab")

    def test_no_text_is_an_error(self, kind: str) -> None:
        with pytest.raises(DataError, match="empty"):
            train(["", " "], config(kind))

    def test_missing_key_is_named(self, kind: str) -> None:
        record = train(TEXTS, config(kind)).to_dict()
        del record["spaces"]
        with pytest.raises(CheckpointError, match="'spaces'"):
            from_dict(record)


def test_syllables_are_ordered_by_count_then_code_point() -> None:
    tokenizer = train(["나 나 다", "가 다 나 A"], config("syllable"))
    assert tokenizer.to_dict()["symbols"] == ["나", "다", "A", "가"]


def test_space_is_learned_only_when_predicted() -> None:
    with_space, without = (train(["가 나"], config("syllable", spaces=s)) for s in (True, False))
    assert with_space.size == without.size + 1


def test_jamo_writes_every_syllable_seen_or_not() -> None:
    tokenizer = train(["가"], config("jamo"))
    assert tokenizer.size == 4 + 19 + 21 + 27
    every = "".join(chr(code) for code in range(0xAC00, 0xD7A4))
    assert tokenizer.decode(tokenizer.encode(every)) == every
    assert [len(tokenizer.encode(ch)) for ch in "가각"] == [2, 3]


def test_jamo_keeps_letters_typed_alone_apart_from_syllable_parts() -> None:
    tokenizer = train(["ㅋㅋ ㅠ 가 Az!"], config("jamo"))
    for text in ("ㅋ가ㅋ", "가ㅋ", "ㅠㅠ각ㅋㅠ", "A가z"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_jamo_that_do_not_join_stay_letters() -> None:
    tokenizer = train(["가"], config("jamo"))
    ids = tokenizer.encode("각")
    assert tokenizer.decode(ids[::-1]) == "ᆨ" + "ᅡ" + "ᄀ"
    assert tokenizer.decode(ids[:1]) == "ᄀ"


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_subword_learns_longer_pieces(algorithm: str) -> None:
    texts = ["확인해 드리겠습니다", "바꿔 드리겠습니다", "알려 드리겠습니다"] * 5
    tokenizer = train(
        texts,
        TokenizerConfig(kind="subword", vocab_size=40, algorithm=algorithm),  # type: ignore[arg-type]
    )
    assert tokenizer.size <= 40
    assert len(tokenizer.encode("드리겠습니다")) < 6


def test_subword_does_not_rewrite_the_text() -> None:
    # SentencePiece's default NFKC would turn these into 1/2, ㈜ into (주), and so on.
    text = "½㈜Ａ①▁"
    tokenizer = train([text], TokenizerConfig(kind="subword", vocab_size=50))
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_subword_names_a_vocabulary_too_small() -> None:
    with pytest.raises(ConfigError, match=r"vocab_size 10 .* distinct characters"):
        train(TEXTS, TokenizerConfig(kind="subword", vocab_size=10))


def test_subword_takes_lines_of_any_length() -> None:
    long_line = "가나다라마바사아자차카타파하" * 2000
    tokenizer = train([long_line], TokenizerConfig(kind="subword", vocab_size=60))
    assert tokenizer.decode(tokenizer.encode("하나")) == "하나"


@pytest.mark.parametrize("model", ["not base64!", "anVuaw=="])
def test_subword_damaged_model_is_an_error(model: str) -> None:
    with pytest.raises(CheckpointError):
        from_dict({"kind": "subword", "spaces": False, "model": model})


class TestLabelTable:
    def test_layout(self, labels: Path) -> None:
        table = LabelTable.read(labels)
        assert table.size == 820
        assert (table.blank_id, table.start_id, table.end_id) == (0, 818, 819)
        assert table.unknown_id is None
        assert table.symbols[662] == " "

    def test_indices_to_text_keeps_spaces_and_drops_specials(self, labels: Path) -> None:
        table = LabelTable.read(labels)
        assert table.decode([818, 1, 662, 2, 662, 819, 0, 0]) == "가 갎 "

    def test_text_to_indices(self, labels: Path) -> None:
        assert LabelTable.read(labels).encode("가 갎") == [1, 2]
        assert LabelTable.read(labels, spaces=True).encode(" 가  갎 ") == [1, 662, 2]

    def test_no_text_maps_to_a_special_entry(self, labels: Path) -> None:
        table = LabelTable.read(labels)
        assert table.encode("_") == []
        assert not {0, 818, 819} & set(table.encode("<s>_</s>"))

    def test_a_character_outside_is_left_out_and_can_be_listed(self, labels: Path) -> None:
        table = LabelTable.read(labels)
        assert table.encode("가뷁갎") == [1, 2]
        assert unknown_characters(table, ["가뷁 갎뷁"]) == {"뷁": 2}

    def test_train_reads_the_file_and_the_record_comes_back(self, labels: Path) -> None:
        table = train([], TokenizerConfig(kind="label_table", labels=str(labels)))
        assert from_dict(json.loads(json.dumps(table.to_dict()))).to_dict() == table.to_dict()

    def test_header_with_real_tabs_crlf_and_byte_order_mark(self, labels: Path) -> None:
        plain = LabelTable.read(labels)
        text = labels.read_bytes().decode().replace("\\t", "\t").replace("\n", "\r\n")
        labels.write_bytes(text.encode("utf-8-sig"))
        assert LabelTable.read(labels).symbols == plain.symbols

    @pytest.mark.parametrize(
        ("broken", "message"),
        [
            ("h\n0\t_\t1\n2\t가\t1\n", "line 3 .* expected id 1"),
            ("h\n0\t_\t1\n1\t\t1\n", "line 3"),
            ("h\n0 _ 1\n", "line 2"),
            ("h\n0\t_\t1\n1\t<s>\t1\n2\t</s>\t1\n3\t가\t1\n4\t가\t1\n", "'가' twice"),
            ("h\n0\t_\t1\n1\t가\t1\n", "no '<s>'"),
            ("", "no '_'"),
        ],
    )
    def test_damage_is_named(self, tmp_path: Path, broken: str, message: str) -> None:
        path = tmp_path / "hackathon.labels"
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(DataError, match=message) as caught:
            LabelTable.read(path)
        assert str(path) in str(caught.value)

    def test_cp949_and_absent_files_are_named(self, tmp_path: Path) -> None:
        path = tmp_path / "hackathon.labels"
        with pytest.raises(DataError, match="no such label table"):
            LabelTable.read(path)
        path.write_bytes("0\t가\t1".encode("cp949"))
        with pytest.raises(DataError, match="not UTF-8"):
            LabelTable.read(path)

    @pytest.mark.parametrize("token", [820, -1])
    def test_index_outside_the_table(self, labels: Path, token: int) -> None:
        with pytest.raises(DataError, match=f"label {token} is outside"):
            LabelTable.read(labels).decode([1, token])

    def test_needs_a_path(self) -> None:
        with pytest.raises(ConfigError, match="labels="):
            train([], TokenizerConfig(kind="label_table"))


@pytest.mark.parametrize("kind", LEARNED)
def test_jamo_table_agrees_with_decode(kind: str) -> None:
    tokenizer = train(TEXTS, config(kind))
    rows = jamo_table(tokenizer)
    assert len(rows) == tokenizer.size
    assert rows[:4] == [(-1, -1, -1)] * 4
    for token, row in enumerate(rows):
        text = tokenizer.decode([token])
        assert (hangul.compose(*row) == text) if row[0] >= 0 else not hangul.is_syllable(text)
    if kind == "jamo":
        assert set(rows) == {(-1, -1, -1)}


def test_jamo_table_of_the_label_table(labels: Path) -> None:
    rows = jamo_table(LabelTable.read(labels))
    assert sum(row[0] >= 0 for row in rows) == 767


@pytest.mark.parametrize("record", [{}, [], {"kind": 3}, {"kind": "syllabel"}, {"kind": "jamo"}])
def test_bad_records(record: object) -> None:
    with pytest.raises(MalgwiError):
        from_dict(record)  # type: ignore[arg-type]


def test_unknown_kind_suggests_the_near_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'syllable'"):
        train(TEXTS, TokenizerConfig(kind="sylable"))


@pytest.mark.parametrize(
    "fields", [{"min_count": 0}, {"vocab_size": 4}, {"algorithm": "word"}], ids=str
)
def test_bad_settings(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        TokenizerConfig(**fields)  # type: ignore[arg-type]


def test_every_kind_in_the_table_resolves_and_says_what_it_is() -> None:
    for kind in tokenizers.TOKENIZERS:
        found = tokenizers.resolve("tokenizer", tokenizers.TOKENIZERS, kind)
        assert found.__doc__
        assert callable(found.train)
        assert callable(found.from_dict)


def test_real_transcripts_come_back(shared_dir: Path) -> None:
    rows = (shared_dir / "speech/pansori/transcripts.tsv").read_text("utf-8").splitlines()[1:]
    texts = [normalize(row.split("\t")[2]) for row in rows]
    for kind in LEARNED:
        for spaces in (False, True):
            tokenizer = train(texts, TokenizerConfig(kind=kind, spaces=spaces))
            assert not unknown_characters(tokenizer, texts)
            for text in texts:
                expected = text if spaces else text.replace(" ", "")
                assert tokenizer.decode(tokenizer.encode(text)) == expected
