"""Configurations: exact round trip, strict reading, errors that name the nearest right thing."""

import re
from dataclasses import dataclass
from typing import Literal

import pytest
import yaml

from malgwi.config import RunConfig, from_record, from_yaml, to_yaml
from malgwi.errors import ConfigError
from malgwi.recipes import RECIPES, recipe


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_survives_yaml(name: str) -> None:
    config = recipe(name)
    assert from_yaml(to_yaml(config)) == config


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("model.listener.unit", 3, "model.listener.unit: no such setting; did you mean 'units'?"),
        ("model.listener.units", "3", "model.listener.units: '3' is a str, expected int"),
        ("model.listener.units", True, "True is a bool, expected int"),
        ("model.listener.front", "conf", "'conf' is none of 'pyramid', 'conv', 'stack'"),
        ("optim.betas", [0.9], r"optim.betas: \[0.9\] is a list"),
        ("batches.speeds", [1, "x"], "batches.speeds: 'x' is a str, expected float"),
        ("format_version", 99, "format_version: 1"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: object, message: str) -> None:
    record = yaml.safe_load(to_yaml(RunConfig()))
    *groups, last = path.split(".")
    target = record
    for group in groups:
        target = target[group]
    target[last] = value
    with pytest.raises(ConfigError, match=message):
        from_yaml(yaml.safe_dump(record))


def test_integers_may_stand_for_floats_and_missing_keys_take_defaults() -> None:
    config = from_yaml("format_version: 1\nbatches: {max_batch_s: 30, speeds: [1, 2]}\n")
    assert config.batches.max_batch_s == 30.0
    assert config.batches.speeds == (1.0, 2.0)
    assert config.masking is None


def test_nonsense_is_not_yaml() -> None:
    with pytest.raises(ConfigError, match=re.escape("not YAML")):
        from_yaml("a: [")


@dataclass(frozen=True)
class Circle:
    radius: int = 1
    kind: Literal["circle"] = "circle"


@dataclass(frozen=True)
class Square:
    side: int = 2
    kind: Literal["square"] = "square"


@dataclass(frozen=True)
class Picture:
    shape: Circle | Square | None


def test_of_several_kinds_the_record_names_one() -> None:
    def shape(record: object) -> object:
        return from_record(Picture, {"shape": record}, "").shape

    assert shape({"kind": "square", "side": 5}) == Square(5)
    assert shape({"radius": 3}) == Circle(3)  # the first, where none is named
    assert shape(None) is None
    with pytest.raises(ConfigError, match="unknown shape kind 'squre'; did you mean 'square'"):
        shape({"kind": "squre"})
    with pytest.raises(ConfigError, match=r"shape\.radius: no such setting"):
        shape({"kind": "square", "radius": 5})
