"""Every format in, wrong files refused, trimming equal to librosa's."""

import struct
from io import BytesIO
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from malgwi import audio, manifest
from malgwi.audio import RawFormat, load, load_cut, probe, trim_bounds
from malgwi.errors import AudioError, MissingExtraError

RATE = 16_000


def tone(rate_hz: int = RATE, seconds: float = 1.5, hz: float = 300.0) -> np.ndarray:
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    return (0.4 * np.sin(2 * np.pi * hz * t) * (1 + 0.3 * np.sin(7 * t))).astype(np.float32)


def put(path: Path, samples: np.ndarray, rate_hz: int, container: str, subtype: str) -> Path:
    soundfile.write(path, samples, rate_hz, format=container, subtype=subtype)
    return path


# container, subtype, rate, least signal-to-noise ratio in dB
FORMATS = [
    ("WAV", "PCM_U8", 8_000, 35),
    ("WAV", "PCM_16", 16_000, 75),
    ("WAV", "PCM_24", 44_100, 110),
    ("WAV", "PCM_32", 48_000, 120),
    ("WAV", "FLOAT", 16_000, 140),
    ("WAV", "DOUBLE", 11_025, 140),
    ("WAV", "ULAW", 8_000, 30),
    ("WAV", "ALAW", 8_000, 30),
    ("WAV", "GSM610", 8_000, 10),
    ("WAV", "IMA_ADPCM", 8_000, 15),
    ("WAVEX", "PCM_16", 16_000, 75),
    ("FLAC", "PCM_16", 22_050, 75),
    ("OGG", "VORBIS", 16_000, 15),
    ("OGG", "OPUS", 8_000, 10),
    ("OGG", "OPUS", 16_000, 10),
    ("OGG", "OPUS", 24_000, 10),
    ("OGG", "OPUS", 48_000, 10),
    ("MP3", "MPEG_LAYER_III", 16_000, 15),
    ("MP3", "MPEG_LAYER_III", 44_100, 15),
]


def snr_db(clean: np.ndarray, noisy: np.ndarray) -> float:
    error = np.mean((clean - noisy) ** 2)
    return float(10 * np.log10(np.mean(clean**2) / max(error, 1e-20)))


@pytest.mark.parametrize(("container", "subtype", "rate_hz", "least_db"), FORMATS)
def test_every_format_comes_back(
    tmp_path: Path, container: str, subtype: str, rate_hz: int, least_db: float
) -> None:
    clean = tone(rate_hz)
    path = put(tmp_path / "sound", clean, rate_hz, container, subtype)
    info = probe(path)
    assert info.sample_rate_hz == rate_hz
    assert info.channels == 1
    assert info.duration_s == pytest.approx(1.5, abs=0.045)  # GSM and ADPCM fill their last block
    samples = load(path, sample_rate_hz=rate_hz)
    assert samples.dtype == np.float32
    assert samples.shape == (info.num_samples,)
    assert snr_db(clean, samples[: len(clean)]) > least_db
    assert np.array_equal(load(path.read_bytes(), sample_rate_hz=rate_hz), samples)


@pytest.mark.parametrize(("container", "subtype", "rate_hz", "_db"), FORMATS)
def test_a_stretch_equals_the_same_stretch_of_the_whole(
    tmp_path: Path, container: str, subtype: str, rate_hz: int, _db: float
) -> None:
    path = put(tmp_path / "sound", tone(rate_hz), rate_hz, container, subtype)
    whole = load(path, sample_rate_hz=rate_hz)
    for start_s in (0.0, 0.11, 0.7, 1.2):
        part = load(path, sample_rate_hz=rate_hz, start_s=start_s, duration_s=0.25)
        start = round(start_s * rate_hz)
        assert len(part) == round(0.25 * rate_hz)
        # Opus converges over 80 ms before the place sought; the rest is exact but for rounding.
        tolerance = 2e-3 if subtype == "OPUS" else 1e-6
        np.testing.assert_allclose(part, whole[start : start + len(part)], atol=tolerance)


