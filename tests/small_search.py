"""Searches small enough to be walked through in full, to prove a beam search with."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor
from toy_language_model import score_of
from toy_scorer import BLANK, END, START, RandomSpeller, forced

from malgwi.decoders.attention_beam import BeamConfig, beam_search
from malgwi.decoders.greedy import attention_greedy
from malgwi.types import Hypothesis, LanguageModel

TOKENS = (3, 4, 5)
VOCABULARY_SIZE = 6
MAX_LENGTH = 3
WIDE = 27 * 4  # every candidate of the last step

SCORINGS = {
    "plain": BeamConfig(length_normalization=0.0),
    "length": BeamConfig(length_normalization=1.0),
    "half length": BeamConfig(length_normalization=0.5),
    "coverage": BeamConfig(length_normalization=0.0, coverage_weight=0.8),
    "length and coverage": BeamConfig(coverage_weight=0.3, coverage_threshold=0.2),
    "end threshold": BeamConfig(length_normalization=0.0, end_threshold=1.2),
    "ctc": BeamConfig(length_normalization=0.0, ctc_weight=0.4),
    "ctc alone": BeamConfig(length_normalization=0.0, ctc_weight=1.0),
    "all": BeamConfig(coverage_weight=0.5, end_threshold=1.5, ctc_weight=0.3),
}


@dataclass
class Batch:
    """A random model over a few utterances, with a CTC layer that has nothing to do with it."""

    scorer: RandomSpeller
    ctc_log_probs: Tensor
    max_lengths: Tensor
    language_model: LanguageModel | None = None

    @staticmethod
    def of(
        seed: int, lengths: list[int], max_lengths: list[int], sharpness: float = 3.0
    ) -> "Batch":
        scorer = RandomSpeller(
            seed=seed, lengths=lengths, vocabulary_size=VOCABULARY_SIZE, sharpness=sharpness
        )
        g = torch.Generator().manual_seed(seed + 1)
        ctc = 2 * torch.randn(len(lengths), max(lengths), VOCABULARY_SIZE, generator=g)
        return Batch(scorer, ctc.log_softmax(-1), torch.tensor(max_lengths))

    def only(self, b: int) -> "Batch":
        length = int(self.scorer.lengths[b])
        ctc = self.ctc_log_probs[b : b + 1, :length]
        only = self.scorer.only(b)
        return Batch(only, ctc, self.max_lengths[b : b + 1], self.language_model)

    def search(self, config: BeamConfig) -> list[list[Hypothesis]]:
        return beam_search(
            self.scorer,
            start_id=START,
            end_id=END,
            encoder_lengths=self.scorer.lengths,
            max_lengths=self.max_lengths,
            config=config,
            ctc_log_probs=self.ctc_log_probs,
            blank_id=BLANK,
            language_model=self.language_model,
        )

    def greedy(self) -> list[Hypothesis]:
        return attention_greedy(
            self.scorer,
            start_id=START,
            end_id=END,
            encoder_lengths=self.scorer.lengths,
            max_lengths=self.max_lengths,
            blank_id=BLANK,
        )


def ctc_table(log_probs: Tensor) -> dict[tuple[int, ...], float]:
    """P(string) under CTC by walking every path of [T, V]."""
    table: dict[tuple[int, ...], float] = {}
    for path in product(range(log_probs.size(1)), repeat=log_probs.size(0)):
        merged = [v for t, v in enumerate(path) if t == 0 or v != path[t - 1]]
        string = tuple(v for v in merged if v != BLANK)
        chance = float(log_probs[range(len(path)), list(path)].double().sum().exp())
        table[string] = table.get(string, 0.0) + chance
    return table


def log_of(chance: float) -> float:
    return float(torch.tensor(chance, dtype=torch.float64).log())


def added(model: LanguageModel, labels: list[int]) -> float:
    """What the model adds to labels, of which the end token is the last, if any."""
    if labels and labels[-1] == END:
        return score_of(model, labels[:-1], END)
    # Score of the unfinished string: that of the finished one without its end.
    state = model.start(1)
    for token in labels:
        state = model.advance(state, np.array([0]), np.array([token]))
    return score_of(model, labels, END) - float(model.score(state)[0, END])


def exhaustive(batch: Batch, config: BeamConfig) -> list[tuple[bool, float, tuple[int, ...]]]:
    """(ended, score, string) of every hypothesis of the one utterance, by the stated formula."""
    limit, found = int(batch.max_lengths[0]), []
    table = ctc_table(batch.ctc_log_probs[0]) if config.ctc_weight else {}
    for length in range(limit + 1):
        strings = list(product(TOKENS, repeat=length))
        log_probs, attention = forced(batch.scorer, strings)
        for string, steps, attended in zip(strings, log_probs, attention, strict=True):
            others = [float(steps[-1, v]) for v in TOKENS]
            gamma = config.end_threshold
            ended = gamma is None or float(steps[-1, END]) >= gamma * max(others)
            if not ended and length < limit:
                continue
            labels = [*string, END] if ended else list(string)
            att = sum(float(steps[u, v]) for u, v in enumerate(labels))
            joint = att
            if config.ctc_weight:
                same = [p for s, p in table.items() if (s if ended else s[:length]) == string]
                ctc = log_of(sum(same))
                joint = (1 - config.ctc_weight) * att + config.ctc_weight * ctc
            if batch.language_model is not None:
                joint += added(batch.language_model, labels)
            score = joint / max(len(labels), 1) ** config.length_normalization
            covered = (attended[: len(labels)].sum(0) > config.coverage_threshold).sum()
            found.append((ended, score + config.coverage_weight * float(covered), string))
    possible = [f for f in found if f[1] > -torch.inf]  # CTC cannot fit all strings in its frames
    return sorted(possible, key=lambda f: (not f[0], -f[1]))
