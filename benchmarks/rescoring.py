"""What a second language model gains by ranking a beam's hypotheses anew: a grid of weight, bonus.

    python benchmarks/rescoring.py RUN DEV.jsonl --rescore-lm LSTM.safetensors [--lm NGRAM.lm]
        [--beams 16] [--weights 0 0.1 …] [--bonuses 0 0.5 …]

The speech is searched once, and every hypothesis judged once; the grid only adds up. Beside it
stands what the best choice among the hypotheses would give, which no ranking can beat, and the
perplexity of both models on what was said. Choose on development speech.
Prints a table for docs/experiments.md.
"""

import argparse
import math
import time
from pathlib import Path

import torch

from malgwi import lm, manifest
from malgwi.cli.search_options import SearchOptions
from malgwi.decoders.rescore import text_log_probs
from malgwi.metrics.error_rate import score
from malgwi.run import load_config, references
from malgwi.transcribe import Recogniser
from malgwi.types import Hypothesis

Lists = dict[str, list[list[Hypothesis]]]  # id → the n-best of each of its segments


def n_best(recogniser: Recogniser, path: Path) -> Lists:
    """What the beam ends with, by utterance and segment."""
    cuts = manifest.read_all([path])
    heard = recogniser.recognise([recogniser.front_end.cut_waveform(cut) for cut in cuts])
    return {
        cut.id: [list(segment.hypotheses) for segment in one.segments if segment.hypotheses]
        for cut, one in zip(cuts, heard, strict=True)
    }


def main() -> None:
    """Search, judge, add up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("dev", type=Path, help="manifest of development speech")
    parser.add_argument("--rescore-lm", type=Path, required=True)
    parser.add_argument("--lm", type=Path, help="in place of the run's own; none for neither")
    parser.add_argument("--method", default="ctc_beam")
    parser.add_argument("--beams", type=int, default=16)
    parser.add_argument(
        "--weights", type=float, nargs="+", default=[0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8]
    )
    parser.add_argument("--bonuses", type=float, nargs="+", default=[0.0, 0.5, 1.0, 1.5])
    options = parser.parse_args()
    torch.set_num_threads(1)
    config = load_config(options.run)
    recogniser = SearchOptions(
        method=options.method, beams=options.beams, nbest=options.beams, lm=options.lm
    ).recogniser(options.run)
    tokenizer, end_id = recogniser.tokenizer, recogniser.tokenizer.end_id
    said = references(manifest.read_all([options.dev]), config)
    for path in filter(None, (options.lm, options.rescore_lm)):
        model = lm.load_bound(path, tokenizer, config.text)
        texts = [tokenizer.encode(text) for text in said.values()]
        total = sum(text_log_probs(texts, model, end_id=end_id))
        units = sum(len(text) + 1 for text in texts)
        print(f"{path.name}: perplexity {math.exp(-total / units):.2f} of {units:,} units said")
    lists = n_best(recogniser, options.dev)
    second = lm.load_bound(options.rescore_lm, tokenizer, config.text)
    began = time.process_time()
    log_probs = {
        name: [text_log_probs([h.tokens for h in nbest], second, end_id=end_id) for nbest in found]
        for name, found in lists.items()
    }
    print(f"{time.process_time() - began:.1f} s of one thread to judge them all")

    def rate(weight: float, bonus: float) -> float:
        def worth(pair: tuple[Hypothesis, float]) -> float:
            return pair[0].score + weight * pair[1] + bonus * len(pair[0].tokens)

        heard = {}
        for name, found in lists.items():
            texts = []
            for nbest, judged in zip(found, log_probs[name], strict=True):
                best, _ = max(zip(nbest, judged, strict=True), key=worth)
                texts.append(tokenizer.decode(best.tokens))
            heard[name] = " ".join(texts)
        return 100 * score(said, heard, config.text).corpus.cer_nospace.rate

    print(f"\n| weight | {' | '.join(f'bonus {bonus:g}' for bonus in options.bonuses)} |")
    print("|---" * (1 + len(options.bonuses)) + "|")
    for weight in options.weights:
        cells = [rate(weight, bonus) for bonus in options.bonuses]
        print(f"| {weight:g} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |", flush=True)
    print(f"\nthe best of the list each time: {oracle(lists, said, recogniser):.2f}")


def oracle(lists: Lists, said: dict[str, str], recogniser: Recogniser) -> float:
    """CER without spaces if the best hypothesis were known; of audio in pieces the first counts."""
    tokenizer = recogniser.tokenizer
    errors = characters = 0
    for name, found in lists.items():
        pieces = [[tokenizer.decode(h.tokens) for h in nbest] for nbest in found]
        texts = pieces[0] if len(pieces) == 1 else [" ".join(piece[0] for piece in pieces)]
        rates = [score({name: said[name]}, {name: text}, None).corpus.cer_nospace for text in texts]
        errors += min(rate.errors for rate in rates)
        characters += rates[0].reference
    return 100 * errors / characters


if __name__ == "__main__":
    main()
