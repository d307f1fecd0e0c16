"""ClovaCall's lists beside raw/ and clean/."""

import json
from pathlib import Path

import pytest
from corpus_on_disk import opened, sound, written

from malgwi import manifest
from malgwi.corpora.clovacall import ClovaCall
from malgwi.errors import DataError

TRAIN = [
    {"wav": "42_0603_748_0_03319_00.wav", "text": "단체석이 있나요?", "speaker_id": "03319"},
    {"wav": "42_0610_778_0_03607_01.wav", "text": "놀이방도 있어요?", "speaker_id": "03607"},
]
TEST = [{"wav": "41_0604_655_0_08199_07.wav", "text": "몇 시까지 해요?", "speaker_id": "08199"}]


def corpus(root: Path) -> Path:
    for part, entries in (("train", TRAIN), ("test", TEST)):
        content = json.dumps(entries, ensure_ascii=False, indent=2)
        written(root / f"{part}_ClovaCall.json", content)
        for entry in entries:
            sound(root / "raw" / entry["wav"], seconds=0.8)
            sound(root / "clean" / entry["wav"], seconds=0.5)
    return root


@pytest.mark.parametrize(("version", "duration_s"), [("raw", 0.8), ("clean", 0.5)])
def test_both_versions(tmp_path: Path, version: str, duration_s: float) -> None:
    good, bad = opened(ClovaCall(version=version).rows(corpus(tmp_path)))
    assert not bad
    assert [(manifest.text(c), manifest.speaker(c), c.custom["part"]) for c in good] == [
        (entry["text"], entry["speaker_id"], part)
        for part, entries in (("train", TRAIN), ("test", TEST))
        for entry in entries
    ]
    assert good[0].id == "42_0603_748_0_03319_00"
    assert {c.duration for c in good} == {duration_s}
    assert all(f"/{version}/" in c.recording.sources[0].source for c in good)


def test_one_part_or_one_list(tmp_path: Path) -> None:
    root = corpus(tmp_path)
    good, _ = opened(ClovaCall(part="test").rows(root))
    assert [c.id for c in good] == ["41_0604_655_0_08199_07"]
    good, _ = opened(ClovaCall().rows(root / "train_ClovaCall.json"))
    assert [c.custom["part"] for c in good] == ["train", "train"]
    (root / "test_ClovaCall.json").unlink()
    with pytest.raises(DataError, match="no part 'test'; parts there: train"):
        list(ClovaCall(part="test").rows(root))


def test_entries_that_are_not_utterances(tmp_path: Path) -> None:
    entries = [
        TRAIN[0] | {"speaker_id": ""},
        {"wav": "no.wav", "text": "없는 파일", "speaker_id": "1"},
        {"text": "이름 없음"},
        "쪽지",
        {"wav": TRAIN[1]["wav"], "text": None},
    ]
    root = corpus(tmp_path)
    written(root / "train_ClovaCall.json", json.dumps(entries))
    good, bad = opened(ClovaCall(part="train").rows(root))
    assert [(c.id, manifest.speaker(c)) for c in good] == [("42_0603_748_0_03319_00", None)]
    assert [(b.utterance_id, b.reason) for b in bad] == [
        ("no", "missing audio"),
        ("train_ClovaCall.json entry 3", "malformed row"),
        ("train_ClovaCall.json entry 4", "malformed row"),
        ("42_0610_778_0_03607_01", "empty text"),
    ]


@pytest.mark.parametrize(
    ("content", "message"), [("{", "not JSON"), ('{"a": 1}', "an array of utterances is wanted")]
)
def test_lists_that_cannot_be_read(tmp_path: Path, content: str, message: str) -> None:
    written(tmp_path / "train_ClovaCall.json", content)
    with pytest.raises(DataError, match=message):
        list(ClovaCall().rows(tmp_path))
    with pytest.raises(DataError, match=r"holds no train_ClovaCall\.json"):
        list(ClovaCall().rows(written(tmp_path / "other" / "a", "").parent))
