"""``malgwi audit`` from the command line: what it writes, and what its exit status says."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from malgwi import manifest
from malgwi.cli import main
from malgwi.corpora.embedded import embedded_corpus

RATE = 16_000


def run(*arguments: object) -> int:
    """Exit status of ``malgwi audit`` with these arguments."""
    try:
        main(["audit", *(str(argument) for argument in arguments)])
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return 0


def corpus(folder: Path, name: str, rows: list[tuple[str, str | None, np.ndarray]]) -> Path:
    """A manifest NAME.jsonl of (text, speaker, samples at 16 kHz)."""
    cuts = []
    for number, (text, speaker, samples) in enumerate(rows):
        path = folder / f"{name}{number:03d}.wav"
        soundfile.write(path, samples, RATE, subtype="PCM_16")
        cuts.append(
            manifest.new_cut(
                path.stem,
                path,
                sample_rate_hz=RATE,
                num_samples=len(samples),
                text=text,
                speaker=speaker,
                custom={"part": "test" if number % 3 == 0 else "train"},
            )
        )
    target = folder / f"{name}.jsonl"
    manifest.write(cuts, target)
    return target


def hiss(seed: int, seconds: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.05, round(seconds * RATE))


def plain(count: int, seed: int, who: str) -> list[tuple[str, str | None, np.ndarray]]:
    syllables = "가나다라마바사아자차카타파하"
    random = np.random.default_rng(seed)
    return [
        ("".join(random.choice(list(syllables), 8)), f"{who}{n % 5}", hiss(1000 * seed + n))
        for n in range(count)
    ]


@pytest.fixture
def clean(tmp_path: Path) -> tuple[Path, Path]:
    """Two parts that share nothing."""
    return corpus(tmp_path, "train", plain(30, 1, "a")), corpus(tmp_path, "dev", plain(30, 2, "b"))


@pytest.fixture
def troubled(tmp_path: Path) -> Path:
    """One of everything."""
    narrow = soxr.resample(hiss(7, 1.0)[::2], 8_000, RATE)
    time = np.arange(RATE) / RATE
    rows = plain(24, 3, "c")
    same = rows[0][2]
    rows += [
        ("같은 소리 다른 말", "c1", same),
        (rows[1][0], "c1", rows[1][2]),
        ("¾È³çÇÏ¼¼¿ä", "c1", hiss(80)),
        ("3시에 KBS로", "c1", hiss(81)),
        ("<script>alert(1)</script>", "c1", hiss(82)),
        ("잘린 소리", "c1", np.clip(2 * np.sin(2 * np.pi * 203.7 * time), -0.5, 0.5)),
        ("", "c1", hiss(83)),
        ("아무 소리도 없다", "c1", np.zeros(RATE)),
        ("전화 소리", None, narrow),
        ("없는 파일", "c1", hiss(84)),
    ]
    target = corpus(tmp_path, "all", rows)
    (tmp_path / f"all{len(rows) - 1:03d}.wav").unlink()
    return target


def record(folder: Path) -> dict:
    return json.loads((folder / "audit.json").read_text(encoding="utf-8"))


def test_clean_parts_pass(
    clean: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(*clean, "--out", out, "--threads", 1) == 0
    found = record(out)
    assert list(found["parts"]) == ["train", "dev"]
    train = found["parts"]["train"]
    assert (train["utterances"], train["speakers"], train["scripts"]) == (30, 5, 30)
    assert train["hours"] == round(30 / 3600, 4)
    assert train["sound"]["measured"] == 30
    assert train["distributions"]["bandwidth_hz"]["min"] == 8_000
    assert train["distributions"]["level_dbfs"]["quantiles"]["0.5"] == pytest.approx(-26, abs=1)
    assert [leak["relation"] for leak in found["leakage"]["leaks"]] == [
        "speaker",
        "script",
        "near_script",
        "audio",
    ]
    assert not found["leakage"]["exceeded"]
    assert found["vocabulary"][0]["second"] == "dev"
    said = capsys.readouterr().out
    assert "dev in train" in said
    assert "audit.json" in said


def test_the_record_has_the_documented_keys(clean: tuple[Path, Path], tmp_path: Path) -> None:
    """Programs read them: a key that goes, or changes its meaning, raises ``format``."""
    run(clean[0], "--out", tmp_path / "out", "--threads", 1)
    found = record(tmp_path / "out")
    assert found["format"] == 1
    assert set(found) == {
        "format",
        "malgwi",
        "settings",
        "findings",
        "parts",
        "vocabulary",
        "suspicious",
        "leakage",
        "estimated_speakers",
    }
    assert set(found["parts"]["train"]) == {
        "manifest",
        "official_part",
        "utterances",
        "hours",
        "speakers",
        "scripts",
        "characters",
        "distinct_characters",
        "words",
        "distinct_words",
        "sample_rates_hz",
        "sound",
        "speaker_labels",
        "distributions",
    }
    assert set(found["leakage"]) == {"max_leakage", "relations", "exceeded", "unknown", "leaks"}


def test_leakage_beyond_the_bound_is_status_1(clean: tuple[Path, Path], tmp_path: Path) -> None:
    rows = plain(27, 2, "b") + plain(3, 1, "a")
    dev = corpus(tmp_path, "leaking", rows)
    out = tmp_path / "out"
    assert run(clean[0], dev, "--out", out, "--threads", 1) == 1
    found = record(out)
    leaks = {leak["relation"]: leak for leak in found["leakage"]["leaks"]}
    assert {name: leak["share"] for name, leak in leaks.items()} == dict.fromkeys(leaks, 0.1)
    assert leaks["audio"]["examples"][0] == {
        "first": "train000",
        "second": "leaking027",
        "what": "",
        "distance": 0,
    }, "copies under other names are found by their samples"
    assert found["findings"][0]["weight"] == "error"
    assert run(clean[0], dev, "--out", out, "--threads", 1, "--max-leakage", 0.1) == 0
    no_sound = ("--no-sound", "--relations", "audio")
    assert run(clean[0], dev, "--out", out, *no_sound) == 0, "other files, as far as names tell"
    assert run(clean[0], dev, "--out", out, "--no-sound", "--relations", "script") == 1


def test_everything_suspicious_is_listed(troubled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(troubled, "--out", out, "--threads", 2) == 0, "what is suspicious is no leakage"
    found = record(out)
    listed = {each["kind"]: each for each in found["suspicious"]}
    first = {kind: each["examples"][0]["id"] for kind, each in listed.items()}
    assert first["unreadable"] == "all033"
    assert first["silent"] == "all031"
    assert first["empty"] == "all030"
    assert first["charset"] == "all026"
    assert first["same_audio_other_text"] == "all024"
    assert listed["same_audio_other_text"]["examples"][0]["other"]["id"] == "all000"
    assert first["repeated_audio"] == "all025"
    assert first["clipped"] == "all029"
    assert first["digits"] == "all027"
    assert "안녕하세요" in listed["charset"]["examples"][0]["reason"]
    part = found["parts"]["all"]
    assert part["sound"]["upsampled_telephone"] == 1
    assert part["sound"]["unreadable"] == 1
    assert part["speaker_labels"]["missing"] == 1
    texts = " ".join(finding["text"] for finding in found["findings"])
    assert "mixed bands" in texts
    assert "1 of 34 utterances name no speaker" in texts


def test_the_page_is_self_contained_and_plays(troubled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(troubled, "--out", out, "--threads", 1)
    page = (out / "audit.html").read_text(encoding="utf-8")
    assert "<script" not in page, "texts cannot act as markup, and the page has no script"
    assert "&lt;script&gt;alert" in page
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert page.count("data:audio/mpeg") >= 5
    assert "안녕하세요" in page
    assert page.count('<figure class="chart">') == 10
    balanced(page)


def test_parts_that_a_manifest_names(clean: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(f"mine={clean[0]}", "--out", out, "--no-sound", "--by-part") == 1
    found = record(out)
    sizes = {name: part["utterances"] for name, part in found["parts"].items()}
    assert sizes == {"mine.train": 20, "mine.test": 10}
    leaks = {leak["relation"]: leak["share"] for leak in found["leakage"]["leaks"]}
    assert leaks == {"speaker": 1.0, "script": 0.0, "near_script": 0.0, "audio": 0.0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give at least one manifest"),
        (("nowhere.jsonl",), "no such manifest"),
        (("{train}", "{train}"), "several parts are called 'train'"),
        (("{train}", "--max-leakage", "2"), "give a share from 0 to 1"),
        (("{train}", "--no-sound", "--estimate-speakers"), "leave --no-sound out"),
    ],
)
def test_errors_are_status_2(
    arguments: tuple[str, ...],
    said: str,
    clean: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [word.format(train=clean[0]) for word in arguments]
    assert run(*words, "--out", tmp_path / "out") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_speakers_are_estimated_over_all_parts(tmp_path: Path) -> None:
    """The embedded voices under labels that only number utterances."""
    cuts = [cut for cut in embedded_corpus().train if cut.duration > 2][::8]
    voices = [manifest.speaker(cut) for cut in cuts]
    for number, cut in enumerate(cuts):
        cut.supervisions[0].speaker = f"utterance-{number}"
    manifest.write(cuts[::2], tmp_path / "train.jsonl")
    manifest.write(cuts[1::2], tmp_path / "dev.jsonl")
    out = tmp_path / "out"
    parts = (tmp_path / "train.jsonl", tmp_path / "dev.jsonl")
    assert run(*parts, "--out", out, "--estimate-speakers", "--threads", 1) == 1
    found = record(out)
    assert "the label seems to number utterances" in json.dumps(found["findings"])
    estimated = found["estimated_speakers"]
    assert estimated["learned_from"] > 100
    truth = len(set(voices[::2]))
    assert truth / 2 <= estimated["parts"]["train"]["speakers"] <= 2 * truth
    assert estimated["leaks"][0]["share"] > 0.5, "the same voices stand in both parts"


def balanced(page: str) -> None:
    """Every element that is opened is closed."""

    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.stack: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in {"meta", "line", "path", "br", "img"}:
                self.stack.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag not in {"line", "path"}:
                assert self.stack.pop() == tag

    reader = Reader()
    reader.feed(page)
    assert reader.stack == []


def test_what_cannot_be_judged_is_not_called_clean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No speaker is named: 0 % would be read as good news. And a narrow terminal keeps counts."""
    monkeypatch.setenv("COLUMNS", "70")
    rows = [*plain(30, 1, "x"), ("15시 30분에 만나요", None, hiss(5))]
    train = corpus(tmp_path, "train", [(text, None, sound) for text, _, sound in rows])
    dev = corpus(tmp_path, "dev", [(text, None, sound) for text, _, sound in plain(30, 2, "y")])
    assert run(train, dev, "--no-sound", "--out", tmp_path / "out", "--max-leakage", 0) == 1
    said = capsys.readouterr().out
    assert re.search(r"dev in train +unknown +0\.0%", said)
    assert re.search(r"Digits +1 +4 digits: train030", said)
    assert "Leakage by speaker is unknown: dev in train: 30 of 30" in said.replace("\n", " ")
    assert record(tmp_path / "out")["leakage"]["unknown"] == [["speaker", "train", "dev"]]
    page = (tmp_path / "out" / "audit.html").read_text(encoding="utf-8")
    assert "Unknown, for want of labels: speaker (dev in train)." in page
    others = ("--relations", "script", "near_script", "audio")
    assert run(train, dev, "--no-sound", "--out", tmp_path / "out", *others) == 0


