"""``malgwi lm``: a language model from text, or from another's ARPA file."""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from tyro.conf import Positional

from malgwi import lm
from malgwi.cli.lm_neural import Asked, judged, read, train_and_write
from malgwi.cli.lm_sources import Source, read_lines, source_of
from malgwi.cli.score import normalizer_of
from malgwi.cli.train import parse_duration
from malgwi.errors import ConfigError
from malgwi.lm.arpa import write_arpa
from malgwi.lm.binary import write_binary
from malgwi.lm.kneser_ney import train
from malgwi.lm.ngram import NgramModel
from malgwi.lm.perplexity import Perplexity, perplexity
from malgwi.lm.pruning import prune_by_entropy
from malgwi.lm.units import Units, cut


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What to make, of which the source says nothing."""

    order: int
    prune: tuple[int, ...]
    entropy: float | None
    quantize: bool
    memory_bytes: int


def main(
    text: Annotated[Positional[tuple[Path, ...]], tyro.conf.arg(metavar="TEXT...")],
    /,
    *,
    out: Path | None = None,
    kind: Literal["ngram", "lstm"] = "ngram",
    order: int = 4,
    units: Units = "syllable",
    spaces: tyro.conf.FlagCreatePairsOff[bool] = False,
    tokenizer: Path | None = None,
    normalize: Annotated[
        tuple[str, ...] | None, tyro.conf.arg(metavar="[default] [FIELD=VALUE ...]")
    ] = None,
    prune: tuple[int, ...] = (),
    entropy: float | None = None,
    quantize: tyro.conf.FlagCreatePairsOff[bool] = False,
    memory: str = "1G",
    eval: tuple[Path, ...] = (),
    budget: str | None = None,
    epochs: int = 10,
    embedding: int = 256,
    width: int = 512,
    layers: int = 1,
    output: Literal["tied", "composed"] = "tied",
    device: str = "cpu",
) -> None:
    """Train a language model on text, one sentence a line; or convert or judge one.

    An n-gram model is interpolated modified Kneser-Ney, counted as KenLM's lmplz counts; text may
    be larger than memory. An LSTM judges itself by every fiftieth line and keeps the best weights.
    How text was cut (normaliser, units, spaces) is recorded, and a recogniser that cuts otherwise
    refuses the model: --tokenizer takes all of it from a run.

    For example, each on one line:

        malgwi lm reviews.txt dialogue.txt --out model.lm --order 5

        malgwi lm text.txt.gz --out model.lm --tokenizer runs/first --prune 0 0 1 --quantize

        malgwi lm text.txt data/train.jsonl --out letters.lm --order 9 --tokenizer runs/first

        malgwi lm text.txt --out model.arpa.gz --units jamo --order 8 --memory 500M

        malgwi lm model.arpa --out model.lm

        malgwi lm model.lm --eval held_out.txt

        malgwi lm text.txt --out small.safetensors --kind lstm --budget 10m

    Args:
        text: Text files, or manifests for their transcripts, gzipped or not; or one language
            model to convert or to judge.
        out: What to write: .lm (compact, for use), .arpa or .arpa.gz (for other programs),
            .safetensors (LSTM).
        kind: Count n-grams, or train an LSTM.
        order: The longest n-gram.
        units: What is counted: characters, letters, or pieces (which need --tokenizer).
        spaces: Keep the space as a unit; recognisers leave it out by default.
        tokenizer: A run folder, whose units, spaces and normaliser are taken over; or its
            tokenizer.json alone.
        normalize: The normaliser's policies where they are not as in training; as for score.
        prune: For each order the highest count that is left out, such as 0 0 1.
        entropy: Leave out n-grams whose loss raises perplexity by less than this share, such as
            1e-7.
        quantize: One byte a probability instead of four (.lm only).
        memory: For counting, such as 500M or 4G.
        eval: Text or manifests to judge the model by.
        budget: LSTM: time for training, such as 10m.
        epochs: LSTM: passes through the text at most.
        embedding: LSTM: size of the embedding.
        width: LSTM: units a layer.
        layers: LSTM: layers.
        output: LSTM: the embedding transposed, or syllables composed of their letters.
        device: LSTM: cpu or cuda.
    """
    console = Console(highlight=False, soft_wrap=True)
    given = _given_model(text)
    _check(given, out, eval, kind)
    if quantize and out is not None and lm.form_of(out) != ".lm":
        raise ConfigError(f"--quantize with --out {out}: only the compact form does; name it .lm")
    normalizer = normalizer_of(normalize)
    source = source_of(text, tokenizer, units=units, spaces=spaces, normalizer=normalizer)
    if kind == "lstm" or (given and lm.form_of(given) == ".safetensors"):
        asked = Asked(
            epochs=epochs if budget is None else 10**6,
            budget_s=None if budget is None else parse_duration(budget),
            embedding=embedding, width=width, layers=layers, output=output, device=device,
        )  # fmt: skip
        _neural(asked, given, source, out, eval, console)
        return
    wanted = _Wanted(
        order=order, prune=prune, entropy=entropy, quantize=quantize,
        memory_bytes=parse_bytes(memory),
    )  # fmt: skip
    model = lm.load(given) if given else _trained(source, wanted, console)
    if entropy is not None:
        model = prune_by_entropy(model, entropy)
        console.print("after entropy pruning: " + _sizes(model))
    if out is not None:
        _write(model, out, quantize=quantize)
        console.print(f"{out}: {out.stat().st_size / 1e6:.2f} MB; {_sizes(model)}")
    for path in eval:
        console.print(_judged(model, source, path))


def _neural(
    asked: Asked,
    given: Path | None,
    source: Source,
    out: Path | None,
    eval: tuple[Path, ...],
    console: Console,
) -> None:
    if given is not None:
        model = read(given, asked.device)
    else:
        assert out is not None
        model = train_and_write(asked, source, out, console)
    for path in eval:
        console.print(judged(model, path))


def _given_model(text: tuple[Path, ...]) -> Path | None:
    """The one language model among the arguments, if that is what was given."""
    if not text:
        raise ConfigError("no text given: name text files, or a language model to convert or judge")
    models = [path for path in text if lm.form_of(path)]
    if models and len(text) > 1:
        raise ConfigError(f"{models[0]} is a language model: convert or judge it alone")
    return models[0] if models else None


def _check(given: Path | None, out: Path | None, eval: tuple[Path, ...], kind: str) -> None:
    """Before hours are spent: is there something to do, and a name to write under?"""
    if out is None and not (given and eval):
        raise ConfigError("name the model to write with --out, such as --out model.lm")
    if out is None:
        return
    if given is not None and lm.form_of(given) == ".safetensors":
        raise ConfigError(f"{given} is an LSTM: it cannot be converted")
    form = lm.form_of(out)
    neural = kind == "lstm" and given is None
    fitting = [name for name in lm.READERS if (name == ".safetensors") == neural]
    if form not in fitting:
        raise ConfigError(f"--out {out}: this model's file is named {' or '.join(fitting)}")


def parse_bytes(text: str) -> int:
    """Bytes in "500M", "4G" or "100000".

    >>> parse_bytes("500M"), parse_bytes("1.5G")
    (500000000, 1500000000)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", text.strip().upper())
    if match is None or float(match[1]) <= 0:
        raise ConfigError(f"--memory {text!r}: expected a size such as 500M or 4G")
    return int(float(match[1]) * {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}[match[2]])


