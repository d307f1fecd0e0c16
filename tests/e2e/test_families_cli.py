"""Every family through the command line: options of its own, a dry run, training and use."""

from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from malgwi import cli
from malgwi.cli import train as train_command
from malgwi.config import RunConfig
from malgwi.recipes import RECIPES, recipe
from tests.tones import make_corpus

#: recipe → one setting that its model alone has, as typed, and the value that it must get
OWN = {
    "quick": ("--model.listener.units", "48"),
    "joint_quick": ("--model.speller.units", "48"),
    "las_4_1024": ("--model.listener.conv-channels", "8"),
    "deep_speech": ("--model.context", "5"),
    "deep_speech2": ("--model.layers", "3"),
    "deep_speech2_streaming": ("--model.lookahead", "7"),
    "conformer": ("--model.front.channels", "32"),
    "conformer_quick": ("--model.encoder.kernel", "9"),
    "transducer_quick": ("--model.predictor.context", "2"),
    "finetune": ("--model.freeze-layers", "3"),
}
SMALL = {
    "quick": "--model.listener.units 8 --model.listener.layers 2 --model.early-ctc 1",
    "las_4_1024": """--model.listener.units 8 --model.listener.conv-channels 4
        --model.speller.units 8 --model.speller.embedding 4 --model.speller.attention-units 8""",
    "deep_speech": "--model.units 32 --model.context 3",
    "deep_speech2": "--model.units 16 --model.layers 2 --model.channels 4 4 4",
    "deep_speech2_streaming": "--model.units 16 --model.layers 1 --model.channels 4 4",
    "conformer_quick": "--model.encoder.units 16 --model.encoder.layers 2 --model.front.factor 4",
    "transducer_quick": """--model.encoder.units 8 --model.encoder.layers 1
        --model.predictor.units 8 --model.predictor.embedding 4 --model.joint-units 8""",
}
COMMON = """--front-end.num-mels 20 --batches.max-batch-s 8 --trainer.precision fp32
    --trainer.evaluations 1 --spec-augment off --threads 1 --quiet --epochs 1"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tones")
    for prefix, count, seed in (("train", 12, 1), ("dev", 3, 2)):
        make_corpus(folder, count, seed=seed, prefix=prefix)
    return folder


def arguments(name: str, corpus: Path, out: Path, *more: str) -> list[str]:
    splits = ["--train", str(corpus / "train.jsonl"), "--dev", str(corpus / "dev.jsonl")]
    return ["train", name, *splits, "--out", str(out), *more]


def parsed(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> RunConfig:
    """What the command line makes of these words."""
    seen: list[RunConfig] = []
    monkeypatch.setattr(train_command, "train_run", lambda options: seen.append(options.config))
    cli.main(words)
    return seen[0]


@pytest.mark.parametrize("name", OWN)
def test_a_recipe_offers_the_settings_of_its_own_model(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    option, value = OWN[name]
    config = parsed(monkeypatch, arguments(name, tmp_path, tmp_path, option, value))
    assert type(config.model) is type(recipe(name).model)
    found: object = config
    for field in option.removeprefix("--").split("."):
        found = getattr(found, field.replace("-", "_"))
    assert str(found) == value


def test_another_familys_setting_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(arguments("deep_speech", tmp_path, tmp_path, "--model.listener.units", "8"))
    assert "--model.listener.units" in capsys.readouterr().err


@pytest.mark.parametrize("name", SMALL)
def test_every_family_trains_and_transcribes(
    name: str, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    cli.main(arguments(name, corpus, out, *SMALL[name].split(), *COMMON.split()))
    assert (out / "weights.safetensors").is_file()
    kind = yaml.safe_load((out / "config.yaml").read_text(encoding="utf-8"))["model"]["kind"]
    assert kind == recipe(name).model.kind
    capsys.readouterr()
    cli.main(["transcribe", str(out), str(corpus / "dev000.wav"), "--threads", "1"])
    assert capsys.readouterr().out.endswith("\n")


def test_a_dry_run_shows_what_each_part_costs(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "conformer_quick"
    words = [*SMALL[name].split(), *COMMON.split(), "--dry-run"]
    cli.main(arguments(name, corpus, tmp_path / "run", *words))
    shown = capsys.readouterr().err
    table = shown[shown.index("multiply-adds a second, M") :].splitlines()[1:6]
    assert [line.split()[0] for line in table] == ["front", "encoder", "ctc", "decoder", "in"]
    columns = [float(line.split()[-1]) for line in table]
    assert columns[-1] == pytest.approx(sum(columns[:-1]), abs=0.3)
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_every_kind_of_model_has_a_recipe_here() -> None:
    assert {recipe(name).model.kind for name in RECIPES} == {
        recipe(name).model.kind for name in OWN
    }


def test_a_run_begins_where_another_ended(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SMALL["quick"].split(), *COMMON.split()]
    cli.main(arguments("quick", corpus, tmp_path / "first", *words, "--epochs", "3"))
    begun = [*words, "--init.from-run", str(tmp_path / "first"), "--optim.learning-rate", "1e-12"]
    capsys.readouterr()
    cli.main(arguments("quick", corpus, tmp_path / "second", *begun))
    shown = "".join(capsys.readouterr().err.split())  # lines are broken to fit a terminal
    assert f"{tmp_path / 'first'}:0.01of0.01Mparametersand71unitstakenover" in shown
    first, second = (
        load_file(tmp_path / run / "weights.safetensors") for run in ("first", "second")
    )
    assert all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)
    saved = yaml.safe_load((tmp_path / "second" / "config.yaml").read_text(encoding="utf-8"))
    assert saved["init"]["from_run"] == str(tmp_path / "first")


def test_beginning_from_no_run_is_an_error(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SMALL["quick"].split(), *COMMON.split(), "--init.from-run", str(tmp_path / "none")]
    with pytest.raises(SystemExit):
        cli.main(arguments("quick", corpus, tmp_path / "run", *words))
    assert "none is not a finished run" in capsys.readouterr().err
