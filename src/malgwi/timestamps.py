"""Characters and words with their times on the recording, from what a recogniser wrote.

`decoders.token_times` says in encoder frames when each token was said; here frames become
seconds, and tokens characters, whatever the units: letters join into one syllable, a subword's
time is shared out evenly among its characters, a space takes no time.

The surprising thing: times are computed after the search and from its result alone, so that text
is the same with and without them.

Shapes: T encoder frames, U tokens, V vocabulary.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from malgwi.decoders.certainty import ctc_certainty, writer_certainty
from malgwi.decoders.forced_alignment import CtcAlignment, align_ctc
from malgwi.decoders.token_times import attention_centres, ctc_centres, stretches
from malgwi.front_end import FrontEndConfig
from malgwi.nn.acoustic_model import AcousticModel
from malgwi.types import Hypothesis, Tokenizer

#: Where times come from: CTC's alignment, or (coarser) the mean of the attention.
TimedBy = Literal["ctc", "attention"]

#: Seconds that a syllable lasts where an utterance is too short to tell: about six a second.
USUAL_S = 0.16

#: Seconds of silence encoded, once and twice as long, to learn what an encoder frame covers.
PROBE_S = 0.96


@dataclass(frozen=True, kw_only=True)
class TimedCharacter:
    """One recognised character (never a space), its times, and how surely it is right (0 … 1)."""

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, kw_only=True)
class TimedWord:
    """A stretch of characters without a space; as sure as the least sure of them."""

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The characters of one decoded piece; ``source`` is None where they could not be timed."""

    characters: tuple[TimedCharacter, ...] = ()
    source: TimedBy | None = None


@dataclass(frozen=True, kw_only=True)
class FrameClock:
    """From encoder frames to seconds of the waveform that was encoded.

    Attributes:
        stride: Feature frames that one encoder frame covers; it stands in their middle.
        hop_s: Time from feature frame to feature frame.
        first_s: Centre of the first feature frame.
    """

    stride: int
    hop_s: float
    first_s: float = 0.0

    @property
    def frame_s(self) -> float:
        """Seconds of an encoder frame."""
        return self.stride * self.hop_s

    def seconds(self, frame: float) -> float:
        """The time of a place among encoder frames, where frame i covers [i, i + 1).

        >>> FrameClock(stride=6, hop_s=0.01).seconds(0.5)      # of feature frames 0 … 5
        0.025
        """
        middle = (frame - 0.5) * self.stride + (self.stride - 1) / 2
        return middle * self.hop_s + self.first_s


def frame_clock(model: AcousticModel, config: FrontEndConfig) -> FrameClock:
    """The clock of a model behind a front end: the stride is found by encoding silence.

    By the difference of two lengths, since convolutions without padding lose frames at the ends.
    """
    device, frames = next(model.parameters()).device, round(PROBE_S / config.frame_s)
    silence = torch.zeros(2, 2 * frames, config.num_features, device=device)
    with torch.inference_mode():
        lengths = model.encode(silence, torch.tensor([frames, 2 * frames], device=device)).lengths
    return FrameClock(
        stride=round(frames / int(lengths[1] - lengths[0])),
        hop_s=config.frame_s,
        first_s=0.0 if config.center else config.fft_length / 2 / config.sample_rate_hz,
    )


def time_characters(
    hypotheses: Sequence[Hypothesis | None],
    ctc_log_probs: Tensor | None,
    lengths: Tensor,
    tokenizer: Tokenizer,
    clock: FrameClock,
) -> list[Timing]:
    """When each character of each best hypothesis was said, in seconds from the piece's start.

    CTC decides where it can; where the model has none, or too few frames for what its speller
    wrote, the attention does, if the hypothesis has kept it.

    Args:
        hypotheses: The best of each of B pieces; None where there is none.
        ctc_log_probs: [B, T, V], or None without CTC.
        lengths: [B] valid encoder frames.
        tokenizer: Its units.
        clock: Frames to seconds.
    """
    aligned: list[CtcAlignment | None] = [None] * len(hypotheses)
    if ctc_log_probs is not None:
        strings = [() if found is None else found.tokens for found in hypotheses]
        aligned = align_ctc(ctc_log_probs, lengths, strings, blank_id=tokenizer.blank_id)
    timings = []
    for b, (found, path) in enumerate(zip(hypotheses, aligned, strict=True)):
        num_frames = int(lengths[b])
        if found is None or not found.tokens:
            timings.append(Timing())
        elif path is not None and ctc_log_probs is not None:
            emitted = ctc_log_probs[b, :num_frames].cpu()
            centres = ctc_centres(emitted, found.tokens, path.tokens)
            sure = ctc_certainty(emitted, found.tokens, path.tokens)
            characters = _characters(found.tokens, centres, sure, num_frames, tokenizer, clock)
            timings.append(Timing(characters=characters, source="ctc"))
        elif found.attention is not None:
            centres = attention_centres(found.attention[: len(found.tokens), :num_frames])
            sure = writer_certainty(found)
            characters = _characters(found.tokens, centres, sure, num_frames, tokenizer, clock)
            timings.append(Timing(characters=characters, source="attention"))
        else:
            timings.append(Timing())
    return timings


