"""CTC beam search side by side: ours, pyctcdecode and flashlight-text, in one process.

    python benchmarks/ctc_decoders.py save RUN MANIFEST.jsonl --out log_probs.npz
    python benchmarks/ctc_decoders.py invent --out log_probs.npz
    python benchmarks/ctc_decoders.py compare log_probs.npz [--arpa LM.arpa] [--beams 16]

The same log-probabilities, beam width, tokens a frame and language model, one thread. Time is
processor time of decoding alone; ours is timed for batches and for one utterance at a time. What
was found is judged by one score, computed here and not by the decoders: the exact log P_CTC of the
string, plus λ times its log-probability under the language model. Decoders that are not installed
are left out:

    pip install pyctcdecode flashlight-text kenlm

In ``invent`` a text of syllables is drawn from the sentences that malgwi ships, three frames of
noisy scores a syllable and blanks between, so that the beam has work.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from malgwi import manifest, tokenizers
from malgwi.decoders.ctc_beam import CtcBeamConfig, ctc_beam
from malgwi.decoders.fusion import Fusion
from malgwi.decoders.greedy import ctc_greedy
from malgwi.decoders.rescore import text_log_probs
from malgwi.run import load_recogniser
from malgwi.text.sentences import read_collected
from malgwi.types import LanguageModel, Tokenizer

Strings = list[tuple[int, ...]]
LEAST = -60.0  # log-probability of what cannot be; infinities are not to everybody's taste


@dataclass(frozen=True)
class Task:
    """What every decoder is given."""

    utterances: list[np.ndarray]  # [T, V] log-probabilities each
    tokenizer: Tokenizer
    labels: list[str]  # [V] a name without spaces for each token
    arpa: Path | None
    lm_weight: float
    config: CtcBeamConfig
    batch: int

    def language_model(self) -> LanguageModel | None:
        """The ARPA file over the tokenizer's ids."""
        if self.arpa is None:
            return None
        model: LanguageModel = import_module("malgwi.lm").load(self.arpa).bind(self.tokenizer)
        return model


def save(
    run: tyro.conf.Positional[Path], manifest_path: tyro.conf.Positional[Path], *, out: Path
) -> None:
    """Write the CTC log-probabilities of a trained recogniser."""
    recogniser = load_recogniser(run)
    found = []
    for cut in manifest.read(manifest_path):
        samples = torch.from_numpy(recogniser.front_end.cut_waveform(cut))[None]
        with torch.inference_mode():
            features, lengths = recogniser.front_end(samples, torch.tensor([samples.size(1)]))
            encoded = recogniser.model.encode(features, lengths)
        if encoded.ctc_log_probs is None:
            sys.exit(f"{run}: the model has no CTC output")
        found.append(encoded.ctc_log_probs[0, : int(encoded.lengths[0])].float().numpy())
    write(out, found, recogniser.tokenizer)


def invent(*, out: Path, utterances: int = 64, noise: float = 3.0, seed: int = 0) -> None:
    """Write invented log-probabilities of real sentences."""
    random = np.random.default_rng(seed)
    texts = [sentence.text for sentence in read_collected()]
    tokenizer = tokenizers.train(texts)
    found = []
    for text in random.choice(texts, utterances):
        path = [v for token in tokenizer.encode(text) for v in (0, token, token, 0, 0)]
        logits = random.normal(size=(len(path), tokenizer.size)) * noise
        logits[np.arange(len(path)), path] += 3 * noise
        found.append(torch.from_numpy(logits).log_softmax(-1).float().numpy())
    write(out, found, tokenizer)


def write(out: Path, utterances: list[np.ndarray], tokenizer: Tokenizer) -> None:
    """One file with everything."""
    record = json.dumps(tokenizer.to_dict())
    lengths = [len(u) for u in utterances]
    np.savez(out, log_probs=np.concatenate(utterances), lengths=lengths, tokenizer=record)
    print(f"{out}: {len(utterances)} utterances, {sum(lengths)} frames, {tokenizer.size} units")


