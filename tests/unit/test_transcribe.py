"""From waveform to text: the same alone and in company, for silence, noise and long audio."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_language_model import RandomTrigram, score_of

from malgwi import tokenizers
from malgwi.decoders.attention_beam import BeamConfig
from malgwi.decoders.ctc_beam import CtcBeamConfig
from malgwi.decoders.fusion import FusionConfig
from malgwi.errors import ConfigError
from malgwi.features import FrontEnd
from malgwi.front_end import preset
from malgwi.models.las import LAS, LASConfig, ListenerConfig, SpellerConfig
from malgwi.nn.initialize import InitConfig, initialize
from malgwi.segments import segment_bounds
from malgwi.transcribe import DecodingConfig, Recogniser

RATE = 8000


def make(*, ctc: bool = True) -> Recogniser:
    torch.manual_seed(1)
    config = LASConfig(
        listener=ListenerConfig(front="stack", stack=4, layers=1, units=16),
        speller=SpellerConfig(attention="dot", units=16, layers=1, embedding=8, attention_units=8),
        ctc=ctc,
    )
    tokenizer = tokenizers.train(["가나다라마바사아자차카타파하"])
    front_end = FrontEnd(replace(preset("telephone"), num_mels=16))
    model = LAS(16, tokenizer.size, config)
    initialize(model, InitConfig(scheme="uniform", scale=0.6))  # opinionated, hence no ties
    beam = BeamConfig(beams=4, ctc_weight=0.4 if ctc else 0.0)
    decoding = DecodingConfig(beam=beam, max_segment_s=3.0)
    return Recogniser(
        front_end=front_end, model=model.eval(), tokenizer=tokenizer, decoding=decoding
    )


def speech(seconds: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = np.cumsum(200 + 300 * np.abs(np.sin(3 * time * (1 + seed)))) / RATE
    noise = 0.02 * random.standard_normal(len(time))
    return (0.4 * np.sin(2 * np.pi * pitch) + noise).astype(np.float32)


@pytest.mark.parametrize("method", ["beam", "attention", "ctc", "ctc_beam"])
def test_company_changes_nothing(method: str) -> None:
    recogniser = make().with_decoding(method=method)
    waveforms = [speech(s, i) for i, s in enumerate((0.5, 2.7, 1.1, 7.0, 0.9))]
    together = recogniser.recognise(waveforms)
    alone = [recogniser.recognise([w])[0] for w in waveforms]
    assert [r.text for r in together] == [r.text for r in alone]
    assert any(r.text for r in together)
    for a, b in zip(together, alone, strict=True):
        for s, t in zip(a.segments, b.segments, strict=True):
            assert s.hypotheses[0].score == pytest.approx(t.hypotheses[0].score, abs=1e-3)


@pytest.mark.parametrize("kind", ["silence", "noise", "one sample", "nothing"])
@pytest.mark.parametrize("method", ["beam", "attention", "ctc", "ctc_beam"])
def test_what_is_no_speech_ends_within_its_bound(kind: str, method: str) -> None:
    samples = {
        "silence": np.zeros(2 * RATE, np.float32),
        "noise": np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32),
        "one sample": np.ones(1, np.float32),
        "nothing": np.zeros(0, np.float32),
    }[kind]
    recogniser = make().with_decoding(method=method)
    (result,) = recogniser.recognise([samples])
    frames = 51  # 2 s of 40 ms: CTC writes at most one unit a frame
    limit = recogniser.decoding.beam.max_lengths(torch.tensor([2.0]))[0]
    assert len(result.text) <= (frames if method.startswith("ctc") else limit)
    if kind == "nothing":
        assert result.text == ""


def test_ctc_decoding_without_ctc_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="decode by attention"):
        make(ctc=False).with_decoding(method="ctc").recognise([speech(1.0, 0)])


@pytest.mark.parametrize("method", ["beam", "ctc_beam"])
def test_a_beam_search_minds_hot_words_and_language_models(method: str) -> None:
    recogniser = make().with_decoding(method=method)
    sound = [speech(1.5, 3)]
    (plain,) = recogniser.recognise(sound)
    assert "타파" not in plain.text
    assert plain.segments[0].hypotheses[0].lm_score is None
    (heard,) = recogniser.with_hotwords({"타파": 80.0}).recognise(sound)
    assert "타파" in heard.text
    forgotten = recogniser.with_hotwords({"타파": 80.0}).with_hotwords({})
    assert forgotten.recognise(sound)[0].text == plain.text
    against = RandomTrigram(seed=0, vocabulary_size=recogniser.tokenizer.size)
    against.table[:, recogniser.tokenizer.encode(plain.text)[0]] = -90.0
    taught = replace(recogniser, language_model=against)
    assert taught.recognise(sound)[0].text[:1] != plain.text[:1]
    # Equal weights for and against: the two cancel. (For one text only, CTC's beam would keep more
    # apart beside a model with a memory: what is asked here is what is added.)
    fusion = FusionConfig(lm_weight=0.5, source_weight=0.5, insertion_bonus=0.0)
    several = {"ctc_beam": CtcBeamConfig(nbest=2), "fusion": fusion}
    both = replace(taught, source_model=against).with_decoding(**several)
    alone = recogniser.with_decoding(**several)
    assert both.recognise(sound)[0].text == alone.recognise(sound)[0].text


@pytest.mark.parametrize(("method", "bonus"), [("beam", -60.0), ("ctc_beam", 60.0)])
def test_the_bonus_counts_where_there_is_a_language_model_and_nowhere_else(
    method: str, bonus: float
) -> None:
    sound = [speech(1.5, 3)]
    fusion = FusionConfig(lm_weight=0.0, insertion_bonus=bonus)
    recogniser = make().with_decoding(method=method, fusion=fusion)
    (plain,) = recogniser.recognise(sound)
    (warm,) = recogniser.with_hotwords({"타파": 0.0}).recognise(sound)
    assert warm.text == plain.text
    model = RandomTrigram(seed=0, vocabulary_size=recogniser.tokenizer.size)
    (paid,) = replace(recogniser, language_model=model).recognise(sound)
    assert (len(paid.text) - len(plain.text)) * bonus > 0


@pytest.mark.parametrize("method", ["beam", "ctc_beam"])
def test_a_second_language_model_ranks_all_that_the_beam_ends_with(method: str) -> None:
    fusion = FusionConfig(rescore_weight=0.8, rescore_bonus=0.3)
    beams = {"beam": BeamConfig(beams=6), "ctc_beam": CtcBeamConfig(beams=6)}
    recogniser = make().with_decoding(method=method, fusion=fusion, **beams)
    model = RandomTrigram(seed=1, vocabulary_size=recogniser.tokenizer.size, sharpness=4.0)
    sounds = [speech(1.5, seed) for seed in range(3)]
    whole = {name: replace(config, nbest=6) for name, config in beams.items()}
    changed = 0
    second = replace(recogniser, rescoring_model=model).recognise(sounds)
    for heard, listed in zip(
        second, recogniser.with_decoding(**whole).recognise(sounds), strict=True
    ):
        nbest = listed.segments[0].hypotheses
        added = [score_of(model, h.tokens, recogniser.tokenizer.end_id) for h in nbest]
        worth = [
            h.score + 0.8 * log_prob + 0.3 * len(h.tokens)
            for h, log_prob in zip(nbest, added, strict=True)
        ]
        best = int(np.argmax(worth))
        (found,) = heard.segments[0].hypotheses
        assert found.tokens == nbest[best].tokens
        assert found.score == pytest.approx(worth[best], rel=1e-5)
        changed += best > 0
    assert changed > 0


def test_greedy_decoding_refuses_what_it_would_not_mind() -> None:
    recogniser = make().with_hotwords({"타파": 80.0})
    for method in ("ctc", "attention"):
        with pytest.raises(ConfigError, match="decode with method beam, ctc_beam"):
            recogniser.with_decoding(method=method).recognise([speech(1.0, 0)])
    model = RandomTrigram(seed=1, vocabulary_size=recogniser.tokenizer.size)
    twice = replace(make().with_decoding(method="ctc"), rescoring_model=model)
    with pytest.raises(ConfigError, match="nothing to rank anew"):
        twice.recognise([speech(1.0, 0)])


@settings(deadline=None, max_examples=60)
@given(seconds=st.floats(0.0, 40.0), longest=st.floats(1.0, 20.0), seed=st.integers(0, 9))
def test_segments_are_gapless_and_bounded(seconds: float, longest: float, seed: int) -> None:
    samples = np.random.default_rng(seed).normal(size=int(seconds * 1000)).astype(np.float32)
    bounds = segment_bounds(samples, 1000, longest)
    assert bounds[0][0] == 0
    assert bounds[-1][1] == len(samples)
    assert all(a[1] == b[0] for a, b in pairwise(bounds))
    assert all(end - start <= longest * 1000 for start, end in bounds)


def test_long_audio_is_cut_where_it_is_quiet() -> None:
    samples = np.random.default_rng(0).normal(0, 0.3, 10 * RATE).astype(np.float32)
    samples[int(3.4 * RATE) : int(3.8 * RATE)] = 0
    (_, cut), *_ = segment_bounds(samples, RATE, 4.0)
    assert 3.4 * RATE < cut < 3.8 * RATE
