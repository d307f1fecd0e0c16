"""The audio cache: right samples, found again when valid, rebuilt when anything changed."""

import dataclasses
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lhotse.cut import MonoCut

from malgwi import manifest
from malgwi.audio_cache import AudioCache, cache_key
from malgwi.errors import AudioError, DataError
from malgwi.features import FrontEnd
from malgwi.front_end import FrontEndConfig

CONFIG = FrontEndConfig(trim_db=30.0)


def make_cut(
    folder: Path, name: str, *, num_samples: int = 12_000, rate_hz: int = 16_000, **format: str
) -> MonoCut:
    """A cut of quiet, noise and quiet, in a file of its own."""
    rng = np.random.default_rng(num_samples)
    samples = 0.3 * rng.standard_normal(num_samples).clip(-3, 3)
    samples[: num_samples // 4] *= 1e-3
    samples[-num_samples // 4 :] *= 1e-3
    path = folder / f"{name}.{format.get('format', 'wav').lower()}"
    soundfile.write(path, samples, rate_hz, **format)
    return manifest.new_cut(
        name, path, sample_rate_hz=rate_hz, num_samples=num_samples, text="말귀"
    )


@pytest.fixture
def cuts(tmp_path: Path) -> list[MonoCut]:
    return [make_cut(tmp_path, f"u{n}", num_samples=n) for n in (12_000, 9_001, 15_555)]


def files(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


def test_gives_the_front_ends_waveforms_exactly_for_16_bits(
    cuts: list[MonoCut], tmp_path: Path
) -> None:
    cache = AudioCache.build(cuts, CONFIG, tmp_path / "cache")
    assert list(cache) == [cut.id for cut in cuts]
    for cut in cuts:
        expected = FrontEnd(CONFIG).cut_waveform(cut)
        assert cache[cut.id].dtype == np.float32
        assert np.array_equal(cache[cut.id], expected)
        assert cache.duration_s(cut.id) == len(expected) / 16_000
        assert len(expected) < cut.num_samples  # trimmed


def test_lossy_and_resampled_audio_within_half_a_step(tmp_path: Path) -> None:
    cuts = [
        make_cut(tmp_path, "opus", format="OGG", subtype="OPUS"),
        make_cut(tmp_path, "telephone", rate_hz=8000),
    ]
    cache = AudioCache.build(cuts, CONFIG, tmp_path / "cache")
    for cut in cuts:
        expected = FrontEnd(CONFIG).cut_waveform(cut)
        peak = max(1.0, np.abs(expected).max())
        assert np.abs(cache[cut.id] - expected).max() <= 0.51 * peak / 32767


def test_more_than_full_scale_is_not_clipped(tmp_path: Path) -> None:
    wave = np.array([0.5, -2.5, 3.0, 0.25, -0.125] * 500, dtype=np.float32)
    soundfile.write(tmp_path / "loud.wav", wave, 16_000, subtype="FLOAT")
    cut = manifest.new_cut(
        "loud", tmp_path / "loud.wav", sample_rate_hz=16_000, num_samples=2500, text="큰소리"
    )
    cache = AudioCache.build([cut], FrontEndConfig(), tmp_path / "cache")
    assert np.abs(cache["loud"] - wave).max() <= 3.0 / 32768


def test_features_from_the_cache_are_those_of_the_direct_path(tmp_path: Path) -> None:
    cut = make_cut(tmp_path, "opus", num_samples=32_000, format="OGG", subtype="OPUS")
    front_end = FrontEnd(CONFIG)
    cached = front_end.extract(AudioCache.build([cut], CONFIG, tmp_path / "cache")["opus"])
    direct = front_end.extract(front_end.cut_waveform(cut))
    assert cached.shape == direct.shape
    assert (cached - direct).abs().max() < 0.05  # of a standard deviation, in the quietest bin


def test_a_valid_cache_is_reused_whatever_the_order(cuts: list[MonoCut], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    AudioCache.build(cuts, CONFIG, folder)
    before = files(folder)
    AudioCache.build(reversed(cuts), dataclasses.replace(CONFIG, num_mels=40), folder)
    assert files(folder) == before
    assert len(before) == 2


@pytest.mark.parametrize(
    "change", [{"trim_db": 20.0}, {"trim_db": None}, {"sample_rate_hz": 8000}], ids=str
)
def test_other_audio_settings_are_another_cache(
    cuts: list[MonoCut], change: dict[str, object]
) -> None:
    other = dataclasses.replace(CONFIG, **change)  # type: ignore[arg-type]
    assert cache_key(cuts, other) != cache_key(cuts, CONFIG)


def test_another_file_or_stretch_is_another_cache(cuts: list[MonoCut]) -> None:
    before = cache_key(cuts, CONFIG)
    shorter = [cuts[0].truncate(duration=0.5), *cuts[1:]]
    assert cache_key(shorter, CONFIG) != before
    assert cache_key(cuts[:2], CONFIG) != before
    source = cuts[0].recording.sources[0].source
    os.utime(source, ns=(1, 1))
    assert cache_key(cuts, CONFIG) != before


@pytest.mark.parametrize("damage", ["cut", "index", "no index", "no samples"])
def test_a_damaged_cache_is_rebuilt(cuts: list[MonoCut], tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "cache"
    good = dict(AudioCache.build(cuts, CONFIG, folder))
    (index,), (samples,) = folder.glob("*.json"), folder.glob("*.npy")
    if damage == "cut":
        samples.write_bytes(samples.read_bytes()[:-7])
    elif damage == "index":
        index.write_text(index.read_text().replace('"offset": 0', '"offset": 1'))
    else:
        (index if damage == "no index" else samples).unlink()
    rebuilt = AudioCache.build(cuts, CONFIG, folder)
    assert all(np.array_equal(rebuilt[name], good[name]) for name in good)


def test_flipped_samples_are_named(cuts: list[MonoCut], tmp_path: Path) -> None:
    cache = AudioCache.build(cuts, CONFIG, tmp_path / "cache")
    cache.verify()
    content = bytearray(cache.samples_path.read_bytes())
    content[-5] ^= 0xFF
    cache.samples_path.write_bytes(content)
    damaged = AudioCache.build(cuts, CONFIG, tmp_path / "cache")
    assert len(damaged["u12000"])
    with pytest.raises(DataError, match=r"u15555 in .* is damaged: delete"):
        damaged.verify()


def test_a_failed_build_leaves_nothing_behind(cuts: list[MonoCut], tmp_path: Path) -> None:
    Path(cuts[1].recording.sources[0].source).write_bytes(b"no audio")
    with pytest.raises(AudioError, match="u9001"):
        AudioCache.build(cuts, CONFIG, tmp_path / "cache")
    assert not files(tmp_path / "cache")


def test_worker_processes_can_have_it(cuts: list[MonoCut], tmp_path: Path) -> None:
    cache = AudioCache.build(cuts, CONFIG, tmp_path / "cache")
    copy = pickle.loads(pickle.dumps(cache))
    assert np.array_equal(copy["u9001"], cache["u9001"])
    assert len(pickle.dumps(cache)) < 2000  # the way to the samples, not the samples


def test_nothing_and_twice_the_same_are_errors(cuts: list[MonoCut], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0 utterances"):
        AudioCache.build([], CONFIG, tmp_path)
    with pytest.raises(DataError, match="'u9001'"):
        AudioCache.build([*cuts, cuts[1]], CONFIG, tmp_path)


def test_the_file_is_plain_numpy(cuts: list[MonoCut], tmp_path: Path) -> None:
    cache = AudioCache.build(cuts, CONFIG, tmp_path / "cache")
    samples = np.load(cache.samples_path)
    assert samples.dtype == np.int16
    assert len(samples) == sum(entry.length for entry in cache.entries.values())