def compare(
    path: tyro.conf.Positional[Path],
    *,
    arpa: Path | None = None,
    lm_weight: float = 0.5,
    beams: int = 16,
    shortlist: int = 20,
    min_log_prob: float = -7.0,
    batch: int = 32,
) -> None:
    """Decode with everybody who is here and print the table.

    Args:
        path: From ``save`` or ``invent``.
        arpa: A language model of the tokenizer's units.
        lm_weight: λ.
        beams: Width.
        shortlist: Tokens a frame.
        min_log_prob: Least log-probability of a token, where a decoder has such a setting.
        batch: Utterances that ours decodes at once.
    """
    torch.set_num_threads(1)
    config = CtcBeamConfig(beams=beams, shortlist=shortlist, min_log_prob=min_log_prob)
    task = read(path, arpa, lm_weight, config, batch)
    decoders: dict[str, Callable[[Task], tuple[Strings, float]]] = {
        f"ours, {batch} at once": ours,
        "ours, one at a time": lambda t: ours(Task(**{**vars(t), "batch": 1})),
        "ours, nothing left out": lambda t: ours(Task(**{**vars(t), "config": exact(config)})),
        "pyctcdecode": pyctcdecode,
        "flashlight-text": flashlight,
        "greedy": greedy,
    }
    frames = sum(len(u) for u in task.utterances)
    print(f"{len(task.utterances)} utterances, {frames} frames, beam {beams}, LM {arpa}")
    print(f"{'decoder':<26}{'CPU s':>8}{'µs/frame':>10}{'mean score':>12}  better / equal / worse")
    first: np.ndarray | None = None
    for name, decode in decoders.items():
        try:
            strings, seconds = decode(task)
        except ImportError as error:
            print(f"{name:<26} left out: {error}")
            continue
        scores = judge(task, strings)
        first = scores if first is None else first
        counts = [(scores > first + 1e-3), abs(scores - first) <= 1e-3, (scores < first - 1e-3)]
        shown = " / ".join(str(int(c.sum())) for c in counts)
        each = f"{seconds:>8.2f}{1e6 * seconds / frames:>10.1f}{scores.mean():>12.3f}"
        print(f"{name:<26}{each}  {shown}", flush=True)


def exact(config: CtcBeamConfig) -> CtcBeamConfig:
    """The same width, every token and frame."""
    return CtcBeamConfig(beams=config.beams, shortlist=None, min_log_prob=None, skip_blank=None)


def read(
    path: Path, arpa: Path | None, lm_weight: float, config: CtcBeamConfig, batch: int
) -> Task:
    """The task of a file."""
    with np.load(path) as file:
        tokenizer = tokenizers.from_dict(json.loads(str(file["tokenizer"])))
        values, lengths = file["log_probs"], file["lengths"]
    values[:, [tokenizer.start_id, tokenizer.end_id]] = LEAST
    special = {tokenizer.blank_id: "<blank>", tokenizer.start_id: "<s>", tokenizer.end_id: "</s>"}
    if tokenizer.unknown_id is not None:
        special[tokenizer.unknown_id] = "<unk>"
    labels = [special.get(v) or tokenizer.decode([v]) for v in range(tokenizer.size)]
    labels = ["<space>" if label == " " else label for label in labels]
    parts = np.split(values, np.cumsum(lengths)[:-1])
    utterances = sorted((np.ascontiguousarray(part) for part in parts), key=len)
    return Task(utterances, tokenizer, labels, arpa, lm_weight, config, batch)


