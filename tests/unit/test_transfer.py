"""Beginning from another run's weights: by name, by unit, or anew, and never silently."""

from dataclasses import replace

import pytest
import torch
from debug_models import DEBUG

from malgwi import tokenizers
from malgwi.errors import ConfigError
from malgwi.features import FrontEnd
from malgwi.front_end import FrontEndConfig
from malgwi.models import model_class
from malgwi.models.las import LASConfig
from malgwi.nn.acoustic_model import AcousticModel, ModelConfig
from malgwi.nn.initialize import InitConfig, initialize
from malgwi.tokenizers import TokenizerConfig
from malgwi.transcribe import DecodingConfig, Recogniser
from malgwi.transfer import transfer
from malgwi.types import Tokenizer

FRONT_END = FrontEndConfig(num_mels=16)


def make(config: ModelConfig, tokenizer: Tokenizer, seed: int) -> AcousticModel:
    torch.manual_seed(seed)
    model: AcousticModel = model_class(config.kind)(16, tokenizer.size, config, None)
    initialize(model, InitConfig())
    return model


def syllables(text: str) -> Tokenizer:
    return tokenizers.train([text], TokenizerConfig())


def finished(config: ModelConfig, tokenizer: Tokenizer) -> Recogniser:
    return Recogniser(
        front_end=FrontEnd(FRONT_END),
        model=make(config, tokenizer, seed=1),
        tokenizer=tokenizer,
        decoding=DecodingConfig(),
    )


@pytest.mark.parametrize("kind", DEBUG)
def test_the_same_model_and_units_are_taken_over_whole(kind: str) -> None:
    units = syllables("가나다")
    other, model = finished(DEBUG[kind], units), make(DEBUG[kind], units, seed=2)
    report = transfer(model, units, FRONT_END, other)
    given = other.model.state_dict()
    assert all(torch.equal(value, given[name]) for name, value in model.state_dict().items())
    assert report.parameters == report.of == sum(p.numel() for p in model.parameters())
    assert report.units == units.size
    assert report.anew == ()


@pytest.mark.parametrize("kind", DEBUG)
def test_units_keep_their_rows_where_the_vocabulary_differs(kind: str) -> None:
    theirs, ours = syllables("나가다라마"), syllables("바라나사")
    other, model = finished(DEBUG[kind], theirs), make(DEBUG[kind], ours, seed=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = transfer(model, ours, FRONT_END, other)
    assert report.units == 4 + 2  # the special ones, 나 and 라
    assert report.anew == ()
    by_unit = 0
    for name, value in model.state_dict().items():
        source = other.model.state_dict()[name]
        if value.shape == source.shape:
            assert torch.equal(value, source), name
            continue
        by_unit += 1
        for text in "나라":
            row, from_row = ours.encode(text)[0], theirs.encode(text)[0]
            assert torch.equal(value[row], source[from_row]), (name, text)
        for text in "바사":
            (row,) = ours.encode(text)
            assert torch.equal(value[row], before[name][row]), (name, text)
    assert by_unit > 0
    assert report.parameters < report.of


def test_equally_many_units_are_still_told_apart() -> None:
    theirs, ours = syllables("가나다"), syllables("다마가")
    config = DEBUG["deep_speech"]
    other, model = finished(config, theirs), make(config, ours, seed=2)
    transfer(model, ours, FRONT_END, other)
    output, source = (m.state_dict() for m in (model, other.model))
    names = [name for name, value in output.items() if value.shape[:1] == (ours.size,)]
    assert names
    for name in names:
        assert torch.equal(output[name][ours.encode("다")[0]], source[name][theirs.encode("다")[0]])
        assert torch.equal(output[name][ours.encode("가")[0]], source[name][theirs.encode("가")[0]])


def test_what_does_not_fit_begins_anew_and_is_named() -> None:
    config, units = DEBUG["las"], syllables("가나다")
    assert isinstance(config, LASConfig)
    deeper = replace(config, listener=replace(config.listener, layers=3))
    model = make(deeper, units, seed=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = transfer(model, units, FRONT_END, finished(config, units))
    assert report.anew
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in report.anew)
    assert report.anew[0] in str(report)
    assert report.parameters == report.of - sum(before[name].numel() for name in report.anew)


def test_next_to_nothing_in_common_is_refused() -> None:
    units = syllables("가나다")
    model = make(DEBUG["conformer"], units, seed=2)
    with pytest.raises(ConfigError, match=r"only \d+ of .* conformer .* deep_speech"):
        transfer(model, units, FRONT_END, finished(DEBUG["deep_speech"], units))


def test_another_front_end_is_refused_but_not_another_trimming() -> None:
    config, units = DEBUG["las"], syllables("가나다")
    model, other = make(config, units, seed=2), finished(config, units)
    transfer(model, units, replace(FRONT_END, trim_db=30.0), other)
    with pytest.raises(ConfigError, match=r"front_end\.hop_ms is 20\.0, not 10\.0"):
        transfer(model, units, replace(FRONT_END, hop_ms=20.0), other)