@pytest.mark.parametrize("from_hz", [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("to_hz", [8_000, 16_000])
def test_resampling_keeps_pitch_and_length(tmp_path: Path, from_hz: int, to_hz: int) -> None:
    path = put(tmp_path / "a.wav", tone(from_hz), from_hz, "WAV", "FLOAT")
    samples = load(path, sample_rate_hz=to_hz)
    assert abs(len(samples) - 1.5 * to_hz) <= 1
    middle = slice(to_hz // 10, to_hz)
    assert snr_db(tone(to_hz)[middle], samples[middle]) > 60


def test_resampling_removes_what_the_lower_rate_cannot_hold(tmp_path: Path) -> None:
    path = put(tmp_path / "a.wav", tone(48_000, hz=7_000), 48_000, "WAV", "FLOAT")
    assert np.abs(load(path, sample_rate_hz=8_000)[800:-800]).max() < 1e-3


@pytest.mark.parametrize("rate_hz", [8_000, 12_000, 16_000, 24_000, 48_000])
def test_opus_of_any_rate_keeps_its_pitch(tmp_path: Path, rate_hz: int) -> None:
    path = put(tmp_path / "a.opus", tone(rate_hz, hz=440), rate_hz, "OGG", "OPUS")
    samples = load(path, sample_rate_hz=16_000)
    assert len(samples) == pytest.approx(24_000, abs=2)
    peak_hz = np.argmax(np.abs(np.fft.rfft(samples))) / 1.5
    assert peak_hz == pytest.approx(440, abs=1.5)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_headerless_pcm(tmp_path: Path, width: int, channels: int) -> None:
    subtype = {1: "PCM_U8", 2: "PCM_16", 3: "PCM_24", 4: "PCM_32"}[width]
    sound = np.stack([tone(8_000), tone(8_000, hz=500)][:channels], axis=1)
    path = tmp_path / "a.pcm"
    soundfile.write(path, sound, 8_000, format="RAW", subtype=subtype, endian="LITTLE")
    raw = RawFormat(sample_rate_hz=8_000, bytes_per_sample=width, channels=channels)
    assert probe(path, raw=raw).num_samples == 12_000
    samples = load(path, sample_rate_hz=8_000, raw=raw, channels=channels - 1)
    assert snr_db(sound[:, channels - 1], samples) > 30


def test_headerless_pcm_matches_struct() -> None:
    values = [0, 1, -1, 32_767, -32_768]
    samples = load(
        struct.pack("<5h", *values), sample_rate_hz=16_000, raw=RawFormat(sample_rate_hz=16_000)
    )
    assert samples.tolist() == [v / 32_768 for v in values]


def test_odd_length_of_pcm_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "odd.pcm"
    path.write_bytes(b"\0" * 1001)
    with pytest.raises(AudioError, match=r"odd\.pcm: 1001 bytes is not a whole number"):
        load(path, sample_rate_hz=16_000, raw=RawFormat(sample_rate_hz=16_000))


@pytest.mark.parametrize(
    ("container", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "OPUS")]
)
def test_a_header_is_never_read_as_samples(tmp_path: Path, container: str, subtype: str) -> None:
    path = put(tmp_path / "a.pcm", tone(), RATE, container, subtype)
    path.write_bytes(path.read_bytes() + b"\0" * (path.stat().st_size % 2))
    with pytest.raises(AudioError, match=r"a\.pcm: declared headerless PCM, but begins with"):
        load(path, sample_rate_hz=RATE, raw=RawFormat(sample_rate_hz=RATE))
    path.rename(tmp_path / "a.raw")  # a name that soundfile would take for headerless
    assert len(load(tmp_path / "a.raw", sample_rate_hz=RATE)) == 24_000


def test_channels_are_refused_chosen_or_mixed(tmp_path: Path) -> None:
    left, right = tone(), tone(hz=700)
    path = put(tmp_path / "call.wav", np.stack([left, right], 1), RATE, "WAV", "FLOAT")
    with pytest.raises(AudioError, match=r"call\.wav: has 2 channels"):
        load(path, sample_rate_hz=RATE)
    assert np.array_equal(load(path, sample_rate_hz=RATE, channels=0), left)
    assert np.array_equal(load(path, sample_rate_hz=RATE, channels=1), right)
    mixed = load(path, sample_rate_hz=RATE, channels="mix")
    np.testing.assert_allclose(mixed, (left + right) / 2, atol=1e-7)
    with pytest.raises(AudioError, match="channel 2 wanted, but it has 2"):
        load(path, sample_rate_hz=RATE, channels=2)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "GSM610"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
     ("MP3", "MPEG_LAYER_III")],
)  # fmt: skip
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.97])
def test_truncated_files_are_refused(
    tmp_path: Path, container: str, subtype: str, kept: float
) -> None:
    content = put(tmp_path / "whole", tone(8_000, 4), 8_000, container, subtype).read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(AudioError, match=r"cut: .*(truncated|cannot be decoded)"):
        load(path, sample_rate_hz=8_000)


