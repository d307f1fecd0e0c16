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
from malgwi.lm.mixing import fitted_weights, mixed, settings_of
from malgwi.lm.ngram import NgramModel
from malgwi.lm.perplexity import Perplexity, perplexity
from malgwi.lm.pruning import prune_by_entropy
from malgwi.lm.units import Units, cut

#: A model with a smaller share of a mixture that was fitted is left out.
_USELESS = 0.001


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
    tune: tuple[Path, ...] = (),
    weights: tuple[float, ...] = (),
    budget: str | None = None,
    epochs: int = 10,
    embedding: int = 256,
    width: int = 512,
    layers: int = 1,
    output: Literal["tied", "composed"] = "tied",
    device: str = "cpu",
) -> None:
    """Train a language model on text, one sentence a line; or convert, judge or mix models.

    An n-gram model is interpolated modified Kneser-Ney, counted as KenLM's lmplz counts; text may
    be larger than memory. An LSTM judges itself by every fiftieth line and keeps the best weights.
    How text was cut (normaliser, units, spaces) is recorded, and a recogniser that cuts otherwise
    refuses the model: --tokenizer takes all of it from a run. Of several n-gram models one is made
    that holds all their n-grams, each at the mixture's probability: so a little text of the right
    kind counts for what it is worth beside much of another.

    For example, each on one line:

        malgwi lm reviews.txt dialogue.txt --out model.lm --order 5

        malgwi lm text.txt.gz --out model.lm --tokenizer runs/first --prune 0 0 1 --quantize

        malgwi lm text.txt data/train.jsonl --out letters.lm --order 9 --tokenizer runs/first

        malgwi lm text.txt --out model.arpa.gz --units jamo --order 8 --memory 500M

        malgwi lm model.arpa --out model.lm

        malgwi lm model.lm --eval held_out.txt

        malgwi lm reviews.lm calls.lm --tune data/dev.jsonl --out mixed.lm

        malgwi lm text.txt --out small.safetensors --kind lstm --budget 10m

    Args:
        text: Text files, or manifests for their transcripts, gzipped or not; or one language
            model to convert or to judge, or several to mix.
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
        tune: Text or manifests like what will be said, to fit the weights of a mixture to.
        weights: Of a mixture, one for each model, in place of --tune.
        budget: LSTM: time for training, such as 10m.
        epochs: LSTM: passes through the text at most.
        embedding: LSTM: size of the embedding.
        width: LSTM: units a layer.
        layers: LSTM: layers.
        output: LSTM: the embedding transposed, or syllables composed of their letters.
        device: LSTM: cpu or cuda.
    """
    console = Console(highlight=False, soft_wrap=True)
    given = _given_models(text)
    _check(given, out, eval, kind)
    _check_mixture(given, tune, weights)
    if quantize and out is not None and lm.form_of(out) != ".lm":
        raise ConfigError(f"--quantize with --out {out}: only the compact form does; name it .lm")
    normalizer = normalizer_of(normalize)
    source = source_of(text, tokenizer, units=units, spaces=spaces, normalizer=normalizer)
    if kind == "lstm" or (given and lm.form_of(given[0]) == ".safetensors"):
        asked = Asked(
            epochs=epochs if budget is None else 10**6,
            budget_s=None if budget is None else parse_duration(budget),
            embedding=embedding, width=width, layers=layers, output=output, device=device,
        )  # fmt: skip
        _neural(asked, given[0] if given else None, source, out, eval, console)
        return
    wanted = _Wanted(
        order=order, prune=prune, entropy=entropy, quantize=quantize,
        memory_bytes=parse_bytes(memory),
    )  # fmt: skip
    if len(given) > 1:
        model = _mixed(given, tune, weights, source, console)
    else:
        model = lm.load(given[0]) if given else _trained(source, wanted, console)
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


def _given_models(text: tuple[Path, ...]) -> tuple[Path, ...]:
    """The arguments if they are language models; empty if they are text."""
    if not text:
        raise ConfigError("no text given: name text files, or language models to convert or mix")
    models = tuple(path for path in text if lm.form_of(path))
    if models and len(models) < len(text):
        other = next(path for path in text if not lm.form_of(path))
        raise ConfigError(
            f"{models[0]} is a language model and {other} is text: give either. Make a model of "
            f"the text first, then mix the two with --tune"
        )
    return models


def _check(given: tuple[Path, ...], out: Path | None, eval: tuple[Path, ...], kind: str) -> None:
    """Before hours are spent: is there something to do, and a name to write under?"""
    if out is None and not (len(given) == 1 and eval):
        raise ConfigError("name the model to write with --out, such as --out model.lm")
    lstm = next((path for path in given if lm.form_of(path) == ".safetensors"), None)
    if lstm is not None and (out is not None or len(given) > 1):
        raise ConfigError(f"{lstm} is an LSTM: it cannot be converted or mixed")
    if out is None:
        return
    form = lm.form_of(out)
    neural = kind == "lstm" and not given
    fitting = [name for name in lm.READERS if (name == ".safetensors") == neural]
    if form not in fitting:
        raise ConfigError(f"--out {out}: this model's file is named {' or '.join(fitting)}")


def _check_mixture(
    given: tuple[Path, ...], tune: tuple[Path, ...], weights: tuple[float, ...]
) -> None:
    if len(given) < 2 and (tune or weights):
        raise ConfigError("--tune and --weights are for several language models, to mix them")
    if len(given) > 1 and bool(tune) == bool(weights):
        raise ConfigError(
            f"{len(given)} language models to mix: say with --tune which text to fit their weights "
            "to, such as the development part's manifest, or give --weights"
        )
    if weights and len(weights) != len(given):
        raise ConfigError(f"{len(weights)} --weights for {len(given)} language models")


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


def _mixed(
    paths: tuple[Path, ...],
    tune: tuple[Path, ...],
    weights: tuple[float, ...],
    source: Source,
    console: Console,
) -> NgramModel:
    """One of several; models that the text to tune by has no use for are left out."""
    models = [lm.load(path) for path in paths]
    settings = settings_of(models) or source.settings
    sentences = list(cut(read_lines(tune), settings, source.tokenizer))
    shares = list(weights) if weights else fitted_weights(models, sentences).tolist()
    used = []
    for path, model, share in zip(paths, models, shares, strict=True):
        note = f", perplexity {perplexity(model, sentences).with_unknown:.2f}" if tune else ""
        left_out = bool(tune) and share < _USELESS
        console.print(f"{path}: weight {share:.3f}{note}{', left out' if left_out else ''}")
        if not left_out:
            used.append((model, share))
    mixture = mixed([model for model, _ in used], [share for _, share in used])
    if tune:
        console.print(f"mixture: perplexity {perplexity(mixture, sentences).with_unknown:.2f}")
    return mixture


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
