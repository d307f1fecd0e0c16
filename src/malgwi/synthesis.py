"""Synthetic telephone speech: sentences → ``espeak-ng`` → a telephone line → a corpus folder.

espeak-ng reads Korean letters rather than Korean words: 국물 comes out with a hard ㄱ. It is
therefore given the *pronounced* spelling (text/pronounce.py). The surprising knob of a voice is
``tract``: speech rendered for another sampling rate than it is played at comes from a longer or
shorter vocal tract, which separates speakers better than pitch does.

A corpus folder holds one Ogg/Opus file a speaker, and train.tsv, dev.tsv and test.tsv, which cut
utterances out of them (corpora/embedded.py reads it). The same seed on the same espeak-ng and
libsndfile gives the same bytes.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from malgwi import espeak
from malgwi.opus import encode_opus
from malgwi.telephone import TELEPHONE_RATE_HZ, TelephoneConfig, simulate
from malgwi.text.numbers import read_numbers
from malgwi.text.pronounce import pronounce
from malgwi.text.sentences import Sentence, SentenceConfig, choose

Samples = npt.NDArray[np.float32]

COLUMNS = ("utterance_id", "path", "start_s", "duration_s", "speaker", "text", "source")


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One synthetic speaker.

    Args:
        name: Speaker id in manifests.
        variant: espeak-ng's voice variant, e.g. ``f2``.
        pitch: espeak-ng's pitch, 0 … 99.
        speed_wpm: espeak-ng's words a minute.
        tract: Vocal tract scale; above 1 is a smaller speaker.
    """

    name: str
    variant: str
    pitch: int = 50
    speed_wpm: int = 230
    tract: float = 1.0


def _voices(table: str) -> tuple[Voice, ...]:
    rows = (line.split() for line in table.strip().splitlines())
    return tuple(
        Voice(name=n, variant=v, pitch=int(p), speed_wpm=int(s), tract=float(t))
        for n, v, p, s, t in rows
    )


#: Speakers of each part: name, variant, pitch, words a minute, tract. No variant is in two parts.
VOICES: dict[str, tuple[Voice, ...]] = {
    "train": _voices(
        """
        t01 m1       45 235 1.00
        t02 m2       55 225 0.97
        t03 m3       65 245 1.07
        t04 m5       60 230 0.95
        t05 m6       25 220 0.94
        t06 m8       50 240 1.04
        t07 f1       50 235 1.00
        t08 f2       45 245 1.02
        t09 f4       60 225 0.98
        t10 adam     40 230 1.03
        t11 Alex     40 240 1.02
        t12 Andy     60 220 1.00
        t13 antonio  50 200 0.97
        t14 belinda  40 240 1.00
        t15 Alicia   35 250 0.97
        t16 Denis    60 235 1.07
        t17 edward   80 225 0.92
        t18 Gene     65 245 1.00
        t19 Jacky    50 230 1.03
        t20 john     20 240 0.95
        t21 miguel   55 235 1.00
        t22 Michael  35 225 1.07
        t23 steph    50 240 1.00
        t24 anika    30 205 0.96
        t25 sandro   75 230 0.95
        t26 f5       55 235 0.96
        """
    ),
    "dev": _voices(
        """
        d01 m4       50 230 1.00
        d02 f3       40 235 0.98
        d03 david    65 235 1.02
        d04 aunty    50 235 1.00
        d05 Mario    30 240 0.97
        """
    ),
    "test": _voices(
        """
        e01 m7       50 225 0.99
        e02 grandma  50 240 1.00
        e03 Annie    40 235 1.00
        e04 victor   55 230 1.02
        e05 pablo    45 240 0.98
        e06 robert   70 235 1.00
        """
    ),
}


@dataclass(frozen=True, kw_only=True)
class SynthesisConfig:
    """How an utterance varies within one voice, its line, and how it is stored.

    Args:
        speed_jitter: Greatest share by which an utterance is faster or slower than its voice.
        pitch_jitter: Greatest difference to the voice's pitch, in espeak-ng's units.
        edge_s: Silence before and after the speech, drawn evenly for each end.
        telephone: The lines.
        compression: libsndfile's Opus compression level; 0.99 is about 9 kbit/s.
    """

    speed_jitter: float = 0.08
    pitch_jitter: int = 5
    edge_s: tuple[float, float] = (0.08, 0.25)
    telephone: TelephoneConfig = field(default_factory=TelephoneConfig)
    compression: float = 0.99