def test_a_wav_from_a_pipe_does_not_know_its_length(tmp_path: Path) -> None:
    content = bytearray(put(tmp_path / "a.wav", tone(), RATE, "WAV", "PCM_16").read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    assert len(load(bytes(content), sample_rate_hz=RATE)) == 24_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"RIFF", "truncated or damaged"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "truncated or damaged"),
        (b"OggS\0\2", "truncated: the last Ogg page is not whole"),
        ("이것은 소리가 아닙니다".encode() * 20, "cannot be decoded .*if it is headerless PCM"),
    ],
)
def test_what_is_not_audio_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=rf"bad\.wav: {message}"):
        load(path, sample_rate_hz=RATE)


def test_missing_file_and_file_without_samples(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no such audio file"):
        load(tmp_path / "nowhere.wav", sample_rate_hz=RATE)
    with pytest.raises(AudioError, match="no such audio file"):
        probe(tmp_path)
    path = put(tmp_path / "none.wav", np.zeros(0, np.float32), RATE, "WAV", "PCM_16")
    with pytest.raises(AudioError, match=r"none\.wav: holds no samples"):
        load(path, sample_rate_hz=RATE)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    samples = tone()
    samples[100] = bad
    path = put(tmp_path / "nan.wav", samples, RATE, "WAV", "FLOAT")
    with pytest.raises(AudioError, match=r"nan\.wav: holds samples that are not numbers"):
        load(path, sample_rate_hz=RATE)


@given(
    content=st.binary(min_size=1, max_size=400),
    magic=st.sampled_from([b"", b"RIFF", b"OggS", b"fLaC", b"ID3"]),
)
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_samples_or_an_audio_error(content: bytes, magic: bytes) -> None:
    try:
        samples = load(magic + content, sample_rate_hz=RATE, channels="mix")
    except (AudioError, MissingExtraError):
        return
    assert np.isfinite(samples).all()


def test_stretches_outside_of_the_file_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "a.wav", tone(), RATE, "WAV", "PCM_16")
    assert len(load(path, sample_rate_hz=RATE, start_s=1.0, duration_s=0.52)) == 8_000
    for start_s, duration_s in [(1.5, None), (-0.1, None), (0.0, 0.0), (1.0, 0.6)]:
        with pytest.raises(AudioError, match=r"a\.wav: asked for"):
            load(path, sample_rate_hz=RATE, start_s=start_s, duration_s=duration_s)


def test_an_mp4_without_pyav_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"malgwi\[media\]"):
        load(b"\0\0\0\x20ftypM4A " + b"\0" * 100, sample_rate_hz=RATE)


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_media_files_through_pyav(tmp_path: Path, container: str) -> None:
    av = pytest.importorskip("av", reason="PyAV is the extra `media`")
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream("aac", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone()[None], format="fltp", layout="mono")
        frame.sample_rate = 16_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    samples = load(path, sample_rate_hz=8_000)
    assert len(samples) == pytest.approx(12_000, abs=1_100)  # AAC pads both ends
    assert probe(path).codec == "aac"
    peak_hz = np.argmax(np.abs(np.fft.rfft(samples))) * 8_000 / len(samples)
    assert peak_hz == pytest.approx(300, abs=2)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(AudioError, match=r"cannot be decoded|holds no samples"):
        load(path, sample_rate_hz=8_000)


def test_cuts_carry_stretch_channel_and_raw_format(tmp_path: Path) -> None:
    raw = RawFormat(sample_rate_hz=8_000, channels=2)
    path = tmp_path / "a.pcm"
    sound = np.stack([tone(8_000), tone(8_000, hz=500)], 1)
    soundfile.write(path, sound, 8_000, format="RAW", subtype="PCM_16", endian="LITTLE")
    custom = {"raw": {"sample_rate_hz": 8_000, "bytes_per_sample": 2, "channels": 2}}
    facts = {"sample_rate_hz": 8_000, "num_samples": 12_000, "num_channels": 2, "text": "네"}
    cut = manifest.new_cut(
        "u", path, start_s=0.5, duration_s=0.25, channel=1, custom=custom, **facts
    )
    manifest.write([cut], tmp_path / "m.jsonl")
    (again,) = manifest.read(tmp_path / "m.jsonl")
    np.testing.assert_allclose(
        load_cut(again, sample_rate_hz=8_000), sound[4_000:6_000, 1], atol=1e-4
    )
    mixed = manifest.new_cut("v", path, custom={**custom, "channels": "mix"}, **facts)
    np.testing.assert_allclose(load_cut(mixed, sample_rate_hz=8_000), sound.mean(1), atol=1e-4)
    assert np.array_equal(
        load_cut(mixed, sample_rate_hz=8_000, channels=0),
        load(path, sample_rate_hz=8_000, raw=raw, channels=0),
    )
    lost = manifest.new_cut("w", tmp_path / "lost.wav", **facts)
    with pytest.raises(AudioError, match=r"utterance w: .*lost\.wav: no such audio file"):
        load_cut(lost, sample_rate_hz=8_000)


