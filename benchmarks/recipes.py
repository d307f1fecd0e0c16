"""What every shipped recipe weighs and computes, before any training.

    python benchmarks/recipes.py TRAIN.jsonl

Parameters, their bytes in float32, and multiply-adds for a second of audio, as `malgwi train
--dry-run` counts them, over the units that the training split gives each recipe. What a trained
one makes of it in use is measured by `runtime.py`.
Prints a table for docs/experiments.md.
"""

import argparse
from pathlib import Path

from malgwi import manifest, tokenizers
from malgwi.cost import measure_cost
from malgwi.recipes import RECIPES, recipe
from malgwi.run import make_model, references


def line(name: str, train: Path) -> str:
    """One row of the table."""
    config = recipe(name)
    texts = references(manifest.read_all([train]), config)
    tokenizer = tokenizers.train(texts.values(), config.tokenizer)
    model = make_model(config, tokenizer)
    frame_s = config.front_end.hop_ms / 1000
    parts = measure_cost(model, config.front_end.num_features, frame_s)
    parameters = sum(part.parameters for part in parts)
    multiply_adds = sum(part.multiply_adds for part in parts)
    return (
        f"| `{name}` | {config.model.kind} | {tokenizer.size:,} | {parameters / 1e6:.1f} | "
        f"{4e-6 * parameters:.0f} | {multiply_adds / 1e9:.2f} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path, help="manifest of a training split")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    options = parser.parse_args()
    print("| recipe | model | units | parameters, M | fp32, MB | multiply-adds a second, G |")
    print("|---" * 6 + "|")
    for name in options.recipes:
        print(line(name, options.train), flush=True)


if __name__ == "__main__":
    main()
