"""The exported folder: whole or refused, quantised or not, and the same text without torch."""

import json
from pathlib import Path

import numpy as np
import pytest
from toy_export import RATE, with_torch, without_torch, write_run, write_sounds

from malgwi import cli, runtime
from malgwi import export as export_module
from malgwi.audio import trim_bounds
from malgwi.errors import CheckpointError, ConfigError
from malgwi.export import Heldout, export
from malgwi.exported import GRAPHS, is_export, read_manifest
from malgwi.run import load_recogniser
from malgwi.transcribe import Recogniser


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def recogniser(run: Path) -> Recogniser:
    return load_recogniser(run).with_decoding(method="ctc")


@pytest.fixture(scope="module")
def exported(recogniser: Recogniser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "both"
    export(recogniser, folder, run={"text": {}}, int8=True)
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_sounds(tmp_path_factory.mktemp("sounds"))


def waveforms(recogniser: Recogniser, files: list[Path]) -> list[np.ndarray]:
    return [recogniser.front_end.waveform(path) for path in files]


def test_the_folder_says_what_it_holds(exported: Path, run: Path) -> None:
    names = {"manifest.json", "tokenizer.json", "model.onnx", "model.int8.onnx"}
    assert {path.name for path in exported.iterdir()} == names
    assert [path.name for path in exported.parent.iterdir()] == ["both"]
    manifest = read_manifest(exported)
    assert manifest.files.keys() == names - {"manifest.json"}
    for name, record in manifest.files.items():
        assert record.bytes == (exported / name).stat().st_size
    assert manifest.audio.sample_rate_hz == RATE
    assert manifest.audio.trim_db == 30.0
    assert manifest.search.max_segment_s == 3.0
    assert manifest.facts["difference_from_torch"] < 1e-3
    assert is_export(exported)
    assert not is_export(run)


def test_trimming_and_text_are_those_of_the_recogniser_that_was_scored(
    recogniser: Recogniser, exported: Path, files: list[Path]
) -> None:
    small = runtime.load(exported, precision="fp32", threads=1)
    wanted, found = waveforms(recogniser, files), [small.located(path)[0] for path in files]
    assert all(np.array_equal(a, b) for a, b in zip(wanted, found, strict=True))
    whole = recogniser.front_end.config.sample_rate_hz
    assert trim_bounds(found[0], top_db=30)[1] <= len(found[0]) < whole
    texts = [result.text for result in recogniser.recognise(wanted)]
    assert [heard.text for heard in small.recognise(found)] == texts
    assert sum(map(len, texts)) > 20
    assert " " in texts[2]  # it was cut, and its pieces joined
    for a, b in zip(recogniser.recognise(wanted), small.recognise(found), strict=True):
        assert [(s.start_s, s.end_s, s.text) for s in a.segments] == [
            (s.start_s, s.end_s, s.text) for s in b.segments
        ]
        for s, t in zip(a.segments, b.segments, strict=True):
            assert s.hypotheses[0].tokens == t.hypotheses[0].tokens
            assert s.hypotheses[0].score == pytest.approx(t.hypotheses[0].score, abs=1e-2)


def test_times_count_from_the_beginning_of_the_file(exported: Path, files: list[Path]) -> None:
    heard = runtime.load(exported, precision="fp32", threads=1).recognise_file(files[1])
    (segment,) = heard.segments
    early_s = (2048 / 2 + 512) / RATE  # a trimming frame reaches ahead, in whole hops
    assert 0.3 - early_s <= segment.start_s <= 0.3  # where the sound begins
    assert segment.end_s - segment.start_s == pytest.approx(heard.duration_s)


def test_audio_shorter_than_a_frame_says_nothing(exported: Path) -> None:
    small = runtime.load(exported, precision="fp32", threads=1)
    nothing, one = small.recognise([np.zeros(0, np.float32), np.ones(1, np.float32)])
    assert nothing.text == ""
    assert len(one.segments[0].hypotheses) == 1


def test_without_torch_it_writes_the_same_bytes(
    run: Path, exported: Path, files: list[Path]
) -> None:
    small = without_torch(exported, *files, "--precision", "fp32", "--threads", "1")
    assert small == with_torch(run, *files, "--method", "ctc")
    assert len(small.splitlines()) == len(files)


def test_a_file_that_cannot_be_read_is_named_and_the_rest_transcribed(
    exported: Path, files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF but not really")
    assert runtime.main([str(exported), str(broken), str(files[0]), "--threads", "1"]) == 1
    said = capsys.readouterr()
    assert said.out.startswith(f"{files[0]}\t")
    assert "1 of 2 files could not be read" in said.err
    assert str(broken) in said.err
    assert runtime.main([str(tmp_path), str(files[0])]) == 2
    assert "malgwi export RUN" in capsys.readouterr().err


def test_transcribe_takes_an_export_for_a_run(
    exported: Path, files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    runtime.main([str(exported), str(files[1]), "--threads", "1"])
    wanted = capsys.readouterr().out
    cli.main(["transcribe", str(exported), str(files[1]), "--threads", "1"])
    assert capsys.readouterr().out == wanted
    cli.main(["transcribe", str(exported), str(files[1]), "--format", "json"])
    record = json.loads(capsys.readouterr().out)
    assert record["text"] == wanted.strip()
    assert record["segments"][0]["nbest"][0]["text"] == record["text"]
    with pytest.raises(SystemExit):
        cli.main(["transcribe", str(exported), str(files[1]), "--format", "srt"])
    assert "an export, which finds no times" in capsys.readouterr().err


def test_eight_bits_are_smaller_and_nearly_the_same(
    recogniser: Recogniser, exported: Path, files: list[Path]
) -> None:
    sizes = {name: read_manifest(exported).files[name].bytes for name in GRAPHS.values()}
    samples = waveforms(recogniser, files)[1:3]
    found = {p: runtime.load(exported, precision=p, threads=1).log_probs(samples) for p in GRAPHS}
    assert runtime.load(exported).session.get_providers() == ["CPUExecutionProvider"]
    assert sizes["model.int8.onnx"] < sizes["model.onnx"]
    assert np.array_equal(found["fp32"][1], found["int8"][1])
    rows = range(len(samples))
    frames = [slice(0, int(found["fp32"][1][row])) for row in rows]
    agreed = [
        np.mean(found["fp32"][0][r, f].argmax(-1) == found["int8"][0][r, f].argmax(-1))
        for r, f in zip(rows, frames, strict=True)
    ]
    assert min(agreed) > 0.9
    assert not np.array_equal(found["fp32"][0], found["int8"][0])


def test_the_front_end_and_the_bands_are_not_quantised(exported: Path) -> None:
    import onnx

    nodes = onnx.load(exported / "model.int8.onnx").graph.node
    kinds = {node.op_type for node in nodes}
    assert "DynamicQuantizeLSTM" in kinds
    assert {"MatMulInteger", "DynamicQuantizeMatMul"} & kinds
    front = [node for node in nodes if "/front_end/" in node.name]
    assert [node.op_type for node in front].count("MatMul") == 3  # cosines, sines, bands
    assert not [node for node in front if "Integer" in node.op_type or "Quant" in node.op_type]


def test_a_costly_quantisation_is_left_out_and_the_figures_kept(
    recogniser: Recogniser, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = dict(zip(map(str, files), waveforms(recogniser, files), strict=True))
    texts = [result.text for result in recogniser.recognise(list(samples.values()))]
    heldout = Heldout(waveforms=samples, references=dict(zip(samples, texts, strict=True)))
    for most, kept in ((1.0, True), (-1.0, False)):
        monkeypatch.setattr(export_module, "MAX_RISE", most)
        check = export(recogniser, tmp_path / "a", run={}, int8=True, heldout=heldout)
        assert check is not None
        assert check.fp32.cer_nospace == 0.0  # the references are what torch wrote
        assert check.rise == check.int8.cer_nospace
        manifest = read_manifest(tmp_path / "a")
        assert (tmp_path / "a" / "model.int8.onnx").exists() == kept
        assert ("model.int8.onnx" in manifest.files) == kept
        assert manifest.facts["check"]["int8"]["cer_nospace"] == check.int8.cer_nospace
        assert runtime.load(tmp_path / "a", threads=1)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "manifest.json"])
def test_damage_is_noticed(exported: Path, tmp_path: Path, name: str) -> None:
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=r"damaged|export the run again"):
        runtime.load(tmp_path, precision="fp32")
    (tmp_path / name).unlink()
    with pytest.raises(CheckpointError, match="is missing"):
        runtime.load(tmp_path, precision="fp32")


def test_a_wanted_precision_that_is_not_there_is_an_error(
    recogniser: Recogniser, tmp_path: Path
) -> None:
    export(recogniser, tmp_path / "plain", run={})
    with pytest.raises(ConfigError, match="has no int8 model, only fp32"):
        runtime.load(tmp_path / "plain", precision="int8")


def test_a_folder_of_other_things_is_not_overwritten(
    recogniser: Recogniser, tmp_path: Path
) -> None:
    (tmp_path / "letters").mkdir()
    for stranger in ("a.txt", "manifest.json"):
        (tmp_path / "letters" / stranger).write_text("dear")
        with pytest.raises(ConfigError, match=r"is not an export \(holds a.txt\)"):
            export(recogniser, tmp_path / "letters", run={})
    assert (tmp_path / "letters" / "a.txt").read_text() == "dear"


def test_the_command_exports_and_says_sizes(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["export", str(run), "--out", str(tmp_path / "out"), "--int8", "--threads", "1"])
    said = capsys.readouterr().out
    assert "differ from torch's by at most" in said
    assert "model.int8.onnx" in said
    assert read_manifest(tmp_path / "out").facts["run"]["model"]["listener"]["units"] == 24
    with pytest.raises(SystemExit):
        cli.main(["export", str(run), "--check", "x.jsonl"])
    assert "add --int8" in capsys.readouterr().err
