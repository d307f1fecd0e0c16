"""How likely a text is: one file a kind, each satisfying ``malgwi.types.LanguageModel`` once bound.

``ngram`` counts: seconds to train, one look-up a score. ``lstm`` learns: longer memory, a matrix
product a score. Both are trained by ``malgwi lm`` on text alone and know nothing of sound.

    model = malgwi.lm.load(Path("model.lm")).bind(recogniser.tokenizer, config.text)

Only ``lstm`` needs torch, and imports it when it is read.
"""

from pathlib import Path
from typing import Any

from malgwi.errors import ConfigError, DataError
from malgwi.registry import resolve
from malgwi.text.normalize import NormalizerConfig
from malgwi.types import LanguageModel, Tokenizer

#: kind → class
LANGUAGE_MODELS: dict[str, str] = {
    "ngram": "malgwi.lm.ngram:NgramModel",
    "lstm": "malgwi.lm.neural:LstmModel",
}

#: end of a file's name → what reads it
READERS: dict[str, str] = {
    ".lm": "malgwi.lm.binary:read_binary",
    ".arpa": "malgwi.lm.arpa:read_arpa",
    ".arpa.gz": "malgwi.lm.arpa:read_arpa",
    ".safetensors": "malgwi.lm.neural:read_lstm",
}


def form_of(path: Path) -> str | None:
    """The key of ``READERS`` that a file's name ends in; None if it names no language model.

    >>> form_of(Path("a/model.arpa.gz")), form_of(Path("text.txt"))
    ('.arpa.gz', None)
    """
    return next((form for form in READERS if path.name.endswith(form)), None)


def load(path: Path) -> Any:
    """The language model in a file, by the end of its name; ``bind`` it to a tokenizer for use.

    Returns:
        A `malgwi.lm.ngram.NgramModel` or `malgwi.lm.neural.LstmModel`.

    Raises:
        ConfigError: The name does not say what the file is, or it is neural and there is no torch.
        DataError, CheckpointError: It is missing or damaged.
    """
    form = form_of(path)
    if form is None:
        raise ConfigError(f"{path}: a language model is named {', '.join(READERS)}")
    try:
        reader = resolve("language model file", READERS, form)
    except ImportError as error:
        raise ConfigError(
            f"{path}: a neural language model needs all of malgwi's packages ({error}); without "
            "them use an n-gram model (.lm or .arpa)"
        ) from error
    return reader(path)


def load_bound(
    path: Path, tokenizer: Tokenizer, text: NormalizerConfig | None = None
) -> LanguageModel:
    """The language model in a file, over a tokenizer's ids.

    Args:
        path: Of the file.
        tokenizer: Of the recogniser.
        text: The recogniser's normaliser, if known.

    Raises:
        ConfigError: Its text was cut or normalised otherwise than the recogniser's.
        DataError, CheckpointError: It is missing or damaged.
    """
    if not path.exists():
        raise DataError(f"{path}: no such language model; make one with  malgwi lm")
    model: LanguageModel = load(path).bind(tokenizer, text)
    return model
