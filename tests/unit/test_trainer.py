"""The loop: it learns, it resumes bit for bit, it names what breaks it."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from malgwi import manifest
from malgwi.batching import Batch, BatchConfig
from malgwi.checkpoint import list_checkpoints
from malgwi.config import RunConfig
from malgwi.errors import CheckpointError, ConfigError, DataError, TrainingError
from malgwi.front_end import preset
from malgwi.machine import pays_bf16, runs_bf16
from malgwi.models.las import LASConfig, ListenerConfig, SpellerConfig
from malgwi.nn.dropout import Dropout
from malgwi.objective import Objective, ObjectiveConfig
from malgwi.optim import OptimConfig, weight_noise
from malgwi.run import Built, build, load_recogniser
from malgwi.tokenizers import TokenizerConfig
from malgwi.trainer import TrainerConfig, train
from malgwi.training_log import TrainingLog, read_metrics
from malgwi.transcribe import DecodingConfig
from tests.tones import make_corpus


def tiny_config(**trainer: object) -> RunConfig:
    base = RunConfig()
    settings = {"epochs": 2, "precision": "fp32", "evaluations": 2, "log_steps": 1, **trainer}
    return replace(
        base,
        front_end=replace(preset("telephone"), num_mels=20),
        batches=replace(base.batches, max_batch_s=8.0, speeds=(0.9, 1.0, 1.1)),
        model=LASConfig(
            listener=ListenerConfig(front="stack", stack=4, layers=1, units=24, dropout=0.1),
            speller=SpellerConfig(
                attention="dot", attention_units=16, layers=1, units=24, embedding=8, dropout=0.1
            ),
            ctc=True,
        ),
        objective=ObjectiveConfig(ctc_weight=0.5, sampling=0.2),
        optim=replace(base.optim, learning_rate=5e-3),
        trainer=TrainerConfig(**settings),  # type: ignore[arg-type]
        dev_decoding=DecodingConfig(method="ctc"),
    )


def conv_config(**trainer: object) -> RunConfig:
    """With BatchNorm buffers, unigram smoothing, weight noise and, where it can be, bfloat16."""
    base = tiny_config(**{"precision": "bf16" if runs_bf16() else "fp32", **trainer})
    listener = replace(base.model.listener, front="conv", conv_channels=4)
    return replace(
        base,
        model=replace(base.model, listener=listener),
        objective=replace(base.objective, smoothing_kind="unigram"),
        optim=replace(base.optim, weight_noise=0.01, weight_noise_start=2),
    )


def ramp_config(**trainer: object) -> RunConfig:
    """With regularisation that grows for two epochs, and two views in the third."""
    base = tiny_config(ramp_epochs=2, **trainer)
    return replace(base, batches=replace(base.batches, views=2))


def workers_config(**trainer: object) -> RunConfig:
    """Two threads, each with half of every batch."""
    return tiny_config(workers=2, **trainer)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tones")
    return make_corpus(folder, 40, seed=1), make_corpus(folder, 8, seed=2, prefix="d")


def built(corpus: tuple[Path, Path], folder: Path, config: RunConfig) -> Built:
    train_cuts, dev_cuts = (list(manifest.read(path)) for path in corpus)
    folder.mkdir(exist_ok=True)
    return build(config, train_cuts, dev_cuts, folder, lambda _text: None)


def weights(folder: Path) -> bytes:
    return list_checkpoints(folder / "checkpoints")[-1].with_suffix(".safetensors").read_bytes()


class KilledError(Exception):
    """Stands for a kill: raised in the middle of a step, nothing is cleaned up."""


def die_at(objective: Objective, step: int) -> Objective:
    calls = iter(range(10_000))

    class Dying(Objective):
        def __call__(self, *args: object) -> object:  # type: ignore[override]
            if next(calls) == step:
                raise KilledError
            return objective(*args)  # type: ignore[arg-type]

    dying = Dying.__new__(Dying)
    dying.__dict__.update(objective.__dict__)
    return dying


@pytest.mark.parametrize(
    ("make", "killed_at"),
    [
        (tiny_config, 3),
        (tiny_config, 11),
        (conv_config, 7),
        (ramp_config, 11),
        (workers_config, 11),
    ],
)
def test_resume_ends_bit_for_bit_where_the_undisturbed_run_ends(
    corpus: tuple[Path, Path], tmp_path: Path, make: Callable[..., RunConfig], killed_at: int
) -> None:
    config = make(checkpoint_steps=3, epochs=3, evaluations=3)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    made = built(corpus, whole, config)
    reference = train(made.parts, made.trainer, whole, TrainingLog(whole, tensorboard="off"))
    made = built(corpus, broken, config)
    parts = replace(made.parts, objective=die_at(made.parts.objective, killed_at))
    with pytest.raises(KilledError):
        train(parts, made.trainer, broken, TrainingLog(broken, tensorboard="off"))
    newest = list_checkpoints(broken / "checkpoints")[-1]
    torch.manual_seed(999)  # a new process knows nothing of the old one's generator
    made = built(corpus, broken, config)
    log = TrainingLog(broken, tensorboard="off")
    resumed = train(made.parts, made.trainer, broken, log, resume=newest)
    assert resumed.step == reference.step > killed_at
    assert resumed.best_cer == reference.best_cer
    assert weights(broken) == weights(whole)
    best = [(folder / "weights.safetensors").read_bytes() for folder in (whole, broken)]
    assert best[0] == best[1]
    losses = [
        [line.get("loss", line.get("dev_cer")) for line in read_metrics(folder / "metrics.jsonl")]
        for folder in (whole, broken)
    ]
    assert losses[0] == losses[1]


def test_a_damaged_checkpoint_is_named(corpus: tuple[Path, Path], tmp_path: Path) -> None:
    made = built(corpus, tmp_path, tiny_config(checkpoint_steps=2, epochs=1))
    train(made.parts, made.trainer, tmp_path, TrainingLog(tmp_path, tensorboard="off"))
    before, newest = list_checkpoints(tmp_path / "checkpoints")
    newest.with_suffix(".safetensors").write_bytes(b"half")
    made = built(corpus, tmp_path, tiny_config(checkpoint_steps=2, epochs=1))
    log = TrainingLog(tmp_path, tensorboard="off")
    with pytest.raises(CheckpointError, match=before.name):
        train(made.parts, made.trainer, tmp_path, log, resume=newest)


class Poisoned:
    """Batches whose features are NaN where the plan's step is in ``bad``."""

    def __init__(self, batches: object, bad: set[int]) -> None:
        self.inner, self.bad, self.count = batches, bad, -1

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def load(self, *args: object) -> Batch:
        self.count += 1
        batch: Batch = self.inner.load(*args)  # type: ignore[attr-defined]
        if self.count in self.bad:
            return replace(batch, features=batch.features * math.nan)
        return batch


