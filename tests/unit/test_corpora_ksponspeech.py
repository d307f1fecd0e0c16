"""KsponSpeech's lists, PCM and cp949 texts, in the shapes in which people have them."""

from pathlib import Path

import numpy as np
import pytest
from corpus_on_disk import opened, pcm, sound, written

from malgwi import manifest
from malgwi.audio import load_cut
from malgwi.corpora.ksponspeech import KsponSpeech
from malgwi.errors import DataError
from malgwi.text.normalize import NormalizerConfig, normalize

#: Part → its lines: path and text as AI Hub writes them.
LISTS = {
    "train": [
        ("KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000001.pcm", "아/ 이게 뭐야, 그건 또. b/"),
        (
            "KsponSpeech_01/KsponSpeech_0001/KsponSpeech_000002.pcm",
            "그+ 그럼 (20년)/(이십 년) 전에 무슨* 일이? n/",
        ),
        ("KsponSpeech_05/KsponSpeech_0620/KsponSpeech_620000.pcm", "o/ 네 :: 맞아요."),
    ],
    "dev": [("KsponSpeech_05/KsponSpeech_0621/KsponSpeech_620001.pcm", "l/ 좋아.")],
    "eval_clean": [("KsponSpeech_eval/eval_clean/KsponSpeech_E00001.pcm", "어/ 일단은 가자.")],
    "eval_other": [("KsponSpeech_eval/eval_other/KsponSpeech_E03001.pcm", "(뭐)/(머) 그래.")],
}


def corpus(root: Path, *, scripts: str = "", audio: str = "", short_eval: bool = False) -> Path:
    """A folder as unpacked; ``short_eval`` as its archive has it, without KsponSpeech_eval."""
    for part, lines in LISTS.items():
        content = "".join(f"{path} :: {text}\n" for path, text in lines)
        written(root / scripts / f"{part}.trn", content)
        for path, text in lines:
            stored = path.removeprefix("KsponSpeech_eval/") if short_eval else path
            pcm(root / audio / stored)
            written((root / audio / stored).with_suffix(".txt"), text + "\n", "cp949")
    return root


@pytest.mark.parametrize(
    ("scripts", "audio", "short_eval"),
    [
        ("", "", False),
        ("KsponSpeech_scripts", "", False),
        ("scripts", "", True),
        ("전사문", "음성", True),
    ],
)
def test_all_parts_in_every_usual_shape(
    tmp_path: Path, scripts: str, audio: str, short_eval: bool
) -> None:
    root = corpus(tmp_path, scripts=scripts, audio=audio, short_eval=short_eval)
    good, bad = opened(KsponSpeech().rows(root))
    assert not bad
    assert [(manifest.text(c), c.custom["part"]) for c in good] == [
        (text, part) for part, lines in LISTS.items() for _, text in lines
    ]
    assert good[0].id == "KsponSpeech_000001"
    assert {manifest.speaker(c) for c in good} == {None}
    assert {c.recording.sampling_rate for c in good} == {16_000}
    assert good[0].duration == 0.5


def test_one_part_or_one_list(tmp_path: Path) -> None:
    root = corpus(tmp_path)
    good, _ = opened(KsponSpeech(part="eval_other").rows(root))
    assert [c.id for c in good] == ["KsponSpeech_E03001"]
    good, _ = opened(KsponSpeech().rows(root / "dev.trn"))
    assert [(c.id, c.custom["part"]) for c in good] == [("KsponSpeech_620001", "dev")]
    good, _ = opened(KsponSpeech(audio_root=root).rows(corpus(tmp_path / "lists") / "dev.trn"))
    assert good[0].recording.sources[0].source.startswith(str(root / "KsponSpeech_05"))
    (root / "eval_other.trn").unlink()
    with pytest.raises(DataError, match="no part 'eval_other'; parts there: train, dev, eval_clea"):
        list(KsponSpeech(part="eval_other").rows(root))


def test_marks_stay_for_the_normaliser(tmp_path: Path) -> None:
    good, _ = opened(KsponSpeech(part="train").rows(corpus(tmp_path)))
    text = manifest.text(good[1])
    views = [
        normalize(text, NormalizerConfig(dual=dual, punctuation="drop"))
        for dual in ("spelling", "pronunciation")
    ]
    assert views == ["그 그럼 이십년 전에 무슨 일이", "그 그럼 이십 년 전에 무슨 일이"]


