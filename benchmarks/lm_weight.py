"""What a language model should count in a beam search: a grid over its weight and its bonus.

    python benchmarks/lm_weight.py RUN DEV.jsonl --lm MODEL.lm [--method ctc_beam] [--beams 16]
        [--weights 0.2 0.4 …] [--bonuses 0 1 …] [--source-lm TRAIN.lm --source-weights 0 0.2 …]

Choose on development speech, never on the test part. A language model prefers short texts, so
that weight and insertion bonus belong together; what is best stands in bold.
Prints a table for docs/experiments.md.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from lhotse.cut import MonoCut

from malgwi import manifest
from malgwi.cli.search_options import SearchOptions
from malgwi.evaluate import evaluate
from malgwi.metrics.error_rate import score
from malgwi.run import load_config
from malgwi.transcribe import Recogniser


def error_rate(
    run: Path, recogniser: Recogniser, cuts: Sequence[MonoCut], weights: Sequence[float]
) -> float:
    """CER without spaces under a language model's weight, the source's, and a bonus."""
    lm_weight, source_weight, bonus = weights
    fusion = replace(
        recogniser.decoding.fusion,
        lm_weight=lm_weight,
        source_weight=source_weight,
        insertion_bonus=bonus,
    )
    text = load_config(run).text
    found = evaluate(recogniser.with_decoding(fusion=fusion), cuts, text, run)
    return score(found.references(), found.hypotheses(), text).corpus.cer_nospace.rate


def main() -> None:
    """Measure the grid."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("dev", type=Path, help="manifest of development speech")
    parser.add_argument("--lm", type=Path, required=True)
    parser.add_argument("--source-lm", type=Path)
    parser.add_argument("--method", default="ctc_beam")
    parser.add_argument("--beams", type=int, default=16)
    parser.add_argument("--weights", type=float, nargs="+", default=[0.0, 0.2, 0.4, 0.6, 0.8])
    parser.add_argument("--bonuses", type=float, nargs="+", default=[0.0, 1.0, 2.0, 3.0])
    parser.add_argument("--source-weights", type=float, nargs="+", default=[0.0])
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    recogniser = SearchOptions(
        method=options.method, beams=options.beams, lm=options.lm, source_lm=options.source_lm
    ).recogniser(options.run)
    cuts = manifest.read_all([options.dev])
    for source in options.source_weights:
        rates = {
            (weight, bonus): error_rate(options.run, recogniser, cuts, (weight, source, bonus))
            for weight in options.weights
            for bonus in options.bonuses
        }
        best = min(rates, key=rates.__getitem__)
        print(f"\nsource weight {source:g}; CER without spaces, %, {len(cuts)} utterances\n")
        print("| weight | " + " | ".join(f"bonus {bonus:g}" for bonus in options.bonuses) + " |")
        print("|---" * (1 + len(options.bonuses)) + "|")
        for weight in options.weights:
            shown = [
                f"**{100 * rates[weight, bonus]:.2f}**"
                if (weight, bonus) == best
                else f"{100 * rates[weight, bonus]:.2f}"
                for bonus in options.bonuses
            ]
            print(f"| {weight:g} | " + " | ".join(shown) + " |", flush=True)


if __name__ == "__main__":
    main()