@pytest.mark.parametrize("make", [tiny_config, conv_config])
def test_a_non_finite_step_is_named_skipped_and_bounded(
    corpus: tuple[Path, Path], tmp_path: Path, make: Callable[..., RunConfig]
) -> None:
    made = built(corpus, tmp_path, make(epochs=1, max_skipped_steps=2))
    parts = replace(made.parts, batches=Poisoned(made.parts.batches, {1, 2}))  # type: ignore[arg-type]
    state = train(parts, made.trainer, tmp_path, TrainingLog(tmp_path, tensorboard="off"))
    assert state.skipped == 2
    assert all(torch.isfinite(v).all() for v in made.parts.model.state_dict().values())
    named = [
        line["skipped"] for line in read_metrics(tmp_path / "metrics.jsonl") if "skipped" in line
    ]
    assert [len(ids) > 0 for ids in named] == [True, True]
    made = built(corpus, tmp_path, make(epochs=1, max_skipped_steps=2))
    parts = replace(made.parts, batches=Poisoned(made.parts.batches, {0, 1, 2}))  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match=r"max_skipped_steps=2.*batch: t0"):
        train(parts, made.trainer, tmp_path, TrainingLog(tmp_path, tensorboard="off"))


def test_accumulation_equals_one_large_batch(corpus: tuple[Path, Path], tmp_path: Path) -> None:
    """Without dropout two half batches give the gradient, hence the weights, of the whole."""

    def after_a_step(name: str, max_batch_s: float, accumulate: int) -> torch.Tensor:
        config = tiny_config(max_steps=1, epochs=None, ema_decay=0.0)
        listener = replace(config.model.listener, dropout=0.0)
        speller = replace(config.model.speller, dropout=0.0)
        config = replace(
            config,
            batches=replace(
                config.batches,
                max_batch_s=1e9,
                max_batch_size=40 // accumulate,
                accumulate=accumulate,
                curriculum_epochs=1,
                speeds=(1.0,),
            ),
            model=replace(config.model, listener=listener, speller=speller),
            objective=ObjectiveConfig(ctc_weight=0.5),
        )
        made = built(corpus, tmp_path / name, config)
        log = TrainingLog(tmp_path / name, tensorboard="off")
        train(made.parts, made.trainer, tmp_path / name, log)
        return made.parts.model.ctc.residual.weight.detach().clone()

    whole, halves = after_a_step("whole", 1e9, 1), after_a_step("halves", 1e9, 2)
    torch.testing.assert_close(whole, halves, atol=1e-5, rtol=1e-3)


