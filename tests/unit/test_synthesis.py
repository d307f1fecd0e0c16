"""Voices that differ, corpora that repeat bit for bit; with espeak-ng where it is installed."""

import io
import json
import random
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch

from malgwi import espeak
from malgwi.errors import DataError, MalgwiError
from malgwi.opus import encode_opus
from malgwi.synthesis import VOICES, SynthesisConfig, Voice, synthesize, write_corpus
from malgwi.text.pronounce import pronounce
from malgwi.text.sentences import SentenceConfig, choose, fill, generate

needs_program = pytest.mark.skipif(
    shutil.which(espeak.PROGRAM) is None, reason="the program espeak-ng is not installed"
)
VOICE = Voice(name="v", variant="f2")
SMALL = SentenceConfig(train=20, dev=2, test=3, least_count=0, least_distance=0.0)


def log_mel(voice: Voice) -> np.ndarray:
    """[24 bands, 100 frames] of one sentence without a line; the same words at the same places."""
    said = pronounce("안녕하세요 고객님 무엇을 도와드릴까요")
    speed = round(voice.speed_wpm / voice.tract)
    samples, rate = espeak.speak(said, voice.variant, pitch=voice.pitch, speed_wpm=speed)
    samples = soxr.resample(samples, round(rate * voice.tract), 8000)
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    wave = torch.from_numpy(samples[loud[0] : loud[-1]])
    window = torch.hann_window(256)
    power = torch.stft(wave, 256, 80, window=window, return_complex=True).abs() ** 2
    bands = power[6:102].reshape(24, 4, -1).mean(1)
    log = torch.log(bands + 1e-4 * bands.max())
    log = torch.nn.functional.interpolate(log[None], 100, mode="linear", align_corners=True)[0]
    return (log - log.mean()).numpy()


@needs_program
def test_every_variant_exists_and_all_voices_differ() -> None:
    voices = [voice for part in VOICES.values() for voice in part]
    espeak.check_variants(voice.variant for voice in voices)
    mels = [log_mel(voice) for voice in voices]
    nearest = min(
        (float(np.abs(a - b).mean()), one.name, other.name)
        for i, (a, one) in enumerate(zip(mels, voices, strict=True))
        for b, other in zip(mels[:i], voices[:i], strict=True)
    )
    assert nearest[0] > 0.4, nearest  # nats a band and frame; the median over pairs is above 1
    plain = log_mel(Voice(name="plain", variant="no-such-voice"))
    assert min(float(np.abs(plain - mel).mean()) for mel in mels) > 0.2


def test_parts_share_no_variant_and_training_has_at_least_24() -> None:
    variants = {part: {voice.variant for voice in voices} for part, voices in VOICES.items()}
    assert len(variants["train"]) >= 24
    assert not variants["train"] & variants["dev"]
    assert not (variants["train"] | variants["dev"]) & variants["test"]


@needs_program
def test_an_unknown_variant_is_refused_since_it_would_give_the_plain_voice() -> None:
    with pytest.raises(MalgwiError, match="no voice variant f99, zzz"):
        espeak.check_variants(["f2", "zzz", "f99"])
    assert np.array_equal(espeak.speak("말", "zzz")[0], espeak.speak("말", "yyy")[0])


def test_a_missing_program_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MalgwiError, match="apt install espeak-ng"):
        espeak.speak("말", "f2")


@needs_program
def test_the_pronounced_spelling_and_read_numbers_reach_the_program() -> None:
    def said(text: str) -> np.ndarray:
        return synthesize(text, VOICE, SynthesisConfig(), np.random.default_rng(3))

    assert np.array_equal(said("국물 3개"), said("궁물 세개"))
    assert not np.array_equal(said("국물"), said("국밥"))


@needs_program
def test_utterances_have_quiet_edges_and_vary() -> None:
    rng = np.random.default_rng(0)
    config = SynthesisConfig(edge_s=(0.2, 0.2))
    first, second = (synthesize("네 고객님", VOICE, config, rng) for _ in range(2))
    assert first.size != second.size
    for samples in (first, second):
        edges = np.concatenate([samples[:1200], samples[-1200:]])
        assert (edges**2).mean() < 0.02 * (samples[1600:-1600] ** 2).mean()


@needs_program
def test_a_corpus_is_the_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    voices = {
        part: (Voice(name=part, variant=variant),)
        for part, variant in zip(VOICES, ("m1", "f2", "m3"), strict=True)
    }
    for name in ("one", "two"):
        write_corpus(tmp_path / name, seed=5, sentences=SMALL, voices=voices)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 3 + 3 + 1
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    provenance = json.loads((tmp_path / "one" / "provenance.json").read_text("utf-8"))
    assert provenance["espeak_ng"] == espeak.version()
    assert provenance["totals"]["train"]["utterances"] == 20


def test_opus_with_a_set_serial_is_a_sound_stream_and_repeats() -> None:
    samples = (0.1 * np.sin(np.arange(40000) / 5)).astype(np.float32)
    stream, again, other = (
        encode_opus(samples, sample_rate_hz=8000, serial=serial, compression=0.9)
        for serial in (77, 77, 78)
    )
    assert stream == again != other
    assert struct.unpack("<I", stream[14:18]) == (77,)
    decoded, rate = soundfile.read(io.BytesIO(stream), dtype="float32")
    assert (decoded.size, rate) == (40000, 8000)
    assert np.corrcoef(decoded, samples)[0, 1] > 0.99


@pytest.mark.parametrize(
    ("template", "values", "filled"),
    [
        ("{a}(을/를) 주세요", ["빵"], "빵을 주세요"),
        ("{a}(을/를) 주세요", ["커피"], "커피를 주세요"),
        ("{a}(으로/로) 가요", ["서울"], "서울로 가요"),
        ("{a}(으로/로) 가요", ["대전"], "대전으로 가요"),
        ("{a}(으로/로) 가요", ["제주"], "제주로 가요"),
    ],
)
def test_particles_follow_the_last_letter(template: str, values: list[str], filled: str) -> None:
    assert fill(template, {"a": values}, random.Random(0)) == filled


def test_one_sentence_uses_a_value_once_and_unknown_slots_are_named() -> None:
    for seed in range(20):
        one, other = fill("{a} {a}", {"a": ["가", "나"]}, random.Random(seed)).split()
        assert one != other
    with pytest.raises(DataError, match="unknown slot 'b'"):
        fill("{b}", {"a": ["가"]}, random.Random(0))


def test_the_grammar_gives_many_sentences_and_says_when_it_cannot() -> None:
    sentences = generate(3000, 0.05, random.Random(1))
    assert len({sentence.text for sentence in sentences}) == 3000
    assert not any("{" in s.text or "(" in s.text or "  " in s.text for s in sentences)
    assert any(ch.isdigit() for s in sentences for ch in s.text)


def test_sentences_repeat_by_seed_and_impossible_wishes_are_refused() -> None:
    assert choose(SMALL, 4) == choose(SMALL, 4) != choose(SMALL, 5)
    with pytest.raises(DataError, match="lower least_distance or least_count"):
        choose(SentenceConfig(train=20, dev=50, test=50, least_count=50), 1)
