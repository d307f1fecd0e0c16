"""Through the command line: tiny pretrained encoders fine-tuned on tones, resumed, used alone."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file
from tiny_encoders import KINDS, save_encoder
from tones import make_corpus

from malgwi.cli import main
from malgwi.machine import runs_bf16

pytest.importorskip("transformers", reason="needs the extra hf: transformers")
pytest.importorskip("peft", reason="needs the extra hf: peft")

TINY = """
  --model.mask-feature-length 4 --model.mask-time-length 3 --batches.max-batch-s 6
  --batches.accumulate 1 --batches.max-utterance-s 2 --decoding.max-segment-s 2
  --dev-decoding.max-segment-s 2 --trainer.precision fp32 --trainer.checkpoint-steps 3
  --trainer.evaluations 2 --trainer.ema-decay 0.9 --optim.learning-rate 1e-2
  --optim.encoder-rest-share 0.3 --optim.layer-decay 0.8 --trainer.log-steps 1 --threads 1 --quiet
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tones")
    make_corpus(folder, 24, seed=1, prefix="train")
    make_corpus(folder, 4, seed=2, prefix="dev")
    return folder


def train_args(corpus: Path, run: Path, *more: object) -> list[str]:
    splits = ["--train", corpus / "train.jsonl", "--dev", corpus / "dev.jsonl"]
    given = ["finetune", *splits, "--out", run, "--epochs", 4, *TINY.split(), *more]
    return ["train", *map(str, given)]


def steps_taken(run: Path) -> int:
    return int(sorted((run / "checkpoints").glob("*.json"))[-1].stem.removeprefix("step-"))


@pytest.mark.parametrize(
    ("kind", "rank", "name", "kept"),
    [
        ("wav2vec2_group", 0, "encoder.layers.1.attention.q_proj.weight", "encoder.{}.weight"),
        ("whisper", 2, "encoder.layers.1.self_attn.q_proj.weight", "{}.base_layer.weight"),
    ],
)
def test_an_encoder_is_fine_tuned_and_its_run_stands_alone(
    kind: str,
    rank: int,
    name: str,
    kept: str,
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    encoder, run = save_encoder(tmp_path / "encoder", kind), tmp_path / "run"
    before = load_file(encoder / "model.safetensors")[name]
    main(train_args(corpus, run, "--encoder", encoder, "--model.lora-rank", rank))
    said = capsys.readouterr().err
    assert "resampled up to the 16000 Hz of the encoder" in said
    assert "of them trained)" in said
    assert "WARNING" not in said
    assert steps_taken(run) >= 12
    after = load_file(run / "weights.safetensors")[kept.format(name.removesuffix(".weight"))]
    assert after.equal(before) == (rank > 0)  # LoRA leaves it as it was
    shutil.rmtree(encoder)
    files = sorted(corpus.glob("dev*.wav"))
    texts = []
    for batch in (files, *([file] for file in files)):
        out = tmp_path / "text" / str(len(texts))
        main(["transcribe", str(run), *map(str, batch), "--out", str(out), "--format", "json"])
        texts.append({path.name: json.loads(path.read_text())["text"] for path in out.iterdir()})
    alone = {name: text for each in texts[1:] for name, text in each.items()}
    assert texts[0] == alone
    assert len(alone) == len(files)
    main(["evaluate", str(run), str(corpus / "dev.jsonl"), "--threads", "1"])
    assert (run / "report.html").is_file()
    pytest.importorskip("onnxruntime", reason="needs the extra export: onnxruntime")
    main(["export", str(run)])
    out = tmp_path / "exported"
    main(
        ["transcribe", str(run / "export"), *map(str, files), "--out", str(out), "--format", "json"]
    )
    assert texts[0] == {path.name: json.loads(path.read_text())["text"] for path in out.iterdir()}


def test_a_joint_head_writes(corpus: Path, tmp_path: Path) -> None:
    encoder, run = save_encoder(tmp_path / "encoder", "hubert"), tmp_path / "run"
    joint = "--model.joint --objective.ctc-weight 0.5 --model.decoder.heads 2 --epochs 1"
    precision = "bf16" if runs_bf16() else "fp32"
    joint += f" --trainer.precision {precision} --model.gradient-checkpointing"
    searched = "--decoding.method beam --decoding.beam.ctc-weight 0.5 --dev-decoding.method beam"
    main(train_args(corpus, run, "--encoder", encoder, *joint.split(), *searched.split()))
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {"loss_ctc", "loss_attention"} <= records[0].keys()
    assert any(name.startswith("decoder.") for name in load_file(run / "weights.safetensors"))
    main(["transcribe", str(run), str(corpus / "dev000.wav"), "--out", str(tmp_path / "text")])
    assert (tmp_path / "text" / "dev000.wav.txt").is_file()


def test_a_resumed_run_ends_in_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    """Gone on with while the encoder rests; its masks and LayerDrop draw from two generators."""
    encoder = save_encoder(tmp_path / "encoder", "wav2vec2_layer")
    args = ("--encoder", encoder, "--trainer.keep-checkpoints", 99)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    main(train_args(corpus, whole, *args))
    shutil.copytree(whole, broken)
    (broken / "weights.safetensors").unlink()
    first = sorted((broken / "checkpoints").glob("*.json"))[0]
    assert int(first.stem.removeprefix("step-")) < 0.3 * steps_taken(whole)
    main(train_args(corpus, broken, *args, "--resume", first))
    for name in ("weights.safetensors", f"checkpoints/step-{steps_taken(whole):08d}.safetensors"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()


def test_errors_name_the_thing_and_the_remedy(
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    encoder = save_encoder(tmp_path / "encoder", "hubert")
    quick = train_args(corpus, tmp_path / "run", "--encoder", encoder)
    quick = ["train", "quick", *quick[2:8], "--encoder", str(encoder)]
    cases = [
        (train_args(corpus, tmp_path / "run"), "with  --encoder"),
        (train_args(corpus, tmp_path / "run", "--encoder", tmp_path / "none"), "no such folder"),
        (quick, "use recipe finetune"),
        (
            train_args(corpus, tmp_path / "run", "--encoder", encoder, "--spec-augment", "LD"),
            "model.mask_time_prob",
        ),
        (
            train_args(
                corpus, tmp_path / "run", "--model.encoder", encoder, "--front-end.kind", "log_mel"
            ),
            "front_end.kind is 'log_mel', not 'waveform'",
        ),
    ]
    for args, message in cases:
        with pytest.raises(SystemExit) as stopped:
            main(args)
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_built_by_a_dry_run(
    kind: str, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder, run = save_encoder(tmp_path / "encoder", kind), tmp_path / "run"
    main(train_args(corpus, run, "--encoder", encoder, "--dry-run"))
    said = capsys.readouterr().err
    assert f"encoder: {encoder}" in said
    assert ("scale: whisper" if kind == "whisper" else "kind: waveform") in said
    assert (run / "encoder" / "config.json").is_file()
    assert "WARNING" not in said