def test_workers_learn_what_one_thread_learns(corpus: tuple[Path, Path], tmp_path: Path) -> None:
    losses = []
    for workers in (1, 2, 3):
        config = tiny_config(workers=workers, epochs=2)
        listener = replace(config.model.listener, dropout=0.0)
        speller = replace(config.model.speller, dropout=0.0)
        config = replace(
            config,
            model=replace(config.model, listener=listener, speller=speller),
            objective=replace(config.objective, sampling=0.0),
            masking=None,
        )
        folder = tmp_path / str(workers)
        made = built(corpus, folder, config)
        train(made.parts, made.trainer, folder, TrainingLog(folder, tensorboard="off"))
        lines = read_metrics(folder / "metrics.jsonl")
        losses.append([line["loss"] for line in lines if "loss" in line])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert losses[2] == pytest.approx(losses[0], rel=1e-3)


def test_workers_are_as_many_as_there_is_work_and_one_where_statistics_are_shared(
    corpus: tuple[Path, Path], tmp_path: Path
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for make, max_batch_s, wanted in (
            (tiny_config, 8.0, 1),
            (tiny_config, 50.0, 2),
            (tiny_config, 500.0, 3),
            (conv_config, 500.0, 1),
        ):
            config = make()
            config = replace(config, batches=replace(config.batches, max_batch_s=max_batch_s))
            folder = tmp_path / f"{make.__name__}{max_batch_s}"
            made = built(corpus, folder, config)
            assert made.trainer.workers == wanted
            assert f"workers: {wanted}" in (folder / "config.yaml").read_text()
    finally:
        torch.set_num_threads(before)


def test_a_budget_ends_the_schedule_and_the_run(corpus: tuple[Path, Path], tmp_path: Path) -> None:
    config = tiny_config(epochs=None, budget_s=4.0, evaluations=4)
    made = built(corpus, tmp_path, config)
    state = train(made.parts, made.trainer, tmp_path, TrainingLog(tmp_path, tensorboard="off"))
    assert state.stopped == "completed"
    lines = read_metrics(tmp_path / "metrics.jsonl")
    steps = [line for line in lines if "learning_rate" in line]
    assert 2.0 < steps[-1]["elapsed_s"] < 6.0
    assert steps[-1]["elapsed_s"] + state.evaluation_s == pytest.approx(4.0, abs=1.0)
    floor = config.optim.learning_rate * config.optim.final_ratio
    assert steps[-1]["learning_rate"] < 3 * floor  # the last step begins just before the end
    assert sum("dev_cer" in line for line in lines) == 4


def test_regularisation_grows_epoch_by_epoch(corpus: tuple[Path, Path], tmp_path: Path) -> None:
    made = built(corpus, tmp_path, ramp_config(epochs=4))
    seen: list[tuple[float, set[float], int]] = []

    class Watching(Objective):
        def __call__(self, model: object, batch: Batch, *args: object) -> object:  # type: ignore[override]
            strengths = {m.strength for m in model.modules() if isinstance(m, Dropout)}  # type: ignore[attr-defined]
            seen.append((args[0], strengths, batch.views))  # type: ignore[arg-type]
            return watched(model, batch, *args)  # type: ignore[arg-type]

    watched = made.parts.objective
    watching = Watching.__new__(Watching)
    watching.__dict__.update(watched.__dict__)
    parts = replace(made.parts, objective=watching)
    train(parts, made.trainer, tmp_path, TrainingLog(tmp_path, tensorboard="off"))
    by_epoch = {int(4 * progress + 1e-9): (drops, views) for progress, drops, views in seen}
    assert by_epoch == {0: ({0.0}, 1), 1: ({0.5}, 1), 2: ({1.0}, 2), 3: ({1.0}, 2)}


def test_it_learns_the_toy_language(corpus: tuple[Path, Path], tmp_path: Path) -> None:
    config = tiny_config(epochs=60, evaluations=4, ema_decay=0.9)
    # at another speed one tone sounds like its neighbour
    config = replace(config, batches=replace(config.batches, speeds=(1.0,)))
    made = built(corpus, tmp_path, config)
    state = train(made.parts, made.trainer, tmp_path, TrainingLog(tmp_path, tensorboard="off"))
    assert state.best_cer < 0.1
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])["dev_cer"] < 0.2


