"""Schedules at the points their papers name."""

import pytest
import torch

from malgwi.errors import ConfigError
from malgwi.optim import OptimConfig, Plateau, build_optimizer, learning_rate


def rate(config: OptimConfig, *, step: int = 0, progress: float = 0.5, epoch: int = 0) -> float:
    return learning_rate(config, step=step, progress=progress, epoch=epoch)


def test_cosine_ends_exactly_at_its_foot() -> None:
    config = OptimConfig(learning_rate=2e-3, warmup_share=0.05, final_ratio=0.01)
    assert rate(config, progress=0.05) == pytest.approx(2e-3)
    assert rate(config, progress=1.0) == pytest.approx(2e-5)
    rates = [rate(config, progress=p / 100) for p in range(5, 101)]
    assert rates == sorted(rates, reverse=True)


def test_specaugment_schedule_ramps_holds_and_decays() -> None:
    config = OptimConfig(
        schedule="specaugment",
        learning_rate=1e-3,
        final_ratio=0.01,
        ramp_hold_decay_steps=(500, 20_000, 80_000),
    )
    assert rate(config, step=249) == pytest.approx(5e-4)
    assert rate(config, step=500) == rate(config, step=19_999) == pytest.approx(1e-3)
    assert rate(config, step=50_000) == pytest.approx(1e-4)  # half way in the exponent
    assert rate(config, step=80_000) == rate(config, step=200_000) == pytest.approx(1e-5)
    with pytest.raises(ConfigError, match="ramp ≤ hold < final"):
        rate(OptimConfig(schedule="specaugment", ramp_hold_decay_steps=(5, 3, 9)))


def test_the_teams_schedule_halves_at_its_milestones() -> None:
    config = OptimConfig(
        schedule="epochs", learning_rate=1.0, warmup_steps=1000, milestones=(20, 35, 45)
    )
    assert rate(config, step=499) == pytest.approx(0.5)
    assert [rate(config, step=9999, epoch=e) for e in (19, 20, 35, 45)] == [1, 0.5, 0.25, 0.125]


def test_plateau_waits_then_decays() -> None:
    plateau = Plateau(decay=0.5, patience=2)
    factors = []
    for value in (0.9, 0.8, 0.8, 0.8, 0.8, 0.8):
        plateau.update(value)
        factors.append(plateau.factor)
    assert factors == [1, 1, 1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_biases_do_not_decay(name: str) -> None:
    model = torch.nn.Linear(3, 2)
    config = OptimConfig(optimizer=name, weight_decay=0.1)  # type: ignore[arg-type]
    matrices, vectors = build_optimizer(model, config).param_groups
    assert [p.ndim for p in matrices["params"]] == [2]
    assert matrices["weight_decay"] == 0.1
    assert [p.ndim for p in vectors["params"]] == [1]
    assert vectors["weight_decay"] == 0.0


def test_tri_stage_rises_holds_and_falls_in_a_line() -> None:
    config = OptimConfig(
        schedule="tri_stage", learning_rate=1.0, warmup_share=0.1, hold_share=0.4, final_ratio=0.05
    )
    found = [rate(config, progress=p) for p in (0.05, 0.1, 0.3, 0.5, 0.75, 1.0)]
    assert found == pytest.approx([0.5, 1.0, 1.0, 1.0, 0.525, 0.05])
    with pytest.raises(ConfigError, match="leave tri_stage no time to come down"):
        OptimConfig(schedule="tri_stage", warmup_share=0.5, hold_share=0.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder_rate": 0.0},
        {"layer_decay": -1.0},
        {"encoder_rest_steps": -1},
        {"encoder_rest_share": 1.0},
    ],
)
def test_what_would_train_no_encoder_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=rf"optim\.{next(iter(changes))} is"):
        OptimConfig(**changes)


def test_a_model_that_starts_afresh_has_two_groups() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.LayerNorm(3))
    groups = build_optimizer(model, OptimConfig(encoder_rate=0.1)).param_groups
    assert [len(group["params"]) for group in groups] == [1, 3]
    assert {group["rate_factor"] for group in groups} == {1.0}
    assert not any(group["pretrained"] for group in groups)
