"""Laws of the front end and of augmentation, whatever the settings, lengths and signals."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi.augment import SpecAugmentConfig, spec_augment
from malgwi.features import FrontEnd
from malgwi.front_end import FrontEndConfig
from malgwi.spectral import hz_to_mel, mel_to_hz, pad_each

SPECTRA = st.builds(
    FrontEndConfig,
    sample_rate_hz=st.sampled_from([8000, 16_000]),
    kind=st.sampled_from(["log_mel", "spectrogram"]),
    num_mels=st.integers(1, 24),
    window_ms=st.sampled_from([20.0, 25.0, 32.0]),
    hop_ms=st.sampled_from([5.0, 8.0, 10.0, 12.5]),
    window=st.sampled_from(["hann", "hamming"]),
    center=st.booleans(),
    pad_mode=st.sampled_from(["constant", "reflect"]),
    power=st.sampled_from([1, 2]),
    mel_scale=st.sampled_from(["htk", "slaney"]),
    scale=st.sampled_from(["ln", "log10", "db", "log1p", "linear", "whisper"]),
    floor=st.sampled_from([1e-10, 1e-5]),
    append_ms=st.sampled_from([0.0, 30.0]),
    preemphasis=st.sampled_from([0.0, 0.97]),
    normalize=st.sampled_from(["none", "utterance_mean", "utterance"]),
    normalize_per=st.sampled_from(["bin", "all"]),
)
WAVEFORMS = st.builds(
    FrontEndConfig,
    kind=st.just("waveform"),
    append_ms=st.sampled_from([0.0, 30.0]),
    normalize=st.sampled_from(["none", "utterance_mean", "utterance"]),
)
CONFIGS = st.one_of(SPECTRA, SPECTRA, WAVEFORMS)
LENGTHS = st.lists(st.integers(0, 3000), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(config=CONFIGS, lengths=LENGTHS, seed=st.integers(0, 99))
def test_company_does_not_matter(config: FrontEndConfig, lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    waveforms = torch.from_numpy(rng.uniform(-1, 1, (len(lengths), max(lengths) + 7))).float()
    front_end = FrontEnd(config)
    features, feature_lengths = front_end(waveforms, torch.tensor(lengths))
    assert features.shape[1] == max(feature_lengths)
    assert features.isfinite().all()
    for row, frames, wave, length in zip(
        features, feature_lengths, waveforms, lengths, strict=True
    ):
        alone = front_end.extract(wave[:length].numpy())
        assert len(alone) == frames
        torch.testing.assert_close(row[:frames], alone, rtol=1e-5, atol=1e-5)
        assert not row[frames:].any()


@settings(max_examples=100, deadline=None)
@given(config=CONFIGS, length=st.integers(0, 20_000))
def test_number_of_frames_is_foretold(config: FrontEndConfig, length: int) -> None:
    front_end = FrontEnd(config)
    foretold = int(front_end.num_frames(torch.tensor(length)))
    assert len(front_end.extract(np.ones(length, np.float32))) == foretold


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    pad=st.integers(1, 90),
    mode=st.sampled_from(["constant", "reflect"]),
)
def test_padding_is_numpys(lengths: list[int], pad: int, mode: str) -> None:
    waveforms = torch.arange(1.0, 1 + len(lengths) * 40).reshape(len(lengths), 40)
    padded = pad_each(waveforms, torch.tensor(lengths), pad, mode)  # type: ignore[arg-type]
    for row, wave, length in zip(padded, waveforms, lengths, strict=True):
        expected = np.pad(wave[:length].numpy(), pad, mode=mode)  # type: ignore[call-overload]
        assert np.array_equal(row[: length + 2 * pad], expected)
        assert not row[length + 2 * pad :].any()


@given(hz=st.floats(0, 8000), scale=st.sampled_from(["htk", "slaney"]))
def test_mels_and_back(hz: float, scale: str) -> None:
    there = hz_to_mel(np.array([hz]), scale)  # type: ignore[arg-type]
    np.testing.assert_allclose(mel_to_hz(there, scale), [hz], rtol=1e-9, atol=1e-9)  # type: ignore[arg-type]


@settings(max_examples=80, deadline=None)
@given(
    config=st.builds(
        SpecAugmentConfig,
        time_warp=st.integers(0, 60),
        freq_mask_width=st.integers(0, 60),
        num_freq_masks=st.integers(0, 3),
        time_mask_width=st.integers(0, 200),
        num_time_masks=st.integers(0, 3),
        max_time_fraction=st.floats(0, 1),
        adaptive_multiplicity=st.none() | st.floats(0, 0.1),
    ),
    lengths=st.lists(st.integers(0, 200), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_augmentation_keeps_shape_padding_and_range(
    config: SpecAugmentConfig, lengths: list[int], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(len(lengths), max(lengths), 20, generator=generator)
    augmented = spec_augment(features, torch.tensor(lengths), config, generator)
    assert augmented.shape == features.shape
    assert augmented.isfinite().all()
    for before, after, length in zip(features, augmented, lengths, strict=True):
        assert torch.equal(before[length:], after[length:])
        if length:  # between frames of its own, or hidden
            low = before[:length].amin(0).clamp(max=0)
            high = before[:length].amax(0).clamp(min=0)
            assert (after[:length] >= low - 1e-6).all()
            assert (after[:length] <= high + 1e-6).all()
