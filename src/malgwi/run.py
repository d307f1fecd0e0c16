"""The run folder and the objects it stands for: built for training, loaded for use.

RUN/config.yaml  tokenizer.json  front_end.safetensors  weights.safetensors  (transcripts.lm)
    characters.txt  left_out.jsonl  metrics.jsonl  curves.svg  checkpoints/  report.json
    report.html, encoder/ (the description of a pretrained one), and calibration.json where
    `malgwi evaluate --calibrate` has made one
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from lhotse.cut import MonoCut
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from malgwi import calibration, manifest, tokenizers
from malgwi.audio_cache import AudioCache
from malgwi.batching import BatchConfig, Batches, Example
from malgwi.checkpoint import save_tensors, write_bytes
from malgwi.config import RunConfig, from_yaml, to_yaml
from malgwi.errors import CheckpointError, ConfigError, DataError
from malgwi.features import FrontEnd
from malgwi.lm import transcripts
from malgwi.losses import unigram_prior
from malgwi.machine import pays_bf16, runs_bf16
from malgwi.metrics.error_rate import cer_nospace
from malgwi.models import model_class
from malgwi.models.pretrained import PretrainedConfig
from malgwi.nn.acoustic_model import AcousticModel
from malgwi.nn.initialize import StartReport, check_start, initialize
from malgwi.objective import Objective, check_heads
from malgwi.text.normalize import normalize
from malgwi.trainer import Parts, TrainerConfig
from malgwi.transcribe import Recogniser, check_method
from malgwi.transfer import transfer
from malgwi.types import Tokenizer

#: Audio in a batch for each thread of training: with less, rows are too few for a matrix product.
WORKER_S = 20.0

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """An utterance that does not take part in training, and why."""

    id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Built:
    """A run ready to train."""

    parts: Parts
    trainer: TrainerConfig
    start: StartReport
    left_out: tuple[LeftOut, ...]


def references(cuts: Iterable[MonoCut], config: RunConfig) -> dict[str, str]:
    """id → normalised transcript of every utterance."""
    return {cut.id: normalize(manifest.text(cut), config.text) for cut in cuts}


def build(
    config: RunConfig,
    train_cuts: Sequence[MonoCut],
    dev_cuts: Sequence[MonoCut],
    folder: Path,
    say: Say,
    cache_folder: Path | None = None,
) -> Built:
    """Make everything that training needs and write what use will need into ``folder``.

    The vocabulary comes from the training split alone. The same configuration and splits give the
    same files again, which is what a resumed run relies on.

    Args:
        config: All settings.
        train_cuts: The training split.
        dev_cuts: The development split.
        folder: The run folder.
        say: Where facts are told.
        cache_folder: Where decoded audio is kept; in the run folder if not given.

    Raises:
        DataError: Nothing is left to train on, or an utterance stands in both splits.
    """
    _check_config(config)
    _check_data(train_cuts, dev_cuts, config, folder)
    texts = references(train_cuts, config)
    tokenizer = _tokenizer(config, texts.values(), folder)
    characters = "".join(sorted({ch for text in texts.values() for ch in text}))
    write_bytes(folder / "characters.txt", f"{characters}\n".encode())
    if config.transcripts_lm.order:
        transcripts.write_model(
            texts.values(), tokenizer, config.text, config.transcripts_lm, folder
        )
    front_end = FrontEnd(config.front_end)
    cache = AudioCache.build(train_cuts, config.front_end, cache_folder or folder / "audio_cache")
    examples, left_out = _examples(texts, cache, tokenizer, config)
    say(
        f"{len(examples)} training utterances, {sum(e.duration_s for e in examples) / 3600:.2f} h "
        f"after trimming; {len(left_out)} left out; {len(dev_cuts)} development utterances; "
        f"{tokenizer.size} units"
    )
    _warn_of_length(examples, config, say)
    _fit_front_end(front_end, (cache[example.id] for example in examples), folder)
    torch.manual_seed(config.trainer.seed)
    model = make_model(config, tokenizer)
    initialize(model, config.init)
    model.load_pretrained()
    if config.init.from_run is not None:
        other = load_recogniser(Path(config.init.from_run))
        say(f"{config.init.from_run}: {transfer(model, tokenizer, config.front_end, other)}")
    if isinstance(config.model, PretrainedConfig):
        config.model.keep(folder)
    objective = _objective(config, examples, tokenizer)
    batches = Batches(
        examples,
        cache,
        front_end,
        config.batches,
        masking=config.masking,
        padding_id=tokenizer.blank_id,
        seed=config.trainer.seed,
    )
    parts = Parts(
        model=model,
        objective=objective,
        batches=batches,
        optim=config.optim,
        evaluate=dev_error_rate(config, front_end, tokenizer, dev_cuts),
    )
    start = measure_start(parts, tokenizer)
    if config.init.from_run is not None:  # what has learned before need not guess evenly
        start = replace(start, warnings=())
    trainer = config.trainer
    if trainer.precision == "auto":  # decided once a run: a resumed run must compute the same
        trainer = replace(trainer, precision="bf16" if pays_bf16() else "fp32")
    if trainer.workers is None:
        trainer = replace(trainer, workers=_workers(model, config.batches))
    write_bytes(folder / "config.yaml", to_yaml(replace(config, trainer=trainer)).encode())
    record = "".join(json.dumps(vars(item), ensure_ascii=False) + "\n" for item in left_out)
    write_bytes(folder / "left_out.jsonl", record.encode())
    return Built(parts=parts, trainer=trainer, start=start, left_out=tuple(left_out))


def _workers(model: AcousticModel, batches: BatchConfig) -> int:
    """A thread for each core, as long as its share of a batch is worth a step of its own."""
    if not model.divisible:
        return 1
    return max(1, min(torch.get_num_threads(), int(batches.max_batch_s / WORKER_S)))


def _check_config(config: RunConfig) -> None:
    """Settings that contradict each other or the machine, found before hours are spent."""
    if config.trainer.precision == "bf16" and not runs_bf16():
        raise ConfigError(
            "trainer.precision is bf16, which this processor computes in part only (recurrent "
            "layers want AVX-512): set --trainer.precision fp32, or auto"
        )
    check_heads(config.objective, config.model)
    if isinstance(config.model, PretrainedConfig):
        config.model.check(config.front_end, _longest_s(config))
    if config.front_end.kind == "waveform" and config.masking is not None:
        raise ConfigError(
            "masking hides frames and bands, and front_end.kind waveform has none: set "
            "--spec-augment off (a pretrained encoder masks by itself: model.mask_time_prob)"
        )
    if config.batches.views == 2 and not config.objective.ctc_weight:
        raise ConfigError(
            "batches.views is 2 to compare CTC outputs, but objective.ctc_weight is 0: set either"
        )
    for name in ("dev_decoding", "decoding"):
        decoding = getattr(config, name)
        if decoding.wants_ctc and not config.model.ctc:
            raise ConfigError(
                f"{name} uses CTC, but model.ctc is False: set {name}.method to attention, or "
                f"{name}.beam.ctc_weight to 0"
            )
        check_method(decoding, config.model.writer, name)


def _longest_s(config: RunConfig) -> float:
    """The longest that any utterance may be, in training or decoding."""
    trained_s = config.batches.max_utterance_s / min(config.batches.speeds)
    return max(trained_s, config.decoding.max_segment_s, config.dev_decoding.max_segment_s)


def _check_data(
    train_cuts: Sequence[MonoCut], dev_cuts: Sequence[MonoCut], config: RunConfig, folder: Path
) -> None:
    """Refuse splits that overlap or say nothing, and other data than a run began with."""
    shared = {cut.id for cut in train_cuts} & {cut.id for cut in dev_cuts}
    if shared:
        raise DataError(
            f"{len(shared)} utterances stand in both splits ({', '.join(sorted(shared)[:5])}, …): "
            "a development score would mean nothing. Split again with  malgwi split"
        )
    if not any(references(dev_cuts, config).values()):
        raise DataError(
            f"none of {len(dev_cuts)} development utterances has text after normalisation: "
            "there is nothing to choose weights by"
        )
    record = {"train": _fingerprint(train_cuts), "dev": _fingerprint(dev_cuts)}
    path = folder / "data.json"
    if not path.exists():
        write_bytes(path, (json.dumps(record, indent=1) + "\n").encode())
    elif (before := json.loads(path.read_text(encoding="utf-8"))) != record:
        changed = " and ".join(name for name in record if record[name] != before.get(name))
        raise DataError(
            f"the {changed} split is not the one that {folder} was begun with ({path}): "
            "give the same manifests, or another --out"
        )


def _fingerprint(cuts: Sequence[MonoCut]) -> dict[str, object]:
    """Number of utterances and a hash of what they are, paths aside."""
    digest = hashlib.sha256()
    for cut in cuts:
        digest.update(f"{cut.id}\t{cut.start}\t{cut.duration}\t{manifest.text(cut)}\n".encode())
    return {"utterances": len(cuts), "sha256": digest.hexdigest()}


def _tokenizer(config: RunConfig, texts: Iterable[str], folder: Path) -> Tokenizer:
    tokenizer = tokenizers.train((text for text in texts if text), config.tokenizer)
    text = json.dumps(tokenizer.to_dict(), ensure_ascii=False, indent=1)
    write_bytes(folder / "tokenizer.json", text.encode())
    return tokenizer


def _examples(
    texts: Mapping[str, str], audio: AudioCache, tokenizer: Tokenizer, config: RunConfig
) -> tuple[list[Example], list[LeftOut]]:
    examples, left_out = [], []
    for name, text in texts.items():
        example = Example(
            id=name, duration_s=audio.duration_s(name), tokens=tuple(tokenizer.encode(text))
        )
        reason = _unfit(example, config.batches)
        if reason:
            left_out.append(LeftOut(id=name, reason=reason))
        else:
            examples.append(example)
    return examples, left_out


def _unfit(example: Example, config: BatchConfig) -> str | None:
    if not example.tokens:
        return "no text is left after normalisation"
    if example.duration_s < config.min_utterance_s:
        return f"{example.duration_s:.2f} s, shorter than {config.min_utterance_s} s"
    if example.duration_s > config.max_utterance_s:
        return f"{example.duration_s:.2f} s, longer than {config.max_utterance_s} s"
    return None


def _warn_of_length(examples: Sequence[Example], config: RunConfig, say: Say) -> None:
    """Say so where a writer would stop short of references: jamo need more tokens a second."""
    if not examples or config.decoding.method not in ("beam", "attention"):
        return
    limits = config.decoding.beam.max_lengths(torch.tensor([e.duration_s for e in examples]))
    cut = sum(len(e.tokens) > int(n) for e, n in zip(examples, limits, strict=True))
    if cut > 0.001 * len(examples):
        say(
            f"WARNING  {cut} of {len(examples)} training references are longer than decoding may "
            "write: raise decoding.beam.tokens_per_second (and dev_decoding's)"
        )


def _fit_front_end(
    front_end: FrontEnd, waveforms: Iterable[NDArray[np.float32]], folder: Path
) -> None:
    if front_end.config.normalize == "global":
        front_end.fit_global(waveforms)
    save_tensors(folder / "front_end.safetensors", front_end.state_dict())


def make_model(config: RunConfig, tokenizer: Tokenizer) -> AcousticModel:
    """The model of that configuration over that vocabulary, uninitialised."""
    letters = tokenizers.jamo_table(tokenizer) if config.model.composed_output else None
    made = model_class(config.model.kind)
    model: AcousticModel = made(
        config.front_end.num_features, tokenizer.size, config.model, letters
    )
    return model


def _objective(config: RunConfig, examples: Sequence[Example], tokenizer: Tokenizer) -> Objective:
    prior = None
    if config.objective.smoothing_kind == "unigram":
        sequences = (list(example.tokens) for example in examples)
        prior = unigram_prior(sequences, tokenizer.size, tokenizer.end_id)
    return Objective(
        config.objective,
        start_id=tokenizer.start_id,
        end_id=tokenizer.end_id,
        blank_id=tokenizer.blank_id,
        prior=prior,
    )


def dev_error_rate(
    config: RunConfig, front_end: FrontEnd, tokenizer: Tokenizer, cuts: Sequence[MonoCut]
) -> Callable[[nn.Module], float]:
    """CER without spaces of the development split, by real decoding, as a function of the model."""
    wanted = references(cuts, config)
    waveforms = [front_end.cut_waveform(cut) for cut in cuts]

    def evaluate(model: nn.Module) -> float:
        assert isinstance(model, AcousticModel)
        recogniser = Recogniser(
            front_end=front_end, model=model, tokenizer=tokenizer, decoding=config.dev_decoding
        )
        found = recogniser.recognise(waveforms)
        hypotheses = {name: result.text for name, result in zip(wanted, found, strict=True)}
        return cer_nospace(wanted, hypotheses).rate

    return evaluate


def measure_start(parts: Parts, tokenizer: Tokenizer) -> StartReport:
    """`check_start` on the first batch of the first epoch."""
    draws = parts.batches.plan(0)[0][0][:16]
    batch = parts.batches.load(draws, torch.Generator().manual_seed(0))
    parts.model.train()

    return check_start(
        parts.model,
        lambda: parts.objective.at_start(parts.model, batch),
        tokenizer.size,
        trained=parts.model.pretrained_depths(),
    )


def load_recogniser(folder: Path) -> Recogniser:
    """The trained recogniser of a run folder, with its own front end and decoding.

    Raises:
        CheckpointError: A file is missing or does not fit the others.
    """
    for name in ("config.yaml", "tokenizer.json", "front_end.safetensors", "weights.safetensors"):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"{folder} is not a finished run: {name} is missing. Train one with  malgwi train"
            )
    config = from_yaml((folder / "config.yaml").read_text(encoding="utf-8"))
    record = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer = tokenizers.from_dict(record)
    front_end = FrontEnd(config.front_end)
    if isinstance(config.model, PretrainedConfig):
        config = replace(config, model=config.model.kept(folder))
    model = make_model(config, tokenizer)
    try:
        front_end.load_state_dict(load_file(folder / "front_end.safetensors"))
        model.load_state_dict(load_file(folder / "weights.safetensors"))
    except (RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder}: the weights are damaged or do not fit config.yaml: {error}"
        ) from error
    return Recogniser(
        front_end=front_end,
        model=model.eval(),
        tokenizer=tokenizer,
        decoding=config.decoding,
        calibrations=calibration.load(folder),
        transcripts_model=transcripts.load_model(folder, tokenizer, config.text)
        if config.transcripts_lm.order
        else None,
    )


def training_characters(folder: Path) -> frozenset[str] | None:
    """The characters of the transcripts that a run was trained on; None where none were kept."""
    path = folder / "characters.txt"
    return frozenset(path.read_text(encoding="utf-8")) if path.is_file() else None


def load_config(folder: Path) -> RunConfig:
    """The configuration of a run folder."""
    path = folder / "config.yaml"
    if not path.is_file():
        raise CheckpointError(f"{folder} is not a run folder: config.yaml is missing")
    return from_yaml(path.read_text(encoding="utf-8"))
