"""How often upsampled telephone audio is known for what it is, and wide speech mistaken for it.

    python benchmarks/bandwidth.py ../shared/speech [--utterances 400]

Utterances drawn from each corpus are measured as they are, and sent over a simulated line of their
own (malgwi.telephone), upsampled to 16 kHz and, since such corpora are often compressed, coded
once more by Opus or MP3. Printed is the share that the audit calls upsampled telephone audio: the
first column should be 0, all others 100.
"""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import soundfile
import tyro

from malgwi import audio
from malgwi.audit.bandwidth import band, is_upsampled_telephone
from malgwi.corpora.rows import Row
from malgwi.corpora.table import Table
from malgwi.telephone import TelephoneConfig, simulate

RATE_HZ = 16_000
CORPORA = ("pansori", "emotiontts", "deeply")
LEAST_S = 0.5
Samples = audio.Samples


def main(speech: Path, /, utterances: int = 400, seed: int = 20261122) -> None:
    """Measure and print a table.

    Args:
        speech: Folder that holds the corpora.
        utterances: Of each corpus.
        seed: Of the draw and of the lines.
    """
    print("| corpus | utterances | wide | line | line, Opus | line, MP3 |")
    print("|---|---|---|---|---|---|")
    for name in CORPORA:
        rng = np.random.default_rng(seed)
        rows = [r for r in Table().rows(speech / name / "transcripts.tsv") if isinstance(r, Row)]
        chosen = rng.permutation(len(rows))[:utterances]
        heard = [audio.load(rows[i].path, sample_rate_hz=RATE_HZ) for i in chosen]
        heard = [samples for samples in heard if len(samples) >= LEAST_S * RATE_HZ]
        shares = (100 * share(heard, change, rng) for change in CHANGES.values())
        print(f"| {name} | {len(heard)} | {' | '.join(f'{v:.1f} %' for v in shares)} |", flush=True)


def share(
    heard: list[Samples],
    change: Callable[[Samples, np.random.Generator], Samples],
    rng: np.random.Generator,
) -> float:
    """Of the utterances, changed, that are called upsampled telephone audio; silent ones aside."""
    found = (band(change(samples, rng), RATE_HZ) for samples in heard)
    return float(np.mean([is_upsampled_telephone(b.edge_hz, RATE_HZ) for b in found if b]))


def line(samples: Samples, rng: np.random.Generator) -> Samples:
    """Over a line of its own, then back at 16 kHz."""
    return simulate(samples, TelephoneConfig(), rng, sample_rate_hz=RATE_HZ)


def coded(samples: Samples, container: str, subtype: str) -> Samples:
    """Encoded and decoded once."""
    stored = io.BytesIO()
    soundfile.write(stored, samples, RATE_HZ, format=container, subtype=subtype)
    return audio.load(stored.getvalue(), sample_rate_hz=RATE_HZ)


CHANGES: Mapping[str, Callable[[Samples, np.random.Generator], Samples]] = {
    "wide": lambda samples, _rng: samples,
    "line": line,
    "opus": lambda samples, rng: coded(line(samples, rng), "OGG", "OPUS"),
    "mp3": lambda samples, rng: coded(line(samples, rng), "MP3", "MPEG_LAYER_III"),
}

if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
