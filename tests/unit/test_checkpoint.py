"""Checkpoints: whole, or named as damaged with the one before on offer."""

from pathlib import Path

import pytest
import torch

from malgwi.checkpoint import (
    Checkpoint,
    list_checkpoints,
    load_checkpoint,
    optimizer_tensors,
    restore_optimizer,
    save_checkpoint,
)
from malgwi.errors import CheckpointError


def save(folder: Path, step: int, keep: int = 3) -> Path:
    values = {"step": step, "third": 1 / 3}
    checkpoint = Checkpoint(tensors={"a/w": torch.full((2, 3), float(step))}, values=values)
    return save_checkpoint(folder, step, checkpoint, keep=keep)


def test_round_trip_is_exact_and_old_ones_go(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        path = save(tmp_path, step, keep=2)
    assert [p.name for p in list_checkpoints(tmp_path)] == [
        "step-00000003.json",
        "step-00000004.json",
    ]
    assert len(list(tmp_path.iterdir())) == 4
    loaded = load_checkpoint(path)
    assert loaded.values == {"step": 4, "third": 1 / 3}
    assert torch.equal(loaded.tensors["a/w"], torch.full((2, 3), 4.0))


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "json"])
def test_damage_is_named_and_the_one_before_offered(tmp_path: Path, damage: str) -> None:
    before, path = save(tmp_path, 1), save(tmp_path, 2)
    weights = path.with_suffix(".safetensors")
    data = bytearray(weights.read_bytes())
    if damage == "flip":
        data[-3] ^= 1
        weights.write_bytes(data)
    elif damage == "cut":
        weights.write_bytes(data[:-5])
    elif damage == "gone":
        weights.unlink()
    else:
        path.write_text(path.read_text()[:-9])
    with pytest.raises(CheckpointError, match="damaged") as error:
        load_checkpoint(path)
    assert f"--resume {before}" in str(error.value)
    assert load_checkpoint(before).values["step"] == 1


def test_a_kill_between_the_two_files_leaves_no_checkpoint(tmp_path: Path) -> None:
    path = save(tmp_path, 1)
    path.unlink()  # what a kill before the second rename leaves
    assert list_checkpoints(tmp_path) == []


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_optimizer_state_survives(kind: type[torch.optim.Optimizer]) -> None:
    def run(steps: int, optimizer: torch.optim.Optimizer, model: torch.nn.Linear) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            model(torch.ones(2, 3)).square().sum().backward()
            optimizer.step()

    def make() -> tuple[torch.nn.Linear, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)
        extra = {"momentum": 0.9} if kind is torch.optim.SGD else {}
        return model, kind(model.parameters(), lr=0.01, **extra)  # type: ignore[call-arg]

    model, optimizer = make()
    run(3, optimizer, model)
    other, restored = make()
    other.load_state_dict(model.state_dict())
    restore_optimizer(restored, *optimizer_tensors(optimizer))
    run(3, optimizer, model)
    run(3, restored, other)
    assert torch.equal(model.weight, other.weight)
