"""``malgwi transcribe``: what its options do to what a recogniser heard."""

import json
from pathlib import Path
from typing import Any

import pytest

from malgwi.cli import transcribe
from malgwi.transcribe import DecodingConfig, Recognition


class OneSentence:
    """Hears the same in every file."""

    decoding = DecodingConfig()

    def with_decoding(self, **changes: Any) -> "OneSentence":
        return self

    def recognise_file(self, source: Path, raw: object) -> Recognition:
        return Recognition(text="오후 일곱 시에 이 사람 세 명", duration_s=1.0, segments=())


@pytest.mark.parametrize(
    ("digits", "expected"),
    [("keep", "오후 일곱 시에 이 사람 세 명"), ("written", "오후 7시에 이 사람 3명")],
)
def test_digits(
    digits: Any, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(transcribe, "load_recogniser", lambda run: OneSentence())
    transcribe.main(Path("run"), (Path("a.wav"),), digits=digits)
    assert capsys.readouterr().out == f"{expected}\n"
    transcribe.main(Path("run"), (Path("a.wav"),), digits=digits, format="json")
    assert json.loads(capsys.readouterr().out)["text"] == expected