def test_samples_survive_prepare_and_read(tmp_path: Path) -> None:
    root = corpus(tmp_path)
    good, _ = opened(KsponSpeech(part="dev").rows(root))
    manifest.write(good, tmp_path / "m.jsonl")
    (cut,) = manifest.read(tmp_path / "m.jsonl")
    file = root / LISTS["dev"][0][0]
    expected = np.frombuffer(file.read_bytes(), "<i2") / 32_768
    np.testing.assert_allclose(load_cut(cut, sample_rate_hz=16_000), expected, atol=1e-7)


def test_bad_rows_are_listed_with_their_reasons(tmp_path: Path) -> None:
    root = corpus(tmp_path)
    first, second, third = (root / path for path, _ in LISTS["train"])
    pcm(first, extra=b"\0")
    second.unlink()
    written(
        root / "train.trn",
        f"{first.relative_to(root)} :: 홀수\n{second.relative_to(root)} :: 없음\n"
        f"{third.relative_to(root)} :: \nno separator here\n :: 이름 없음\n\n",
    )
    good, bad = opened(KsponSpeech(part="train").rows(root))
    assert not good
    assert [(b.utterance_id, b.reason) for b in bad] == [
        ("KsponSpeech_000001", "odd PCM length"),
        ("KsponSpeech_000002", "missing audio"),
        ("KsponSpeech_620000", "empty text"),
        ("train.trn line 4", "malformed row"),
        ("train.trn line 5", "malformed row"),
    ]
    assert bad[0].detail == "16001 bytes"
    assert "train.trn, line 4: no 'path :: text': 'no separator here'" in bad[3].detail


def test_texts_beside_the_pcm_files(tmp_path: Path) -> None:
    root = corpus(tmp_path, short_eval=True)
    for path in root.glob("*.trn"):
        path.unlink()
    good, bad = opened(KsponSpeech(texts="txt").rows(root))
    assert not bad
    found = {c.id: (manifest.text(c), (c.custom or {}).get("part")) for c in good}
    assert found == {
        Path(path).stem: (text, part if part.startswith("eval") else None)
        for part, lines in LISTS.items()
        for path, text in lines
    }
    good, _ = opened(KsponSpeech(texts="txt", part="eval_clean").rows(root))
    assert [c.id for c in good] == ["KsponSpeech_E00001"]
    with pytest.raises(DataError, match="do not tell train from dev"):
        list(KsponSpeech(texts="txt", part="dev").rows(root))
    with pytest.raises(DataError, match=r"holds no train\.trn.* with --texts txt"):
        list(KsponSpeech().rows(root))
    with pytest.raises(DataError, match=r"holds no \*\.pcm"):
        list(KsponSpeech(texts="txt").rows(written(tmp_path / "empty" / "a", "").parent))


def test_a_missing_or_damaged_text_beside_a_pcm_file_is_one_bad_row(tmp_path: Path) -> None:
    root = corpus(tmp_path)
    first, second, _ = (root / path for path, _ in LISTS["train"])
    first.with_suffix(".txt").unlink()
    second.with_suffix(".txt").write_bytes(b"\xff\xff\xff\x00")
    good, bad = opened(KsponSpeech(texts="txt").rows(root))
    assert len(good) == 4
    assert [(b.utterance_id, b.reason) for b in bad] == [
        ("KsponSpeech_000001", "empty text"),
        ("KsponSpeech_000002", "empty text"),
    ]
    assert "no such file" in bad[0].detail
    assert "nor is the file cp949" in bad[1].detail


@pytest.mark.parametrize("ending", [".wav", ".flac"])
def test_files_that_were_converted_in_place(tmp_path: Path, ending: str) -> None:
    root = corpus(tmp_path)
    path = root / LISTS["dev"][0][0]
    path.unlink()
    sound(path.with_suffix(ending), rate_hz=16_000)
    good, bad = opened(KsponSpeech(part="dev").rows(root))
    assert not bad
    assert good[0].recording.sources[0].source.endswith(ending)
    assert "raw" not in good[0].custom
