"""The reviewed table of numbers and abbreviations, figures and words, row by row."""

import csv
from pathlib import Path

import pytest

from malgwi.text.names import read_names, write_names
from malgwi.text.numbers import read_numbers
from malgwi.text.written_numbers import write_numbers

TABLE = Path(__file__).parents[1] / "golden" / "numbers.tsv"
with TABLE.open(encoding="utf-8", newline="") as lines:
    ROWS = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
READ = [row for row in ROWS if row["direction"] in ("read", "both")]
WRITE = [row for row in ROWS if row["direction"] in ("write", "both")]


def named(row: dict[str, str]) -> str:
    return f"{row['kind']}-{row['written']}-{row['read']}"


@pytest.mark.parametrize("row", READ, ids=named)
def test_reading(row: dict[str, str]) -> None:
    read = read_names if row["kind"] == "names" else read_numbers
    assert read(row["written"]) == row["read"]


@pytest.mark.parametrize("row", WRITE, ids=named)
def test_writing(row: dict[str, str]) -> None:
    write = write_names if row["kind"] == "names" else write_numbers
    assert write(row["read"]) == row["written"]
    assert write(row["written"]) == row["written"]


def test_the_table_is_long_has_no_row_twice_and_many_that_change_nothing() -> None:
    keys = [tuple(row[name] for name in ("direction", "kind", "written", "read")) for row in ROWS]
    assert len(set(keys)) == len(ROWS) >= 400
    unchanged = [row for row in ROWS if row["written"] == row["read"]]
    assert len(unchanged) >= 120
    assert {row["direction"] for row in ROWS} == {"read", "write", "both"}