def synthesize(
    text: str, voice: Voice, config: SynthesisConfig, rng: np.random.Generator
) -> Samples:
    """``text`` said by ``voice`` over a drawn line: [N] at 8 kHz, about ±1.

    Args:
        text: As written; digits are said as `malgwi.text.numbers` reads them.
        voice: Who says it.
        config: Variation and lines.
        rng: All that is random.
    """
    speed = voice.speed_wpm * (1 + config.speed_jitter * rng.uniform(-1, 1)) / voice.tract
    pitch = voice.pitch + int(rng.integers(-config.pitch_jitter, config.pitch_jitter + 1))
    speech, rate_hz = espeak.speak(
        pronounce(read_numbers(text)),
        voice.variant,
        pitch=min(max(pitch, 0), 99),
        speed_wpm=round(speed),
    )
    speech = _trim(soxr.resample(speech, round(rate_hz * voice.tract), TELEPHONE_RATE_HZ))
    before, after = (round(s * TELEPHONE_RATE_HZ) for s in rng.uniform(*config.edge_s, size=2))
    padded = np.pad(speech, (before, after)).astype(np.float32)
    return simulate(padded, config.telephone, rng, sample_rate_hz=TELEPHONE_RATE_HZ)


def write_corpus(
    folder: Path,
    *,
    seed: int,
    sentences: SentenceConfig | None = None,
    config: SynthesisConfig | None = None,
    voices: dict[str, tuple[Voice, ...]] | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, object]:
    """Synthesise a whole corpus into ``folder``; parts share neither voices nor sentences.

    Args:
        folder: Created if need be; files of the same names are replaced.
        seed: Of everything that is drawn.
        sentences: Size and novelty of the parts.
        config: Variation, lines and storage.
        voices: Speakers by part; None for ``VOICES``.
        progress: Called with one line a speaker.

    Returns:
        What provenance.json says: versions, settings, totals.

    Raises:
        MalgwiError: espeak-ng is missing or lacks a voice variant.
    """
    voices, config = voices or VOICES, config or SynthesisConfig()
    sentences = sentences or SentenceConfig()
    espeak.check_variants(voice.variant for part in voices.values() for voice in part)
    (folder / "audio").mkdir(parents=True, exist_ok=True)
    chosen, totals = choose(sentences, seed), {}
    for part, (name, speakers) in enumerate(voices.items()):
        rows: list[str] = []
        for k, voice in enumerate(speakers):
            rng = np.random.default_rng([seed, part, k])
            rows += _write_speaker(
                folder, voice, chosen[name][k :: len(speakers)], config, rng, serial=100 * part + k
            )
            progress(f"{name}: {voice.name} ({k + 1} of {len(speakers)})")
        (folder / f"{name}.tsv").write_text("\n".join(["\t".join(COLUMNS), *rows, ""]), "utf-8")
        totals[name] = _totals(rows, chosen[name], len(speakers))
    provenance = {
        "seed": seed,
        "espeak_ng": espeak.version(),
        "libsndfile": soundfile.__libsndfile_version__,
        "sentences": asdict(sentences),
        "synthesis": asdict(config),
        "voices": {name: [asdict(voice) for voice in part] for name, part in voices.items()},
        "totals": totals,
    }
    text = json.dumps(provenance, ensure_ascii=False, indent=1)
    (folder / "provenance.json").write_text(text + "\n", "utf-8")
    return provenance


def _write_speaker(
    folder: Path,
    voice: Voice,
    sentences: Sequence[Sentence],
    config: SynthesisConfig,
    rng: np.random.Generator,
    serial: int,
) -> list[str]:
    """All of one speaker's sentences in one file; the rows that cut them out again."""
    path = f"audio/{voice.name}.ogg"
    spoken: list[Samples] = []
    rows: list[str] = []
    start = 0
    for number, sentence in enumerate(sentences):
        samples = synthesize(sentence.text, voice, config, rng)
        start_s, duration_s = start / TELEPHONE_RATE_HZ, samples.size / TELEPHONE_RATE_HZ
        fields = (f"{voice.name}-{number:03d}", path, f"{start_s:.6f}", f"{duration_s:.6f}")
        rows.append("\t".join((*fields, voice.name, sentence.text, sentence.source)))
        spoken.append(samples)
        start += samples.size
    (folder / path).write_bytes(
        encode_opus(
            np.concatenate(spoken),
            sample_rate_hz=TELEPHONE_RATE_HZ,
            serial=serial,
            compression=config.compression,
        )
    )
    return rows


def _totals(rows: list[str], sentences: Sequence[Sentence], speakers: int) -> dict[str, object]:
    seconds = sum(float(row.split("\t")[3]) for row in rows)
    syllables = Counter(ch for sentence in sentences for ch in sentence.text if "가" <= ch <= "힣")
    return {
        "utterances": len(rows),
        "speakers": speakers,
        "minutes": round(seconds / 60, 2),
        "syllables": syllables.total(),
        "distinct_syllables": len(syllables),
        "sources": dict(Counter(sentence.source for sentence in sentences)),
    }


def _trim(samples: Samples, floor_db: float = -45.0) -> Samples:
    """Without the program's own silence at the ends, so that edges are those asked for."""
    loud = np.flatnonzero(np.abs(samples) > 10 ** (floor_db / 20) * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1] if loud.size else samples
