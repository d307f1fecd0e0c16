"""Times of characters: from hand-made peaks, and from tones at known places in a file."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from malgwi import tokenizers
from malgwi.cli import transcribe as command
from malgwi.cli.search_options import SearchOptions
from malgwi.decoders.token_times import attention_centres, stretches
from malgwi.features import FrontEnd
from malgwi.front_end import FrontEndConfig
from malgwi.models.las import LAS, LASConfig, ListenerConfig, SpellerConfig
from malgwi.nn.acoustic_model import AcousticModel, Encoded
from malgwi.nn.initialize import InitConfig, initialize
from malgwi.subtitles import cues, to_srt, to_vtt
from malgwi.timestamps import (
    FrameClock,
    TimedCharacter,
    frame_clock,
    time_characters,
    timed_words,
    written_by,
)
from malgwi.tokenizers import TokenizerConfig
from malgwi.transcribe import DecodingConfig, Recogniser, Recognition, Segment
from malgwi.types import Hypothesis, Tokenizer

RATE = 8000
CLOCK = FrameClock(stride=4, hop_s=0.01)  # 40 ms; frame i is centred on 15 + 40·i ms


def heard(tokens: Sequence[int], **more: Any) -> Hypothesis:
    return Hypothesis(tokens=tuple(tokens), score=-1.0, log_prob=-1.0, ended=True, **more)


def peaks(places: Sequence[tuple[int, int]], frames: int, size: int, sure: float = 0.9) -> Tensor:
    """[1, T, V] log-probabilities: a spike of a token at each (frame, token), else blank."""
    probs = torch.full((1, frames, size), (1 - sure) / (size - 1))
    probs[0, :, 0] = sure
    for frame, token in places:
        probs[0, frame] = (1 - sure) / (size - 1)
        probs[0, frame, token] = sure
    return probs.log()


def timed(
    tokenizer: Tokenizer, text: str, frames: Sequence[int], total: int = 60
) -> list[TimedCharacter]:
    """The characters of a text whose tokens spike at these frames."""
    tokens = tokenizer.encode(text)
    log_probs = peaks(list(zip(frames, tokens, strict=True)), total, tokenizer.size)
    (found,) = time_characters([heard(tokens)], log_probs, torch.tensor([total]), tokenizer, CLOCK)
    assert found.source == "ctc"
    return list(found.characters)


def spans(characters: Sequence[TimedCharacter]) -> list[tuple[str, float, float]]:
    return [(c.text, round(c.start_s, 3), round(c.end_s, 3)) for c in characters]


def test_neighbours_meet_midway_and_a_pause_is_left_out() -> None:
    tokenizer = tokenizers.train(["가나다라"])
    found = timed(tokenizer, "가나다라", [10, 14, 18, 40])
    # centres 415, 575, 735, 1615 ms; the median distance is 160 ms
    assert spans(found) == [
        ("가", 0.335, 0.495),
        ("나", 0.495, 0.655),
        ("다", 0.655, 0.815),
        ("라", 1.535, 1.695),
    ]
    assert all(c.confidence > 0.9 for c in found)


def test_a_space_takes_no_time_and_parts_words() -> None:
    tokenizer = tokenizers.train(["가나 다"], TokenizerConfig(spaces=True))
    found = timed(tokenizer, "가나 다", [10, 14, 16, 18])
    assert "".join(c.text for c in found) == "가나다"
    assert found[1].end_s == found[2].start_s
    words = timed_words("가나 다", found)
    assert [(w.text, w.start_s, w.end_s) for w in words] == [
        ("가나", found[0].start_s, found[1].end_s),
        ("다", found[2].start_s, found[2].end_s),
    ]
    assert timed_words("가나 다라", found) == ()


def test_letters_join_into_syllables() -> None:
    tokenizer = tokenizers.train(["각가"], TokenizerConfig(kind="jamo"))
    whole = timed(tokenizer, "각가", [10, 12, 14, 16, 18])
    assert spans(whole) == [("각", 0.375, 0.615), ("가", 0.615, 0.775)]
    assert whole[0].confidence < whole[1].confidence  # three letters must be right, not two


def test_a_subword_shares_its_time_out() -> None:
    texts = ["네 고객님 고객님", "고객님 네"] * 20
    config = TokenizerConfig(kind="subword", vocab_size=20, spaces=True)
    tokenizer = tokenizers.train(texts, config)
    tokens = tokenizer.encode("네 고객님")
    assert len(tokens) < 4
    found = timed(tokenizer, "네 고객님", [10 + 8 * i for i in range(len(tokens))])
    assert "".join(c.text for c in found) == "네고객님"
    lasts = [round(c.end_s - c.start_s, 4) for c in found[-3:]]
    assert lasts[1] == lasts[2] == pytest.approx(lasts[0], abs=2e-4)


def test_an_unknown_token_keeps_its_place_and_writes_nothing() -> None:
    tokenizer = tokenizers.train(["가나"])
    assert written_by(tokenizer.encode("가뷁나"), tokenizer)[0] == "가나"
    found = timed(tokenizer, "가뷁나", [10, 14, 18])
    assert spans(found) == [("가", 0.335, 0.495), ("나", 0.655, 0.815)]


def test_attention_takes_over_where_ctc_cannot_and_says_so() -> None:
    tokenizer = tokenizers.train(["가나"])
    tokens = tokenizer.encode("가가나")  # four frames at least
    attention = torch.eye(3)[[0, 1, 2, 2]]
    best = heard(tokens, attention=attention)
    log_probs = peaks([], 3, tokenizer.size)
    for probs in (log_probs, None):
        (found,) = time_characters([best], probs, torch.tensor([3]), tokenizer, CLOCK)
        assert found.source == "attention"
        assert [c.text for c in found.characters] == ["가", "가", "나"]
        assert {round(c.confidence, 6) for c in found.characters} == {round(np.exp(-0.25), 6)}
    (nothing,) = time_characters([heard(tokens)], None, torch.tensor([3]), tokenizer, CLOCK)
    assert nothing.source is None
    assert nothing.characters == ()


@settings(deadline=None, max_examples=100)
@given(centres=st.lists(st.floats(0.0, 50.0), max_size=8).map(sorted), usual=st.floats(0.5, 5.0))
def test_stretches_are_in_order_and_hold_their_centres(centres: list[float], usual: float) -> None:
    found = stretches(np.array(centres), 50, usual=usual)
    flat = [bound for span in found for bound in span]
    assert flat == sorted(flat)
    assert all(0 <= start <= c <= end <= 50 for (start, end), c in zip(found, centres, strict=True))


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), tokens=st.integers(0, 6), frames=st.integers(1, 9))
def test_attention_centres_never_fall(seed: int, tokens: int, frames: int) -> None:
    g = torch.Generator().manual_seed(seed)
    centres = attention_centres((4 * torch.randn(tokens, frames, generator=g)).softmax(-1))
    assert len(centres) == tokens
    assert (np.diff(centres) >= -1e-9).all()
    assert ((centres >= 0.5 - 1e-9) & (centres <= frames - 0.5 + 1e-9)).all()


class Ear(AcousticModel):
    """Hears 가 in a low tone and 나 in a high one: blank, 가, 나 by four frames' loudest band."""

    config = LASConfig(ctc=True)

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.anchor = torch.nn.Parameter(torch.zeros(1))

    def encode(self, features: Tensor, lengths: Tensor) -> Encoded:
        T = features.shape[1]
        padded = torch.nn.functional.pad(features, (0, 0, 0, -T % 4))
        level = padded.unflatten(1, (-1, 4)).mean(2)  # [B, S, D]
        loud = level.amax(-1) > 0.0
        token = torch.where(level.argmax(-1) < level.shape[-1] // 2, 4, 5)
        ids = torch.where(loud, token, 0)
        sure = torch.nn.functional.one_hot(ids, self.size).float() * 0.9 + 0.1 / self.size
        return Encoded(level, (lengths + 3) // 4, sure.log())


def ear() -> Recogniser:
    tokenizer = tokenizers.train(["가나"])
    front_end = FrontEnd(
        FrontEndConfig(sample_rate_hz=RATE, num_mels=20, trim_db=30.0, normalize="none")
    )
    decoding = DecodingConfig(method="ctc", max_segment_s=2.0)
    model = Ear(tokenizer.size).eval()
    return Recogniser(
        front_end=front_end, model=model, tokenizer=tokenizer, decoding=decoding, timestamps=True
    )


#: A tone's place in the file, in seconds, and what it stands for.
TONES = [(1.40, "가"), (1.80, "나"), (2.12, "가"), (3.55, "나"), (3.95, "가"), (5.90, "나")]
LASTS_S = 0.12


@pytest.fixture
def tones(tmp_path: Path) -> Path:
    """Tones after 1.4 s of silence, over three segments; 16 kHz, so that it is resampled."""
    rate = 2 * RATE
    samples = np.random.default_rng(0).normal(0, 1e-5, 7 * rate)
    for start_s, text in TONES:
        at = np.arange(round(start_s * rate), round((start_s + LASTS_S) * rate))
        samples[at] += 0.5 * np.sin(2 * np.pi * (400 if text == "가" else 2500) * at / rate)
    path = tmp_path / "tones.wav"
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def test_times_count_from_the_beginning_of_the_file(tones: Path) -> None:
    result = ear().recognise_file(tones)
    assert len(result.segments) > 2
    found = [c for segment in result.segments for c in segment.characters]
    assert [c.text for c in found] == [text for _, text in TONES]
    for character, (start_s, _) in zip(found, TONES, strict=True):
        middle = (character.start_s + character.end_s) / 2
        assert middle == pytest.approx(start_s + LASTS_S / 2, abs=0.03)
    for segment in result.segments:
        for character in segment.characters:
            assert segment.start_s <= character.start_s < character.end_s <= segment.end_s


def test_the_clock_of_a_model_is_found_by_trying() -> None:
    recogniser = ear()
    assert frame_clock(recogniser.model, recogniser.front_end.config) == CLOCK
    late = replace(recogniser.front_end.config, center=False)
    assert frame_clock(recogniser.model, late).first_s == late.fft_length / 2 / RATE


@pytest.mark.parametrize("method", ["beam", "attention", "ctc"])
def test_text_is_the_same_with_and_without(method: Literal["beam", "attention", "ctc"]) -> None:
    torch.manual_seed(1)
    tokenizer = tokenizers.train(["가나다라마 바사아자차"], TokenizerConfig(spaces=True))
    config = LASConfig(
        listener=ListenerConfig(front="pyramid", layers=3, units=8),
        speller=SpellerConfig(attention="dot", units=16, layers=1, embedding=8, attention_units=8),
        ctc=True,
    )
    model = LAS(20, tokenizer.size, config)
    initialize(model, InitConfig(scheme="uniform", scale=0.6))
    front_end = FrontEnd(FrontEndConfig(sample_rate_hz=RATE, num_mels=20))
    plain = replace(
        ear(), front_end=front_end, model=model.eval(), tokenizer=tokenizer, timestamps=False
    ).with_decoding(method=method)
    rng = np.random.default_rng(0)
    waveforms = [rng.normal(0, 0.1, n).astype(np.float32) for n in (9000, 40_000, 1, 0)]
    before = plain.recognise(waveforms)
    after = replace(plain, timestamps=True).recognise(waveforms)
    assert any(result.text for result in before)
    for a, b in zip(before, after, strict=True):
        assert a.text.encode() == b.text.encode()
        for s, t in zip(a.segments, b.segments, strict=True):
            assert [h.score for h in s.hypotheses] == [h.score for h in t.hypotheses]
            assert s.characters == ()
            assert "".join(c.text for c in t.characters) == "".join(t.text.split())
            times = [x for c in t.characters for x in (c.start_s, c.end_s)]
            assert times == sorted(times)


def two_cues() -> Recognition:
    letters = [("네", 0.5), ("고", 0.7), ("객", 0.9), ("님", 1.1), ("잠", 3.0), ("깐", 3.2)]
    characters = tuple(
        TimedCharacter(text=c, start_s=at, end_s=at + 0.2, confidence=0.9) for c, at in letters
    )
    timed_piece = Segment(
        start_s=0.0, end_s=4.0, text="네 고객님 잠깐", hypotheses=(), characters=characters
    )
    untimed = Segment(start_s=4.0, end_s=6.0, text="A<B&C", hypotheses=())
    silent = Segment(start_s=6.0, end_s=7.0, text="", hypotheses=())
    return Recognition(text="", duration_s=7.0, segments=(timed_piece, untimed, silent))


def test_subtitles() -> None:
    assert to_srt(two_cues()) == (
        "1\n00:00:00,500 --> 00:00:01,300\n네 고객님\n\n"
        "2\n00:00:03,000 --> 00:00:03,400\n잠깐\n\n"
        "3\n00:00:04,000 --> 00:00:06,000\nA<B&C\n"
    )
    vtt = to_vtt(two_cues())
    assert vtt.startswith("WEBVTT\n\n00:00:00.500 --> 00:00:01.300\n네 고객님\n\n")
    assert "A&lt;B&amp;C" in vtt


def test_a_cue_is_neither_long_nor_slow() -> None:
    characters = tuple(
        TimedCharacter(text="가", start_s=i / 10, end_s=i / 10 + 0.1, confidence=1.0)
        for i in range(100)
    )
    whole = Segment(start_s=0, end_s=10, text="가" * 100, hypotheses=(), characters=characters)
    found = cues(Recognition(text="", duration_s=10.0, segments=(whole,)))
    assert "".join(cue.text for cue in found) == "가" * 100
    assert max(len(cue.text) for cue in found) == 32
    slow = [replace(c, start_s=10 * c.start_s, end_s=10 * c.end_s) for c in characters]
    spread = replace(whole, characters=tuple(slow), end_s=100)
    found = cues(Recognition(text="", duration_s=100.0, segments=(spread,)))
    assert max(cue.end_s - cue.start_s for cue in found) <= 6.0


def test_the_command_line(
    tones: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = replace(ear(), timestamps=False)
    monkeypatch.setattr(SearchOptions, "recogniser", lambda search, run: plain)
    command.main(Path("run"), (tones,), format="json")
    without = json.loads(capsys.readouterr().out)
    command.main(Path("run"), (tones,), format="json", timestamps=True)
    record = json.loads(capsys.readouterr().out)
    assert record["text"] == without["text"]
    characters = [c for segment in record["segments"] for c in segment.pop("characters")]
    assert {segment.pop("timed_by") for segment in record["segments"]} == {"ctc"}
    assert record == without
    assert [c["text"] for c in characters] == [text for _, text in TONES]
    assert set(characters[0]) == {"text", "start_s", "end_s", "confidence"}
    command.main(Path("run"), (tones,), format="srt")
    assert capsys.readouterr().out.startswith("1\n00:00:01,")
    with pytest.raises(command.ConfigError, match="--format json"):
        command.main(Path("run"), (tones,), timestamps=True)
