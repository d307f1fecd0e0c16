"""The few values and protocols that layers hand to each other.

The surprising choice: what acoustic models answer are tensors, what language models answer are
numpy arrays. Most of the latter are tables looked up on the CPU, and the exported recogniser uses
them where torch is not installed; so tensors are named for the type checker only.

Shapes: B batch, N rows (B × beams), T encoder frames, U tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


class Tokenizer(Protocol):
    """Text ↔ token ids. Ids are dense, ``0 … size − 1``.

    Families differ in units; all of them name the four special ids. ``blank_id`` is also the
    padding id; ``unknown_id`` is None where the vocabulary has no such entry.
    """

    blank_id: int
    start_id: int
    end_id: int
    unknown_id: int | None

    @property
    def size(self) -> int: ...
    def encode(self, text: str) -> list[int]: ...
    def decode(self, ids: Sequence[int]) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...


class StepScorer(Protocol):
    """An autoregressive model as a beam search sees it: one utterance batch, one step at a time.

    The scorer holds the encoded batch. ``state`` is opaque and immutable; its rows follow the
    rows of ``tokens``. Row order is utterance-major: row ``b * beams + k``.
    """

    vocabulary_size: int

    def start(self, beams: int) -> Any:
        """The state before the first token, for B × ``beams`` rows."""

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Tensor, Any]:
        """Feed one token a row.

        Args:
            tokens: [N] the previous token of each row (the start token at first).
            state: From ``start``, ``select`` or the previous ``step``.

        Returns:
            log_probs [N, V] (float32), attention [N, T] over encoder frames (rows sum to 1 over
            the frames that exist), and the new state.
        """

    def select(self, state: Any, rows: Tensor) -> Any:
        """The state whose row i is row ``rows[i]`` of ``state``; never crosses utterances."""


@runtime_checkable
class NarrowingScorer(StepScorer, Protocol):
    """A StepScorer that can let go of utterances which are settled, so that they cost no more."""

    def narrow(self, utterances: Tensor) -> StepScorer:
        """A scorer over these utterances only.

        Args:
            utterances: [b] ascending indices into the present batch.

        States pass to it through its ``select``, whose ``rows`` then name the b × beams rows
        to keep by their places in the wider state.
        """


class TransducerScorer(Protocol):
    """A transducer as a search sees it: one encoded batch, any row at any frame.

    ``state`` is what the prediction network remembers; opaque and immutable. Row order is
    utterance-major: of N rows for B utterances, row n belongs to utterance n // (N / B).
    """

    vocabulary_size: int

    def start(self, beams: int, token: int) -> Any:
        """The state after the start token, for B × ``beams`` rows."""

    def score(self, state: Any, frames: Tensor) -> Tensor:
        """log P(token or blank) of each row at encoder frame ``frames`` [N]: [N, V] float32."""

    def advance(self, state: Any, rows: Tensor, tokens: Tensor) -> Any:
        """The state whose row i is row ``rows[i]`` of ``state`` followed by ``tokens[i]``.

        A negative token adds nothing: its row is only copied. ``rows`` may be more or fewer than
        the state has, as many for every utterance, and never cross utterances.
        """


class LanguageModel(Protocol):
    """What comes next in a text, as a beam search asks: one step at a time, many rows at once.

    The ids are those of one tokenizer. ``state`` is opaque and immutable, and so are the scores:
    who asks must not write into them. Whatever adds a number to a hypothesis token by token can
    take this form: hot-words do, with bonuses as scores.
    """

    vocabulary_size: int

    def start(self, rows: int) -> Any:
        """The state at the beginning of a text, ``rows`` times."""

    def score(self, state: Any) -> NDArray[np.float32]:
        """log P(token | what stands before), natural logarithm: [N, V] float32.

        The end token's column ends the text. The columns of the blank and the start token hold
        numbers of no meaning, since no search proposes them.
        """

    def advance(self, state: Any, rows: NDArray[np.int64], tokens: NDArray[np.int64]) -> Any:
        """The state whose row i is row ``rows[i]`` of ``state`` followed by ``tokens[i]``.

        A negative token adds nothing: its row is only copied. Where a search goes frame by frame,
        some hypotheses grow at a frame and others do not.
        """

    def contexts(self, state: Any) -> NDArray[np.uint64] | None:
        """[N] numbers: rows of one number are scored alike whatever follows.

        None if every text is remembered whole, as by a recurrent network.
        """


@runtime_checkable
class BonusModel(LanguageModel, Protocol):
    """A LanguageModel whose scores are no log-probabilities: they may be positive.

    ``ceiling`` (0 or more) is the most that one token, the end included, can add; infinite where
    that is not known. A search that stops early has to reckon with it.
    """

    ceiling: float


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """One decoded string and why it was ranked where it was.

    ``tokens`` excludes start and end. ``score`` is what hypotheses compete by; ``log_prob`` is
    the plain sum of the attention model's log-probabilities, the end token included if ``ended``.
    ``lm_score`` is what language models and hot-words added to it, weights applied.
    ``frames`` are the encoder frames at which a transducer wrote the tokens.
    ``finished_at`` counts the hypotheses of its utterance that left the beam before it.
    """

    tokens: tuple[int, ...]
    score: float
    log_prob: float
    ended: bool
    ctc_log_prob: float | None = None
    lm_score: float | None = None
    frames: tuple[int, ...] | None = None
    attention: Tensor | None = None  # [U (+1 if ended), T]
    finished_at: int | None = None
