"""Twenty steps of training a family's debug size: the curve that proves a refactor changed nothing.

``PYTHONPATH=tests python tests/golden_curves.py`` writes tests/golden/loss_curves.json anew.
"""

import json
from pathlib import Path

import torch
from debug_models import DEBUG, batch, make, objective

from malgwi.optim import OptimConfig, build_optimizer

PATH = Path(__file__).parent / "golden" / "loss_curves.json"
STEPS = 20


def curve(kind: str) -> list[float]:
    """Its loss at each step, on two batches in turn: CPU, one thread, fp32, dropout on."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    config = DEBUG[kind]
    model, loss_of, batches = make(config).train(), objective(config), [batch(4), batch(5)]
    optimizer = build_optimizer(model, OptimConfig(learning_rate=5e-3))
    losses = []
    for step in range(STEPS):
        torch.manual_seed(step)
        loss, _ = loss_of(model, batches[step % 2], step / STEPS, None)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    torch.set_num_threads(threads)
    return losses


if __name__ == "__main__":
    curves = {kind: [round(loss, 6) for loss in curve(kind)] for kind in DEBUG}
    PATH.write_text(json.dumps(curves, indent=1) + "\n", encoding="utf-8")
