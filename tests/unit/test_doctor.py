"""The doctor tells what is there, and its exit status tells whether it is enough."""

import importlib
import json
import os
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import soundfile

from malgwi.cli import doctor
from malgwi.cli import main as malgwi
from malgwi.cli.doctor import Finding

REPOSITORY = Path(__file__).parents[2]


def test_a_healthy_machine_prints_every_section(capsys: pytest.CaptureFixture[str]) -> None:
    malgwi(["doctor"])
    printed = capsys.readouterr().out
    for word in ("versions", "torch", "codecs", "Opus", "threads", "devices", "GFLOP/s", "extras"):
        assert word in printed
    assert "all that malgwi needs works" in printed


def test_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    malgwi(["doctor", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert set(report) == {
        "ok", "versions", "codecs", "threads", "devices", "extras", "storage",
    }  # fmt: skip
    names = {finding["name"] for finding in report["versions"]}
    assert {"python", "malgwi", "torch", "lhotse", "soundfile", "libsndfile", "soxr"} <= names
    assert all(finding["state"] == "ok" for finding in report["codecs"])


def test_something_broken_is_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Finding(name="soxr", state="broken", found="[gone]", advice="pip install 'soxr[x]'")
    monkeypatch.setattr(doctor, "versions", lambda: iter([broken]))
    with pytest.raises(SystemExit) as leaving:
        malgwi(["doctor"])
    assert leaving.value.code == 1
    printed = capsys.readouterr().out
    assert "broken" in printed
    assert "not tried without soxr" in printed
    assert "[gone]" in printed  # brackets are text, not markup
    assert "'soxr[x]'" in printed


def test_missing_extras_cost_something_but_do_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "av":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setenv("PATH", "/nowhere")
    found = {finding.name: finding for finding in doctor.extras()}
    assert found["media"].state == "missing"
    assert "M4A" in found["media"].advice
    assert "malgwi[media]" in found["media"].advice
    assert found["espeak-ng"].state == "missing"
    assert "malgwi synth" in found["espeak-ng"].advice


def test_every_extra_of_the_package_has_a_cost() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert set(project["optional-dependencies"]) == set(doctor.EXTRAS)


def test_a_package_that_does_not_load_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        raise OSError("libtorch_cpu.so: cannot open shared object file")

    monkeypatch.setattr(importlib, "import_module", load)
    finding = doctor.package("torch>=2.0", state_if_absent="broken")
    assert finding.state == "broken"
    assert "libtorch_cpu.so" in finding.found


def test_absent_and_old_packages_name_their_remedy() -> None:
    absent = doctor.package("no-such-package-here>=1", state_if_absent="missing")
    assert (absent.state, absent.found) == ("missing", "not installed")
    assert absent.advice == "pip install 'no-such-package-here>=1'"
    old = doctor.package("numpy>=99.1", state_if_absent="broken")
    assert old.state == "broken"
    assert "older than 99.1" in old.found


@pytest.mark.parametrize("row", doctor.CODECS, ids=lambda row: row[0])
def test_every_codec_comes_back(row: tuple[str, str, str, int]) -> None:
    assert doctor.codec(*row).state == "ok"


def test_a_codec_that_fails_or_lies_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.codec("nonsense", "WAV", "MPEG_LAYER_III_X", 16_000).state == "broken"
    real = soundfile.write
    monkeypatch.setattr(
        soundfile, "write", lambda file, data, *rest, **kind: real(file, data[::-1], *rest, **kind)
    )
    assert "wrong" in doctor.codec("WAV", "WAV", "PCM_16", 16_000).found


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({}, None),
    ],
)
def test_container_quotas(tmp_path: Path, files: dict[str, str], cores: float | None) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert doctor.cgroup_quota(tmp_path) == cores


def test_more_threads_than_cores_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    monkeypatch.setattr(doctor, "usable_cores", lambda: 2.0)
    (finding,) = (finding for finding in doctor.threads() if finding.name == "torch threads")
    assert finding.state == "note"
    assert "OMP_NUM_THREADS=2" in finding.advice


def test_little_disk_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = type("usage", (), {"free": 10**9})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    assert next(doctor.storage(tmp_path)).state == "note"


def test_cores_follow_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2}, raising=False)
    monkeypatch.setattr(doctor, "cgroup_quota", lambda: 1.5)
    assert doctor.usable_cores() == 1.5
    monkeypatch.setattr(doctor, "cgroup_quota", lambda: None)
    assert doctor.usable_cores() == 3
