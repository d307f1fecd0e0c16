"""One variant, from configuration to counted errors: train or search, decode, score."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lessons_results import Result, Scored, Training, made_now, scored, shared
from lessons_variants import (
    BASELINE,
    COMPARED,
    SEARCHED,
    TRAINED,
    Choose,
    Search,
    Trained,
    attention_beam,
    changes,
    ctc_greedy,
    first,
    greedy,
    joint_beam,
    not_applicable,
)
from lhotse.cut import MonoCut

from malgwi.checkpoint import list_checkpoints
from malgwi.config import RunConfig
from malgwi.run import Built, Say, build, load_recogniser, references
from malgwi.split import SplitConfig, split
from malgwi.trainer import State, train
from malgwi.training_log import TrainingLog
from malgwi.transcribe import Recogniser


@dataclass(frozen=True, kw_only=True)
class Data:
    """The three parts; the test part is common to all variants and never trained on."""

    train: Sequence[MonoCut]
    dev: Sequence[MonoCut]
    test: Sequence[MonoCut]


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """One baseline on one corpus, measured into one folder."""

    base: RunConfig
    data: Data
    folder: Path
    search: str
    say: Say


def measure(ablation: Ablation, name: str, seed: int) -> Result:
    """One variant at one seed."""
    base = replace(ablation.base, trainer=replace(ablation.base.trainer, seed=seed))
    reason = not_applicable(name, base, ablation.search) or nothing_to_clean(
        name, base, ablation.data
    )
    if reason:
        return Result(name=name, seed=seed, changed=(), made=made_now(), not_measured=reason)
    if name in TRAINED:
        return measure_trained(ablation, base, name)
    return measure_searched(ablation, base, name)


def nothing_to_clean(name: str, base: RunConfig, data: Data) -> str | None:
    """Why transcripts as found would train the same model; None if they would not."""
    if name != "no_text_cleaning" or changed_texts(base, TRAINED[name].change(base), data.train):
        return None
    return "all training transcripts are clean already"


def changed_texts(base: RunConfig, config: RunConfig, cuts: Sequence[MonoCut]) -> int:
    """How many references differ between two ways to clean."""
    before, after = references(cuts, base), references(cuts, config)
    return sum(before[name] != after[name] for name in before)


def measure_trained(ablation: Ablation, base: RunConfig, name: str) -> Result:
    """Train a variant, then decode the test part and its own development part."""
    variant, seed = TRAINED[name], base.trainer.seed
    config = variant.change(base)
    train_cuts, dev_cuts = parts(ablation.data, variant, seed)
    built, state = trained(ablation.folder, name, seed, config, (train_cuts, dev_cuts))
    recogniser = load_recogniser(run_folder(ablation.folder, name, seed))
    compared = COMPARED[ablation.search]
    searches = {"beam": compared, "greedy": greedy}
    if config.model.ctc:
        searches |= {"ctc": ctc_greedy, "joint": joint_beam}
    test = {
        key: decoded(recogniser, ablation.data.test, base, search)
        for key, search in searches.items()
    }
    return Result(
        name=name,
        seed=seed,
        changed=tuple(changes(base, config)),
        made=made_now(),
        test=test,
        dev=decoded(recogniser, dev_cuts, base, compared),
        training=Training(
            minutes=state.elapsed_s / 60,
            updates=state.step,
            best_update=state.best_step,
            hours=sum(e.duration_s for e in built.parts.batches.examples) / 3600,
            utterances=len(built.parts.batches.examples),
            changed_texts=changed_texts(base, config, train_cuts),
            warnings=built.start.warnings,
            dev_shared=shared(train_cuts, dev_cuts),
        ),
    )


def parts(data: Data, variant: Trained, seed: int) -> tuple[Sequence[MonoCut], Sequence[MonoCut]]:
    """Training and development cuts of a variant.

    At random means: both parts pooled, and a development part of the same duration drawn from
    them, so that training keeps its amount. The test part stays out.
    """
    if not variant.random_split:
        return data.train, data.dev
    dev_s = sum(cut.duration for cut in data.dev)
    share = dev_s / (dev_s + sum(cut.duration for cut in data.train))
    pool = {"pool": [*data.train, *data.dev]}
    drawn = split(pool, SplitConfig(dev=share, how="random", seed=seed)).parts
    return drawn["train"], drawn["dev"]


def trained(
    folder: Path,
    name: str,
    seed: int,
    config: RunConfig,
    cuts: tuple[Sequence[MonoCut], Sequence[MonoCut]],
) -> tuple[Built, State]:
    """Train into the variant's run folder, going on from a checkpoint that is there."""
    target = run_folder(folder, name, seed)
    target.mkdir(parents=True, exist_ok=True)
    cache = target / "audio_cache"
    if not cache.is_symlink():  # caches are named by what they hold: variants can share theirs
        (folder / "audio_cache").mkdir(exist_ok=True)
        cache.symlink_to((folder / "audio_cache").resolve(), target_is_directory=True)
    built = build(config, *cuts, target, lambda _text: None)
    saved = list_checkpoints(target / "checkpoints")
    with TrainingLog(target, tensorboard="off") as log:
        resume = saved[-1] if saved else None
        state = train(built.parts, built.trainer, target, log, resume=resume)
    return built, state


def run_folder(folder: Path, name: str, seed: int) -> Path:
    """Where a variant's training run lies."""
    return folder / "runs" / f"{name}-seed{seed}"


def measure_searched(ablation: Ablation, base: RunConfig, name: str) -> Result:
    """Search the baseline's model otherwise."""
    variant, seed = SEARCHED[name], base.trainer.seed
    recogniser = load_recogniser(run_folder(ablation.folder, BASELINE, seed))
    correct, own = (f(base.decoding) for f in (attention_beam, variant.change))
    return Result(
        name=name,
        seed=seed,
        changed=tuple(changes(correct, own, "decoding")),
        made=made_now(),
        test={
            "beam": decoded(recogniser, ablation.data.test, base, variant.change, variant.choose)
        },
    )


def decoded(
    recogniser: Recogniser,
    cuts: Sequence[MonoCut],
    base: RunConfig,
    search: Search,
    choose: Choose = first,
) -> Scored:
    """Decode cuts, taking of each segment the hypothesis that is chosen, and score them."""
    searching = replace(recogniser, decoding=search(base.decoding))
    found = searching.recognise([searching.front_end.cut_waveform(cut) for cut in cuts])
    hypotheses = {}
    for cut, recognition in zip(cuts, found, strict=True):
        results = [
            choose(segment.hypotheses) for segment in recognition.segments if segment.hypotheses
        ]
        texts = (searching.tokenizer.decode(result.tokens) for result in results)
        hypotheses[cut.id] = " ".join(text for text in texts if text)
    return scored(cuts, hypotheses, base.text)
