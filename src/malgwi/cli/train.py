"""`malgwi train`: from two manifests to a run folder."""

import dataclasses
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from lhotse.cut import MonoCut
from rich.console import Console

from malgwi import encoder_folder, manifest
from malgwi.augment import policy
from malgwi.checkpoint import list_checkpoints
from malgwi.config import RunConfig, to_yaml
from malgwi.cost import cost_table, measure_cost
from malgwi.errors import CheckpointError, ConfigError
from malgwi.models.pretrained import PretrainedConfig
from malgwi.nn.initialize import StartReport
from malgwi.recipes import RECIPES, recipe
from malgwi.run import Say, build, load_config
from malgwi.trainer import State, train
from malgwi.training_log import TrainingLog

_HELP = """usage: malgwi train RECIPE --train MANIFEST… --dev MANIFEST… --out RUN [OPTIONS]

Train a recogniser; the best weights by development CER, its settings and curves end up in RUN.

recipes: {recipes}

examples:
  malgwi train quick --train data/train.jsonl --dev data/dev.jsonl --out runs/first --budget 60m
  malgwi train quick … --model.listener.units 256 --batches.max-batch-s 60   (any setting)
  malgwi train quick … --dry-run                (show settings, sizes and the start-up check)
  malgwi train finetune … --encoder PATH        (a wav2vec 2.0, HuBERT or Whisper folder)
  malgwi train quick … --resume                 (go on from the newest checkpoint of --out)

malgwi train RECIPE --help lists every setting with its value in that recipe.
"""


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Train a recogniser.

    Attributes:
        train: Manifests of the training split.
        dev: Manifests of the development split.
        out: The run folder.
        budget: Wall-clock time for everything after loading, such as 60m, 1.5h or 90s; schedules
            end exactly there. Overrides the recipe's end.
        epochs: Passes over the data; overrides the recipe's end.
        encoder: The folder of a pretrained encoder, or its name on the Hugging Face hub, for
            recipe finetune; the front end becomes the one that it was trained behind.
        spec_augment: Another SpecAugment policy than the recipe's, by the paper's name, or none.
        resume: A checkpoint's JSON file, or ``latest``. All other settings must be as they were;
            the run ends where it was to end, unless --budget or --epochs is given again.
        cache: Folder for decoded audio, to share between runs; in the run folder if not given.
        threads: CPU threads; all cores by default.
        device: ``cpu`` or ``cuda``.
        dry_run: Build everything, print parameters and multiply-adds by part, stop before the
            first step.
        quiet: No progress bar.
        config: Every setting of the recipe.
    """

    train: tuple[Path, ...]
    dev: tuple[Path, ...]
    out: Path
    budget: str | None = None
    epochs: int | None = None
    encoder: str | None = None
    spec_augment: Literal["recipe", "off", "LB", "LD", "SM", "SS"] = "recipe"
    resume: str | None = None
    cache: Path | None = None
    threads: int | None = None
    device: str = "cpu"
    dry_run: bool = False
    quiet: bool = False
    config: Annotated[RunConfig, tyro.conf.arg(name=""), tyro.conf.AvoidSubcommands]


def run(args: Sequence[str]) -> None:
    """Parse the recipe's name, then everything else with that recipe's values as defaults."""
    if not args or args[0] in {"-h", "--help"}:
        print(_HELP.format(recipes=", ".join(RECIPES)))
        return
    name, rest = args[0], list(args[1:])
    if "--resume" in rest:
        after = rest.index("--resume") + 1
        if after == len(rest) or rest[after].startswith("--"):
            rest.insert(after, "latest")
    defaults = TrainOptions(
        train=tyro.MISSING, dev=tyro.MISSING, out=tyro.MISSING, config=recipe(name)
    )
    options = tyro.cli(TrainOptions, prog=f"malgwi train {name}", args=rest, default=defaults)
    train_run(options)


def train_run(options: TrainOptions, console: Console | None = None) -> State:
    """Train as the options say.

    Raises:
        MalgwiError: Whatever the user can mend, by name.
    """
    console = console or Console(file=sys.stderr)
    config = with_end(options.config, options.budget, options.epochs)
    if options.encoder is not None:
        config = with_encoder(config, options.encoder)
    if options.spec_augment != "recipe":
        masking = None if options.spec_augment == "off" else policy(options.spec_augment)
        config = replace(config, masking=masking)
    resume = find_checkpoint(options.out, options.resume)
    if resume is not None:
        config = _same_settings(config, options)
    elif (
        list_checkpoints(options.out / "checkpoints")
        or (options.out / "weights.safetensors").exists()
    ):
        raise ConfigError(
            f"{options.out} holds a run already: go on with  --resume latest, or give another --out"
        )
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    say = _printer(console)
    train_cuts, dev_cuts = manifest.read_all(options.train), manifest.read_all(options.dev)
    _hint_at_rate(train_cuts, config, say)
    built = build(config, train_cuts, dev_cuts, options.out, say, options.cache)
    show_start(built.start, built.parts.model, say)
    if options.dry_run:
        width, frame_s = config.front_end.num_features, config.front_end.frame_s
        say(cost_table(measure_cost(built.parts.model, width, frame_s)))
        say(to_yaml(config))
        return State(stopped="dry run")
    built.parts.model.to(options.device)
    shown = None if options.quiet else console
    with TrainingLog(options.out, console=shown) as log:
        state = train(built.parts, built.trainer, options.out, log, resume=resume)
    say(
        f"{state.stopped} after {state.step} steps, {state.elapsed_s / 60:.1f} minutes; best "
        f"development CER without spaces {100 * state.best_cer:.2f} % at step {state.best_step}"
    )
    plot(options.out)
    return state


def with_end(config: RunConfig, budget: str | None, epochs: int | None) -> RunConfig:
    """The configuration with the end that the command line asks for."""
    if budget is None and epochs is None:
        return config
    seconds = None if budget is None else parse_duration(budget)
    trainer = replace(config.trainer, budget_s=seconds, epochs=epochs, max_steps=None)
    return replace(config, trainer=trainer)


def with_encoder(config: RunConfig, encoder: str) -> RunConfig:
    """The configuration with that pretrained encoder, behind the front end that it wants.

    Raises:
        ConfigError: The recipe's model has none, or there is no such encoder.
    """
    if not isinstance(config.model, PretrainedConfig):
        raise ConfigError(
            f"--encoder with a model of kind {config.model.kind}: use recipe finetune"
        )
    model = replace(config.model, encoder=encoder)
    return replace(
        config, model=model, front_end=encoder_folder.front_end(model.find(), config.front_end)
    )


def parse_duration(text: str) -> float:
    """Seconds in "60m", "1.5h", "90s" or "90".

    >>> parse_duration("1.5h"), parse_duration("90")
    (5400.0, 90.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if match is None or float(match[1]) <= 0:
        raise ConfigError(f"--budget {text!r}: expected a time such as 60m, 1.5h or 90s")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def find_checkpoint(folder: Path, wanted: str | None) -> Path | None:
    """The checkpoint to resume from, if any is wanted."""
    if wanted is None:
        return None
    if wanted != "latest":
        return Path(wanted)
    found = list_checkpoints(folder / "checkpoints")
    if not found:
        raise CheckpointError(f"{folder}/checkpoints holds no checkpoint to resume from")
    return found[-1]


def holds_run(folder: Path) -> bool:
    """Whether training there would overwrite what an earlier run left."""
    trained = (folder / "weights.safetensors").exists()
    return trained or bool(list_checkpoints(folder / "checkpoints"))


def _same_settings(config: RunConfig, options: TrainOptions) -> RunConfig:
    """The settings that a resumed run goes on with: the saved ones, but for an end asked for anew.

    Raises:
        ConfigError: Anything else differs from what the run began with.
    """
    saved = load_config(options.out)
    ends = {name: getattr(saved.trainer, name) for name in ("budget_s", "epochs", "max_steps")}
    trainer = config.trainer
    if trainer.precision == "auto":  # what was decided as the run began stays
        trainer = replace(trainer, precision=saved.trainer.precision)
    if trainer.workers is None:
        trainer = replace(trainer, workers=saved.trainer.workers)
    given = replace(config, trainer=replace(trainer, **ends))
    if given != saved:
        changed = ", ".join(_differences(given, saved, ""))
        raise ConfigError(f"--resume with other settings than {options.out}/config.yaml: {changed}")
    if options.budget is None and options.epochs is None:
        return saved
    return replace(config, trainer=trainer)


def _differences(a: object, b: object, where: str) -> list[str]:
    if a == b:
        return []
    if not dataclasses.is_dataclass(a) or type(a) is not type(b):
        return [f"{where} is {a!r}, was {b!r}"]
    names = [f.name for f in dataclasses.fields(a)]
    return [
        line
        for name in names
        for line in _differences(
            getattr(a, name), getattr(b, name), f"{where}.{name}" if where else name
        )
    ]


def _hint_at_rate(cuts: Sequence[MonoCut], config: RunConfig, say: Say) -> None:
    """Say so where telephone audio is about to be trained on at twice its rate."""
    highest = max((cut.recording.sampling_rate for cut in cuts), default=0)
    rate = config.front_end.sample_rate_hz
    if not 0 < highest < rate:
        return
    if isinstance(config.model, PretrainedConfig):
        say(
            f"NOTE  the audio has at most {highest} Hz and is resampled up to the {rate} Hz of the "
            f"encoder, which is not used to silence above {highest // 2} Hz"
        )
    else:
        say(
            f"NOTE  the audio has at most {highest} Hz, the front end {rate} Hz: nothing is lost, "
            "but recipe telephone (8 kHz) would do the same for less"
        )


def show_start(start: StartReport, model: torch.nn.Module, say: Say) -> None:
    """Print size and the start-up check."""
    size = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    share = "" if trained == size else f" ({trained / 1e6:.2f} M of them trained)"
    say(
        f"{size / 1e6:.2f} M parameters{share}; initial loss {start.initial_loss:.2f} nats a unit, "
        f"ln V = {start.uniform_loss:.2f}"
    )
    for warning in start.warnings:
        say(f"WARNING  {warning}")


def plot(folder: Path) -> None:
    """Draw the curves of a run into curves.svg."""
    from malgwi.report import plot_curves
    from malgwi.training_log import read_metrics

    plot_curves(read_metrics(folder / "metrics.jsonl"), folder / "curves.svg")


def _printer(console: Console) -> Say:
    return lambda text: console.print(text, highlight=False, markup=False, soft_wrap=True)
