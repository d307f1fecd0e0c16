"""Every reader on a folder in its corpus's exact layout, and every way for a row to be bad.

The fixtures are made here: noise for audio, own sentences for text, layouts to the letter.
"""

import base64
import contextlib
import json
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus_on_disk import opened, sound
from lhotse import CutSet, Recording, RecordingSet, SupervisionSegment, SupervisionSet

from malgwi import manifest
from malgwi.audio import RawFormat, load_cut
from malgwi.corpora import CORPORA
from malgwi.corpora.hackathon import Hackathon, read_labels
from malgwi.corpora.lhotse_manifests import LhotseManifests
from malgwi.corpora.pansori import Pansori
from malgwi.corpora.rows import read_text
from malgwi.corpora.table import Table
from malgwi.errors import AudioError, DataError
from malgwi.registry import resolve


@pytest.mark.parametrize("name", CORPORA)
def test_every_reader_resolves_and_names_its_source(name: str) -> None:
    kind = resolve("corpus", CORPORA, name)
    assert callable(kind().rows)
    head = __import__(kind.__module__, fromlist=["x"]).__doc__
    for part in ("Source", "icence", "ow to obtain"):
        assert part in head, f"{kind.__module__} does not say: {part}"


# --- the hackathon's layout ---------------------------------------------------------------------

LABELS = {0: "_", 5: "네", 17: ".", 192: "여", 662: " ", 755: "보", 756: "세", 757: "요"} | {
    818: "<s>",
    819: "</s>",
}


def hackathon(root: Path) -> Path:
    """A folder as the organisers gave it out."""
    lines = [f"{index}\t{character}\t{index * 3}" for index, character in LABELS.items()]
    (root / "hackathon.labels").write_text(
        "id\\tchar\\tfreq\n" + "\n".join(lines) + "\n", encoding="utf-8"
    )
    data = root / "train" / "train_data"
    for name in ("wav_001", "wav_002", "42_0603_748_0_03319_00"):
        sound(data / f"{name}.wav", rate_hz=16_000)
    (data / "data_list.csv").write_text(
        "wav_001.wav,wav_001.label\nwav_002.wav,wav_002.label\n"
        "42_0603_748_0_03319_00.wav,42_0603_748_0_03319_00.label\n"
    )
    (root / "train" / "train_label").write_text(
        "wav_001,192 755 756 757 662 \nwav_002,818 5 662 5 17 662 819 0 0\n"
        "42_0603_748_0_03319_00,5 757 662\n"
    )
    test = root / "test" / "test_data"
    sound(test / "wav_901.wav", rate_hz=16_000)
    (test / "test_list.csv").write_text("wav_901.wav\n")
    (root / "test" / "test_label").write_text("wav_901,네, 그래요\n", encoding="utf-8")
    return root


def test_hackathon_training_part(tmp_path: Path) -> None:
    good, bad = opened(Hackathon().rows(hackathon(tmp_path)))
    assert not bad
    assert [manifest.text(c) for c in good] == ["여보세요", "네 네.", "네요"]
    assert [c.id for c in good] == ["wav_001", "wav_002", "42_0603_748_0_03319_00"]
    assert [manifest.speaker(c) for c in good] == [None, None, "03319"]
    assert good[2].custom == {"script": "748_00"}
    assert good[0].recording.sampling_rate == 16_000


def test_hackathon_test_part_keeps_commas(tmp_path: Path) -> None:
    good, bad = opened(Hackathon(part="test").rows(hackathon(tmp_path)))
    assert not bad
    assert [(c.id, manifest.text(c)) for c in good] == [("wav_901", "네, 그래요")]


def test_hackathon_label_table(tmp_path: Path) -> None:
    root = hackathon(tmp_path)
    assert (root / "hackathon.labels").read_text().splitlines()[0] == r"id\tchar\tfreq"
    assert read_labels(root / "hackathon.labels") == LABELS
    (root / "hackathon.labels").write_text("id\tchar\tfreq\n5\t네\t1\n")
    assert read_labels(root / "hackathon.labels") == {5: "네"}
    (root / "hackathon.labels").write_text("id\tchar\tfreq\n5\t네\t1\nsix\t다\t1\n")
    with pytest.raises(DataError, match="line 3: not index<TAB>character"):
        read_labels(root / "hackathon.labels")
    (root / "hackathon.labels").unlink()
    with pytest.raises(DataError, match=r"no label table at .* name it with --labels"):
        list(Hackathon().rows(root))


