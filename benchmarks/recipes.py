"""What every shipped recipe weighs and costs in use, before any training.

    python benchmarks/recipes.py TRAIN.jsonl TEST.jsonl [--recipes quick las …] [--utterances 12]

Parameters, their bytes in float32 and multiply-adds for a second of audio, as `malgwi train
--dry-run` counts them, over the units that the training split gives each recipe. Then a process of
its own with one thread takes files from disk to text, one by one, greedily and by the search that
the recipe ends with. The weights are those that training starts from: speed and memory of CTC do
not depend on them; a writer's do, since it writes until it thinks it has said all: untrained, up to
its limit of ten units a second. `finetune` has the size of the encoder that it is given.
Prints a table for docs/experiments.md; wants an idle machine.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from malgwi.recipes import RECIPES

#: A search that keeps one hypothesis, by the one that a recipe ends with.
GREEDY = {"beam": "attention", "ctc_beam": "ctc", "transducer_beam": "transducer"}
HEAD = (
    "| recipe | model | units | parameters, M | fp32, MB | multiply-adds a second, G "
    "| × real time, greedy | × real time, its search | peak memory, MB |"
)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One row."""

    recipe: str
    model: str
    units: int
    parameters: int
    multiply_adds: float
    greedy: float
    searched: float
    memory_mb: float

    def line(self) -> str:
        """As the table has it."""
        return (
            f"| `{self.recipe}` | {self.model} | {self.units:,} | {self.parameters / 1e6:.1f} | "
            f"{4e-6 * self.parameters:.0f} | {self.multiply_adds / 1e9:.2f} | {self.greedy:.1f} | "
            f"{self.searched:.1f} | {self.memory_mb:.0f} |"
        )


def work(name: str, train: Path, test: Path, utterances: int) -> dict[str, Any]:
    """In the child: build one recogniser, count it, run it."""
    import torch

    from malgwi import manifest, tokenizers
    from malgwi.cost import measure_cost
    from malgwi.features import FrontEnd
    from malgwi.lm import transcripts
    from malgwi.recipes import recipe
    from malgwi.run import make_model, references
    from malgwi.transcribe import Recogniser

    torch.set_num_threads(1)
    config = recipe(name)
    cuts = manifest.read_all([train])
    texts = references(cuts, config).values()
    tokenizer = tokenizers.train(texts, config.tokenizer)
    own = None
    if config.transcripts_lm.order:
        with tempfile.TemporaryDirectory() as scratch:
            place = Path(scratch)
            transcripts.write_model(texts, tokenizer, config.text, config.transcripts_lm, place)
            own = transcripts.load_model(place, tokenizer, config.text)
    front_end = FrontEnd(config.front_end)
    if config.front_end.normalize == "global":
        front_end.fit_global(
            [front_end.located(cut.recording.sources[0].source)[0] for cut in cuts[:20]]
        )
    model = make_model(config, tokenizer).eval()
    recogniser = Recogniser(
        front_end=front_end,
        model=model,
        tokenizer=tokenizer,
        decoding=config.decoding,
        transcripts_model=own,
    )
    files = [cut.recording.sources[0].source for cut in manifest.read_all([test])[:utterances]]
    audio_s = sum(cut.duration for cut in manifest.read_all([test])[:utterances])
    recogniser.recognise_file(Path(files[0]))
    speeds = []
    for method in (GREEDY.get(config.decoding.method, config.decoding.method), None):
        searched = recogniser if method is None else recogniser.with_decoding(method=method)
        began = time.perf_counter()
        for path in files:
            searched.recognise_file(Path(path))
        speeds.append(audio_s / (time.perf_counter() - began))
    memory_mb = peak_memory_mb()
    parts = measure_cost(model, config.front_end.num_features, config.front_end.frame_s)
    return {
        "recipe": name,
        "model": config.model.kind,
        "units": tokenizer.size,
        "parameters": sum(part.parameters for part in parts),
        "multiply_adds": sum(part.multiply_adds for part in parts),
        "greedy": speeds[0],
        "searched": speeds[1],
        "memory_mb": memory_mb,
    }


def peak_memory_mb() -> float:
    """Most that this process ever held in memory (Linux and macOS count differently)."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", type=Path, help="manifest of a training split")
    parser.add_argument("test", type=Path, help="utterances that are whole files")
    names = [name for name in RECIPES if name != "finetune"]
    parser.add_argument("--recipes", nargs="+", choices=names, default=names)
    parser.add_argument("--utterances", type=int, default=12)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        (name,) = options.recipes
        print(json.dumps(work(name, options.train, options.test, options.utterances)))
        return
    print(f"{platform.machine()}, one thread; {date.today()}\n\n{HEAD}")
    print("|---|---" + "|---:" * 7 + "|")
    for name in options.recipes:
        print(Cost(**measured(name, options)).line(), flush=True)


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """What a recipe's child found."""
    command = [sys.executable, __file__, str(options.train), str(options.test), "--child"]
    command += ["--recipes", name, "--utterances", str(options.utterances)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{name}: the measurement failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
