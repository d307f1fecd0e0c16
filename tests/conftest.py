"""Fixtures for every test; one torch thread, since two contended ones wait for each other."""

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of real speech and text, from MALGWI_SHARED; users do not have it."""
    folder = Path(os.environ.get("MALGWI_SHARED", "../shared"))
    if not (folder / "speech").is_dir():
        pytest.skip(f"no real speech at {folder}: set MALGWI_SHARED to the folder that holds it")
    return folder.resolve()
