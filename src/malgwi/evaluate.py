"""Decode a manifest with a recogniser and measure accuracy's raw material, time and size together.

Scoring itself lives in `malgwi.metrics`; this file owns what only a run can tell: hypotheses,
decoding time, and how large the model is.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from lhotse.cut import MonoCut
from numpy.typing import NDArray

from malgwi import manifest
from malgwi.text.normalize import NormalizerConfig, normalize
from malgwi.transcribe import Recogniser, Recognition


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One decoded utterance; the reference is normalised as the run says.

    ``silent`` says that nothing in it is audible, so that any hypothesis is a hallucination.
    """

    id: str
    speaker: str | None
    duration_s: float
    reference: str
    hypothesis: str
    recognition: Recognition
    silent: bool = False


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Time from file to text. ``x_real_time`` is audio (before trimming) over wall-clock time."""

    audio_s: float
    load_s: float
    decode_s: float
    threads: int

    @property
    def x_real_time(self) -> float:
        """Seconds of audio a second, reading and trimming included."""
        return self.audio_s / max(1e-9, self.load_s + self.decode_s)

    @property
    def x_real_time_per_thread(self) -> float:
        """The same divided by the threads used."""
        return self.x_real_time / self.threads

    @property
    def on(self) -> str:
        """What computed: "1 thread", "2 threads"."""
        return f"{self.threads} thread{'s' * (self.threads != 1)}"


@dataclass(frozen=True, kw_only=True)
class Size:
    """What the recogniser weighs: its parameters, and the bytes of every file that use needs."""

    parameters: int
    bytes_on_disk: int


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All that was measured on one manifest."""

    utterances: tuple[Utterance, ...]
    speed: Speed
    size: Size

    def references(self) -> dict[str, str]:
        """id → reference."""
        return {u.id: u.reference for u in self.utterances}

    def hypotheses(self) -> dict[str, str]:
        """id → hypothesis."""
        return {u.id: u.hypothesis for u in self.utterances}


#: Below what speech reaches on any line: 33 of 32,768 in 16-bit samples.
SILENCE_DBFS = -60.0

#: Utterances read and decoded at a time.
CHUNK = 256

#: The files of a run folder that transcription needs.
USED_FILES = ("config.yaml", "tokenizer.json", "front_end.safetensors", "weights.safetensors")


def evaluate(
    recogniser: Recogniser,
    cuts: Iterable[MonoCut],
    text: NormalizerConfig,
    folder: Path,
    *,
    advance: Callable[[int], None] = lambda _count: None,
) -> Evaluation:
    """Decode every cut, timing reading and decoding apart.

    Utterances are taken shortest first, some at a time, so that memory does not grow with the
    manifest and batches hold equals.

    Args:
        recogniser: From the run ``folder``.
        cuts: The manifest.
        text: How references are normalised (hypotheses are in that form already).
        folder: The run folder, for the bytes on disk.
        advance: Told how many utterances have just been done.
    """
    cuts = list(cuts)
    by_length = sorted(cuts, key=lambda cut: cut.duration)
    found: dict[str, Utterance] = {}
    load_s = decode_s = 0.0
    for at in range(0, len(by_length), CHUNK):
        chunk = by_length[at : at + CHUNK]
        began = time.perf_counter()
        waveforms = [recogniser.front_end.cut_waveform(cut) for cut in chunk]
        loaded = time.perf_counter()
        recognitions = recogniser.recognise(waveforms)
        load_s, decode_s = load_s + loaded - began, decode_s + time.perf_counter() - loaded
        rate = recogniser.front_end.config.sample_rate_hz
        for cut, waveform, recognition in zip(chunk, waveforms, recognitions, strict=True):
            silent = is_silent(waveform, rate)
            found[cut.id] = _utterance(cut, recognition, text, silent=silent)
        advance(len(chunk))
    speed = Speed(
        audio_s=sum(cut.duration for cut in cuts),
        load_s=load_s,
        decode_s=decode_s,
        threads=torch.get_num_threads(),
    )
    return Evaluation(
        utterances=tuple(found[cut.id] for cut in cuts),
        speed=speed,
        size=measure_size(recogniser, folder),
    )


def is_silent(samples: NDArray[np.float32], sample_rate_hz: int) -> bool:
    """Whether the loudest tenth of a second stays below ``SILENCE_DBFS``.

    Args:
        samples: [N], of at most ±1.
        sample_rate_hz: Of the samples.

    >>> noise = np.random.default_rng(0).normal(size=8000).astype(np.float32)
    >>> is_silent(noise * 1e-4, 8000), is_silent(noise * 1e-2, 8000), is_silent(noise[:0], 8000)
    (True, False, True)
    """
    if not len(samples):
        return True
    power = np.square(samples, dtype=np.float64)
    starts = np.arange(0, len(power), sample_rate_hz // 10)
    lengths = np.diff(np.append(starts, len(power)))
    loudest = float((np.add.reduceat(power, starts) / lengths).max())
    return loudest < 10 ** (SILENCE_DBFS / 10)


def _utterance(
    cut: MonoCut, recognition: Recognition, text: NormalizerConfig, *, silent: bool
) -> Utterance:
    return Utterance(
        id=cut.id,
        speaker=manifest.speaker(cut),
        duration_s=cut.duration,
        reference=normalize(manifest.text(cut), text),
        hypothesis=recognition.text,
        recognition=recognition,
        silent=silent,
    )


def measure_size(recogniser: Recogniser, folder: Path) -> Size:
    """Parameters of the model and bytes of the files that use needs."""
    return Size(
        parameters=sum(p.numel() for p in recogniser.model.parameters()),
        bytes_on_disk=sum((folder / name).stat().st_size for name in USED_FILES),
    )
