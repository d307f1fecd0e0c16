"""From a line of a manifest to its measures: each utterance decoded once, in threads.

Decoding and numpy let go of the interpreter, so threads are enough. Results come in the order of
the manifest and only a few are under way at a time. An utterance whose audio cannot be read is a
finding, not an error: an audit is what one runs on data that is not yet in order.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from malgwi import audio
from malgwi.audit.sound import Sound, measure
from malgwi.errors import AudioError, MissingExtraError
from malgwi.manifest import Facts
from malgwi.voices.embedding import VoiceModel, voice_embedding

Samples = NDArray[np.float32]
#: Utterances under way for each thread: enough that a long one does not leave the others idle.
_AHEAD = 16


@dataclass(frozen=True, slots=True)
class Heard:
    """What was measured on one utterance.

    Attributes:
        sound: The measures.
        voice: [D] embedding of the voice, if asked for and enough is said.
    """

    sound: Sound
    voice: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why an utterance could not be listened to."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class ListeningConfig:
    """How to listen.

    Attributes:
        threads: One a processor, but at most 8, if None.
        edge_db: See ``sound.measure``.
        voices: Embed each voice with this model; None for not at all.
    """

    threads: int | None = None
    edge_db: float = 25.0
    voices: VoiceModel | None = None


def listen(
    utterances: Iterable[Facts], config: ListeningConfig
) -> Iterator[tuple[Facts, Heard | Unreadable]]:
    """Measure utterances, in their order, a few of them at a time."""
    threads = config.threads or min(8, os.cpu_count() or 1)
    waiting: deque[tuple[Facts, Future[Heard | Unreadable]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for facts in utterances:
            waiting.append((facts, pool.submit(hear, facts, config)))
            if len(waiting) > _AHEAD * threads:
                first, result = waiting.popleft()
                yield first, result.result()
        for first, result in waiting:
            yield first, result.result()


def hear(facts: Facts, config: ListeningConfig) -> Heard | Unreadable:
    """Decode and measure one utterance."""
    try:
        samples = samples_of(facts)
    except (AudioError, MissingExtraError) as error:
        return Unreadable(str(error))
    found = measure(samples, facts.sample_rate_hz, edge_db=config.edge_db)
    if config.voices is None:
        return Heard(found)
    try:
        return Heard(found, voice_embedding(samples, facts.sample_rate_hz, config.voices))
    except AudioError:  # silence, or too little speech to know a voice by
        return Heard(found)


def samples_of(facts: Facts) -> Samples:
    """The samples [N] of an utterance at its file's own rate; as ``audio.load_cut``.

    Raises:
        AudioError: The audio cannot be read, or the manifest names no file for it.
        MissingExtraError: A format that only PyAV opens, and it is not installed.
    """
    if not facts.path or not facts.sample_rate_hz:
        raise AudioError("the manifest names no audio file for it")
    whole_s = float(facts.line["recording"].get("duration", 0.0))
    whole = facts.start_s == 0 and abs(facts.duration_s - whole_s) < 1e-4
    raw = facts.custom.get("raw")
    return audio.load(
        facts.path,
        sample_rate_hz=facts.sample_rate_hz,
        channels=facts.custom.get("channels", facts.channel),
        raw=None if raw is None else audio.RawFormat(**raw),
        start_s=facts.start_s,
        duration_s=None if whole else facts.duration_s,
    )
