"""Common Voice: lists by header, clips in MP3, of an early and of a late release."""

from pathlib import Path

import pytest
from corpus_on_disk import opened, sound, written

from malgwi import manifest
from malgwi.corpora.common_voice import CommonVoice
from malgwi.errors import DataError

EARLY = ["client_id", "path", "sentence", "up_votes", "down_votes", "age", "gender", "accent"]
LATE = [
    *("client_id", "path", "sentence_id", "sentence", "sentence_domain", "up_votes"),
    *("down_votes", "age", "gender", "accents", "variant", "locale", "segment"),
]


def corpus(root: Path, columns: list[str] = LATE) -> Path:
    """Three official parts of one clip each, and validated.tsv with all of them and one more."""
    lines = {}
    for number, part in enumerate(("train", "dev", "test", "validated"), 1):
        name = f"common_voice_ko_{number:08d}"
        sound(root / "clips" / f"{name}.mp3", rate_hz=32_000, format="MP3")
        entry = dict.fromkeys(columns, "") | {
            "client_id": f"{number:0128x}",
            "path": name if columns is EARLY else f"{name}.mp3",
            "sentence": f'"안녕" {number} 번째 문장이에요.',
            "up_votes": "2",
            "gender": "female" if number == 1 else "",
        }
        lines[part] = "\t".join(entry[column] for column in columns)
    header = "\t".join(columns)
    for part in ("train", "dev", "test"):
        written(root / f"{part}.tsv", f"{header}\n{lines[part]}\n")
    written(root / "validated.tsv", "\n".join((header, *lines.values())) + "\n")
    written(root / "reported.tsv", "sentence\treason\n")
    return root


@pytest.mark.parametrize("columns", [EARLY, LATE], ids=["early", "late"])
def test_official_parts(tmp_path: Path, columns: list[str]) -> None:
    good, bad = opened(CommonVoice().rows(corpus(tmp_path, columns)))
    assert not bad
    assert [(manifest.text(c), c.custom["part"]) for c in good] == [
        ('"안녕" 1 번째 문장이에요.', "train"),
        ('"안녕" 2 번째 문장이에요.', "dev"),
        ('"안녕" 3 번째 문장이에요.', "test"),
    ]
    assert good[0].id == "common_voice_ko_00000001"
    assert manifest.speaker(good[0]) == f"{1:0128x}"
    assert good[0].custom == {"part": "train", "gender": "female"}
    assert good[0].recording.sampling_rate == 32_000


def test_other_lists_only_by_name(tmp_path: Path) -> None:
    root = corpus(tmp_path)
    good, bad = opened(CommonVoice(part="validated").rows(root))
    assert not bad
    assert len(good) == 4
    assert {c.custom["part"] for c in good} == {"validated"}
    assert len(opened(CommonVoice().rows(root / "validated.tsv"))[0]) == 4
    with pytest.raises(DataError, match="no part 'other'; parts there: dev, reported, test"):
        list(CommonVoice(part="other").rows(root))
    with pytest.raises(
        DataError, match=r"reported\.tsv: has no column client_id, path; it has sen"
    ):
        list(CommonVoice(part="reported").rows(root))
    with pytest.raises(DataError, match=r"holds no train\.tsv"):
        list(CommonVoice().rows(root / "clips"))


def test_bad_rows(tmp_path: Path) -> None:
    root = corpus(tmp_path)
    header = (root / "train.tsv").read_text(encoding="utf-8").split("\n")[0]
    fields = dict.fromkeys(LATE, "") | {"client_id": "a", "path": "none.mp3", "sentence": "네"}
    line = "\t".join(fields.values())
    written(root / "train.tsv", f"{header}\r\n{line}\r\n{line}\tmore\r\n\r\n")
    good, bad = opened(CommonVoice(part="train").rows(root))
    assert not good
    assert [(b.utterance_id, b.reason) for b in bad] == [
        ("none", "missing audio"),
        ("train.tsv line 3", "malformed row"),
    ]
    assert "14 fields, the header has 13" in bad[1].detail