def _trained(source: Source, wanted: _Wanted, console: Console) -> NgramModel:
    with console.status("reading") as status:

        def told(lines: Iterable[str]) -> Iterator[str]:
            for number, line in enumerate(lines, start=1):
                if number % 5000 == 0:
                    status.update(f"{number:,} lines read")
                yield line
            status.update("counting and smoothing")

        sentences = cut(told(read_lines(source.paths)), source.settings, source.tokenizer)
        found = train(
            sentences, wanted.order, prune=wanted.prune, memory_bytes=wanted.memory_bytes,
            settings=source.settings,
        )  # fmt: skip
    for number, amounts in enumerate(found.discounts, start=1):
        note = ", the fallback: this text is too small or odd" if number in found.fallbacks else ""
        kept = len(found.model.levels[number - 1].words)
        console.print(
            f"{number}-grams: {found.distinct[number - 1]:>12,} distinct, {kept:>12,} kept; "
            f"discounts {' '.join(f'{amount:.4f}' for amount in amounts)}{note}"
        )
    return found.model


def _write(model: NgramModel, out: Path, *, quantize: bool) -> None:
    if lm.form_of(out) == ".lm":
        write_binary(model, out, quantize=quantize)
    else:
        write_arpa(model, out)


def _sizes(model: NgramModel) -> str:
    return ", ".join(
        f"{len(level.words):,} {order}-grams" for order, level in enumerate(model.levels, start=1)
    )


def _judged(model: NgramModel, source: Source, path: Path) -> str:
    settings = model.settings or source.settings
    found = perplexity(model, cut(read_lines([path]), settings, source.tokenizer))
    return f"{path}: {described(found)}"


def described(found: Perplexity) -> str:
    """One line of figures.

    >>> described(Perplexity(nats=4.6, tokens=2, sentences=1))
    'perplexity 9.97, 9.97 without unknown units; 2 tokens, 0 unknown (0.00%), 1 sentences'
    """
    if not found.tokens:
        return "holds no sentence"
    outer, inner = found.with_unknown, found.without_unknown
    inner_text = "nothing known" if math.isnan(inner) else f"{inner:.2f}"
    return (
        f"perplexity {outer:.2f}, {inner_text} without unknown units; {found.tokens:,} tokens, "
        f"{found.unknown:,} unknown ({found.unknown / found.tokens:.2%}), "
        f"{found.sentences:,} sentences"
    )
