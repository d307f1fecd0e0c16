"""FLEURS: lists without header, recordings as its archives and as Lhotse's download lay them."""

from pathlib import Path

import pytest
from corpus_on_disk import opened, sound, written

from malgwi import manifest
from malgwi.corpora.fleurs import Fleurs
from malgwi.errors import DataError

RAW = {"train": '"10시" 30분에 만나요.', "dev": "비가 온다.", "test": "눈이 온다!"}
PLAIN = {"train": "10시 30분에 만나요", "dev": "비가 온다", "test": "눈이 온다"}


def corpus(root: Path, *, audio: str = "audio/{part}", lists: str = "") -> Path:
    """The folder ko_kr; in train one sentence is read twice."""
    folder = root / "ko_kr"
    for part in RAW:
        lines = []
        for number, gender in enumerate(("FEMALE", "MALE") if part == "train" else ("MALE",)):
            name = f"{len(part)}{number}00408853635479974.wav"
            sound(folder / audio.format(part=part) / name, rate_hz=16_000)
            letters = " | ".join(" ".join(word) for word in PLAIN[part].split()) + " |"
            fields = ["1552", name, RAW[part], PLAIN[part], letters, "8000", gender]
            lines.append("\t".join(fields) + "\n")
        written(folder / lists / f"{part}.tsv", "".join(lines))
    return folder


@pytest.mark.parametrize(
    ("audio", "lists"),
    [("audio/{part}", ""), ("{part}", ""), ("{part}", "../metadata/ko_kr")],
    ids=["archives where they lay", "unpacked beside the lists", "lhotse download"],
)
def test_every_part(tmp_path: Path, audio: str, lists: str) -> None:
    good, bad = opened(Fleurs().rows(corpus(tmp_path, audio=audio, lists=lists)))
    assert not bad
    assert [(manifest.text(c), c.custom["part"]) for c in good] == [
        (RAW["train"], "train"),
        (RAW["train"], "train"),
        (RAW["dev"], "dev"),
        (RAW["test"], "test"),
    ]
    assert good[0].custom == {"part": "train", "sentence": "1552", "gender": "female"}
    assert {manifest.speaker(c) for c in good} == {None}
    assert len({c.id for c in good}) == 4


def test_one_part_and_the_plain_text(tmp_path: Path) -> None:
    root = corpus(tmp_path)
    good, _ = opened(Fleurs(part="dev", column="transcription").rows(root))
    assert [manifest.text(c) for c in good] == [PLAIN["dev"]]
    (root / "dev.tsv").unlink()
    with pytest.raises(DataError, match="no part 'dev'; parts there: train, test"):
        list(Fleurs(part="dev").rows(root))
    with pytest.raises(DataError, match="give a folder ko_kr"):
        list(Fleurs().rows(root / "audio"))


def test_bad_rows(tmp_path: Path) -> None:
    root = corpus(tmp_path)
    line = (root / "test.tsv").read_text(encoding="utf-8")
    written(root / "test.tsv", line + line + "1\tnone.wav\t\n" + line.replace("4.wav", "5.wav"))
    good, bad = opened(Fleurs(part="test").rows(root))
    assert len(good) == 1
    assert [b.reason for b in bad] == ["duplicate id", "malformed row", "missing audio"]
    assert "3 fields, 7 are wanted" in bad[1].detail
