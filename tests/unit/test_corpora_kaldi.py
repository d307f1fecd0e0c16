"""Kaldi data folders: whole recordings and segments, and what is refused."""

from pathlib import Path

import pytest
from corpus_on_disk import opened, sound, written
from lhotse.kaldi import load_kaldi_data_dir

from malgwi import manifest
from malgwi.corpora.kaldi import Kaldi
from malgwi.errors import DataError


def whole(root: Path, name: str = "train") -> Path:
    """A data folder in which an utterance is a recording."""
    folder = root / "data" / name
    for key in "ab":
        sound(folder / "wav" / f"{name}-{key}.wav")
    written(folder / "wav.scp", f"{name}-a {folder}/wav/{name}-a.wav\n{name}-b wav/{name}-b.wav\n")
    written(folder / "text", f"{name}-a 여보세요 거기\n{name}-b 네 말씀하세요\n")
    written(folder / "utt2spk", f"{name}-a 손님\n{name}-b {name}-b\n")
    return folder


def segmented(root: Path) -> Path:
    """A data folder with two utterances in one call."""
    folder = root / "data" / "call"
    sound(folder / "call.wav", seconds=4.0)
    written(folder / "wav.scp", f"rec1 {folder}/call.wav\n")
    written(folder / "segments", "s1-1 rec1 0.5 1.75\ns2-1 rec1 2.0 -1\n")
    written(folder / "text", "s1-1 여보세요\ns2-1 네 말씀하세요\n")
    written(folder / "utt2spk", "s1-1 s1\ns2-1 s2\n")
    return folder


def test_recordings_that_are_utterances(tmp_path: Path) -> None:
    good, bad = opened(Kaldi().rows(whole(tmp_path)))
    assert not bad
    assert [(c.id, manifest.text(c), manifest.speaker(c)) for c in good] == [
        ("train-a", "여보세요 거기", "손님"),
        ("train-b", "네 말씀하세요", None),  # its own speaker: Kaldi for an unknown one
    ]
    assert good[0].custom == {"part": "train"}


def test_segments(tmp_path: Path) -> None:
    good, bad = opened(Kaldi().rows(segmented(tmp_path)))
    assert not bad
    assert [(c.id, c.start, c.duration, manifest.speaker(c)) for c in good] == [
        ("s1-1", 0.5, 1.25, "s1"),
        ("s2-1", 2.0, 2.0, "s2"),
    ]


def test_segments_are_what_lhotse_reads(tmp_path: Path) -> None:
    folder = segmented(tmp_path)
    written(folder / "reco2dur", "rec1 4.0\n")
    _, theirs, _ = load_kaldi_data_dir(folder, sampling_rate=8_000)
    ours, _ = opened(Kaldi().rows(folder))
    assert [(s.id, s.start, s.duration, s.text, s.speaker) for s in theirs] == [
        (c.id, c.start, c.duration, manifest.text(c), manifest.speaker(c)) for c in ours
    ]


def test_a_folder_of_parts(tmp_path: Path) -> None:
    whole(tmp_path, "train")
    whole(tmp_path, "dev")
    good, _ = opened(Kaldi().rows(tmp_path / "data"))
    assert [c.custom["part"] for c in good] == ["dev", "dev", "train", "train"]
    good, _ = opened(Kaldi(part="dev").rows(tmp_path / "data"))
    assert [c.id for c in good] == ["dev-a", "dev-b"]
    with pytest.raises(DataError, match="no part 'test'; parts there: dev, train"):
        list(Kaldi(part="test").rows(tmp_path / "data"))
    with pytest.raises(DataError, match=r"holds no wav\.scp"):
        list(Kaldi().rows(tmp_path))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("sox call.sph -t wav - |", "a command, and commands are not run: 'sox call.sph"),
        ("raw_wav.1.ark:1023", "a place in an archive"),
        ("", "no path"),
    ],
)
def test_what_is_no_file_is_refused_by_line(tmp_path: Path, entry: str, message: str) -> None:
    folder = whole(tmp_path)
    with (folder / "wav.scp").open("a", encoding="utf-8") as file:
        file.write(f"\ntrain-c {entry}\n")
    with pytest.raises(DataError, match=rf"wav\.scp, line 4 \(train-c\): {message}"):
        list(Kaldi().rows(folder))


def test_bad_rows_when_files_disagree(tmp_path: Path) -> None:
    folder = segmented(tmp_path)
    written(folder / "segments", "s1-1 rec1 3.5 9\ns2-1 rec2 0 1\ns3-1 rec1 0 1\ns4-1 rec1 0 1\n")
    written(folder / "text", "s1-1 하나\ns2-1 둘\ns4-1\ns5-1 다섯\n")
    good, bad = opened(Kaldi().rows(folder))
    assert not good
    assert [(b.utterance_id, b.reason) for b in bad] == [
        ("s1-1", "outside the file"),
        ("s2-1", "missing audio"),
        ("s3-1", "empty text"),
        ("s4-1", "empty text"),
        ("s5-1", "missing audio"),
    ]
    assert bad[1].detail == "wav.scp has no recording rec2"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    folder = segmented(tmp_path)
    written(folder / "segments", "s1-1 rec1 0.5\n")
    with pytest.raises(DataError, match=r"s1-1: not 'utterance recording start end': 'rec1 0.5'"):
        list(Kaldi().rows(folder))
    written(folder / "text", "s1-1 하나\ns1-1 둘\n")
    with pytest.raises(DataError, match=r"text, line 2: s1-1 occurs twice"):
        list(Kaldi().rows(folder))
    (folder / "text").unlink()
    with pytest.raises(DataError, match="no such file"):
        list(Kaldi().rows(folder))