def test_hackathon_bad_rows(tmp_path: Path) -> None:
    root = hackathon(tmp_path)
    (root / "train" / "train_label").write_text(
        "wav_001,192 999 -1\nwav_002,192 820\n42_0603_748_0_03319_00,662 818 819\n"
    )
    data = root / "train" / "train_data"
    with (data / "data_list.csv").open("a") as file:
        file.write("wav_003.wav,wav_003.label\n")
    _, bad = opened(Hackathon().rows(root))
    assert [(b.utterance_id, b.reason) for b in bad] == [
        ("wav_001", "malformed row"),
        ("wav_002", "label outside the table"),
        ("42_0603_748_0_03319_00", "empty text"),
        ("wav_003", "empty text"),
    ]
    assert bad[1].detail == "labels 820"


# --- Pansori ------------------------------------------------------------------------------------


def pansori(root: Path) -> Path:
    """A folder as published: names in base 64, a transcript file beside each talk's audio."""
    name = base64.b64encode("홍길동".encode()).decode()
    folder = root / name / "AbC-1_xyz"
    stem = f"{name}-AbC-1_xyz"
    for number in (1, 2, 17):
        sound(folder / f"{stem}-{number:04d}.flac", rate_hz=16_000)
    lines = [f"{stem}-{n:04d} 안녕하세요 {n} 번입니다" for n in (1, 2, 17)]
    (folder / f"{stem}.trans.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def test_pansori_as_published(tmp_path: Path) -> None:
    good, bad = opened(Pansori().rows(pansori(tmp_path)))
    assert not bad
    assert [manifest.text(c) for c in good] == [f"안녕하세요 {n} 번입니다" for n in (1, 2, 17)]
    assert {manifest.speaker(c) for c in good} == {"홍길동"}
    assert good[0].custom == {"video": "AbC-1_xyz"}
    assert good[0].id.endswith("-AbC-1_xyz-0001")


def test_pansori_with_a_table(tmp_path: Path) -> None:
    sound(tmp_path / "p1" / "p1-0001.flac")
    (tmp_path / "transcripts.tsv").write_text(
        'path\tspeaker\ttext\np1/p1-0001.flac\tp1\t"네" 라고\n', encoding="utf-8"
    )
    good, bad = opened(Pansori().rows(tmp_path))
    assert not bad
    assert [(c.id, manifest.speaker(c), manifest.text(c)) for c in good] == [
        ("p1-0001", "p1", '"네" 라고')
    ]
    with pytest.raises(DataError, match=r"holds neither transcripts\.tsv nor"):
        list(Pansori().rows(tmp_path / "p1"))


# --- tables -------------------------------------------------------------------------------------


def table(root: Path, content: str, encoding: str = "utf-8", name: str = "t.csv") -> Path:
    for stem in "ab":
        sound(root / "wav" / f"{stem}.wav")
    (root / name).write_bytes(content.encode(encoding))
    return root / name


PLAIN = "path,text,speaker\nwav/a.wav,가나다,s1\nwav/b.wav,라마바,s2\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_tables_of_any_shape(tmp_path: Path, encoding: str, delimiter: str, newline: str) -> None:
    content = PLAIN.replace(",", delimiter).replace("\n", newline)
    good, bad = opened(Table().rows(table(tmp_path, content, encoding)))
    assert not bad
    assert [(c.id, manifest.text(c), manifest.speaker(c)) for c in good] == [
        ("wav-a", "가나다", "s1"),
        ("wav-b", "라마바", "s2"),
    ]


def test_columns_of_any_name(tmp_path: Path) -> None:
    path = table(
        tmp_path / "lists",
        "말한이\t번호\t소리\t적은 글\nk\t7\ta.wav\t하나\nl\t8\tb.wav\t둘\n",
        name="t.tsv",
    )
    settings = Table(
        path_column="소리", text_column="적은 글", speaker_column="말한이", id_column="번호",
        audio_root=path.parent / "wav",
    )  # fmt: skip
    good, bad = opened(settings.rows(path))
    assert not bad
    assert [(c.id, manifest.speaker(c), manifest.text(c)) for c in good] == [
        ("7", "k", "하나"),
        ("8", "l", "둘"),
    ]


def test_usual_names_of_columns_in_any_case(tmp_path: Path) -> None:
    path = table(tmp_path, "Client_ID,Path,Sentence,duration\nx,wav/a.wav,하나,99999\n")
    good, bad = opened(Table().rows(path))
    assert not bad  # a duration is not taken for a segment unless asked for
    assert (manifest.speaker(good[0]), manifest.text(good[0])) == ("x", "하나")


def test_a_table_without_a_header(tmp_path: Path) -> None:
    path = table(tmp_path, "wav/a.wav|하나\nwav/b.wav|둘\n")
    good, bad = opened(Table(columns=("path", "text"), delimiter="|").rows(path))
    assert not bad
    assert [manifest.text(c) for c in good] == ["하나", "둘"]


def test_quotation_marks(tmp_path: Path) -> None:
    csv = table(
        tmp_path, 'path,text\nwav/a.wav,"네, ""그렇게"" 할게요"\nwav/b.wav,그는 "네" 했다\n'
    )
    good, _ = opened(Table().rows(csv))
    assert [manifest.text(c) for c in good] == ['네, "그렇게" 할게요', '그는 "네" 했다']
    tsv = table(
        tmp_path,
        'path\ttext\nwav/a.wav\t"네" 하고 말했다\nwav/b.wav\t"말 ""안"" 했다"\n',
        name="t.tsv",
    )
    good, _ = opened(Table().rows(tsv))
    assert [manifest.text(c) for c in good] == ['"네" 하고 말했다', '말 "안" 했다']
    open_quote = table(tmp_path, 'path,text\nwav/a.wav,"네\nwav/b.wav,둘\n', name="open.csv")
    with pytest.raises(DataError, match="a quotation mark that opens a field has no partner"):
        list(Table().rows(open_quote))


def test_segments_and_channels_of_long_files(tmp_path: Path) -> None:
    sound(tmp_path / "call.wav", seconds=3.0, channels=2)
    path = tmp_path / "t.csv"
    path.write_text(
        "path,from,long,side,text,speaker\ncall.wav,0.5,1,0,여보세요,손님\n"
        "call.wav,1.5,1.5,1,네 말씀하세요,상담원\ncall.wav,2.5,1,1,끝,상담원\n"
        "call.wav,2,,2,없는 채널,손님\ncall.wav,둘,1,0,시각이 글자,손님\n"
    )
    settings = Table(start_column="from", duration_column="long", channel_column="side")
    good, bad = opened(settings.rows(path))
    assert [(c.id, c.start, c.duration, c.channel) for c in good] == [
        ("call-00000500-0", 0.5, 1.0, 0),
        ("call-00001500-1", 1.5, 1.5, 1),
    ]
    assert [b.reason for b in bad] == ["outside the file", "many channels", "malformed row"]
    whole, _ = soundfile.read(tmp_path / "call.wav", dtype="float32")
    np.testing.assert_array_equal(load_cut(good[1], sample_rate_hz=8_000), whole[12_000:, 1])


@pytest.mark.parametrize(("policy", "count"), [("error", 0), ("mix", 1), (1, 1), (2, 0)])
def test_channel_policy(tmp_path: Path, policy: str | int, count: int) -> None:
    sound(tmp_path / "a.wav", channels=2)
    (tmp_path / "t.csv").write_text("path,text\na.wav,하나\n")
    good, bad = opened(Table().rows(tmp_path / "t.csv"), channels=policy)
    assert (len(good), [b.reason for b in bad]) == (count, ["many channels"] * (1 - count))
    whole, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    for cut in good:
        expected = whole.mean(1) if policy == "mix" else whole[:, 1]
        np.testing.assert_allclose(load_cut(cut, sample_rate_hz=8_000), expected, atol=1e-6)


def test_headerless_pcm_by_table(tmp_path: Path) -> None:
    values = np.arange(-4_000, 4_000, dtype="<i2")
    (tmp_path / "a.pcm").write_bytes(values.tobytes())
    (tmp_path / "odd.pcm").write_bytes(values.tobytes() + b"\0")
    sound(tmp_path / "wave.wav")
    (tmp_path / "t.csv").write_text("path,text\na.pcm,하나\nodd.pcm,둘\nwave.wav,셋\n")
    good, bad = opened(Table(raw_sample_rate_hz=8_000).rows(tmp_path / "t.csv"))
    assert [(b.utterance_id, b.reason) for b in bad] == [
        ("odd", "odd PCM length"),
        ("wave", "undecodable audio"),
    ]
    assert "header of an audio file" in bad[1].detail
    manifest.write(good, tmp_path / "m.jsonl")
    (again,) = manifest.read(tmp_path / "m.jsonl")
    np.testing.assert_allclose(load_cut(again, sample_rate_hz=8_000), values / 32_768, atol=1e-7)


def test_every_reason_for_a_bad_row(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "path,text\nwav/a.wav,하나\nwav/none.wav,없음\nwav/b.wav, \nbad.flac,깨짐\nwav/a.wav,또\n"
        "wav/b.wav,많은,칸\nempty.wav,빈 것\n",
    )
    flac = sound(tmp_path / "bad.flac", seconds=2).read_bytes()
    damaged = bytearray(flac)
    damaged[len(flac) // 2 : len(flac) // 2 + 64] = b"\xff" * 64
    (tmp_path / "bad.flac").write_bytes(damaged[: len(flac) - 100])
    (tmp_path / "empty.wav").touch()
    good, bad = opened(Table().rows(path))
    assert [c.id for c in good] == ["wav-a"]
    assert [(b.utterance_id, b.reason) for b in bad] == [
        ("wav-none", "missing audio"),
        ("wav-b", "empty text"),
        ("bad", "undecodable audio"),
        ("wav-a", "duplicate id"),
        ("line 7", "malformed row"),
        ("empty", "undecodable audio"),
    ]
    assert all(b.detail for b in bad)


def test_headers_alone_miss_damage_inside(tmp_path: Path) -> None:
    content = sound(tmp_path / "a.flac", seconds=3).read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    (tmp_path / "t.csv").write_text("path,text\na.flac,하나\n")
    rows = list(Table().rows(tmp_path / "t.csv"))
    assert len(opened(rows, decode=False)[0]) == 1
    assert [b.reason for b in opened(rows)[1]] == ["undecodable audio"]


@pytest.mark.parametrize("on_disc", ["NFC", "NFD"])
def test_hangul_in_file_names_of_either_form(tmp_path: Path, on_disc: str) -> None:
    sound(tmp_path / unicodedata.normalize(on_disc, "가나.wav"))
    (tmp_path / "t.csv").write_text(unicodedata.normalize("NFD", "path,text\n가나.wav,한글\n"))
    good, bad = opened(Table().rows(tmp_path / "t.csv"))
    assert not bad
    assert manifest.text(good[0]) == unicodedata.normalize("NFC", "한글")


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    cases = {
        "path,글\n": r"no column is named text.* name yours with --text-column.* there: path, 글",
        "just one column\n": "no tab, comma, semicolon or bar",
        "": "is empty",
    }
    for content, message in cases.items():
        with pytest.raises(DataError, match=message):
            list(Table().rows(table(tmp_path, content)))
    with pytest.raises(DataError, match=r"has no column 'txt' .*did you mean 'text'"):
        list(Table(text_column="txt").rows(table(tmp_path, PLAIN)))
    with pytest.raises(DataError, match="no such file"):
        list(Table().rows(tmp_path / "none.csv"))
    with pytest.raises(AudioError, match="bytes_per_sample is 5"):
        RawFormat(sample_rate_hz=8_000, bytes_per_sample=5)


def test_encodings_are_recognised_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes("한글과 English\n".encode("cp949"))
    assert read_text(path) == "한글과 English\n"
    damaged = bytearray(("안녕하세요 여러분\n" * 20).encode())
    damaged[90] = 0xFF
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=r"t\.txt, line 4: byte 90 is not utf-8"):
        read_text(path)
    with pytest.raises(DataError, match="is not ascii: convert"):
        read_text(path, "ascii")
    path.write_bytes(b"\xff\xff\xff\x00")
    with pytest.raises(DataError, match="nor is the file cp949"):
        read_text(path)


def test_prefixes_keep_equal_names_apart(tmp_path: Path) -> None:
    path = table(tmp_path, PLAIN + "wav/none.wav,없음,s1\n")
    good, bad = opened(Table().rows(path), prefix="mine-")
    assert [c.id for c in good] == ["mine-wav-a", "mine-wav-b"]
    assert [manifest.speaker(c) for c in good] == ["mine-s1", "mine-s2"]
    assert bad[0].utterance_id == "mine-wav-none"


# --- Lhotse -------------------------------------------------------------------------------------


def test_lhotse_cuts_come_back(tmp_path: Path) -> None:
    good, _ = opened(Table().rows(table(tmp_path, PLAIN)))
    CutSet(good).to_file(tmp_path / "cuts.jsonl.gz")
    again, bad = opened(LhotseManifests().rows(tmp_path / "cuts.jsonl.gz"))
    assert not bad
    assert again == good


def test_lhotse_recordings_with_supervisions(tmp_path: Path) -> None:
    recording = Recording.from_file(sound(tmp_path / "talk.wav", seconds=4.0))
    supervisions = [
        SupervisionSegment("s1", recording.id, 0.5, 1.0, text="하나", speaker="a"),
        SupervisionSegment("s2", recording.id, 2.0, 1.5, text="둘", speaker="b"),
    ]
    RecordingSet.from_recordings([recording]).to_file(tmp_path / "x_recordings_train.jsonl.gz")
    SupervisionSet.from_segments(supervisions).to_file(tmp_path / "x_supervisions_train.jsonl.gz")
    for source in (tmp_path, tmp_path / "x_supervisions_train.jsonl.gz"):
        good, bad = opened(LhotseManifests().rows(source))
        assert not bad
        assert [(manifest.text(c), manifest.speaker(c), c.start, c.duration) for c in good] == [
            ("하나", "a", 0.5, 1.0),
            ("둘", "b", 2.0, 1.5),
        ]
        assert len({c.id for c in good}) == 2
    (tmp_path / "x_supervisions_train.jsonl.gz").unlink()
    with pytest.raises(DataError, match="recordings and supervisions come in pairs"):
        list(LhotseManifests().rows(tmp_path))


def test_prepared_manifests_are_lhotse_s_and_keep_their_parts(tmp_path: Path) -> None:
    """Out: `CutSet` reads what we write, relative paths included. In: the same rows again."""
    rows = list(Table().rows(table(tmp_path, PLAIN)))
    parts = [
        replace(row, custom={"part": part})
        for row, part in zip(rows, ("train", "dev"), strict=True)
    ]
    good, _ = opened(parts)
    manifest.write(good, tmp_path / "m.jsonl.gz")
    theirs = list(CutSet.from_file(tmp_path / "m.jsonl.gz"))
    assert [c.custom["part"] for c in theirs] == ["train", "dev"]
    assert [(c.id, c.supervisions[0].text, c.supervisions[0].speaker) for c in theirs] == [
        ("wav-a", "가나다", "s1"),
        ("wav-b", "라마바", "s2"),
    ]
    with contextlib.chdir(tmp_path):  # Lhotse takes relative paths from where it runs
        whole, _ = soundfile.read("wav/b.wav", dtype="float32")
        np.testing.assert_array_equal(theirs[1].load_audio()[0], whole)
    again, bad = opened(LhotseManifests().rows(tmp_path / "m.jsonl.gz"))
    assert not bad
    assert again == good
    only, _ = opened(LhotseManifests(part="dev").rows(tmp_path / "m.jsonl.gz"))
    assert [c.id for c in only] == ["wav-b"]


def test_supervisions_keep_their_parts_and_files_name_them(tmp_path: Path) -> None:
    recording = Recording.from_file(sound(tmp_path / "talk.wav", seconds=4.0))
    for name, custom in (("train", None), ("dev-other", {"part": "own"})):
        said = SupervisionSegment(name, recording.id, 0.5, 1.0, text="하나", custom=custom)
        recordings = RecordingSet.from_recordings([recording])
        recordings.to_file(tmp_path / f"x_recordings_{name}.jsonl.gz")
        SupervisionSet.from_segments([said]).to_file(tmp_path / f"x_supervisions_{name}.jsonl.gz")
    good, bad = opened(LhotseManifests().rows(tmp_path))
    assert not bad
    assert [c.custom["part"] for c in good] == ["own", "train"]
    for part in ("own", "train"):
        good, _ = opened(LhotseManifests(part=part).rows(tmp_path))
        assert [c.custom["part"] for c in good] == [part]


def test_lhotse_cuts_of_other_kinds_are_bad_rows(tmp_path: Path) -> None:
    (cut, second), _ = opened(Table().rows(table(tmp_path, PLAIN)))
    faster = cut.perturb_speed(1.1)
    silent = second.drop_supervisions()
    CutSet([faster, silent]).to_file(tmp_path / "cuts.jsonl")
    _, bad = opened(LhotseManifests().rows(tmp_path / "cuts.jsonl"))
    assert [b.reason for b in bad] == ["unsupported source", "empty text"]
    assert "transforms" in bad[0].detail
    CutSet([cut.append(second)]).to_file(tmp_path / "mixed.jsonl")
    with pytest.raises(DataError, match="a MixedCut, where a MonoCut is wanted"):
        list(LhotseManifests().rows(tmp_path / "mixed.jsonl"))
    (tmp_path / "other.jsonl").write_text(json.dumps({"text": "a"}) + "\n")
    with pytest.raises(DataError, match="not a Lhotse cut"):
        list(LhotseManifests().rows(tmp_path / "other.jsonl"))


# --- real speech --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "utterances", "speakers"), [("pansori", 2_301, 33), ("emotiontts", 1_328, 41)]
)
def test_real_corpora_are_read_whole(
    shared_dir: Path, folder: str, utterances: int, speakers: int
) -> None:
    source = shared_dir / "speech" / folder / "transcripts.tsv"
    good, bad = opened(Table().rows(source), decode=False)
    assert not bad
    assert len(good) == utterances
    assert len({manifest.speaker(c) for c in good}) == speakers
    assert manifest.validate(good, check_files=True) == []