def near_threshold(samples: np.ndarray, top_db: float, frame: int, hop: int) -> bool:
    """Whether some frame lies so close to the threshold that rounding decides."""
    rms = librosa.feature.rms(y=samples, frame_length=frame, hop_length=hop)[0]
    level = librosa.amplitude_to_db(rms.astype(np.float64), ref=np.max, top_db=None)
    return bool(np.any(np.abs(level + top_db) < 1e-3))


@st.composite
def signals(draw: st.DrawFn) -> np.ndarray:
    """Silence, tones, noise and clicks in any order and of any loudness."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pieces = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["silence", "constant", "noise", "click"]),
                st.integers(1, 6_000),
                st.floats(1e-6, 1.0),
            ),
            min_size=1,
            max_size=6,
        )
    )
    parts = []
    for kind, length, gain in pieces:
        part = np.zeros(length)
        if kind == "constant":
            part += gain
        elif kind == "noise":
            part = gain * generator.standard_normal(length)
        elif kind == "click":
            part[length // 2] = gain
        parts.append(part)
    return np.concatenate(parts).astype(np.float32)


@given(
    samples=signals(),
    top_db=st.floats(5, 80),
    frame=st.sampled_from([2048, 512, 400, 333]),
    hop=st.sampled_from([512, 160, 100]),
)
@example(samples=np.zeros(5_000, np.float32), top_db=25.0, frame=2048, hop=512)
@example(samples=np.full(5_000, 0.3, np.float32), top_db=25.0, frame=2048, hop=512)
@example(samples=np.zeros(1, np.float32), top_db=25.0, frame=2048, hop=512)
@example(samples=np.full(100, 0.1, np.float32), top_db=25.0, frame=2048, hop=512)
@settings(max_examples=200, deadline=None)
def test_trimming_equals_librosa(samples: np.ndarray, top_db: float, frame: int, hop: int) -> None:
    assume(not near_threshold(samples, top_db, frame, hop))
    bounds = trim_bounds(samples, top_db=top_db, frame_length=frame, hop_length=hop)
    _, expected = librosa.effects.trim(samples, top_db=top_db, frame_length=frame, hop_length=hop)
    assert bounds == tuple(expected)


def test_trimming_long_audio_works_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.concatenate([np.zeros(40_000), tone(), np.zeros(40_000)]).astype(np.float32)
    whole = trim_bounds(samples, top_db=25)
    monkeypatch.setattr(audio, "_TRIM_BLOCK", 7)
    assert trim_bounds(samples, top_db=25) == whole
    assert 38_000 < whole[0] < 40_001
    assert 63_999 < whole[1] < 66_000


def test_trimming_nothing_is_nothing() -> None:
    assert trim_bounds(np.zeros(0, np.float32), top_db=25) == (0, 0)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_mp3_seeks_are_accurate_far_into_a_file(tmp_path: Path, rate_hz: int) -> None:
    noise = np.random.default_rng(0).standard_normal(20 * rate_hz).astype(np.float32) * 0.1
    noise[: 8 * rate_hz] *= 0.01
    path = put(tmp_path / "a.mp3", noise, rate_hz, "MP3", "MPEG_LAYER_III")
    whole = load(path, sample_rate_hz=rate_hz)
    for start_s in (3.3, 7.9, 8.01, 15.0):
        part = load(path, sample_rate_hz=rate_hz, start_s=start_s, duration_s=1)
        start = round(start_s * rate_hz)
        np.testing.assert_allclose(part, whole[start : start + len(part)], atol=1e-6)


def test_opus_seeks_are_accurate_in_real_speech(shared_dir: Path) -> None:
    files = sorted((shared_dir / "speech" / "pansori").glob("*/*.opus"))[::400]
    for path in files:
        whole = load(path, sample_rate_hz=RATE)
        start_s = len(whole) / RATE / 2
        part = load(path, sample_rate_hz=RATE, start_s=start_s)
        assert snr_db(whole[-len(part) :], part) > 40, path


def test_bytes_are_named_by_their_number() -> None:
    sound = BytesIO()
    soundfile.write(sound, tone(), RATE, format="FLAC")
    with pytest.raises(AudioError, match="bytes of audio: asked for"):
        load(sound.getvalue(), sample_rate_hz=RATE, start_s=9)
