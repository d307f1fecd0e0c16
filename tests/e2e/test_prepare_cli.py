"""``malgwi prepare`` and ``malgwi split`` from the command line: tables in, honest parts out."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from malgwi import manifest
from malgwi.cli import main


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Ten speakers who say four sentences each, as a user would have them."""
    lines = ["path\tspeaker\ttext"]
    for speaker in range(10):
        for number in range(4):
            name = f"s{speaker}/{number}.wav"
            (tmp_path / "mine" / f"s{speaker}").mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(number).uniform(-0.1, 0.1, 4_000)
            soundfile.write(tmp_path / "mine" / name, noise, 8_000)
            lines.append(f"{name}\ts{speaker}\t사람 {speaker}의 말 {number}")
    path = tmp_path / "mine" / "transcripts.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(*arguments: object) -> int:
    """Exit status of ``malgwi`` with these arguments."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


def test_from_table_to_parts(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data" / "mine.jsonl"
    assert run("prepare", "table", recordings, out) == 0
    said = capsys.readouterr().out
    assert "40 utterances, 0.01 hours, 10 speakers, 0 bad rows" in said
    assert not list(out.parent.glob("*.bad.jsonl"))

    assert run("split", out, tmp_path / "parts", "--dev", 0.2, "--test", 0.1) == 0
    said = capsys.readouterr().out
    assert "0 of 2 speakers and 0 of 8 scripts of dev also stand in train" in said
    sizes = {
        part: len(manifest.read(tmp_path / "parts" / f"{part}.jsonl"))
        for part in ("train", "dev", "test")
    }
    assert sizes == {"train": 28, "dev": 8, "test": 4}
    report = json.loads((tmp_path / "parts" / "split.json").read_text())
    assert report["settings"]["dev"] == 0.2
    assert report["parts"]["test"]["speakers"] == 1

    # Another split in the same folder leaves no test part behind that would leak.
    assert run("split", out, tmp_path / "parts", "--how", "random") == 0
    assert "RANDOM: this split leaks" in capsys.readouterr().out
    assert not (tmp_path / "parts" / "test.jsonl").exists()


def test_outputs_do_not_depend_on_when_or_how_fast(recordings: Path, tmp_path: Path) -> None:
    for name, threads in (("a", 1), ("b", 4)):
        out = tmp_path / f"{name}.jsonl.gz"
        assert run("prepare", "table", recordings, out, "--threads", threads) == 0
        assert run("split", out, tmp_path / name) == 0
    for pair in (("a.jsonl.gz", "b.jsonl.gz"), ("a/dev.jsonl", "b/dev.jsonl")):
        first, second = ((tmp_path / name).read_bytes() for name in pair)
        assert first == second


def test_too_many_bad_rows_fail_and_are_listed(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.jsonl"
    assert run("prepare", "table", recordings, out) == 0
    before = out.read_bytes()
    capsys.readouterr()
    (recordings.parent / "s3" / "2.wav").unlink()
    (recordings.parent / "s4" / "0.wav").write_bytes(b"RIFF")

    assert run("prepare", "table", recordings, out) == 2
    said = capsys.readouterr().err
    assert "2 of 40 rows are bad (5.00%), more than --max-bad 0.01 allows" in said
    assert "1 × missing audio, e.g. s3-2" in said
    assert "Traceback" not in said
    assert out.read_bytes() == before
    bad = [json.loads(line) for line in (tmp_path / "mine.bad.jsonl").read_text().splitlines()]
    assert [(row["utterance_id"], row["reason"]) for row in bad] == [
        ("s3-2", "missing audio"),
        ("s4-0", "undecodable audio"),
    ]

    assert run("prepare", "table", recordings, out, "--max-bad", 0.05) == 0
    assert "38 utterances" in capsys.readouterr().out
    assert len(manifest.read(out)) == 38
    assert (tmp_path / "mine.bad.jsonl").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "table", "nowhere.csv", "out.jsonl"], "no such file or folder"),
        (["prepare", "table", "TABLE", "out.json"], r"ends in .jsonl or .jsonl.gz"),
        (["prepare", "table", "TABLE", "out.jsonl", "--text-column", "txt"], "did you mean 'text'"),
        (["prepare", "tabel", "TABLE", "out.jsonl"], "table"),
        (["split", "TABLE"], "MANIFEST... OUT_DIR, the folder last"),
        (["split", "nowhere.jsonl", "parts"], "no such manifest"),
    ],
)
def test_mistakes_are_named(
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [str(recordings) if a == "TABLE" else a for a in arguments]
    assert run(*given) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out.jsonl").exists()


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("prepare", "--help") == 0
    assert (
        "malgwi prepare table recordings/transcripts.tsv data/mine.jsonl" in capsys.readouterr().out
    )
    assert run("prepare", "hackathon", "--help") == 0
    said = capsys.readouterr().out
    assert "--max-bad" in said
    assert "--part {train,test}" in said
    assert run("split", "--help") == 0
    assert "malgwi split data/mine.jsonl data/split --dev 0.1" in capsys.readouterr().out
