"""A run to export, sounds for it, and both ways to transcribe them in processes of their own."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from malgwi import tokenizers
from malgwi.checkpoint import save_tensors
from malgwi.config import RunConfig, to_yaml
from malgwi.features import FrontEnd
from malgwi.front_end import preset
from malgwi.lm import transcripts
from malgwi.models.las import LASConfig, ListenerConfig, SpellerConfig
from malgwi.nn.initialize import InitConfig, initialize
from malgwi.run import make_model
from malgwi.transcribe import DecodingConfig

RATE = 8000
SYLLABLES = "가나다라마바사아자차카타파하"
CONFIG = RunConfig(
    front_end=replace(preset("telephone"), num_mels=20, trim_db=30.0),
    model=LASConfig(
        listener=ListenerConfig(front="stack", stack=4, layers=2, units=24, layer_norm=True),
        speller=SpellerConfig(units=8, layers=1, embedding=4, attention_units=4),
        ctc=True,
        composed_output=True,
    ),
    decoding=DecodingConfig(max_segment_s=3.0),
)


def write_run(folder: Path, config: RunConfig = CONFIG) -> Path:
    """A run folder with opinionated random weights: it writes much, and ties are out of reach."""
    folder.mkdir()
    tokenizer = tokenizers.train([SYLLABLES])
    torch.manual_seed(2)
    model = make_model(config, tokenizer)
    initialize(model, InitConfig(scheme="uniform", scale=0.5))
    (folder / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer.to_dict()), encoding="utf-8")
    save_tensors(folder / "weights.safetensors", model.state_dict())
    save_tensors(folder / "front_end.safetensors", FrontEnd(config.front_end).state_dict())
    if config.transcripts_lm.order:
        lines = [SYLLABLES[i:] for i in range(len(SYLLABLES))]
        transcripts.write_model(lines, tokenizer, config.text, config.transcripts_lm, folder)
    return folder


def write_sounds(folder: Path) -> list[Path]:
    """Speech-like sounds with silent edges, one of them longer than a segment, at two rates."""
    paths = []
    for index, (seconds, rate) in enumerate([(0.4, 8000), (1.7, 16000), (7.9, 8000), (0.02, 8000)]):
        random = np.random.default_rng(index)
        time = np.arange(int(seconds * rate)) / rate
        glide = np.sin(2 * np.pi * np.cumsum(300 + 900 * np.abs(np.sin(5 * time))) / rate)
        sound = 0.4 * glide * (0.3 + np.abs(np.sin(2 * time))) + 0.02 * random.normal(
            size=len(time)
        )
        quiet = np.zeros(int(0.3 * rate))
        paths.append(folder / f"소리{index}.wav")
        soundfile.write(paths[-1], np.concatenate([quiet, sound, quiet]), rate)
    silence = folder / "silence.wav"
    soundfile.write(silence, np.zeros(2 * RATE), RATE)
    return [*paths, silence]


BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ImportError(f"{{name}} is not part of the minimal set")

sys.meta_path.insert(0, Blocker())
from malgwi.runtime import main
status = main(sys.argv[1:])
assert "torch" not in sys.modules
raise SystemExit(status)
"""
#: Every dependency of malgwi but numpy, onnxruntime, soundfile and soxr.
NOT_NEEDED = {
    *("torch", "lhotse", "scipy", "matplotlib", "rapidfuzz", "safetensors", "sentencepiece"),
    *("tyro", "rich", "yaml", "urllib3", "onnx"),
}


def without_torch(folder: Path, *arguments: object) -> bytes:
    """What ``python -m malgwi.runtime`` prints where no more than the minimal set is installed."""
    return _printed("-c", BLOCKED.format(names=NOT_NEEDED), folder, *arguments)


def with_torch(run: Path, *arguments: object) -> bytes:
    """What ``malgwi transcribe`` prints."""
    return _printed("-m", "malgwi", "transcribe", run, *arguments)


def _printed(*arguments: object) -> bytes:
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
