"""``malgwi transcribe``: what its options do to what a recogniser heard."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from malgwi import lm, tokenizers
from malgwi.cli import transcribe
from malgwi.cli.search_options import SearchOptions
from malgwi.config import RunConfig, to_yaml
from malgwi.decoders.fusion import FusionConfig
from malgwi.errors import ConfigError, DataError
from malgwi.lm.hotwords import boosts
from malgwi.text.normalize import NormalizerConfig
from malgwi.transcribe import DecodingConfig, Recogniser, Recognition


class OneSentence:
    """Hears the same in every file."""

    decoding = DecodingConfig()

    def with_decoding(self, **changes: Any) -> "OneSentence":
        return self

    def recognise_file(self, source: Path, raw: object) -> Recognition:
        return Recognition(text="오후 일곱 시에 이 사람 세 명", duration_s=1.0, segments=())


@pytest.mark.parametrize(
    ("digits", "expected"),
    [("keep", "오후 일곱 시에 이 사람 세 명"), ("written", "오후 7시에 이 사람 3명")],
)
def test_digits(
    digits: Any, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(SearchOptions, "recogniser", lambda search, run: OneSentence())
    transcribe.main(Path("run"), (Path("a.wav"),), digits=digits)
    assert capsys.readouterr().out == f"{expected}\n"
    transcribe.main(Path("run"), (Path("a.wav"),), digits=digits, format="json")
    assert json.loads(capsys.readouterr().out)["text"] == expected


class Anything:
    """A language model file that fits every tokenizer."""

    def bind(self, tokenizer: Any, text: NormalizerConfig) -> str:
        return f"over {tokenizer.size} units of {text.digits} digits"


def recogniser() -> Recogniser:
    tokenizer = tokenizers.train(["서울역에서 말귀"])
    parts: Any = {"front_end": None, "model": None, "tokenizer": tokenizer}
    return Recogniser(**parts, decoding=DecodingConfig(method="ctc_beam"))


def test_what_is_asked_of_a_search_reaches_the_recogniser_and_the_passport(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lm, "load", lambda path: Anything())
    (tmp_path / "config.yaml").write_text(to_yaml(RunConfig()), encoding="utf-8")
    path = tmp_path / "3gram.arpa"
    path.write_bytes(b"an empty file would do")
    (tmp_path / "words.txt").write_text("말귀:2.5\n\n서울\n", encoding="utf-8")
    words = ("서울역:6", str(tmp_path / "words.txt"))
    weights = {
        "lm_weight": 0.7,
        "lm_bonus": 1.5,
        "source_weight": 0.2,
        "rescore_weight": 0.4,
        "rescore_bonus": 0.6,
    }
    models = {"lm": path, "source_lm": path, "rescore_lm": path}
    widths = {"beams": 5, "nbest": 3}
    search = SearchOptions(method="beam", **widths, **models, **weights, hotwords=words)
    found = search.into(recogniser(), tmp_path)
    decoding = found.decoding
    assert decoding.method == "beam"
    assert {decoding.beam.beams, decoding.ctc_beam.beams} == {5}
    assert {decoding.beam.nbest, decoding.ctc_beam.nbest} == {3}
    bound = f"over {found.tokenizer.size} units of hangul digits"
    assert {found.language_model, found.source_model, found.rescoring_model} == {bound}
    assert decoding.fusion == FusionConfig(
        lm_weight=0.7,
        insertion_bonus=1.5,
        source_weight=0.2,
        rescore_weight=0.4,
        rescore_bonus=0.6,
    )
    assert found.hotwords is not None
    assert found.hotwords.ceiling == 2.0  # 서울역: 6 in three; 서울: 4 in two
    assert search.bytes_on_disk() == 3 * path.stat().st_size
    record = search.record()
    digest = sha256(path.read_bytes()).hexdigest()
    assert record["language_model"] == {"path": str(path), "sha256": digest}
    assert record["rescoring_model"] == record["language_model"]
    assert record["hotwords"] == {"서울역": 6.0, "말귀": 2.5, "서울": 4.0}
    path.write_bytes(b"another")
    assert search.record()["language_model"] != record["language_model"]
    assert SearchOptions().record() == {}
    before = recogniser()
    assert SearchOptions().into(before, tmp_path) == before


def test_what_cannot_be_fused_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(to_yaml(RunConfig()), encoding="utf-8")
    with pytest.raises(DataError, match="make one with  malgwi lm"):
        SearchOptions(lm=tmp_path / "none").into(recogniser(), tmp_path)
    with pytest.raises(DataError, match="'six' is no number"):
        boosts(["말귀:six"])
    with pytest.raises(ConfigError, match="부산"):
        SearchOptions(hotwords=("부산",)).into(recogniser(), tmp_path)
