"""An export searched with a beam, a language model and hot-words: as torch does it, or refused."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from toy_export import CONFIG, SYLLABLES, with_torch, without_torch, write_run, write_sounds

from malgwi import cli, lm, runtime
from malgwi.decoders.ctc_beam import CtcBeamConfig
from malgwi.decoders.fusion import FusionConfig
from malgwi.errors import CheckpointError, ConfigError, DataError
from malgwi.export import export
from malgwi.exported import MANIFEST, read_manifest
from malgwi.lm.arpa import write_arpa
from malgwi.lm.binary import write_binary
from malgwi.lm.kneser_ney import train
from malgwi.lm.transcripts import FILE, TranscriptsLmConfig
from malgwi.lm.units import TextSettings, cut
from malgwi.run import load_recogniser
from malgwi.transcribe import Recogniser
from malgwi.types import Hypothesis

BEAM = CtcBeamConfig(beams=5)
WEIGHTS = FusionConfig(lm_weight=1.5, insertion_bonus=0.5)
HOT = {"하파": 9.0, "카": 2.0}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def recogniser(run: Path) -> Recogniser:
    return load_recogniser(run).with_decoding(method="ctc", ctc_beam=BEAM, fusion=WEIGHTS)


@pytest.fixture(scope="module")
def exported(recogniser: Recogniser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "export"
    export(recogniser, folder, run={}, text=CONFIG.text)
    return folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_sounds(tmp_path_factory.mktemp("sounds"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "model.lm", TextSettings())


def write_model(path: Path, settings: TextSettings) -> Path:
    lines = [SYLLABLES[i:] + SYLLABLES[i % 5 : i] for i in range(len(SYLLABLES))]
    found = train(cut(lines, settings), order=3, settings=settings).model
    write_binary(found, path) if path.suffix == ".lm" else write_arpa(found, path)
    return path


def best(found: list) -> list[Hypothesis]:  # type: ignore[type-arg]
    return [h for result in found for s in result.segments for h in s.hypotheses[:1]]


@pytest.mark.parametrize("with_model", [False, True])
@pytest.mark.parametrize("boosts", [{}, HOT])
def test_text_and_score_are_those_of_torch(
    recogniser: Recogniser,
    exported: Path,
    files: list[Path],
    model: Path,
    with_model: bool,
    boosts: dict[str, float],
) -> None:
    large = recogniser.with_decoding(method="ctc_beam").with_hotwords(boosts)
    if with_model:
        bound = lm.load_bound(model, recogniser.tokenizer, CONFIG.text)
        large = replace(large, language_model=bound)
    small = runtime.load(
        exported,
        threads=1,
        method="ctc_beam",
        lm=model if with_model else None,
        hotwords=boosts,
    )
    sounds = [recogniser.front_end.waveform(path) for path in files]
    wanted, found = large.recognise(sounds), small.recognise(sounds)
    assert [heard.text for heard in found] == [result.text for result in wanted]
    assert len(best(found)) >= len(files)
    for ours, theirs in zip(best(found), best(wanted), strict=True):
        assert ours.tokens == theirs.tokens
        assert ours.score == pytest.approx(theirs.score, abs=1e-2)
        assert (ours.lm_score is not None) == bool(boosts or with_model)
        assert ours.lm_score == pytest.approx(theirs.lm_score, abs=1e-3)
    plain = runtime.load(exported, threads=1, method="ctc_beam").recognise(sounds)
    changed = [heard.text for heard in plain] != [heard.text for heard in found]
    assert changed == bool(boosts or with_model)


@pytest.mark.parametrize("name", ["model.lm", "model.arpa"])
def test_without_torch_it_writes_the_same_bytes(
    run: Path, exported: Path, files: list[Path], tmp_path: Path, name: str
) -> None:
    language = write_model(tmp_path / name, TextSettings())
    (tmp_path / "words.txt").write_text("하파:9\n", encoding="utf-8")
    options: list[object] = ["--method", "ctc_beam", "--beams", 7, "--lm", language]
    options += ["--lm-weight", 1.25, "--lm-bonus", 0.75]
    options += ["--hotwords", "카:2", tmp_path / "words.txt"]
    small = without_torch(exported, *files, *options, "--threads", 1)
    assert small == with_torch(run, *files, *options)
    assert small != without_torch(exported, *files, "--threads", 1)


@pytest.fixture(scope="module")
def run_with_own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that searches CTC with the language model of its transcripts."""
    decoding = replace(CONFIG.decoding, method="ctc_beam", ctc_beam=BEAM, fusion=WEIGHTS)
    config = replace(CONFIG, decoding=decoding, transcripts_lm=TranscriptsLmConfig(order=3))
    return write_run(tmp_path_factory.mktemp("runs") / "own", config)