def test_speakers_that_few_utterances_name_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = corpus(tmp_path, "train", plain(30, 1, "x"))
    named = plain(30, 2, "y")
    rows = [(text, who if n < 3 else None, sound) for n, (text, who, sound) in enumerate(named)]
    dev = corpus(tmp_path, "dev", rows)
    words = [train, dev, "--no-sound", "--out", tmp_path / "out"]
    assert run(*words) == 1
    assert "27 of 30 utterances cannot be compared" in capsys.readouterr().out.replace("\n", " ")
    assert run(*words, "--max-unknown", 0.9) == 0
    assert "0.0% (27 unknown)" in capsys.readouterr().out


def test_utterance_numbers_posing_as_speakers_prove_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No label of dev stands in train, and that says nothing about people."""
    parts = []
    for seed, name in ((1, "train"), (2, "dev")):
        rows = [
            (text, f"{name}{n}", sound) for n, (text, _, sound) in enumerate(plain(30, seed, "x"))
        ]
        parts.append(corpus(tmp_path, name, rows))
    assert run(*parts, "--no-sound", "--out", tmp_path / "out") == 1
    said = capsys.readouterr().out.replace("\n", " ")
    assert "the speakers of train seem to be numbers of utterances" in said
    assert re.search(r"dev in train +unknown", said)
