"""Small StepScorers to prove decoders with: a random speller, a looping one and an even one."""

from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor

from malgwi.types import StepScorer

BLANK, START, END = 0, 1, 2


class RandomSpeller:
    """An untrained recurrent speller with attention: every string has its own score.

    Memory rows differ from utterance to utterance; ``lengths`` are the frames that exist.
    """

    def __init__(
        self,
        *,
        seed: int,
        lengths: Sequence[int],
        vocabulary_size: int = 5,
        sharpness: float = 3.0,
    ) -> None:
        g = torch.Generator().manual_seed(seed)
        size = 6
        self.vocabulary_size = vocabulary_size
        self.lengths = torch.tensor(lengths)
        self._recur = torch.randn(size, size, generator=g) / size**0.5
        self._embed = torch.randn(vocabulary_size, size, generator=g)
        self._output = torch.randn(size, vocabulary_size, generator=g) * sharpness
        self.memory = torch.randn(len(lengths), max(lengths), size, generator=g)
        frames = torch.arange(self.memory.size(1))
        self._absent = frames >= self.lengths[:, None]  # [B, T]

    def only(self, utterance: int) -> "RandomSpeller":
        """The same model over one utterance, its padding cut off."""
        twin = copy(self)
        length = int(self.lengths[utterance])
        twin.lengths = self.lengths[utterance : utterance + 1]
        twin.memory = self.memory[utterance : utterance + 1, :length]
        twin._absent = self._absent[utterance : utterance + 1, :length]
        return twin

    def narrow(self, utterances: Tensor) -> "RandomSpeller":
        """The same model over some utterances, as padded as before."""
        twin = copy(self)
        twin.lengths = self.lengths[utterances]
        twin.memory, twin._absent = self.memory[utterances], self._absent[utterances]
        return twin

    def start(self, beams: int) -> Tensor:
        return torch.zeros(len(self.lengths) * beams, self.memory.size(2))

    def step(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        B, T, D = self.memory.shape
        query = (state @ self._recur + self._embed[tokens]).tanh().view(B, -1, D)
        energy = 3 * query @ self.memory.transpose(1, 2)
        attention = energy.masked_fill(self._absent[:, None], -torch.inf).softmax(-1)
        state = (query + attention @ self.memory).tanh().view(-1, D)
        return (state @ self._output).log_softmax(-1), attention.view(-1, T), state

    def select(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[rows]


class CyclingSpeller:
    """Repeats 3, 4, …, V − 1, 3, … with ``certainty``; the end token has ``end_probability``."""

    def __init__(
        self,
        *,
        batch: int = 1,
        vocabulary_size: int = 12,
        certainty: float = 0.9,
        end_probability: float = 0.0,
    ) -> None:
        self.vocabulary_size, self._batch = vocabulary_size, batch
        rest = (1 - certainty - end_probability) / (vocabulary_size - 2)
        table = torch.full((vocabulary_size, vocabulary_size), rest)
        for token in range(vocabulary_size):
            table[token, END] = end_probability
            table[token, token + 1 if 3 <= token < vocabulary_size - 1 else 3] = certainty
        self._table = table.log()

    def start(self, beams: int) -> None:
        return None

    def step(self, tokens: Tensor, state: None) -> tuple[Tensor, Tensor, None]:
        return self._table[tokens], torch.full((len(tokens), 4), 0.25), None

    def select(self, state: None, rows: Tensor) -> None:
        return None


class EvenSpeller(CyclingSpeller):
    """As a model may answer to silence: every token equally likely, always."""

    def __init__(self, *, batch: int = 1, vocabulary_size: int = 12) -> None:
        super().__init__(batch=batch, vocabulary_size=vocabulary_size)
        self._table = torch.full_like(self._table, 1 / vocabulary_size).log()


def forced(scorer: StepScorer, strings: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Feed strings of one length U to a scorer of one utterance, one string a row.

    Returns:
        log_probs [N, U + 1, V] before each token and after the last, and attention [N, U + 1, T].
    """
    state = scorer.start(len(strings))
    tokens = torch.tensor([[START, *string] for string in strings])
    steps = []
    for column in tokens.T:
        log_probs, attention, state = scorer.step(column, state)
        steps.append((log_probs, attention))
    return torch.stack([s[0] for s in steps], 1), torch.stack([s[1] for s in steps], 1)
