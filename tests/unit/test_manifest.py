"""Manifests: written whole or not at all, readable by Lhotse, movable with their audio."""

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import CutSet
from lhotse.cut import MonoCut

from malgwi import manifest
from malgwi.errors import DataError
from malgwi.manifest import Problem, new_cut, read, stream, validate, write


def cut(
    name: str = "u1", path: Path = Path("/audio/u1.wav"), text: str = "네, 알겠습니다."
) -> MonoCut:
    return new_cut(name, path, sample_rate_hz=8_000, num_samples=16_000, text=text, speaker="가-1")


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    cuts = [cut(f"u{i}", Path(f"/audio/{i}.wav"), f"말 {i}") for i in range(5)]
    assert write(cuts, tmp_path / "deep" / name) == 5
    again = list(read(tmp_path / "deep" / name))
    assert again == cuts
    assert [manifest.text(c) for c in again] == [f"말 {i}" for i in range(5)]
    assert {manifest.speaker(c) for c in again} == {"가-1"}
    assert {c.supervisions[0].language for c in again} == {"Korean"}


@given(
    text=st.text(min_size=1).filter(lambda t: t.strip()),
    speaker=st.none() | st.text(min_size=1),
    start_s=st.floats(0, 1),
    duration_s=st.none() | st.floats(0.001, 1),
)
@settings(max_examples=80, deadline=None)
def test_any_utterance_survives(
    tmp_path_factory: pytest.TempPathFactory,
    text: str, speaker: str | None, start_s: float, duration_s: float | None,
) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("m") / "a.jsonl"
    before = new_cut(
        "u", Path("/x.wav"), sample_rate_hz=16_000, num_samples=32_000, text=text,
        speaker=speaker, start_s=start_s, duration_s=duration_s, custom={"video": "한글"},
    )  # fmt: skip
    write([before], path)
    (after,) = stream(path)
    assert (manifest.text(after), manifest.speaker(after)) == (text, speaker)
    assert after.start == pytest.approx(start_s)
    assert after.duration == pytest.approx(2 - start_s if duration_s is None else duration_s)
    assert after.custom == {"video": "한글"}


def test_equal_cuts_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write([cut()], tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()


def test_lhotse_reads_and_writes_the_same(tmp_path: Path) -> None:
    write([cut("u1"), cut("u2")], tmp_path / "a.jsonl.gz")
    theirs = CutSet.from_file(tmp_path / "a.jsonl.gz")
    assert list(theirs) == [cut("u1"), cut("u2")]
    theirs.to_file(tmp_path / "theirs.jsonl.gz")
    assert list(read(tmp_path / "theirs.jsonl.gz")) == list(theirs)


def test_a_folder_moves_with_its_audio(tmp_path: Path) -> None:
    here = tmp_path / "here"
    inside, outside = here / "wav" / "a.wav", tmp_path / "elsewhere" / "b.wav"
    for path in (inside, outside):
        path.parent.mkdir(parents=True)
        path.touch()
    write([cut("in", inside), cut("out", outside)], here / "m.jsonl")
    stored = [json.loads(line) for line in (here / "m.jsonl").read_text().splitlines()]
    sources = [c["recording"]["sources"][0]["source"] for c in stored]
    assert sources == ["wav/a.wav", str(outside)]
    shutil.move(here, tmp_path / "there")
    moved = read(tmp_path / "there" / "m.jsonl")
    assert validate(moved, check_files=True) == []


def test_relative_sources_resolve_from_any_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav" / "a.wav").touch()
    monkeypatch.chdir(tmp_path)
    write([cut("u", Path("wav/a.wav"))], Path("m.jsonl"))
    monkeypatch.chdir("/")
    (again,) = read(tmp_path / "m.jsonl")
    assert again.recording.sources[0].source == str(tmp_path / "wav" / "a.wav")


def test_a_failure_leaves_the_old_manifest_and_no_debris(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    write([cut("old")], path)

    def breaks() -> Iterator[MonoCut]:
        yield cut("new")
        raise RuntimeError("disc full")

    with pytest.raises(RuntimeError, match="disc full"):
        write(breaks(), path)
    assert [c.id for c in read(path)] == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["m.jsonl"]


def test_reading_streams(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    write([cut()], path)
    with path.open("a") as file:
        file.write("not json\n")
    cuts = stream(path)
    assert next(cuts).id == "u1"
    with pytest.raises(DataError, match=r"m\.jsonl, line 2: not a Lhotse cut"):
        next(cuts)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1, 2]", "line 1: not a Lhotse cut: not a JSON object"),
        ('{"id": "a"', "line 1: not a Lhotse cut: not JSON at character 1"),
        ('{"id": "a"}', "line 1: not a Lhotse cut: 'start' is missing"),
        ('{"type": "MixedCut", "id": "a"}', "line 1: a MixedCut, where a MonoCut is wanted"),
        ("", "holds no utterances"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DataError, match=message):
        read(path)


def test_missing_and_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such manifest"):
        read(tmp_path / "none.jsonl")
    packed = tmp_path / "m.jsonl.gz"
    packed.write_bytes(gzip.compress(b"x" * 1000)[:-9])
    with pytest.raises(DataError, match="damaged"):
        read(packed)
    packed.write_bytes(b"plain text")
    with pytest.raises(DataError, match="damaged"):
        read(packed)


def test_validation_names_every_problem(tmp_path: Path) -> None:
    two = cut("two")
    two.supervisions.append(two.supervisions[0])
    long = new_cut(
        "long", Path("/l.wav"), sample_rate_hz=8_000, num_samples=8_000, text="길다", duration_s=2.0
    )
    backwards = cut("backwards")
    backwards.start = -1.0
    bare = MonoCut(id="bare", start=0, duration=1, channel=0)
    problems = validate([cut(), cut(), cut("mute", text=" "), two, long, backwards, bare])
    assert problems == [
        Problem("u1", "its id occurs more than once"),
        Problem("mute", "has no text"),
        Problem("two", "has 2 supervisions: one is wanted"),
        Problem("long", "ends at 2.0 s, its recording at 1.0 s"),
        Problem("backwards", "starts at -1.0 s and lasts 2.0 s"),
        Problem("bare", "has 0 supervisions: one is wanted"),
        Problem("bare", "has no text"),
        Problem("bare", "has no recording"),
    ]
    assert validate([cut()], check_files=True) == [Problem("u1", "has no audio file /audio/u1.wav")]


def test_facts_say_what_the_cuts_say(tmp_path: Path) -> None:
    cut = manifest.new_cut(
        "a",
        tmp_path / "a.wav",
        sample_rate_hz=8000,
        num_samples=16000,
        text="네",
        speaker="s",
        start_s=0.5,
        duration_s=1.0,
        custom={"part": "train"},
    )
    path = tmp_path / "m.jsonl"
    manifest.write([cut], path)
    (found,) = manifest.facts(path)
    assert (found.id, found.text, found.speaker, found.custom) == ("a", "네", "s", cut.custom)
    assert (found.start_s, found.duration_s, found.channel) == (0.5, 1.0, 0)
    assert (found.path, found.sample_rate_hz) == (str(tmp_path / "a.wav"), 8000)


@pytest.mark.parametrize("line", ["{}", "[1]", '{"type": "PaddingCut"}', "{"])
def test_facts_name_the_line_that_is_no_cut(tmp_path: Path, line: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DataError, match="line 1"):
        list(manifest.facts(path))
