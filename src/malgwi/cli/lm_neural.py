"""The part of ``malgwi lm`` that needs torch: an LSTM trained, written and judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console

from malgwi import lm, tokenizers
from malgwi.cli.lm_sources import Source, read_lines
from malgwi.errors import DataError
from malgwi.lm.neural import LstmConfig, LstmModel, write_lstm
from malgwi.lm.neural_training import LstmTraining, nats_per_token, train_lstm
from malgwi.text.normalize import normalize
from malgwi.tokenizers import TokenizerConfig
from malgwi.types import Tokenizer

#: Every how many lines one is held out to judge by.
HELD_OUT = 50


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Options of the command that concern an LSTM."""

    epochs: int
    budget_s: float | None
    embedding: int
    width: int
    layers: int
    output: Literal["tied", "composed"]
    device: str


def train_and_write(asked: Asked, source: Source, out: Path, console: Console) -> LstmModel:
    """Train an LSTM on a source, every fiftieth line held out, and write it.

    Raises:
        DataError: Too little text.
    """
    with console.status("reading"):
        texts = [normalize(line, source.settings.text) for line in read_lines(source.paths)]
        tokenizer = source.tokenizer or _learned(texts, source)
        ids = [units for text in texts if (units := tokenizer.encode(text))]
    dev = ids[HELD_OUT - 1 :: HELD_OUT]
    train = [units for number, units in enumerate(ids, start=1) if number % HELD_OUT]
    if not dev:
        raise DataError(f"{len(ids)} sentences: an LSTM needs {HELD_OUT} or more to judge itself")
    config = LstmConfig(
        embedding=asked.embedding, units=asked.width, layers=asked.layers, output=asked.output
    )
    model = LstmModel(config, tokenizer, source.settings).to(asked.device)
    size = sum(parameter.numel() for parameter in model.parameters())
    console.print(f"{size:,} parameters, {tokenizer.size} units, {sum(map(len, train)):,} tokens")
    training = LstmTraining(epochs=asked.epochs, budget_s=asked.budget_s)
    found = train_lstm(model, train, dev, training, console.print)
    measured = {"dev_perplexity": found.dev_perplexity, "steps": found.steps}
    write_lstm(model, out, measured)
    console.print(
        f"{out}: {out.stat().st_size / 1e6:.2f} MB; development perplexity "
        f"{found.dev_perplexity:.2f} after {found.seconds:.0f} s ({found.stopped})"
    )
    return model


def _learned(texts: Sequence[str], source: Source) -> Tokenizer:
    kind, spaces = source.settings.units, source.settings.spaces
    return tokenizers.train(texts, TokenizerConfig(kind=kind, spaces=spaces))


def judged(model: LstmModel, path: Path) -> str:
    """One line of figures on a text; unknown units count as the unknown token."""
    lines = (normalize(line, model.settings.text) for line in read_lines([path]))
    ids = [found for line in lines if (found := model.tokenizer.encode(line))]
    if not ids:
        return f"{path}: holds no sentence"
    with torch.no_grad():
        nats = nats_per_token(model, ids)
    unknown_id = model.tokenizer.unknown_id
    unknown = 0 if unknown_id is None else sum(found.count(unknown_id) for found in ids)
    tokens = sum(map(len, ids)) + len(ids)
    return (
        f"{path}: perplexity {exp(nats):.2f}; {tokens:,} tokens, {unknown:,} unknown "
        f"({unknown / tokens:.2%}), {len(ids):,} sentences"
    )


def read(path: Path, device: str) -> LstmModel:
    """The LSTM in a file, on a device."""
    model: LstmModel = lm.load(path)
    return model.to(device)
