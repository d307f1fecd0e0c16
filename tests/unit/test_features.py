"""The front end against librosa, alone against in company, and at its edges."""

import dataclasses
import io

import librosa
import numpy as np
import pytest
import soundfile
import torch

from malgwi import spectral
from malgwi.errors import AudioError, ConfigError, DataError
from malgwi.features import FrontEnd
from malgwi.front_end import PRESETS, FrontEndConfig, preset


def voice(num_samples: int, rate_hz: int = 16_000, seed: int = 0) -> np.ndarray:
    """Something like speech: a gliding tone with harmonics, pulsing, over noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(num_samples) / rate_hz
    phase = 2 * np.pi * (120 * time + 15 * np.sin(2 * np.pi * 1.3 * time))
    tone = sum(np.sin(k * phase) / k for k in range(1, 12)) * (0.2 + 0.2 * np.sin(9 * time) ** 2)
    return (0.3 * tone + 0.01 * rng.standard_normal(num_samples)).astype(np.float32)


def reference(y: np.ndarray, config: FrontEndConfig) -> np.ndarray:
    """What librosa and numpy make of ``config``, before normalisation: [T, D].

    Mirroring is done here: librosa 0.11 mirrors only a tail of the signal, one sample wrongly
    where that tail is no longer than the padding (here: 16,000 samples, n_fft 320, hop 160).
    """
    framing = {
        "n_fft": config.fft_length,
        "hop_length": config.hop_length,
        "win_length": config.window_length,
        "window": config.window,
        "center": config.center,
        "pad_mode": config.pad_mode,
    }
    y = np.pad(y * np.float32(config.gain), (0, config.append_length))
    if config.kind == "waveform":
        return y[:, None]
    if config.center and config.pad_mode == "reflect":
        y = np.pad(y, config.fft_length // 2, mode="reflect")
        framing["center"] = False
    if config.kind == "log_mel":
        values = librosa.feature.melspectrogram(
            y=y,
            sr=config.sample_rate_hz,
            power=config.power,
            n_mels=config.num_mels,
            fmin=config.f_min_hz,
            fmax=config.f_max_hz,
            htk=config.mel_scale == "htk",
            norm=config.mel_norm,
            **framing,
        )
    else:
        values = np.abs(librosa.stft(y, **framing)) ** config.power
    scaled = {
        "linear": lambda: values,
        "log1p": lambda: np.log1p(values),
        "ln": lambda: np.log(np.maximum(values, config.floor)),
        "log10": lambda: np.log10(np.maximum(values, config.floor)),
        "whisper": lambda: (
            librosa.power_to_db(values, ref=1.0, amin=config.floor, top_db=80) / 40 + 1
        ),
        "db": lambda: librosa.power_to_db(values, ref=1.0, amin=config.floor, top_db=config.top_db),
    }[config.scale]()
    return scaled.T


def normalized(values: np.ndarray, config: FrontEndConfig) -> np.ndarray:
    """Normalise as ``config`` says, in numpy."""
    axis = 0 if config.normalize_per == "bin" else None
    if config.normalize == "none":
        return values
    values = values - values.mean(axis=axis, keepdims=True)
    if config.normalize == "utterance_mean":
        return values
    return values / values.std(axis=axis, keepdims=True)


def check_close(ours: torch.Tensor, theirs: np.ndarray) -> None:
    """1e-4, absolutely or against the largest value."""
    assert ours.shape == theirs.shape
    assert ours.dtype == torch.float32
    np.testing.assert_allclose(
        ours.numpy(), theirs, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(theirs).max()) / 100)
    )


@pytest.mark.parametrize("name", sorted(PRESETS))
@pytest.mark.parametrize("num_samples", [16_000, 23_457])
def test_every_preset_equals_librosa(name: str, num_samples: int) -> None:
    config = PRESETS[name]
    y = voice(num_samples, config.sample_rate_hz)
    front_end = FrontEnd(config)
    if config.normalize == "global":  # of this utterance alone, the same as "utterance"
        front_end.fit_global([y])
    check_close(front_end.extract(y), normalized(reference(y, config), config))


def test_librosa_preset_is_librosas_default() -> None:
    y = voice(20_000)
    mel = librosa.feature.melspectrogram(y=y, sr=16_000)
    check_close(FrontEnd(preset("librosa_log_mel")).extract(y), librosa.power_to_db(mel).T)


@pytest.mark.parametrize(
    "changes",
    [
        {"mel_scale": "htk", "mel_norm": None},
        {"mel_scale": "htk", "mel_norm": "slaney", "f_min_hz": 60.0, "f_max_hz": 7600.0},
        {"mel_scale": "slaney", "mel_norm": None, "power": 1},
        {"window": "hamming", "pad_mode": "reflect", "scale": "log10"},
        {"center": False, "scale": "db", "top_db": 30.0},
        {"n_fft": 1024, "window_ms": 20.0, "hop_ms": 12.5, "gain": 32768.0},
        {"kind": "spectrogram", "power": 2, "scale": "db", "top_db": None},
        {"floor": 1e-3, "scale": "ln"},
        {"n_fft": 401},
    ],
    ids=str,
)
def test_every_setting_equals_librosa(changes: dict[str, object]) -> None:
    config = FrontEndConfig(normalize="none", num_mels=40, **changes)  # type: ignore[arg-type]
    y = voice(17_000)
    check_close(FrontEnd(config).extract(y), reference(y, config))


def test_decibels_of_magnitudes_are_those_of_energies() -> None:
    y = voice(8000)
    magnitudes = FrontEndConfig(
        kind="spectrogram", power=1, scale="db", floor=1e-5, top_db=60, normalize="none"
    )
    stft = np.abs(librosa.stft(y, n_fft=512, hop_length=160, win_length=400))
    check_close(FrontEnd(magnitudes).extract(y), librosa.amplitude_to_db(stft, top_db=60).T)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", ["slaney", None])
def test_mel_filters_equal_librosa(scale: str, norm: str | None) -> None:
    ours = spectral.mel_filters(
        sample_rate_hz=8000,
        n_fft=512,
        num_mels=40,
        f_min_hz=100,
        f_max_hz=3800,
        scale=scale,  # type: ignore[arg-type]
        norm=norm,  # type: ignore[arg-type]
    )
    theirs = librosa.filters.mel(
        sr=8000, n_fft=512, n_mels=40, fmin=100, fmax=3800, htk=scale == "htk", norm=norm
    )
    np.testing.assert_allclose(ours.numpy().T, theirs, atol=1e-7)


def test_preemphasis_equals_librosa() -> None:
    y = voice(9000)
    emphasized = librosa.effects.preemphasis(y, coef=0.97, zi=np.zeros(1, np.float32))
    ours = FrontEnd(FrontEndConfig(preemphasis=0.97)).extract(y)
    np.testing.assert_allclose(ours, FrontEnd(FrontEndConfig()).extract(emphasized), atol=1e-4)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_same_numbers_alone_and_in_a_batch_of_garbage_padding(name: str) -> None:
    config = PRESETS[name]
    front_end = FrontEnd(config)
    utterances = [voice(n, seed=n) for n in (16_000, 700, 4801, 12_345, 0)]
    if config.normalize == "global":
        front_end.fit_global(utterances)
    lengths = torch.tensor([len(u) for u in utterances])
    waveforms = torch.full((5, 16_000), 9.9)  # a batch whose padding was never cleared
    for row, utterance in zip(waveforms, utterances, strict=True):
        row[: len(utterance)] = torch.from_numpy(utterance)
    features, feature_lengths = front_end(waveforms, lengths)
    assert feature_lengths.tolist() == front_end.num_frames(lengths).tolist()
    assert features.shape == (5, int(feature_lengths.max()), config.num_features)
    for row, length, utterance in zip(features, feature_lengths, utterances, strict=True):
        alone = front_end.extract(utterance)
        assert len(alone) == length
        scale = max(1.0, float(alone.abs().max())) if alone.numel() else 1.0
        assert (row[:length] - alone).abs().max().item() < 1e-5 * scale if length else True
        assert not row[length:].any()


def test_the_blockwise_path_equals_the_whole_batch_at_once() -> None:
    """A CPU takes a row at a time, a GPU the whole batch: both must give the same."""
    front_end = FrontEnd(preset("team_2019"))
    waveforms = torch.from_numpy(np.stack([voice(8000, seed=s) for s in range(3)]))
    lengths = torch.tensor([8000, 5000, 6543])
    features, feature_lengths = front_end._unnormalized(waveforms, lengths)
    padded = spectral.pad_each(waveforms, lengths, 256, "reflect")[:, : 512 + 62 * 128]
    mask = spectral.within(feature_lengths, 63)
    assert torch.allclose(front_end._scaled(front_end._energy(padded), mask), features, atol=1e-4)


def test_short_and_empty_input() -> None:
    centred, plain = FrontEnd(preset("quick")), FrontEnd(preset("organisers_2019"))
    assert centred.extract(voice(1)).shape == (1, 80)
    assert centred.extract(voice(100)).shape == (1, 80)
    assert plain.extract(voice(511)).shape == (0, 257)
    assert plain.extract(voice(512)).shape == (1, 257)
    assert centred.extract(voice(0)).shape == (0, 80)
    mirrored = FrontEnd(dataclasses.replace(preset("quick"), pad_mode="reflect", normalize="none"))
    y = voice(40)  # shorter than the padding, so mirrored again and again
    padded = np.pad(y, 256, mode="reflect")
    spectrum = np.abs(librosa.stft(padded, n_fft=512, hop_length=160, win_length=400, center=False))
    mel = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=80) @ spectrum**2
    check_close(mirrored.extract(y), np.log(np.maximum(mel, 1e-10)).T)


def test_silence_is_finite() -> None:
    for name, config in PRESETS.items():
        front_end = FrontEnd(config)
        silence = np.zeros(8000, np.float32)
        if config.normalize == "global":
            front_end.fit_global([silence])
        assert front_end.extract(silence).isfinite().all(), name


def test_float32_even_under_autocast_and_in_half_precision_input() -> None:
    front_end, y = FrontEnd(preset("quick")), torch.from_numpy(voice(8000))[None]
    lengths = torch.tensor([8000])
    expected, _ = front_end(y, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features, _ = front_end(y, lengths)
    assert features.dtype == torch.float32
    assert torch.equal(features, expected)


def test_does_not_change_its_input_nor_ask_for_gradients() -> None:
    y = torch.from_numpy(voice(8000))[None]
    before = y.clone()
    features, _ = FrontEnd(preset("organisers_2019"))(y, torch.tensor([6000]))
    assert torch.equal(y, before)
    assert not features.requires_grad


def test_training_mode_changes_nothing() -> None:
    """Augmentation is no part of the front end, so there is no switch to forget."""
    front_end, y = FrontEnd(preset("quick")), voice(8000)
    assert torch.equal(front_end.train().extract(y), front_end.eval().extract(y))


def test_utterance_statistics() -> None:
    features = FrontEnd(preset("quick")).extract(voice(32_000))
    assert features.mean(0).abs().max() < 1e-4
    assert (features.std(0, correction=0) - 1).abs().max() < 1e-3


@pytest.mark.parametrize("per", ["bin", "all"])
def test_global_statistics_travel_with_the_weights(per: str) -> None:
    config = FrontEndConfig(normalize="global", normalize_per=per)  # type: ignore[arg-type]
    utterances = [voice(9000, seed=1), voice(20_000, seed=2), voice(0)]
    front_end = FrontEnd(config)
    with pytest.raises(ConfigError, match="fit_global"):
        front_end.extract(utterances[0])
    front_end.fit_global(utterances)
    plain = dataclasses.replace(config, normalize="none")
    frames = np.concatenate([FrontEnd(plain).extract(u).numpy() for u in utterances])
    axis = 0 if per == "bin" else None
    expected = (frames - frames.mean(axis)) / frames.std(axis)
    ours = torch.cat([front_end.extract(u) for u in utterances])
    np.testing.assert_allclose(ours, expected, atol=2e-4)
    loaded = FrontEnd(config)
    loaded.load_state_dict(front_end.state_dict())
    assert torch.equal(loaded.extract(utterances[0]), front_end.extract(utterances[0]))


def test_only_learned_statistics_are_weights() -> None:
    assert not FrontEnd(preset("quick")).state_dict()
    assert set(FrontEnd(preset("las_2015")).state_dict()) == {
        "global_mean",
        "global_std",
        "num_fitted",
    }


def test_global_statistics_of_nothing() -> None:
    with pytest.raises(DataError, match="no frames"):
        FrontEnd(preset("las_2015")).fit_global([])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"sample_rate_hz": 0}, "sample_rate_hz=0"),
        ({"n_fft": 256}, "n_fft=256 is shorter than the window of 400"),
        ({"f_max_hz": 9000.0}, "past half of sample_rate_hz=16000"),
        ({"f_min_hz": 500.0, "f_max_hz": 400.0}, "500.0 Hz to 400.0 Hz is empty"),
        ({"top_db": 80.0}, "top_db needs scale='db'"),
        ({"hop_ms": 0.0}, "hop_ms=0.0"),
        ({"power": 3}, "power=3"),
        ({"floor": 0.0}, "floor=0.0"),
    ],
)
def test_contradictions_are_named(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        FrontEndConfig(**changes)  # type: ignore[arg-type]


def test_more_bands_than_bins_is_an_error() -> None:
    with pytest.raises(ConfigError, match="hold no frequency bin"):
        FrontEnd(FrontEndConfig(num_mels=200))


def test_unknown_preset() -> None:
    with pytest.raises(ConfigError, match="did you mean 'clovacall'"):
        preset("clova_call")


def test_a_length_past_the_batch_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="801"):
        FrontEnd(preset("quick"))(torch.zeros(1, 800), torch.tensor([801]))


def wav_bytes(y: np.ndarray, rate_hz: int = 16_000) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, y, rate_hz, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def test_waveform_trims_as_librosa_does() -> None:
    y = np.concatenate([np.zeros(7000, np.float32), voice(16_000), np.zeros(9000, np.float32)])
    source = wav_bytes(y)
    front_end = FrontEnd(dataclasses.replace(preset("quick"), trim_db=25.0))
    whole = FrontEnd(preset("quick")).waveform(source)
    expected, _ = librosa.effects.trim(whole, top_db=25)
    assert np.array_equal(front_end.waveform(source), expected)
    assert 16_000 <= len(expected) < len(whole)


def test_waveform_resamples_to_the_front_ends_rate() -> None:
    samples = FrontEnd(preset("telephone")).waveform(wav_bytes(voice(16_000)))
    assert samples.shape == (8000,)
    assert samples.dtype == np.float32


def test_waveform_of_rubbish_is_an_audio_error() -> None:
    with pytest.raises(AudioError):
        FrontEnd(preset("quick")).waveform(b"this is not audio at all")


def test_audio_settings_name_what_decides_the_waveform() -> None:
    settings = preset("quick").audio_settings()
    assert settings["sample_rate_hz"] == 16_000
    assert set(settings) <= {field.name for field in dataclasses.fields(FrontEndConfig)}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_same_numbers_on_a_gpu() -> None:
    waveforms = torch.from_numpy(np.stack([voice(8000, seed=s) for s in range(3)]))
    lengths = torch.tensor([8000, 300, 6543])
    front_end = FrontEnd(preset("team_2019"))
    expected, _ = front_end(waveforms, lengths)
    features, _ = front_end.cuda()(waveforms.cuda(), lengths.cuda())
    assert torch.allclose(features.cpu(), expected, atol=1e-3)
