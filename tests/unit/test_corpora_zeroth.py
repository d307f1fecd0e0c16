"""Zeroth-Korean: transcripts in the speakers' folders, AUDIO_INFO above."""

from pathlib import Path

import pytest
from corpus_on_disk import opened, sound, written

from malgwi import manifest
from malgwi.corpora.zeroth import Zeroth, speaker_sexes
from malgwi.errors import DataError

INFO = "SPEAKERID|NAME|SEX|SCRIPTID|DATASET\n104|가나다|f|003|train_data_01\n205|라마바| M |003|x\n"


def corpus(root: Path) -> Path:
    written(root / "AUDIO_INFO", INFO)
    for part, script_set, speaker in (
        ("train_data_01", "003", "104"),
        ("train_data_01", "003", "205"),
        ("test_data_01", "004", "301"),
    ):
        folder = root / part / script_set / speaker
        lines = []
        for number in (2, 19):
            name = f"{speaker}_{script_set}_{number:04d}"
            sound(folder / f"{name}.flac", rate_hz=16_000)
            lines.append(f"{name} 그는 {speaker}에 관한 글을 {number} 번 읽었다\n")
        written(folder / f"{speaker}_{script_set}.trans.txt", "".join(lines))
    return root


def test_as_unpacked(tmp_path: Path) -> None:
    good, bad = opened(Zeroth().rows(corpus(tmp_path)))
    assert not bad
    assert [(c.id, manifest.speaker(c)) for c in good] == [
        (f"{speaker}_{script_set}_{number}", speaker)
        for speaker, script_set in (("104", "003"), ("205", "003"), ("301", "004"))
        for number in ("0002", "0019")
    ]
    assert manifest.text(good[1]) == "그는 104에 관한 글을 19 번 읽었다"
    assert good[0].custom == {"part": "train", "script_set": "003", "sex": "f"}
    assert good[2].custom["sex"] == "m"
    assert good[4].custom == {"part": "test", "script_set": "004"}


def test_one_part(tmp_path: Path) -> None:
    root = corpus(tmp_path)
    assert {c.custom["part"] for c in opened(Zeroth(part="test").rows(root))[0]} == {"test"}
    (root / "test_data_01").rename(root / "elsewhere")
    with pytest.raises(DataError, match="no part 'test'; parts there: train"):
        list(Zeroth(part="test").rows(root))
    with pytest.raises(DataError, match="holds no train_data_01"):
        list(Zeroth().rows(root / "train_data_01"))


def test_bad_rows_and_a_missing_audio_info(tmp_path: Path) -> None:
    root = corpus(tmp_path)
    (root / "AUDIO_INFO").unlink()
    folder = root / "test_data_01" / "004" / "301"
    written(folder / "301_004.trans.txt", "301_004_0002 \n301_004_0019 네\n301_004_0020 없다\n\n")
    good, bad = opened(Zeroth(part="test").rows(root))
    assert [c.id for c in good] == ["301_004_0019"]
    assert [(b.utterance_id, b.reason) for b in bad] == [
        ("301_004_0002", "empty text"),
        ("301_004_0020", "missing audio"),
    ]


def test_audio_info_needs_only_its_first_three_fields(tmp_path: Path) -> None:
    assert speaker_sexes(written(tmp_path / "a", INFO)) == {"104": "f", "205": "m"}
    assert speaker_sexes(written(tmp_path / "b", "104|가|F\nnot a line\n105|나|?\n")) == {
        "104": "f"
    }