def test_the_runs_own_language_model_goes_along(
    run_with_own: Path, files: list[Path], model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    export(load_recogniser(run_with_own), folder, run={}, text=CONFIG.text)
    own = (run_with_own / FILE).read_bytes()
    assert (folder / FILE).read_bytes() == own
    written = without_torch(folder, *files, "--threads", 1)
    assert written == with_torch(run_with_own, *files)
    for other in ("none", model):
        options = ("--lm", other)
        found = without_torch(folder, *files, *options, "--threads", 1)
        assert found == with_torch(run_with_own, *files, *options)
        assert found != written
    greedy = with_torch(run_with_own, *files, "--method", "ctc")
    assert without_torch(folder, *files, "--method", "ctc", "--threads", 1) == greedy
    export(load_recogniser(run_with_own), folder, run={}, text=CONFIG.text)  # may be replaced
    (folder / FILE).write_bytes(own[:-1] + bytes([own[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=FILE):
        runtime.load(folder)
    assert runtime.load(folder, method="ctc").search.language_model is None


def test_an_own_language_model_that_is_missing_is_named(run_with_own: Path, tmp_path: Path) -> None:
    for path in run_with_own.iterdir():
        if path.name != FILE:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match=r"transcripts\.lm.*is missing"):
        load_recogniser(tmp_path)


def test_what_is_not_asked_for_is_as_the_run_had_it(
    recogniser: Recogniser, exported: Path, tmp_path: Path
) -> None:
    plain = runtime.load(exported).search
    assert (plain.method, plain.beam, plain.weights) == ("ctc", BEAM, WEIGHTS)
    asked = runtime.load(exported, method="ctc_beam", nbest=3, lm_bonus=0.0).search
    assert asked.beam == replace(BEAM, nbest=3)
    assert asked.weights == replace(WEIGHTS, insertion_bonus=0.0)
    export(recogniser.with_decoding(method="ctc_beam"), tmp_path / "beam", run={})
    assert runtime.load(tmp_path / "beam").search.method == "ctc_beam"
    export(recogniser.with_decoding(method="beam"), tmp_path / "joint", run={})
    assert runtime.load(tmp_path / "joint").search.method == "ctc"


def test_an_older_export_says_less_and_has_the_defaults(
    exported: Path, model: Path, tmp_path: Path
) -> None:
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    record = json.loads((tmp_path / MANIFEST).read_text(encoding="utf-8"))
    del record["text"], record["search"]["ctc_beam"], record["search"]["fusion"]
    (tmp_path / MANIFEST).write_text(json.dumps(record), encoding="utf-8")
    search = runtime.load(tmp_path, method="ctc_beam", lm=model).search
    assert (search.beam, search.weights) == (CtcBeamConfig(), FusionConfig())
    assert read_manifest(tmp_path).text is None
    record["search"]["fusion"] = {"lm_wait": 1.0}
    (tmp_path / MANIFEST).write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"is damaged .*lm_wait"):
        runtime.load(tmp_path)


def test_a_language_model_of_other_texts_is_refused(exported: Path, tmp_path: Path) -> None:
    spaced = write_model(tmp_path / "spaced.lm", TextSettings(spaces=True))
    with pytest.raises(ConfigError, match="spaces: the language model's are units"):
        runtime.load(exported, method="ctc_beam", lm=spaced)
    other = replace(CONFIG.text, fillers="drop" if CONFIG.text.fillers != "drop" else "keep")
    foreign = write_model(tmp_path / "foreign.lm", TextSettings(text=other))
    with pytest.raises(ConfigError, match="normaliser fillers: the language model's is"):
        runtime.load(exported, method="ctc_beam", lm=foreign)
    with pytest.raises(DataError, match="make one with  malgwi lm"):
        runtime.load(exported, method="ctc_beam", lm=tmp_path / "none.lm")


def test_a_neural_language_model_without_torch_is_refused(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "malgwi.lm.neural", None)
    (tmp_path / "small.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match="without them use an n-gram model"):
        runtime.load(exported, method="ctc_beam", lm=tmp_path / "small.safetensors")


def test_what_cannot_be_searched_is_refused(
    exported: Path, files: list[Path], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="by 'attention': choose ctc or ctc_beam"):
        runtime.load(exported, method="attention")
    for asked in ({"lm": model}, {"hotwords": HOT}, {"beams": 4}, {"lm_weight": 0.5}):
        with pytest.raises(ConfigError, match=r"greedy and minds no .*--method ctc_beam"):
            runtime.load(exported, **asked)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no units to write it with"):
        runtime.load(exported, method="ctc_beam", hotwords={"쿄": 1.0})
    with pytest.raises(ConfigError, match="beams is 0"):
        runtime.load(exported, method="ctc_beam", beams=0)
    with pytest.raises(ConfigError, match="greedy"):
        runtime.load(exported).with_hotwords(HOT)
    assert runtime.main([str(exported), str(files[0]), "--hotwords", "카:six"]) == 2
    assert "'six' is no number" in capsys.readouterr().err
    for option in ("--source-lm", "--rescore-lm"):
        with pytest.raises(SystemExit):
            cli.main(["transcribe", str(exported), str(files[0]), option, str(model)])
        assert "leave them out" in capsys.readouterr().err


def test_hot_words_come_and_go_with_a_request(exported: Path, files: list[Path]) -> None:
    small = runtime.load(exported, threads=1, method="ctc_beam")
    plain = small.recognise_file(files[1]).text
    assert "하파" not in plain
    warm = small.with_hotwords({"하파": 80.0})
    assert "하파" in warm.recognise_file(files[1]).text
    assert warm.with_hotwords({}).recognise_file(files[1]).text == plain


def test_transcribe_passes_it_all_through(
    exported: Path, files: list[Path], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--method", "ctc_beam", "--beams", "6", "--lm", str(model), "--lm-weight", "0.9"]
    options += ["--lm-bonus", "1", "--hotwords", "하파:9", "--threads", "1"]
    runtime.main([str(exported), str(files[1]), *options])
    wanted = capsys.readouterr().out
    arguments = ["transcribe", str(exported), str(files[1]), "--format", "json", "--nbest", "3"]
    cli.main([*arguments, *options])
    record = json.loads(capsys.readouterr().out)
    assert record["text"] == wanted.strip()
    nbest = record["segments"][0]["nbest"]
    assert len(nbest) == 3
    assert nbest[0]["score"] == pytest.approx(nbest[0]["log_prob"] + nbest[0]["lm_score"])
