"""Checkpoints that survive a kill: two files a step, written beside and renamed, checksummed.

``step-00001200.safetensors`` holds every tensor (weights, moving average, optimiser), the JSON of
the same stem everything else (counters, optimiser scalars) and the SHA-256 of the first. The JSON
is renamed last: a checkpoint without it does not exist. Never a pickle.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from malgwi.errors import CheckpointError

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One saved state: named tensors and JSON values."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


def write_bytes(path: Path, data: bytes) -> None:
    """Write beside, flush to disk, then rename: the path never holds half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write tensors as safetensors, atomically; returns the SHA-256 of the file."""
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    write_bytes(path, data)
    return hashlib.sha256(data).hexdigest()


def save_checkpoint(folder: Path, step: int, checkpoint: Checkpoint, *, keep: int = 2) -> Path:
    """Save under ``folder`` and delete all but the newest ``keep``, at least 1.

    Returns:
        The path of the JSON file.
    """
    stem = folder / f"step-{step:08d}"
    digest = save_tensors(stem.with_suffix(".safetensors"), checkpoint.tensors)
    head = {"format_version": FORMAT_VERSION, "sha256": digest, "values": checkpoint.values}
    write_bytes(stem.with_suffix(".json"), json.dumps(head).encode())
    newest = list_checkpoints(folder)[-keep:]
    for other in [*folder.glob("step-*"), *folder.glob(".step-*")]:
        if other.with_suffix(".json") not in newest:  # older, or left by a kill while writing
            other.unlink()
    return stem.with_suffix(".json")


def discard_later(path: Path) -> None:
    """Delete the checkpoints after this one: a run that goes on from here makes others."""
    for other in list_checkpoints(path.parent):
        if other.name > path.name:
            other.unlink()
            other.with_suffix(".safetensors").unlink(missing_ok=True)


def list_checkpoints(folder: Path) -> list[Path]:
    """The JSON files of all checkpoints in ``folder``, oldest first."""
    return sorted(folder.glob("step-????????.json"))


def load_checkpoint(path: Path) -> Checkpoint:
    """Load one checkpoint by its JSON file and prove it whole.

    Raises:
        CheckpointError: A file is missing or damaged; the message offers the one before.
    """
    if not path.is_file():
        raise CheckpointError(f"no checkpoint {path}: name the .json file of one")
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
        version, digest, values = head["format_version"], head["sha256"], head["values"]
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(_damaged(path, f"its JSON cannot be read ({error!r})")) from error
    if version != FORMAT_VERSION:
        raise CheckpointError(f"{path}: format version {version}, this malgwi reads 1")
    weights = path.with_suffix(".safetensors")
    if not weights.exists():
        raise CheckpointError(_damaged(path, f"{weights.name} is missing"))
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != digest:
        raise CheckpointError(
            _damaged(path, f"{weights.name} has SHA-256 {found[:12]}…, expected {digest[:12]}…")
        )
    return Checkpoint(tensors=load_file(weights), values=values)


def _damaged(path: Path, why: str) -> str:
    before = [other for other in list_checkpoints(path.parent) if other.name < path.name]
    remedy = (
        f"resume from the one before it with  --resume {before[-1]}"
        if before
        else "there is no earlier one: train again without --resume"
    )
    return f"checkpoint {path} is damaged: {why}; {remedy}"


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as named tensors and JSON scalars."""
    tensors: dict[str, Tensor] = {}
    scalars: dict[str, Any] = {}
    for index, entry in optimizer.state_dict()["state"].items():
        for key, value in entry.items():
            name = f"{index}/{key}"
            if isinstance(value, Tensor):
                tensors[name] = value
            else:
                scalars[name] = value
    return tensors, scalars


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], scalars: Mapping[str, Any]
) -> None:
    """Undo `optimizer_tensors`; the parameter groups' settings stay those of ``optimizer``."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in [*tensors.items(), *scalars.items()]:
        index, _, key = name.partition("/")
        copy = value.clone() if isinstance(value, Tensor) else value
        state.setdefault(int(index), {})[key] = copy
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