def test_early_stopping_and_plateau_count_evaluations_without_improvement(
    corpus: tuple[Path, Path], tmp_path: Path
) -> None:
    config = tiny_config(epochs=10, evaluations=10, patience=3)
    optim = replace(config.optim, schedule="plateau", warmup_share=0.0, plateau_patience=2)
    config = replace(config, optim=optim)
    made = built(corpus, tmp_path, config)
    rates = iter([0.9, 0.5, 0.6, 0.5, 0.7, 0.1])
    parts = replace(made.parts, evaluate=lambda _model: next(rates))
    state = train(parts, made.trainer, tmp_path, TrainingLog(tmp_path, tensorboard="off"))
    assert state.stopped == "no improvement in 3 evaluations"
    assert (state.best_cer, state.epoch) == (0.5, 5)
    used = [x["learning_rate"] for x in read_metrics(tmp_path / "metrics.jsonl") if "loss" in x]
    assert sorted(set(used), reverse=True) == [optim.learning_rate, optim.learning_rate / 2]


def test_weight_noise_leaves_the_weights_as_they_were() -> None:
    model = torch.nn.Linear(3, 2)
    before = model.weight.detach().clone()
    config = OptimConfig(weight_noise=0.1, weight_noise_start=5)
    with weight_noise(model, config, 4):
        assert torch.equal(model.weight, before)
    with weight_noise(model, config, 5):
        assert not torch.equal(model.weight, before)
    assert torch.equal(model.weight, before)