def written_by(tokens: Sequence[int], tokenizer: Tokenizer) -> tuple[str, list[range]]:
    """The text of all tokens, and which of its characters each token writes or changes.

    An unknown token writes nothing; a final consonant changes the syllable before it.
    """
    text, parts = "", []
    for count in range(1, len(tokens) + 1):
        longer = tokenizer.decode(tokens[:count])
        parts.append(range(_shared_start(text, longer), len(longer)))
        text = longer
    return text, parts


def _shared_start(one: str, other: str) -> int:
    """Characters that begin both."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _characters(
    tokens: Sequence[int],
    centres: Iterable[float],
    certainty: Iterable[float],
    num_frames: int,
    tokenizer: Tokenizer,
    clock: FrameClock,
) -> tuple[TimedCharacter, ...]:
    """Stretches of tokens shared out to the characters that they write."""
    text, parts = written_by(tokens, tokenizer)
    shares = [[place for place in part if not text[place].isspace()] for part in parts]
    kept = [
        (centre, sure, places)
        for token, centre, sure, places in zip(tokens, centres, certainty, shares, strict=True)
        if places or token == tokenizer.unknown_id  # a space takes no time, what is unknown does
    ]
    kept_centres = np.array([centre for centre, _, _ in kept])
    spans = stretches(kept_centres, num_frames, usual=USUAL_S / clock.frame_s)
    found: dict[int, TimedCharacter] = {}
    for (_, sure, places), (start, end) in zip(kept, spans, strict=True):
        share = (end - start) / max(1, len(places))
        for number, place in enumerate(places):
            begins = clock.seconds(start + number * share)
            ends = clock.seconds(start + (number + 1) * share)
            before = found.get(place)
            found[place] = TimedCharacter(
                text=text[place],
                start_s=begins if before is None else before.start_s,
                end_s=ends,
                confidence=float(sure) * (1.0 if before is None else before.confidence),
            )
    return tuple(found[place] for place in sorted(found))


Timed = TypeVar("Timed", TimedCharacter, TimedWord)


def shifted(
    timed: Iterable[Timed], by_s: float, *, within_s: tuple[float, float]
) -> tuple[Timed, ...]:
    """The same, later by so much, and held within two times.

    >>> character = TimedCharacter(text="가", start_s=-0.02, end_s=0.1, confidence=1.0)
    >>> shifted([character], 2.0, within_s=(2.0, 3.0))[0].start_s
    2.0
    """
    low, high = within_s
    return tuple(
        replace(
            one,
            start_s=min(max(one.start_s + by_s, low), high),
            end_s=min(max(one.end_s + by_s, low), high),
        )
        for one in timed
    )


def timed_words(text: str, characters: Sequence[TimedCharacter]) -> tuple[TimedWord, ...]:
    """Words (eojeol) with times; none unless the characters are those of the text.

    A recogniser that writes no spaces writes one word; take its characters instead.

    >>> letters = [TimedCharacter(text=c, start_s=i, end_s=i + 1, confidence=0.9)
    ...            for i, c in enumerate("네고객님")]
    >>> [(word.text, word.start_s, word.end_s) for word in timed_words("네 고객님", letters)]
    [('네', 0, 1), ('고객님', 1, 4)]
    """
    words, at = [], 0
    if len(characters) != len("".join(text.split())):
        return ()
    for word in text.split():
        part = characters[at : at + len(word)]
        at += len(word)
        words.append(
            TimedWord(
                text=word,
                start_s=part[0].start_s,
                end_s=part[-1].end_s,
                confidence=min(one.confidence for one in part),
            )
        )
    return tuple(words)
