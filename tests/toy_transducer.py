"""A small random TransducerScorer to prove searches with, and its exhaustive enumeration."""

import itertools
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

BLANK, START, END = 0, 1, 2

#: One alignment: the frame and token of each step that writes.
Path = tuple[tuple[int, int], ...]


class RandomTransducer:
    """An untrained prediction network and joint: every string has its own probability."""

    def __init__(
        self,
        *,
        seed: int,
        lengths: Sequence[int],
        vocabulary_size: int = 5,
        sharpness: float = 2.0,
        blank_bias: float = 0.0,
    ) -> None:
        g = torch.Generator().manual_seed(seed)
        size = 6
        self.vocabulary_size = vocabulary_size
        self.lengths = torch.tensor(lengths)
        self.heard = torch.randn(len(lengths), max(lengths), size, generator=g)
        self._recur = torch.randn(size, size, generator=g) / size**0.5
        self._embed = torch.randn(vocabulary_size, size, generator=g)
        self._output = torch.randn(size, vocabulary_size, generator=g) * sharpness
        self._bias = torch.zeros(vocabulary_size)
        self._bias[BLANK] = blank_bias

    def only(self, utterance: int) -> "RandomTransducer":
        """The same model over one utterance, its padding cut off."""
        twin = RandomTransducer(seed=0, lengths=[int(self.lengths[utterance])])
        twin.vocabulary_size, twin._bias = self.vocabulary_size, self._bias
        twin.heard = self.heard[utterance : utterance + 1, : int(self.lengths[utterance])]
        twin._recur, twin._embed, twin._output = self._recur, self._embed, self._output
        return twin

    def start(self, beams: int, token: int) -> Tensor:
        rows = len(self.lengths) * beams
        return self._embed[torch.full((rows,), token)].tanh()

    def score(self, state: Tensor, frames: Tensor) -> Tensor:
        utterances = torch.arange(len(frames)) // (len(frames) // len(self.lengths))
        joint = (self.heard[utterances, frames] + state).tanh()
        return (joint @ self._output + self._bias).log_softmax(-1)

    def advance(self, state: Tensor, rows: Tensor, tokens: Tensor) -> Tensor:
        before = state[rows]
        grown = (before @ self._recur + self._embed[tokens.clamp(min=0)]).tanh()
        return torch.where(tokens[:, None] >= 0, grown, before)


def alignments(scorer: RandomTransducer, utterance: int, most: int) -> Iterator[tuple[Path, float]]:
    """Every alignment with at most ``most`` units a frame, and its log-probability."""
    alone = scorer.only(utterance)
    letters = range(END + 1, scorer.vocabulary_size)
    parts = [p for n in range(most + 1) for p in itertools.product(letters, repeat=n)]
    known: dict[tuple[int, ...], Tensor] = {(): alone.start(1, START)}

    def state(string: tuple[int, ...]) -> Tensor:
        if string not in known:
            known[string] = alone.advance(
                state(string[:-1]), torch.zeros(1, dtype=torch.long), torch.tensor([string[-1]])
            )
        return known[string]

    scored: dict[tuple[tuple[int, ...], int], list[float]] = {}

    def step(string: tuple[int, ...], frame: int, token: int) -> float:
        if (string, frame) not in scored:
            row = alone.score(state(string), torch.tensor([frame]))[0]
            scored[string, frame] = row.double().tolist()
        return scored[string, frame][token]

    for choice in itertools.product(parts, repeat=int(scorer.lengths[utterance])):
        total, string = 0.0, ()
        for frame, written in enumerate(choice):
            for token in written:
                total += step(string, frame, token)
                string = (*string, token)
            total += step(string, frame, BLANK)
        yield tuple((f, token) for f, part in enumerate(choice) for token in part), total


def string_log_probs(
    scorer: RandomTransducer, utterance: int, most: int
) -> dict[tuple[int, ...], float]:
    """log P of every string, summed over its alignments."""
    sums: dict[tuple[int, ...], list[float]] = {}
    for path, total in alignments(scorer, utterance, most):
        sums.setdefault(tuple(token for _, token in path), []).append(total)
    return {
        string: max(t) + math.log(math.fsum(math.exp(x - max(t)) for x in t))
        for string, t in sums.items()
    }