def test_resuming_earlier_discards_what_came_later(
    corpus: tuple[Path, Path], tmp_path: Path
) -> None:
    config = tiny_config(checkpoint_steps=2, epochs=2, keep_checkpoints=3)
    made = built(corpus, tmp_path, config)
    train(made.parts, made.trainer, tmp_path, TrainingLog(tmp_path, tensorboard="off"))
    first, *later = list_checkpoints(tmp_path / "checkpoints")
    made = built(corpus, tmp_path, config)
    log = TrainingLog(tmp_path, tensorboard="off")
    train(made.parts, made.trainer, tmp_path, log, resume=first)
    assert list_checkpoints(tmp_path / "checkpoints")[-1] == later[-1]
    steps = [line["step"] for line in read_metrics(tmp_path / "metrics.jsonl") if "loss" in line]
    assert steps == sorted(set(steps))


def test_other_data_or_none_is_refused_before_anything_is_overwritten(
    corpus: tuple[Path, Path], tmp_path: Path
) -> None:
    config = tiny_config()
    built(corpus, tmp_path, config)
    tokenizer = (tmp_path / "tokenizer.json").read_bytes()
    train_cuts, dev_cuts = (list(manifest.read(path)) for path in corpus)
    with pytest.raises(DataError, match="the train split is not the one"):
        build(config, train_cuts[1:], dev_cuts, tmp_path, lambda _text: None)
    assert (tmp_path / "tokenizer.json").read_bytes() == tokenizer
    with pytest.raises(DataError, match="stand in both splits"):
        build(config, train_cuts, train_cuts[:3], tmp_path, lambda _text: None)
    dev_cuts[0].supervisions[0].text = "?!"
    with pytest.raises(DataError, match="none of 1 development utterances has text"):
        build(config, train_cuts, dev_cuts[:1], tmp_path / "other", lambda _text: None)


def test_bfloat16_is_chosen_and_taken_only_where_the_machine_has_all_of_it(
    corpus: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runs_bf16() or not pays_bf16()
    monkeypatch.setattr("malgwi.run.runs_bf16", lambda: False)
    with pytest.raises(ConfigError, match=r"trainer\.precision is bf16.*set .*fp32, or auto"):
        built(corpus, tmp_path, tiny_config(precision="bf16"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": LASConfig()}, "objective.ctc_weight > 0 needs a CTC output"),
        (
            {"model": LASConfig(), "objective": ObjectiveConfig()},
            "dev_decoding uses CTC, but model.ctc is False",
        ),
        (
            {"batches": BatchConfig(views=2), "objective": ObjectiveConfig()},
            "batches.views is 2 to compare CTC outputs, but objective.ctc_weight is 0",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_at_once(
    corpus: tuple[Path, Path], tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        built(corpus, tmp_path, replace(tiny_config(), **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: TrainerConfig(),
        lambda: TrainerConfig(epochs=0),
        lambda: TrainerConfig(epochs=1, log_steps=0),
        lambda: TrainerConfig(budget_s=-1.0),
        lambda: BatchConfig(speeds=()),
        lambda: BatchConfig(accumulate=0),
        lambda: ObjectiveConfig(ctc_weight=1.5),
        lambda: OptimConfig(learning_rate=0.0),
        lambda: DecodingConfig(max_segment_s=0.3),
    ],
)
def test_values_out_of_range_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        make()


@pytest.mark.parametrize(
    "tokenizer",
    [
        TokenizerConfig(spaces=True),
        TokenizerConfig(kind="jamo"),
        TokenizerConfig(kind="subword", vocab_size=20),
    ],
)
def test_every_unit_trains_and_recognises(
    corpus: tuple[Path, Path], tmp_path: Path, tokenizer: TokenizerConfig
) -> None:
    config = replace(tiny_config(epochs=1, evaluations=1), tokenizer=tokenizer)
    made = built(corpus, tmp_path, config)
    train(made.parts, made.trainer, tmp_path, TrainingLog(tmp_path, tensorboard="off"))
    recogniser = load_recogniser(tmp_path)
    result = recogniser.recognise_file(next(corpus[1].parent.glob("d*.wav")))
    assert result.duration_s > 0.3
    assert recogniser.tokenizer.size == made.parts.model.size
