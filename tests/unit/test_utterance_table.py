"""The table on disk: what was put in comes out, and its folder goes, also after an error."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi.errors import DataError
from malgwi.manifest import Facts
from malgwi.utterance_table import UtteranceTable, loaded, number, signed


def facts(name: str, text: str = "네") -> Facts:
    return Facts(
        id=name, text=text, speaker=None, path="/a.wav", start_s=1.0, duration_s=2.0, channel=0,
        sample_rate_hz=8000, custom={}, line={},
    )  # fmt: skip


@given(st.lists(st.text(max_size=5), max_size=8))
@settings(max_examples=25, deadline=None)
def test_any_text_comes_back_in_order(names: list[str]) -> None:
    with UtteranceTable() as table:
        for name in names:
            table.add(0, facts(name, name))
        rows = list(table.select("row, id, start, stop FROM utterance ORDER BY row"))
    assert [loaded(name) for _, name, *_ in rows] == names
    assert [row for row, *_ in rows] == list(range(1, len(names) + 1))
    assert all(stretch == [1.0, 3.0] for _, _, *stretch in rows)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_numbers_keep_their_order(one: int, other: int) -> None:
    assert (one < other) == (signed(one) < signed(other))
    assert -(2**63) <= signed(one) < 2**63


def test_lone_surrogates_are_kept_apart() -> None:
    assert number("\ud800") not in (number("\ud801"), None)


def test_a_full_disk_is_named_and_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(DataError, match=r"malgwi-\w+: .* disk is full; set TMPDIR"):
        fill(tmp_path)
    assert list(tmp_path.iterdir()) == []


def fill(folder: Path) -> None:
    """Put more into a table than its file may hold."""
    with UtteranceTable(1 << 17) as table:
        assert len(list(folder.iterdir())) == 1
        table.execute("PRAGMA max_page_count = 10")
        for place in range(10_000):
            table.add(0, facts(f"{place}", "가" * 40))
