"""What telephone lines cost a recogniser: speech as it is, and as it comes out of simulated lines.

    python benchmarks/telephone_lines.py DEV.jsonl RUN [RUN …] [--lm MODEL.lm]

Every utterance is sent through a line of its own (malgwi.telephone, the same for every run), at the
rate of the run's front end. Each run is decoded on one thread as it says itself. What training
with `--batches.telephone-share` gains is seen by giving a run with and one without.
Prints a table for docs/experiments.md.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from malgwi import manifest
from malgwi.cli.search_options import SearchOptions
from malgwi.metrics.error_rate import score
from malgwi.run import load_config, references
from malgwi.telephone import TelephoneConfig, simulate


def main() -> None:
    """Decode every run twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dev", type=Path, help="manifest of development speech")
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--lm", type=Path, help="of these runs' units, in place of their own")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cuts = manifest.read_all([options.dev])
    print("| run | CER without spaces, as it is | over lines |\n|---|---|---|")
    for run in options.runs:
        config, recogniser = load_config(run), SearchOptions(lm=options.lm).recogniser(run)
        rate_hz = recogniser.front_end.config.sample_rate_hz
        plain = [recogniser.front_end.cut_waveform(cut) for cut in cuts]
        sent = [
            simulate(
                samples, TelephoneConfig(), np.random.default_rng(place), sample_rate_hz=rate_hz
            )
            for place, samples in enumerate(plain)
        ]
        cells = []
        for waveforms in (plain, sent):
            heard = recogniser.recognise(waveforms)
            texts = {cut.id: one.text for cut, one in zip(cuts, heard, strict=True)}
            rates = score(references(cuts, config), texts, config.text).corpus
            cells.append(f"{100 * rates.cer_nospace.rate:.2f} %")
        print(f"| {run} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
