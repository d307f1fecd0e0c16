"""AI Hub sets: every preset on its published layout, key paths by setting, and what is bad."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus_on_disk import opened, pcm, sound, written

from malgwi import manifest
from malgwi.audio import load_cut
from malgwi.corpora.aihub import PRESETS, AIHub, look_up, part_of, seconds
from malgwi.corpora.rows import Row
from malgwi.errors import ConfigError, DataError

TURNS = [("상담사", "o/ 여보세요 (114)/(일일사)입니다."), ("고객", "네 안녕하세요.")]


def label(path: Path, content: Any, encoding: str = "utf-8") -> Path:
    return written(path, json.dumps(content, ensure_ascii=False, indent=1), encoding)


def call(folder: str, *, texts: bool) -> dict[str, Any]:
    """The label of a call as 571 (texts in it) and 100 (texts in files) have it."""
    dialogs = [
        {"speaker": speaker, "audioPath": f"{folder}/{number:04d}.wav", "duration": 0.5}
        | ({"text": text} if texts else {"textPath": f"{folder}/{number:04d}.txt"})
        for number, (speaker, text) in enumerate(TURNS, 1)
    ]
    speakers = [{"id": speaker, "type": speaker, "gender": "여"} for speaker, _ in TURNS]
    about = {"category": "금융", "speakers": speakers}
    return {"dataSet": {"version": "1.0", "typeInfo": about, "dialogs": dialogs}}


def telephone(root: Path) -> Path:
    """571 unpacked: labels and audio in trees of their own, both parts."""
    for part, code in (("1.Training", "S001342"), ("2.Validation", "S002202")):
        data = root / "007.저음질 전화망 음성인식 데이터" / "01.데이터" / part
        folder = f"D03/J11/{code}"
        label(data / "라벨링데이터_230316" / folder / f"{code}.json", call(folder, texts=True))
        for number in range(1, len(TURNS) + 1):
            sound(data / "원천데이터_230316" / folder / f"{number:04d}.wav")
    return root


def consultation(root: Path) -> Path:
    """100 unpacked: texts in files, in cp949 here, and the label with a byte-order mark."""
    folder = "KtelSpeech/D60/J91/S00007727"
    labels = root / "Training" / "라벨링데이터"
    label(labels / folder / "S00007727.json", call(folder, texts=False), "utf-8-sig")
    for number, (_, text) in enumerate(TURNS, 1):
        written(labels / folder / f"{number:04d}.txt", text + "\n", "cp949")
        sound(root / "Training" / "원천데이터" / folder / f"{number:04d}.wav")
    return root


def free_talk(root: Path) -> Path:
    """109 unpacked: one label an utterance, file names that tell it all."""
    speaker = "일반남여_일반통합05_M_1455308554-6_37_수도권_실내"
    for number, (_, text) in enumerate(TURNS, 1):
        name = f"{speaker}_{number:05d}"
        content = {
            "발화정보": {"stt": text, "fileNm": f"{name}.wav", "recrdTime": "0.5"},
            "대화정보": {"recrdEnvrn": "실내", "cityCode": "수도권"},
            "녹음자정보": {"gender": "남", "recorderId": "1455308554-6", "age": 37},
        }
        label(root / "Validation" / "[라벨]1.AI챗봇" / speaker / f"{name}.json", content)
        sound(root / "Validation" / "[원천]1.AI챗봇" / speaker / f"{name}.wav")
    return root


def command(root: Path) -> Path:
    """96 unpacked: one label an utterance."""
    for number, (speaker, text) in enumerate(TURNS, 1):
        name = f"0001_G1A2E7_KHY_{number:06d}"
        content = {
            "기본정보": {"Language": "KOR"},
            "전사정보": {"LabelText": text},
            "화자정보": {"SpeakerName": speaker, "Age": "30", "Gender": "Male"},
            "파일정보": {"FileName": f"{name}.wav", "FileLength": "0.5"},
        }
        label(root / "Training" / "라벨링" / f"{name}.json", content)
        sound(root / "Training" / "원천" / f"{name}.wav")
    return root


def meeting(root: Path) -> Path:
    """464 unpacked: one long recording, named like its label."""
    utterances = [
        {"id": f"A.{n}", "form": text, "speaker_id": speaker, "start": n * 1.5, "end": n * 1.5 + 1}
        for n, (speaker, text) in enumerate(TURNS, 1)
    ]
    content = {"id": "A", "metadata": {"title": "회의"}, "utterance": utterances}
    label(root / "1.Training" / "라벨링데이터" / "TL_경제" / "A.json", content)
    sound(root / "1.Training" / "원천데이터" / "TS_경제" / "A.wav", seconds=6.0)
    return root


LAYOUTS = {
    "telephone": telephone,
    "consultation": consultation,
    "free_talk": free_talk,
    "command": command,
    "meeting": meeting,
}


@pytest.mark.parametrize("named", [True, False], ids=["by name", "recognised"])
@pytest.mark.parametrize("preset", PRESETS)
def test_presets_on_their_layouts(tmp_path: Path, preset: Any, named: bool) -> None:
    root = LAYOUTS[preset](tmp_path)
    good, bad = opened(AIHub(preset=preset if named else None).rows(root))
    assert not bad
    calls = 2 if preset == "telephone" else 1
    assert [manifest.text(c) for c in good] == [text for _, text in TURNS] * calls
    assert len({c.id for c in good}) == len(good)
    speakers = ["1455308554-6"] * 2 if preset == "free_talk" else [s for s, _ in TURNS] * calls
    assert [manifest.speaker(c) for c in good] == speakers
    first = "dev" if preset == "free_talk" else "train"
    assert [c.custom["part"] for c in good] == [first] * 2 + ["dev"] * (len(good) - 2)


def test_a_call_s_utterances_are_named_by_their_place(tmp_path: Path) -> None:
    good, _ = opened(AIHub(part="dev").rows(telephone(tmp_path)))
    assert [c.id for c in good] == ["D03-J11-S002202-0001", "D03-J11-S002202-0002"]
    source = good[0].recording.sources[0].source
    assert source.endswith("2.Validation/원천데이터_230316/D03/J11/S002202/0001.wav")


def test_utterances_of_one_recording(tmp_path: Path) -> None:
    good, _ = opened(AIHub().rows(meeting(tmp_path)))
    assert [(c.id, c.start, c.duration) for c in good] == [
        ("A-00001500", 1.5, 1.0),
        ("A-00003000", 3.0, 1.0),
    ]


def test_speakers_that_mean_something_in_one_file_only(tmp_path: Path) -> None:
    good, _ = opened(AIHub(local_speakers=True).rows(telephone(tmp_path)))
    assert [manifest.speaker(c) for c in good] == [
        f"{code}-{speaker}" for code in ("S001342", "S002202") for speaker, _ in TURNS
    ]


def test_key_paths_by_setting(tmp_path: Path) -> None:
    content = {
        "info": [{"metadata": {"speaker_id": 7, "wav": "소리\\a.wav"}}],
        "inputText": [{"orgtext": "하나", "at": ["0", "00:00:00.400"]}, {"orgtext": "둘"}],
    }
    label(tmp_path / "라벨" / "a.json", content)
    sound(tmp_path / "소리" / "a.wav")
    settings = AIHub(
        utterances_key="inputText",
        text_key="orgtext",
        audio_key="/info.0.metadata.wav",
        speaker_key="/info.0.metadata.speaker_id",
        start_key="at.0",
        end_key="at.1",
    )
    good, bad = opened(settings.rows(tmp_path))
    assert [(c.id, c.duration, manifest.speaker(c)) for c in good] == [
        ("소리-a-00000000", 0.4, "7")
    ]
    assert [(b.utterance_id, b.reason) for b in bad] == [("a 2", "malformed row")]
    assert bad[0].detail == "a.json, utterance 2: no 'at' (of 'at.0') in orgtext"


def test_a_preset_with_one_key_changed(tmp_path: Path) -> None:
    root = meeting(tmp_path)
    path = next(root.rglob("*.json"))
    path.write_text(path.read_text(encoding="utf-8").replace('"form"', '"original_form"'))
    good, _ = opened(AIHub(preset="meeting", text_key="original_form").rows(root))
    assert [manifest.text(c) for c in good] == [text for _, text in TURNS]
    with pytest.raises(
        ConfigError, match="unknown AI Hub preset 'metting'; did you mean 'meeting'"
    ):
        list(AIHub(preset="metting").rows(root))
    with pytest.raises(
        DataError, match=r"A\.json: none of the presets .* fits; name .* with --text-key"
    ):
        list(AIHub().rows(root))


def test_headerless_pcm_needs_its_rate(tmp_path: Path) -> None:
    label(tmp_path / "a.json", {"발화정보": {"stt": "하나", "fileNm": "a.pcm"}})
    file = pcm(tmp_path / "a.pcm")
    settings = {"preset": "free_talk", "speaker_key": ""}
    _, bad = opened(AIHub(**settings).rows(tmp_path))
    assert "has no header: give its rate with --raw-sample-rate-hz" in bad[0].detail
    good, bad = opened(AIHub(raw_sample_rate_hz=8_000, **settings).rows(tmp_path))
    assert not bad
    expected = np.frombuffer(file.read_bytes(), "<i2") / 32_768
    np.testing.assert_allclose(load_cut(good[0], sample_rate_hz=8_000), expected, atol=1e-7)
    file.write_bytes(file.read_bytes() + b"\0")
    _, bad = opened(AIHub(raw_sample_rate_hz=8_000, **settings).rows(tmp_path))
    assert [b.reason for b in bad] == ["odd PCM length"]


def test_bad_labels_are_bad_rows(tmp_path: Path) -> None:
    root = free_talk(tmp_path)
    folder = next(root.rglob("*.json")).parent
    written(folder / "b.json", "{")
    written(folder / "c.json", "").write_bytes(b"\xff\xff\xff\x00")
    label(folder / "d.json", {"발화정보": {"stt": "둘", "fileNm": "d.wav"}})
    label(folder / "e.json", {"대화정보": {}})
    unknown = {"recorderId": "알수없음"}
    label(folder / "f.json", {"발화정보": {"stt": "", "fileNm": "a.wav"}, "녹음자정보": unknown})
    label(folder / "g.json", {"발화정보": {"stt": "셋", "fileNm": "g.wav"}, "녹음자정보": unknown})
    good, bad = opened(AIHub(preset="free_talk").rows(root))
    assert len(good) == 2
    assert [(b.utterance_id, b.reason) for b in bad] == [
        ("b", "malformed row"),
        ("c", "malformed row"),
        ("d 1", "malformed row"),
        ("e 1", "malformed row"),
        ("a", "empty text"),
        ("g", "missing audio"),
    ]
    assert "no '녹음자정보' (of '녹음자정보.recorderId') in 발화정보" in bad[2].detail
    rows = [r for r in AIHub(preset="free_talk").rows(root) if isinstance(r, Row)]
    assert {r.speaker for r in rows if r.utterance_id in {"a", "g"}} == {None}


def test_a_missing_text_file_is_one_bad_row(tmp_path: Path) -> None:
    root = consultation(tmp_path)
    next(root.rglob("0001.txt")).unlink()
    good, bad = opened(AIHub().rows(root))
    assert len(good) == 1
    assert "no text file KtelSpeech/D60/J91/S00007727/0001.txt" in bad[0].detail


def test_audio_in_another_place(tmp_path: Path) -> None:
    root = telephone(tmp_path / "labels")
    for folder in root.rglob("원천데이터_230316"):
        folder.rename(tmp_path / folder.parent.name)
    settings = AIHub(audio_root=tmp_path / "1.Training", part="train")
    good, bad = opened(settings.rows(root))
    assert not bad
    assert len(good) == 2
    _, bad = opened(AIHub(part="train").rows(root))
    assert {b.reason for b in bad} == {"missing audio"}
    with pytest.raises(DataError, match="holds no JSON files"):
        list(AIHub().rows(tmp_path / "1.Training"))


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("set/VL_D03/a.json", "dev"),
        ("set/TL_D03/a.json", "train"),
        ("set/3.Test/a.json", "test"),
        ("set/latest/a.json", None),
        ("set/test data of mine/1.Training/D01/a.json", "train"),
        ("set/a_training.json", None),
    ],
)
def test_parts_by_folder(path: str, part: str | None) -> None:
    assert part_of(Path(path), Path("set")) == part


def test_looking_up() -> None:
    document = {"a": [{"b": 0}, None]}
    assert look_up(document, "a.0.b") == 0
    assert look_up(document, "a.1") is None
    for keys in ("a.2", "a.b", "a.0.b.c", "c"):
        with pytest.raises(KeyError, match="no "):
            look_up(document, keys)
    assert seconds("1:02:03.5") == 3_723.5
    with pytest.raises(ValueError, match="could not convert"):
        seconds("soon")


def test_a_call_without_utterances_is_a_bad_row(tmp_path: Path) -> None:
    root = telephone(tmp_path)
    first = sorted(root.rglob("*.json"))[0]
    label(first.with_name("Z.json"), {"dataSet": {"dialogs": []}})
    good, bad = opened(AIHub().rows(root))
    assert len(good) == 2 * len(TURNS)
    assert [row.detail for row in bad] == ["Z.json: its list of utterances is empty"]
