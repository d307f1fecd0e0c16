"""The file that a label means, in trees unpacked in one way or another."""

import unicodedata
from pathlib import Path, PurePosixPath

import pytest
from corpus_on_disk import written
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi.corpora.file_tree import FileTree, files_beneath


def tree(root: Path, *names: str) -> FileTree:
    for name in names:
        written(root / name, name)
    return FileTree(root, {".wav"})


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        ("D03/J11/S1/0001.wav", "D03/J11/S1/0001.wav"),
        ("원천데이터/TS_D03/J11/S1/0001.wav", "D03/J11/S1/0001.wav"),  # the archive's own folder
        ("a/J11/S1/0001.WAV", "KtelSpeech/D60/J11/S1/0001.wav"),
        ("라벨/S1/0001.wav", "D03/J11/S1/0001.wav"),  # beside the label
        ("소리/x/일반_1.wav", "일반_1.wav"),
        ("소리/x/일반_1.wav", "일반_1.wavp"),
    ],
)
def test_found_wherever_it_was_unpacked(tmp_path: Path, stored: str, wanted: str) -> None:
    label = tmp_path / "라벨" / "S1" / "S1.json"
    assert tree(tmp_path, stored).find(Path(wanted), label) == tmp_path / stored


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        ("D04/J16/S1/0001.wav", "D03/J11/S1/0001.wav"),  # another call of that number
        ("D03/J11/S2/0001.wav", "D03/J11/S1/0001.wav"),
        ("D03/J11/S1/0002.wav", "D03/J11/S1/0001.wav"),
        ("D03/J11/S1/0001.txt", "D03/J11/S1/0001.wav"),
    ],
)
def test_the_wrong_audio_is_worse_than_none(tmp_path: Path, stored: str, wanted: str) -> None:
    assert tree(tmp_path, stored).find(Path(wanted), tmp_path / "라벨" / "a.json") is None


def test_the_most_folders_win_and_a_draw_has_no_winner(tmp_path: Path) -> None:
    files = tree(tmp_path, "D03/J11/S1/1.wav", "D04/J11/S1/1.wav", "t/x/2.wav", "v/x/2.wav")
    label = tmp_path / "v" / "labels" / "x" / "2.json"
    assert files.find(Path("D04/J11/S1/1.wav"), label) == tmp_path / "D04/J11/S1/1.wav"
    assert files.find(Path("2.wav"), label) == tmp_path / "v/x/2.wav"
    with pytest.raises(LookupError, match=r"S1/1\.wav: several files fit: .*D03"):
        files.find(Path("J11/S1/1.wav"), label)
    with pytest.raises(LookupError, match="several files fit"):
        files.find(Path("2.wav"), tmp_path / "labels" / "y" / "2.json")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_hangul_taken_apart_is_the_same_name(tmp_path: Path, form: str) -> None:
    stored = unicodedata.normalize(form, "전화/통화/가나.wav")
    other = unicodedata.normalize("NFC" if form == "NFD" else "NFD", "전화/통화/가나.wav")
    assert tree(tmp_path, stored).find(Path(other), tmp_path / "a.json") == tmp_path / stored


def test_files_come_in_order(tmp_path: Path) -> None:
    names = ["b/2.json", "a/9.json", "b/1.JSON", "a/1.json", "c.json", "b/c/0.json", "a/x.wav"]
    tree(tmp_path, *names)
    found = [Path(*place).relative_to(tmp_path) for place in files_beneath(tmp_path, {".json"})]
    assert [str(path) for path in found] == [
        "c.json", "a/1.json", "a/9.json", "b/1.JSON", "b/2.json", "b/c/0.json",
    ]  # fmt: skip


NAMES = st.sampled_from("abc")
PATHS = st.lists(NAMES, min_size=2, max_size=4).map(lambda parts: "/".join(parts) + ".wav")


@given(stored=st.sets(PATHS, min_size=1, max_size=12), wanted=PATHS)
@settings(max_examples=60, deadline=None)
def test_against_the_rule_spelled_out(
    tmp_path_factory: pytest.TempPathFactory, stored: set[str], wanted: str
) -> None:
    """Brute force over all files, for labels that lie beside nothing."""
    root = tmp_path_factory.mktemp("tree")
    label = root / "labels" / "label.json"
    asked = PurePosixPath(wanted)

    def shared(name: str) -> int:
        folders = [PurePosixPath(name).parent.parts[::-1], asked.parent.parts[::-1]]
        pairs = list(zip(*folders, strict=False))
        return next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))

    needed = min(2, len(asked.parent.parts))
    fits = {n: shared(n) for n in stored if n.split("/")[-1] == asked.name and shared(n) >= needed}
    best = [name for name, count in fits.items() if count == max(fits.values())]
    files = tree(root, *stored)
    if len(best) > 1:
        with pytest.raises(LookupError):
            files.find(Path(wanted), label)
    else:
        assert files.find(Path(wanted), label) == (root / best[0] if best else None)
