"""The configuration of a run: composed here, defined beside the classes that it configures.

It travels as YAML in the run folder. Reading is strict: an unknown key or a wrong type is an error
that names the nearest right one.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml

from malgwi.augment import SpecAugmentConfig
from malgwi.batching import BatchConfig
from malgwi.errors import ConfigError
from malgwi.front_end import FrontEndConfig
from malgwi.lm.transcripts import TranscriptsLmConfig
from malgwi.models.conformer import ConformerConfig
from malgwi.models.deep_speech import DeepSpeechConfig
from malgwi.models.deep_speech2 import DeepSpeech2Config
from malgwi.models.las import LASConfig
from malgwi.models.pretrained import PretrainedConfig
from malgwi.models.transducer import TransducerConfig
from malgwi.nn.initialize import InitConfig
from malgwi.objective import ObjectiveConfig
from malgwi.optim import OptimConfig
from malgwi.registry import choose
from malgwi.text.normalize import NormalizerConfig
from malgwi.tokenizers import TokenizerConfig
from malgwi.trainer import TrainerConfig
from malgwi.transcribe import DecodingConfig

FORMAT_VERSION = 1
#: The first is meant where a record names no kind.
AnyModelConfig = (
    LASConfig
    | DeepSpeechConfig
    | DeepSpeech2Config
    | ConformerConfig
    | TransducerConfig
    | PretrainedConfig
)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides what a training run does.

    Attributes:
        text: How transcripts are normalised, before training and before scoring.
        tokenizer: Units.
        front_end: From file to features.
        masking: SpecAugment; None is off.
        batches: How utterances become batches.
        model: The acoustic model; its kind, and that kind's sizes and variants.
        init: How parameters start.
        objective: The loss.
        optim: The optimiser and its schedule.
        trainer: How long and how carefully.
        dev_decoding: How development utterances are decoded while training.
        decoding: How the finished recogniser is searched.
        transcripts_lm: The language model of the training transcripts, which ``ctc_beam`` minds
            unless it is given another.
    """

    text: NormalizerConfig = field(default_factory=NormalizerConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    front_end: FrontEndConfig = field(default_factory=FrontEndConfig)
    masking: SpecAugmentConfig | None = None
    batches: BatchConfig = field(default_factory=BatchConfig)
    model: AnyModelConfig = field(default_factory=LASConfig)
    init: InitConfig = field(default_factory=InitConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=lambda: TrainerConfig(epochs=20))
    dev_decoding: DecodingConfig = field(default_factory=lambda: DecodingConfig(method="attention"))
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    transcripts_lm: TranscriptsLmConfig = field(default_factory=TranscriptsLmConfig)


def to_yaml(config: RunConfig) -> str:
    """The resolved configuration as YAML, every field written out."""
    record = {"format_version": FORMAT_VERSION, **_plain(asdict(config))}
    return yaml.safe_dump(record, sort_keys=False, allow_unicode=True)


def from_yaml(text: str) -> RunConfig:
    """Undo `to_yaml`.

    Raises:
        ConfigError: Not YAML, another format version, an unknown key or a wrong type.
    """
    try:
        record = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"the configuration is not YAML: {error}") from error
    if not isinstance(record, dict) or record.pop("format_version", None) != FORMAT_VERSION:
        raise ConfigError(f"the configuration lacks  format_version: {FORMAT_VERSION}")
    return from_record(RunConfig, record, "")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def from_record(cls: type[T], record: Mapping[str, Any], where: str) -> T:
    """Build a dataclass from plain values, checking every key and type.

    >>> from_record(BatchConfig, {"max_batch": 3}, "batches")
    Traceback (most recent call last):
    malgwi.errors.ConfigError: batches.max_batch: no such setting; did you mean 'max_batch_s'?
    """
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for key in record:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
            raise ConfigError(f"{_dotted(where, key)}: no such setting{hint}")
    values = {
        name: _value(hints[name], record[name], _dotted(where, name))
        for name in known
        if name in record
    }
    missing = [
        name
        for name, f in known.items()
        if name not in values and f.default is MISSING and f.default_factory is MISSING
    ]
    if missing:
        raise ConfigError(f"{where or 'configuration'}: missing {', '.join(missing)}")
    return cls(**values)


def _value(kind: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _first_that_fits(inner, value, where)
    if origin is Literal:
        if value in inner:
            return value
        raise ConfigError(f"{where}: {value!r} is none of {', '.join(map(repr, inner))}")
    if origin is tuple and isinstance(value, list | tuple):
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        if len(kinds) == len(value):
            return tuple(_value(k, v, where) for k, v in zip(kinds, value, strict=True))
    if is_dataclass(kind) and isinstance(value, dict):
        return from_record(typing.cast(type[Any], kind), value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = isinstance(kind, type) and not is_dataclass(kind) and isinstance(value, kind)
    if plain and (kind is bool or not isinstance(value, bool)):
        return value
    name = getattr(kind, "__name__", str(kind)) if origin is None else str(kind)
    raise ConfigError(f"{where}: {value!r} is a {type(value).__name__}, expected {name}")


def _first_that_fits(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    errors = []
    for kind in _of_that_kind(kinds, value, where):
        if kind is type(None):
            continue
        try:
            return _value(kind, value, where)
        except ConfigError as error:
            errors.append(str(error))
    raise ConfigError(errors[0])


def _of_that_kind(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    """Of several dataclasses with a ``kind`` the one that the record names, or else the first."""
    named = {kind.kind: kind for kind in kinds if hasattr(kind, "kind")}
    if not isinstance(value, dict) or not named:
        return kinds
    wanted = value.get("kind", next(iter(named)))
    return (choose(f"{where} kind", named, wanted),)


def _dotted(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)
