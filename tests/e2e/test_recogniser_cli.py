"""Through the command line: train, kill, resume, evaluate, transcribe, on a language of tones."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from malgwi import calibration
from tests.tones import make_corpus

TINY = """
  --front-end.num-mels 20 --model.listener.layers 1
  --model.listener.units 24 --model.listener.stack 4 --model.speller.units 24
  --model.speller.embedding 8 --model.speller.attention-units 16 --batches.max-batch-s 8
  --batches.speeds 1.0 --trainer.precision fp32 --trainer.checkpoint-steps 5
  --optim.learning-rate 5e-3 --spec-augment off --trainer.ema-decay 0.9
  --trainer.evaluations 4 --transcripts-lm.order 3 --threads 1
"""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def malgwi(*args: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "malgwi", *map(str, args)],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tones")
    for prefix, count, seed in (("train", 90, 1), ("dev", 8, 2), ("test", 10, 3)):
        make_corpus(folder, count, seed=seed, prefix=prefix)
    return folder


def train_args(corpus: Path, run: Path, epochs: int | None) -> list[object]:
    splits = ["--train", corpus / "train.jsonl", "--dev", corpus / "dev.jsonl"]
    end = [] if epochs is None else ["--epochs", epochs]
    return ["train", "demo", *splits, "--out", run, *end, *TINY.split()]


@pytest.fixture(scope="module")
def run(corpus: Path) -> Path:
    folder = corpus / "run"
    malgwi(*train_args(corpus, folder, 40))
    return folder


def test_a_run_folder_is_complete(run: Path) -> None:
    wanted = {
        "config.yaml",
        "tokenizer.json",
        "weights.safetensors",
        "front_end.safetensors",
        "metrics.jsonl",
        "curves.svg",
        "left_out.jsonl",
        "characters.txt",
        "transcripts.lm",
        "checkpoints",
        "tensorboard",
    }
    assert wanted <= {path.name for path in run.iterdir()}
    assert not [path for path in run.rglob("*") if path.name.startswith(".")]
    assert any((run / "tensorboard").iterdir())
    assert "<svg" in (run / "curves.svg").read_text()


def test_what_evaluate_scores_is_what_transcribe_writes(run: Path, corpus: Path) -> None:
    out = corpus / "report"
    shown = malgwi("evaluate", run, corpus / "test.jsonl", "--out", out, "--threads", 1).stdout
    assert "cer_nospace" in shown
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    rate = report["scores"]["cer_nospace"]
    assert rate["rate"] < 0.25
    assert rate["reference"] == rate["hits"] + rate["substitutions"] + rate["deletions"]
    assert report["size"]["parameters"] > 1000
    said = {ch for u in report["utterances"] for ch in u["reference"] if ch != " "}
    seen = set((run / "characters.txt").read_text(encoding="utf-8"))
    assert set(report["unseen_characters"]["by_character"]) == said - seen
    assert report["speed"]["x_real_time"] > 1
    scored = {u["id"]: u["hypothesis"] for u in report["utterances"]}
    files = sorted(corpus.glob("test*.wav"))
    malgwi("transcribe", run, *files, "--out", corpus / "text", "--threads", 1)
    for path in files:
        written = (corpus / "text" / f"{path.name}.txt").read_bytes()
        assert written == (scored[path.stem] + "\n").encode()
    malgwi("transcribe", run, *files, "--out", corpus / "text", "--format", "json")
    for path in files:
        record = json.loads((corpus / "text" / f"{path.name}.json").read_text(encoding="utf-8"))
        assert record["text"] == scored[path.stem]
        assert record["segments"][0]["nbest"][0]["text"] == record["text"]


def test_a_run_minds_the_model_of_its_transcripts_where_ctc_is_searched(
    run: Path, corpus: Path
) -> None:
    found = {}
    own = run / "transcripts.lm"
    for name, options in (
        ("own", ["--method", "ctc_beam"]),
        ("named", ["--method", "ctc_beam", "--lm", own]),
        ("none", ["--method", "ctc_beam", "--lm", "none"]),
        ("greedy", ["--method", "ctc"]),
    ):
        out = corpus / "minds" / name
        malgwi("evaluate", run, corpus / "test.jsonl", "--out", out, "--threads", 1, *options)
        found[name] = json.loads((out / "report.json").read_text(encoding="utf-8"))
    texts = {
        name: [u["hypothesis"] for u in report["utterances"]] for name, report in found.items()
    }
    assert texts["own"] == texts["named"]
    own_record = found["own"]["decoding"]["language_model"]
    assert own_record == found["named"]["decoding"]["language_model"]
    assert own_record["sha256"] == hashlib.sha256(own.read_bytes()).hexdigest()
    assert "language_model" not in found["none"]["decoding"]
    assert "language_model" not in found["greedy"]["decoding"]
    sizes = {name: report["size"]["bytes_on_disk"] for name, report in found.items()}
    assert sizes["own"] == sizes["named"] == sizes["none"] + own.stat().st_size
    assert sizes["greedy"] == sizes["none"]


def test_time_stamps_and_calibration_leave_the_text_alone(run: Path, corpus: Path) -> None:
    files = sorted(corpus.glob("test*.wav"))
    asked = ["transcribe", run, *files, "--format", "json"]
    plain = malgwi(*asked).stdout.splitlines()
    raw = malgwi(*asked, "--timestamps").stdout.splitlines()
    calibration.save(run, "beam", calibration.Calibration(bias=-1.0))
    calibrated = malgwi(*asked, "--timestamps").stdout.splitlines()
    for lines in zip(plain, raw, calibrated, strict=True):
        without, before, after = map(json.loads, lines)
        assert without["text"] == before["text"] == after["text"]
        for one, other in zip(before["segments"], after["segments"], strict=True):
            assert one["timed_by"] == other["timed_by"] == "ctc"
            assert "".join(c["text"] for c in one["characters"]) == one["text"]
            for a, b in zip(one["characters"], other["characters"], strict=True):
                assert a["start_s"] < a["end_s"] <= without["duration_s"] + 0.5
                assert b == {**a, "confidence": b["confidence"]}
                assert b["confidence"] <= a["confidence"]


def test_confidence_is_judged_in_the_report(run: Path, corpus: Path) -> None:
    out = corpus / "confidence"
    asked = ["evaluate", run, corpus / "test.jsonl", "--out", out]
    calibration.save(run, "beam", calibration.Calibration(bias=-1.0))
    assert "confidence calibrated: ECE" in malgwi(*asked, "--confidence").stdout
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["confidence"]["given"]["count"] == len(
        "".join(u["hypothesis"] for u in report["utterances"])
    )
    assert "Right, by confidence" in (out / "report.html").read_text(encoding="utf-8")
    done = malgwi(*asked, "--calibrate", check=False)  # ten short utterances say too little
    assert done.returncode == 2
    assert "calibration needs" in done.stderr


def test_hypotheses_can_be_scored_again(run: Path, corpus: Path) -> None:
    out = corpus / "again"
    malgwi("evaluate", run, corpus / "test.jsonl", "--out", out, "--method", "ctc")
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    references = "".join(f"{u['id']}\t{u['reference']}\n" for u in report["utterances"])
    (corpus / "ref.tsv").write_text(references, encoding="utf-8")
    done = malgwi("score", "--ref", corpus / "ref.tsv", "--hyp", out / "hypotheses.jsonl", "--json")
    assert json.loads(done.stdout)["cer_nospace"] == report["scores"]["cer_nospace"]


def test_reports_are_drawn_beside_each_other(run: Path, corpus: Path) -> None:
    greedy, beam, part = corpus / "greedy", corpus / "wide", corpus / "part.jsonl"
    malgwi("evaluate", run, corpus / "test.jsonl", "--out", greedy, "--method", "ctc")
    malgwi("evaluate", run, corpus / "test.jsonl", "--out", beam, "--beside", greedy)
    page = (beam / "report.html").read_text(encoding="utf-8")
    assert page.count('class="disc"') == 2
    assert "disc" not in (greedy / "report.html").read_text(encoding="utf-8").split("<main")[1]
    record = json.loads((beam / "report.json").read_text(encoding="utf-8"))["beside"]
    assert [one["search"] for one in record] == ["ctc"]
    lines = (corpus / "test.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    part.write_text("".join(lines[:2]), encoding="utf-8")
    refused = malgwi("evaluate", run, part, "--out", beam, "--beside", greedy, check=False)
    assert refused.returncode == 2
    assert "Evaluate both on the same manifest" in " ".join(refused.stderr.split())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_run_resumes_to_the_same_bytes(corpus: Path, number: int) -> None:
    whole, broken = corpus / f"whole{number}", corpus / f"broken{number}"
    malgwi(*train_args(corpus, whole, 12))
    command = [sys.executable, "-m", "malgwi", *map(str, train_args(corpus, broken, 12))]
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list((broken / "checkpoints").glob("*.json")):
        time.sleep(0.02)
    time.sleep(random.uniform(0.0, 0.4))
    process.send_signal(number)
    _, said = process.communicate()
    if number == signal.SIGTERM:
        assert process.returncode == 2
        assert "interrupted; go on with  --resume" in said
    malgwi(*train_args(corpus, broken, None), "--resume")  # it ends where it was to end
    for name in ("weights.safetensors",):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
    last = [
        sorted((folder / "checkpoints").glob("*.safetensors"))[-1] for folder in (whole, broken)
    ]
    assert last[0].name == last[1].name
    assert last[0].read_bytes() == last[1].read_bytes()


def test_errors_name_the_thing_and_the_remedy(run: Path, corpus: Path, tmp_path: Path) -> None:
    cases = [
        (train_args(corpus, run, 3), "holds a run already"),
        (["train", "quik"], "did you mean 'quick'?"),
        ([*train_args(corpus, tmp_path / "x", 3), "--resume"], "holds no checkpoint"),
        ([*train_args(corpus, tmp_path / "x", 3), "--budget", "soon"], "60m, 1.5h or 90s"),
        (["evaluate", tmp_path, corpus / "test.jsonl"], "config.yaml is missing"),
        (["trian"], "did you mean 'train'?"),
    ]
    for args, message in cases:
        done = malgwi(*args, check=False)
        assert done.returncode == 2, args
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_an_unreadable_file_is_named_and_the_rest_transcribed(run: Path, corpus: Path) -> None:
    broken = corpus / "broken.wav"
    broken.write_bytes(b"RIFF but not really")
    good = corpus / "test000.wav"
    done = malgwi("transcribe", run, broken, good, check=False)
    assert done.returncode == 1
    assert str(good) in done.stdout
    assert "1 of 2 files could not be read" in done.stderr
    assert str(broken) in done.stderr


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("optim.learning-rate", "1e-3", "optim.learning_rate is 0.001, was 0.005"),
        ("trainer.workers", "7", "trainer.workers is 7, was "),
    ],
)
def test_changed_settings_do_not_resume(
    corpus: Path, run: Path, setting: str, value: str, message: str
) -> None:
    args = [*train_args(corpus, run, 40), "--resume", f"--{setting}", value]
    done = malgwi(*args, check=False)
    assert done.returncode == 2
    assert message in done.stderr