def ours(task: Task) -> tuple[Strings, float]:
    """`malgwi.decoders.ctc_beam`."""
    model, tokenizer = task.language_model(), task.tokenizer
    fusion = model and Fusion([(model, task.lm_weight)], end_id=tokenizer.end_id)
    strings: Strings = []
    began = time.process_time()
    for at in range(0, len(task.utterances), task.batch):
        chunk = task.utterances[at : at + task.batch]
        lengths = np.array([len(u) for u in chunk])
        padded = np.zeros((len(chunk), lengths.max(), tokenizer.size), np.float32)
        for row, utterance in zip(padded, chunk, strict=True):
            row[: len(utterance)] = utterance
        found = ctc_beam(
            padded,
            lengths,
            blank_id=tokenizer.blank_id,
            start_id=tokenizer.start_id,
            end_id=tokenizer.end_id,
            config=task.config,
            language_model=fusion,
        )
        strings += [nbest[0].tokens for nbest in found]
    return strings, time.process_time() - began


def greedy(task: Task) -> tuple[Strings, float]:
    """The likeliest path."""
    began = time.process_time()
    strings = [
        ctc_greedy(torch.from_numpy(u)[None], torch.tensor([len(u)]), blank_id=0)[0].tokens
        for u in task.utterances
    ]
    return strings, time.process_time() - began


def pyctcdecode(task: Task) -> tuple[Strings, float]:
    """Each unit is made a word of its own, since its language model goes by words."""
    theirs = import_module("pyctcdecode")
    names = ["" if v == task.tokenizer.blank_id else f"▁{u}" for v, u in enumerate(task.labels)]
    path = None if task.arpa is None else str(task.arpa)
    decoder = theirs.build_ctcdecoder(names, path, alpha=task.lm_weight, beta=0.0)
    ids = {label: v for v, label in enumerate(task.labels)}
    strings: Strings = []
    began = time.process_time()
    for utterance in task.utterances:
        text = decoder.decode(
            utterance, beam_width=task.config.beams, token_min_logp=task.config.min_log_prob
        )
        strings.append(tuple(ids[unit] for unit in text.split()))
    return strings, time.process_time() - began


def flashlight(task: Task) -> tuple[Strings, float]:
    """Its decoder without a lexicon, adding alignments up as the others do."""
    theirs: Any = import_module("flashlight.lib.text.decoder")
    lm = theirs.ZeroLM()
    if task.arpa is not None:
        dictionary = import_module("flashlight.lib.text.dictionary").Dictionary(task.labels)
        lm = import_module("flashlight.lib.text.decoder.kenlm").KenLM(str(task.arpa), dictionary)
    options = theirs.LexiconFreeDecoderOptions(
        beam_size=task.config.beams,
        beam_size_token=task.config.shortlist,
        beam_threshold=50.0,
        lm_weight=task.lm_weight * float(np.log(10)),  # it takes KenLM's log10 as it is
        sil_score=0.0,
        log_add=True,
        criterion_type=theirs.CriterionType.CTC,
    )
    blank = task.tokenizer.blank_id
    decoder = theirs.LexiconFreeDecoder(options, lm, -1, blank, [])
    strings: Strings = []
    began = time.process_time()
    for utterance in task.utterances:
        path = decoder.decode(utterance.ctypes.data, *utterance.shape)[0].tokens
        merged = [v for i, v in enumerate(path) if i == 0 or v != path[i - 1]]
        strings.append(tuple(v for v in merged if v not in (blank, -1)))
    return strings, time.process_time() - began


def judge(task: Task, strings: Sequence[tuple[int, ...]]) -> np.ndarray:
    """log P_CTC, exactly, plus λ log P_LM, of each utterance's string."""
    total = []
    for utterance, string in zip(task.utterances, strings, strict=True):
        loss = torch.nn.functional.ctc_loss(
            torch.from_numpy(utterance)[:, None].double(),
            torch.tensor([string], dtype=torch.long).reshape(1, -1),
            torch.tensor([len(utterance)]),
            torch.tensor([len(string)]),
            blank=task.tokenizer.blank_id,
            reduction="none",
        )
        total.append(-float(loss))
    model = task.language_model()
    if model is None:
        return np.array(total)
    added = text_log_probs(strings, model, end_id=task.tokenizer.end_id)
    return np.array(total) + task.lm_weight * np.array(added)


if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict({"save": save, "invent": invent, "compare": compare})
