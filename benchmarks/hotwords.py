"""What hot-words give on real speech: words found, words heard where they were not said, and CER.

    python benchmarks/hotwords.py RUN TRAIN.jsonl DEV.jsonl [--lm MODEL.lm] [--boosts 0 2 4 8]

The hot-words are the words of development transcripts, of three syllables and more, that no
training transcript holds in any place: what a name or a product is to a recogniser. Every
utterance is decoded with all of them, most of which it does not say, so that false alarms can show.
A word is found as often as it stands in both texts, spaces aside, and a false alarm as often as it
stands in what was heard beyond that.
Prints a table for docs/experiments.md.
"""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch

from malgwi import manifest
from malgwi.cli.search_options import SearchOptions
from malgwi.evaluate import evaluate
from malgwi.metrics.error_rate import score
from malgwi.run import load_config, references

LEAST = 3


def rare_words(dev: Iterable[str], train: Iterable[str]) -> list[str]:
    """Words of development texts that stand nowhere in training texts, not even within a word."""
    known = "\n".join(text.replace(" ", "") for text in train)
    words = {word for text in dev for word in text.split() if len(word) >= LEAST}
    return sorted(word for word in words if word not in known)


def counted(
    words: list[str], said: Mapping[str, str], heard: Mapping[str, str]
) -> tuple[int, int, int]:
    """How often the words were said, of that found, and heard beyond that."""
    occurred = found = false = 0
    for name, text in said.items():
        spoken, written = (t.replace(" ", "") for t in (text, heard[name]))
        for word in words:
            there, here = spoken.count(word), written.count(word)
            occurred, found, false = (
                occurred + there,
                found + min(there, here),
                false + max(0, here - there),
            )
    return occurred, found, false


def main() -> None:
    """Measure every boost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("train", type=Path, help="manifest of the training split")
    parser.add_argument("dev", type=Path, help="manifest of development speech")
    parser.add_argument("--lm", type=Path, help="in place of the run's own; none for neither")
    parser.add_argument("--method", default="ctc_beam")
    parser.add_argument("--beams", type=int, default=16)
    parser.add_argument("--boosts", type=float, nargs="+", default=[0.0, 2.0, 4.0, 6.0, 8.0])
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    config = load_config(options.run)
    cuts = manifest.read_all([options.dev])
    said = references(cuts, config)
    known = references(manifest.read_all([options.train]), config)
    words = rare_words(said.values(), known.values())
    search = SearchOptions(method=options.method, beams=options.beams, lm=options.lm)
    base = search.recogniser(options.run)
    print(f"{len(cuts)} utterances, {len(words)} hot-words\n")
    print("| boost, nats | said | found | heard where not said | CER without spaces |")
    print("|---:" * 5 + "|")
    for boost in options.boosts:
        recogniser = base.with_hotwords(dict.fromkeys(words, boost) if boost else {})
        measured = evaluate(recogniser, cuts, config.text, options.run)
        heard = measured.hypotheses()
        occurred, found, false = counted(words, measured.references(), heard)
        rate = score(measured.references(), heard, config.text).corpus.cer_nospace.rate
        print(f"| {boost:g} | {occurred} | {found} | {false} | {100 * rate:.2f} % |", flush=True)


if __name__ == "__main__":
    main()
