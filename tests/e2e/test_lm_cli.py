"""`malgwi lm` from text to model, in every form."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from malgwi import lm, manifest, tokenizers
from malgwi.cli import main
from malgwi.text.normalize import NormalizerConfig
from malgwi.tokenizers import TokenizerConfig

LINES = [
    "네, 알겠습니다!",
    "다시 한 번 말씀해 주세요",
    "주문 번호가 3번이에요?",
    "...",
    "번호를 다시 한 번",
] * 13


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


def run(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    main(["lm", *map(str, args)])
    return capsys.readouterr().out


def fails(capsys: pytest.CaptureFixture[str], *args: object) -> str:
    with pytest.raises(SystemExit) as error:
        main(["lm", *map(str, args)])
    assert error.value.code == 2
    return capsys.readouterr().err


def test_text_to_arpa_to_binary_and_the_same_perplexity(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arpa, small = tmp_path / "model.arpa.gz", tmp_path / "model.lm"
    said = run(capsys, text, "--out", arpa, "--order", 3, "--eval", text)
    assert "3-grams" in said
    assert "0 unknown" in said
    judged = said.splitlines()[-1]
    run(capsys, arpa, "--out", small)
    assert run(capsys, small, "--eval", text).splitlines()[-1] == judged
    direct = tmp_path / "direct.lm"
    run(capsys, text, "--out", direct, "--order", 3)
    model = lm.load(direct)
    tokenizer = tokenizers.train(["네 알겠습니다"])
    state = model.bind(tokenizer, NormalizerConfig()).start(1)
    assert model.bind(tokenizer).score(state).shape == (1, tokenizer.size)


def test_a_tokenizer_decides_units_and_spaces(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = tokenizers.train(LINES, TokenizerConfig(kind="subword", spaces=True, vocab_size=50))
    record = tmp_path / "tokenizer.json"
    record.write_text(json.dumps(tokenizer.to_dict()), encoding="utf-8")
    packed = tmp_path / "text.txt.gz"
    packed.write_bytes(gzip.compress(text.read_bytes()))
    out = tmp_path / "model.lm"
    run(capsys, packed, "--out", out, "--tokenizer", record, "--prune", 0, 1, "--quantize")
    model = lm.load(out)
    assert (model.settings.units, model.settings.spaces) == ("subword", True)
    assert model.bind(tokenizer).vocabulary_size == tokenizer.size
    assert "--tokenizer" in fails(capsys, out, "--eval", text)  # pieces cannot be cut without


@pytest.mark.parametrize("kind", sorted(tokenizers.TOKENIZERS.keys() - {"label_table"}))
def test_there_is_a_model_for_every_kind_of_unit(
    kind: str, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = tokenizers.train(LINES, TokenizerConfig(kind=kind, vocab_size=50))
    record = tmp_path / "tokenizer.json"
    record.write_text(json.dumps(tokenizer.to_dict()), encoding="utf-8")
    run(capsys, text, "--out", tmp_path / "model.lm", "--tokenizer", record)
    model = lm.load(tmp_path / "model.lm").bind(tokenizer, NormalizerConfig())
    known = tokenizer.encode("네")[0]
    assert model.score(model.start(1))[0, known] > model.score(model.start(1)).mean()


def test_entropy_pruning_makes_a_smaller_model(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = []
    for name, options in (("whole.lm", ()), ("small.lm", ("--entropy", "0.01"))):
        run(capsys, text, "--out", tmp_path / name, *options)
        sizes.append((tmp_path / name).stat().st_size)
    assert sizes[1] < sizes[0]


def test_models_are_mixed_by_a_text_that_is_like_what_will_be_said(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, apart = tmp_path / "other.txt", tmp_path / "apart.txt"
    other.write_text("번호가 주세요\n한 번 더 네 말씀\n" * 9, encoding="utf-8")
    apart.write_text("뷁뛟 쀍뛟 뷁\n쀍뷁\n" * 9, encoding="utf-8")
    held_out = tmp_path / "held_out.txt"
    held_out.write_text("번호를 한 번 더\n네 알겠습니다\n", encoding="utf-8")
    models = [tmp_path / f"{name}.lm" for name in ("text", "other", "apart")]
    for path, made in zip((text, other, apart), models, strict=True):
        run(capsys, path, "--out", made, "--order", 3)
    out = tmp_path / "mixed.lm"
    said = run(capsys, *models, "--tune", held_out, "--out", out, "--eval", held_out)
    assert said.count("left out") == 1
    assert "apart.lm: weight 0.000" in said.replace("\n", " ")
    found = [float(line.split("perplexity ")[1].split(",")[0]) for line in said.splitlines()[:3]]
    judged = float(said.splitlines()[-1].split("perplexity ")[1].split(",")[0])
    assert judged < min(found)
    assert f"mixture: perplexity {judged:.2f}" in said
    arpa = tmp_path / "mixed.arpa"
    by_hand = run(capsys, *models[:2], "--weights", 1, 3, "--out", arpa, "--eval", held_out)
    assert "weight 3.000" in by_hand
    assert run(capsys, arpa, "--eval", held_out).splitlines()[-1] == by_hand.splitlines()[-1]


def test_an_lstm_is_trained_written_and_judged(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.safetensors"
    sizes = ("--embedding", 8, "--width", 8, "--output", "composed", "--units", "jamo")
    said = run(capsys, text, "--out", out, "--kind", "lstm", "--epochs", 2, *sizes, "--eval", text)
    assert "all epochs done" in said
    assert run(capsys, out, "--eval", text).splitlines()[-1] == said.splitlines()[-1]
    model = lm.load(out)
    assert isinstance(model.score(model.start(1)), np.ndarray)
    assert "cannot be converted" in fails(capsys, out, "--out", tmp_path / "other.lm")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("TEXT",), "--out"),
        (("TEXT", "--out", "model.txt"), ".lm or .arpa"),
        (("TEXT", "--out", "model.lm", "--kind", "lstm"), ".safetensors"),
        (("TEXT", "absent.lm", "--out", "model.lm"), "mix the two"),
        (("a.lm", "b.lm", "--eval", "TEXT"), "--out"),
        (("a.lm", "b.lm", "--out", "model.lm"), "--tune"),
        (("a.lm", "b.lm", "--out", "model.lm", "--tune", "TEXT", "--weights", "1", "2"), "--tune"),
        (("a.lm", "b.lm", "--out", "model.lm", "--weights", "1"), "1 --weights for 2"),
        (("a.lm", "b.safetensors", "--out", "model.lm", "--tune", "TEXT"), "b.safetensors is an"),
        (("TEXT", "--out", "model.lm", "--tune", "TEXT"), "several language models"),
        (("absent.txt", "--out", "model.lm"), "no text file absent.txt"),
        (("absent.lm", "--out", "model.arpa"), "no language model absent.lm"),
        (("TEXT", "--out", "model.lm", "--units", "subword"), "--tokenizer"),
        (("TEXT", "--out", "model.lm", "--memory", "much"), "500M"),
        (("TEXT", "--out", "model.arpa", "--quantize"), ".lm"),
        (("TEXT", "--out", "model.lm", "--normalize", "casing=lower"), "case"),
        (("TEXT", "--out", "model.lm", "--prune", "2", "1"), "--prune 2 1"),
    ],
)
def test_errors_are_named(
    args: tuple[str, ...], says: str, text: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert says in fails(capsys, *(str(text) if word == "TEXT" else word for word in args))
    assert not list(tmp_path.glob("model.*"))


def test_a_manifest_is_read_for_its_transcripts(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cuts = tmp_path / "train.jsonl.gz"
    manifest.write(
        (
            manifest.new_cut(f"u{number}", tmp_path / "a.wav", sample_rate_hz=8000,
                             num_samples=8000, text=line)
            for number, line in enumerate(LINES)
        ),
        cuts,
    )  # fmt: skip
    judged = [
        run(capsys, source, "--out", tmp_path / "model.lm", "--eval", judge).rpartition(": ")[2]
        for source, judge in ((text, text), (cuts, cuts))
    ]
    assert judged[0] == judged[1]


def test_a_file_that_only_looks_like_a_manifest_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("네 알겠습니다\n", encoding="utf-8")
    assert f"{path}, line 1: not a Lhotse cut" in fails(
        capsys, path, "--out", tmp_path / "model.lm"
    )


def test_text_that_is_not_utf8_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cp949.txt"
    path.write_bytes("말귀".encode("cp949"))
    assert "not UTF-8" in fails(capsys, path, "--out", tmp_path / "model.lm")
