"""A small n-gram model of the training transcripts, which travels with a recogniser.

Whoever trains has transcripts, and nobody has to look for text to have a language model: CTC's
prefix beam minds this one unless it is given another. Letters gain most by it, of which CTC knows
one at a time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from malgwi.errors import CheckpointError, ConfigError
from malgwi.lm.binary import read_binary, write_binary
from malgwi.lm.kneser_ney import train
from malgwi.lm.ngram import BoundNgram
from malgwi.lm.units import cut, settings_for
from malgwi.text.normalize import NormalizerConfig
from malgwi.types import Tokenizer

FILE = "transcripts.lm"
#: In place of a language model's file: none at all, not even that of the transcripts.
NO_MODEL = Path("none")


@dataclass(frozen=True, kw_only=True)
class TranscriptsLmConfig:
    """The language model of the training transcripts.

    Attributes:
        order: Its longest n-gram, in units; 0 is off.
        prune: For each order the highest count that is left out, as ``malgwi lm --prune``.
    """

    order: int = 0
    prune: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.order < 0:
            raise ConfigError(f"transcripts_lm.order is {self.order}: want 1 or more, or 0 for off")


def write_model(
    texts: Iterable[str],
    tokenizer: Tokenizer,
    text: NormalizerConfig,
    config: TranscriptsLmConfig,
    folder: Path,
) -> None:
    """Count the units of transcripts and write the model into ``folder``.

    Args:
        texts: Transcripts; those of which the normaliser leaves nothing do not count.
        tokenizer: Of the recogniser.
        text: Its normaliser.
        config: An order above 0.
        folder: The run folder.

    Raises:
        DataError: There is no text.
    """
    settings = settings_for(tokenizer, text)
    found = train(
        cut(texts, settings, tokenizer), config.order, prune=config.prune, settings=settings
    )
    write_binary(found.model, folder / FILE)


def load_model(folder: Path, tokenizer: Tokenizer, text: NormalizerConfig | None) -> BoundNgram:
    """The model in ``folder``, over the recogniser's units.

    Raises:
        CheckpointError: It is missing or damaged.
        ConfigError: It does not fit the recogniser.
    """
    if not (folder / FILE).is_file():
        raise CheckpointError(
            f"{folder}: {FILE}, the language model of the training transcripts, is missing: copy "
            f"it from where it was trained, or set transcripts_lm.order to 0 in config.yaml"
        )
    return read_binary(folder / FILE).bind(tokenizer, text)
