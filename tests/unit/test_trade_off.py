"""The picture of error rate, speed and size: what it refuses, and where it puts things."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from malgwi.errors import DataError
from malgwi.report.trade_off import Contender, read_contender, trade_off

RECORD: dict[str, Any] = {
    "title": "quick on <test>",
    "decoding": {"method": "ctc_beam", "ctc_beam": {"beams": 16}, "language_model": {"path": "x"}},
    "intervals": {"cer_nospace": {"low": 0.4, "high": None}},
    "scores": {"cer_nospace": {"rate": 0.5}, "passport": {"fingerprint": "c1-r1"}},
    "speed": {"x_real_time_per_thread": 80.0, "threads": 2},
    "size": {"bytes_on_disk": 12_000_000},
    "facts": {"machine": "two cores", "date": "2026-11-23"},
}


def contender(rate: float, speed: float, size: int, name: str = "one") -> Contender:
    return Contender(
        name=name,
        search="ctc",
        cer=rate,
        low=math.nan,
        high=math.nan,
        x_real_time=speed,
        threads=1,
        bytes_on_disk=size,
        measured_on="m",
        date="d",
    )


def test_a_report_is_read_from_its_folder_or_its_file(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(RECORD), encoding="utf-8")
    found = read_contender(tmp_path, "c1-r1")
    assert found == read_contender(tmp_path / "report.json", "c1-r1")
    assert (found.search, found.cer, found.low) == ("ctc_beam 16 + LM", 0.5, 0.4)
    assert math.isnan(found.high)
    assert (found.x_real_time, found.bytes_on_disk) == (80.0, 12_000_000)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"speed": None}, "no speed"),
        ({"scores": {}}, "no report"),
        ({"scores": RECORD["scores"] | {"passport": {"fingerprint": "c1-r2"}}}, "same manifest"),
    ],
)
def test_what_does_not_compare_is_refused(
    changed: dict[str, Any], said: str, tmp_path: Path
) -> None:
    (tmp_path / "report.json").write_text(json.dumps(RECORD | changed), encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_contender(tmp_path, "c1-r1")


def test_a_folder_without_a_report_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape(str(tmp_path / "none"))):
        read_contender(tmp_path / "none", "c1-r1")


def test_faster_is_further_right_better_is_lower_and_larger_has_more_area() -> None:
    page = trade_off([contender(0.5, 100, 40_000_000), contender(0.25, 50, 10_000_000)])
    discs = re.findall(r"left:([\d.]+)%;top:([\d.]+)%;--d:([\d.]+)px", page)
    (left, top, across), (left2, top2, across2) = [tuple(map(float, disc)) for disc in discs]
    assert 0 < left2 < left < 100
    assert 0 < top < top2 < 100
    assert 100 - top == pytest.approx(2 * (100 - top2), abs=0.2)  # rates start at zero
    assert across**2 == pytest.approx(4 * across2**2, rel=0.01)


def test_names_cannot_act_as_markup_and_one_alone_is_no_comparison() -> None:
    page = trade_off(
        [contender(0.5, 10, 5, '<b>"x"'), contender(math.nan, 10, 5), contender(0, 9, 0)]
    )
    assert '<b>"x"' not in page
    assert page.count('class="disc"') == 2
    assert trade_off([contender(0.5, 10, 5)]) == ""
