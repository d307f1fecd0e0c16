"""Gradients of several pieces of a batch at once: threads, each with a model that shares weights.

A recurrent layer is many small products one after the other. Two cores that share each of them
wait for each other at every step; two that have half of the utterances each do not, and nor do
they at what one thread does alone: reading, masks, losses. The surprising choice: threads, not
processes. PyTorch lets go of Python's lock while it computes, and runs the backward pass in the
thread that asks for it, so nothing has to be sent: gradients are added up where they lie.
"""

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)
Result = TypeVar("Result")


class Workers(Generic[Model]):
    """Threads that take gradients of one model.

    Args:
        model: What is trained. Nothing but its parameters may change as it runs: each thread has a
            copy of all else.
        count: How many; with one, tasks run where they are given. The threads of PyTorch at this
            moment are shared out among them.
    """

    def __init__(self, model: Model, count: int) -> None:
        self.model, self.count = model, count
        self.copies = [model, *(copy.deepcopy(model) for _ in range(count - 1))]
        each = max(1, torch.get_num_threads() // count)
        self._pool = ThreadPoolExecutor(
            count, "worker", initializer=torch.set_num_threads, initargs=(each,)
        )

    def gradients(self, tasks: Sequence[Callable[[Model], Result]]) -> list[Result]:
        """Run every task; the sum of the gradients that they took is added to the model's.

        Args:
            tasks: Each runs a model forward and backward. Task i gets copy i modulo their number,
                so that sums do not depend on who is done first.

        Returns:
            What each task returned.
        """
        if self.count == 1:
            return [task(self.model) for task in tasks]
        lanes = [tasks[lane :: self.count] for lane in range(self.count)]
        waiting = [
            self._pool.submit(_one_after_the_other, model, lane)
            for model, lane in zip(self._alike(), lanes, strict=True)
        ]
        found = [done.result() for done in waiting]
        for other in self.copies[1:]:
            for mine, theirs in zip(self.model.parameters(), other.parameters(), strict=True):
                if theirs.grad is not None:
                    mine.grad = theirs.grad if mine.grad is None else mine.grad.add_(theirs.grad)
        return [found[i % self.count][i // self.count] for i in range(len(tasks))]

    def _alike(self) -> list[Model]:
        """The copies with the weights and the mode of the model, and without gradients."""
        for other in self.copies[1:]:
            for mine, theirs in zip(self.model.parameters(), other.parameters(), strict=True):
                theirs.data, theirs.grad = mine.data, None
                theirs.requires_grad_(mine.requires_grad)
            other.train(self.model.training)
        return self.copies

    def __enter__(self) -> "Workers[Model]":
        return self

    def __exit__(self, *_: object) -> None:
        """End the threads."""
        self._pool.shutdown()


def _one_after_the_other(model: Model, tasks: Sequence[Callable[[Model], Result]]) -> list[Result]:
    return [task(model) for task in tasks]
