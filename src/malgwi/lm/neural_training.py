"""Training an LSTM language model for a time or some epochs, with a stop when it pays no more.

Adam, gradients clipped, a learning rate that falls linearly to a twentieth over the time or epochs
asked for. The weights of the best development perplexity are kept.

Shapes: B sentences, U tokens with the end (targets) or the start (inputs).
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from malgwi.errors import ConfigError, DataError, TrainingError
from malgwi.lm.neural import LstmModel

_IGNORED = -100
_POOL = 50  # batches whose sentences are sorted by length together


@dataclass(frozen=True, kw_only=True)
class LstmTraining:
    """How to train.

    Attributes:
        epochs: Passes through the text at most.
        budget_s: Seconds at most; None for no bound.
        batch_tokens: Tokens of a batch, padding included.
        learning_rate: At the beginning.
        clip: Norm of the gradient at most.
        evaluate_every: Steps between looks at the development text.
        patience: Looks without a new best before training stops.
        seed: Of the order of sentences.
    """

    epochs: int = 10
    budget_s: float | None = None
    batch_tokens: int = 4096
    learning_rate: float = 2e-3
    clip: float = 1.0
    evaluate_every: int = 500
    patience: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_tokens < 1:
            raise ConfigError(
                f"epochs {self.epochs}, batch tokens {self.batch_tokens}: both must be 1 or more"
            )


@dataclass(frozen=True, kw_only=True)
class LstmTrained:
    """What came out: figures of the weights that were kept."""

    dev_perplexity: float
    steps: int
    seconds: float
    stopped: str


def train_lstm(
    model: LstmModel,
    train: Sequence[Sequence[int]],
    dev: Sequence[Sequence[int]],
    config: LstmTraining,
    say: Callable[[str], None] = lambda line: None,
) -> LstmTrained:
    """Train ``model`` in place and leave the best weights in it, in ``eval()``.

    Args:
        model: With fresh weights.
        train: Token ids of each sentence, without start and end.
        dev: Likewise, to judge by.
        config: How long, and how.
        say: Told of each look at the development text.

    Raises:
        DataError: One of the texts is empty.
        TrainingError: The loss is no longer a number.
    """
    if not train or not dev:
        raise DataError("an LSTM language model needs text to train on and text to judge by")
    began, step, since_best, stopped = time.perf_counter(), 0, 0, "all epochs done"
    best, best_weights = math.inf, _copied(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    for step, (epoch, batch) in enumerate(_passes(train, config), start=1):
        seconds = time.perf_counter() - began
        over = config.budget_s is not None and seconds >= config.budget_s
        if not over:
            progress = max(epoch / config.epochs, seconds / (config.budget_s or math.inf))
            optimizer.param_groups[0]["lr"] = config.learning_rate * (1 - 0.95 * progress)
            _step(model, batch, optimizer, config.clip)
        if over or step % config.evaluate_every == 0:
            found = math.exp(nats_per_token(model, dev, config.batch_tokens))
            say(f"{seconds:7.0f} s  epoch {epoch:.2f}  development perplexity {found:.2f}")
            since_best = 0 if found < best else since_best + 1
            if found < best:
                best, best_weights = found, _copied(model)
        if over or since_best >= config.patience:
            stopped = "time is up" if over else "no better any more"
            break
    else:
        found = math.exp(nats_per_token(model, dev, config.batch_tokens))
        if found < best:
            best, best_weights = found, _copied(model)
    model.load_state_dict(best_weights)
    model.eval()
    return LstmTrained(
        dev_perplexity=best, steps=step, seconds=time.perf_counter() - began, stopped=stopped
    )


def _step(
    model: LstmModel, batch: Sequence[Sequence[int]], optimizer: torch.optim.Optimizer, clip: float
) -> None:
    model.train()
    loss, count = _loss(model, batch)
    if not loss.isfinite():
        raise TrainingError("the language model's loss is not finite: lower the learning rate")
    optimizer.zero_grad()
    (loss / count).backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()


@torch.no_grad()
def nats_per_token(
    model: LstmModel, sentences: Sequence[Sequence[int]], batch_tokens: int = 4096
) -> float:
    """−ln P per token, ends of sentences included. Leaves the model in ``eval()``."""
    model.eval()
    total, count = 0.0, 0
    for batch in _batches(sorted(sentences, key=len), batch_tokens):
        loss, tokens = _loss(model, batch)
        total, count = total + loss.item(), count + tokens
    return total / count


def _loss(model: LstmModel, batch: Sequence[Sequence[int]]) -> tuple[Tensor, int]:
    """−ln P summed over a batch, and how many tokens."""
    tokenizer, length = model.tokenizer, max(map(len, batch)) + 1
    inputs = torch.full((len(batch), length), tokenizer.blank_id)
    targets = torch.full((len(batch), length), _IGNORED)
    for row, ids in enumerate(batch):
        inputs[row, : len(ids) + 1] = torch.tensor([tokenizer.start_id, *ids])
        targets[row, : len(ids) + 1] = torch.tensor([*ids, tokenizer.end_id])
    device = model.embedding.weight.device
    logits = model(inputs.to(device))
    loss = F.cross_entropy(
        logits.flatten(0, 1), targets.to(device).flatten(), ignore_index=_IGNORED, reduction="sum"
    )
    return loss, int((targets != _IGNORED).sum())


def _passes(
    sentences: Sequence[Sequence[int]], config: LstmTraining
) -> Iterator[tuple[float, list[Sequence[int]]]]:
    """Batches of sentences of like length, with how many epochs had passed before each."""
    chance = random.Random(config.seed)
    for epoch in range(config.epochs):
        shuffled = list(sentences)
        chance.shuffle(shuffled)
        mean = sum(map(len, shuffled)) / len(shuffled) + 1
        size = max(int(_POOL * config.batch_tokens / mean), 1)
        for start in range(0, len(shuffled), size):
            pool = list(
                _batches(sorted(shuffled[start : start + size], key=len), config.batch_tokens)
            )
            chance.shuffle(pool)
            for batch in pool:
                yield epoch + start / len(shuffled), batch


def _batches(
    ascending: Sequence[Sequence[int]], batch_tokens: int
) -> Iterator[list[Sequence[int]]]:
    batch: list[Sequence[int]] = []
    for ids in ascending:
        if batch and (len(ids) + 1) * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(ids)
    if batch:
        yield batch


def _copied(model: LstmModel) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
