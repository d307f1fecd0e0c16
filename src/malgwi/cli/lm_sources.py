"""Where ``malgwi lm`` takes its text from, and how the text is to be cut."""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from malgwi import lm, tokenizers
from malgwi.errors import ConfigError, DataError
from malgwi.lm.units import TextSettings, Units, settings_for
from malgwi.text.normalize import NormalizerConfig
from malgwi.types import Tokenizer


@dataclass(frozen=True, kw_only=True)
class Source:
    """Text files, how to cut them, and the tokenizer that was named, if any."""

    paths: tuple[Path, ...]
    settings: TextSettings
    tokenizer: Tokenizer | None


def source_of(
    paths: tuple[Path, ...],
    tokenizer_path: Path | None,
    *,
    units: Units,
    spaces: bool,
    normalizer: NormalizerConfig | None,
) -> Source:
    """Settings from a run or its tokenizer where one is named, else from the options.

    Raises:
        ConfigError: Subwords without a tokenizer, or a normaliser that is not the run's.
        DataError: No such tokenizer.
    """
    texts = tuple(path for path in paths if not lm.form_of(path))
    text = normalizer or NormalizerConfig()
    if tokenizer_path is None:
        if units == "subword":
            raise ConfigError(
                "--units subword: name the tokenizer that cuts, with --tokenizer RUN or "
                "--tokenizer RUN/tokenizer.json"
            )
        settings = TextSettings(units=units, spaces=spaces, text=text)
        return Source(paths=texts, settings=settings, tokenizer=None)
    tokenizer = _read_tokenizer(tokenizer_path)
    of_run = _run_normalizer(tokenizer_path)
    if normalizer is not None and of_run is not None and normalizer != of_run:
        raise ConfigError(
            f"--normalize differs from what {tokenizer_path} was trained with: leave it out"
        )
    settings = settings_for(tokenizer, of_run or text)
    return Source(paths=texts, settings=settings, tokenizer=tokenizer)


def _read_tokenizer(path: Path) -> Tokenizer:
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"no tokenizer {file}: name a run folder or its tokenizer.json")
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file} is no JSON: {error}") from None
    return tokenizers.from_dict(record)


def _run_normalizer(path: Path) -> NormalizerConfig | None:
    """The normaliser of the run that a tokenizer belongs to; None for one that stands alone."""
    folder = path if path.is_dir() else path.parent
    if not (folder / "config.yaml").is_file():
        return None
    from malgwi.run import load_config  # imports the whole trainer

    return load_config(folder).text


def read_lines(paths: Iterable[Path]) -> Iterator[str]:
    """The lines of text files, or the transcripts of manifests, that are not empty.

    Either may be gzipped; a manifest is known by its name, NAME.jsonl or NAME.jsonl.gz.

    Raises:
        DataError: No such file, damaged, or not UTF-8.
    """
    for path in paths:
        if not path.is_file():
            raise DataError(f"no text file {path}")
        if path.name.endswith((".jsonl", ".jsonl.gz")):
            from malgwi import manifest  # brings Lhotse, which text does not need

            yield from filter(None, (facts.text.strip() for facts in manifest.facts(path)))
            continue
        opened = (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8")
        try:
            with opened as file:
                yield from filter(None, map(str.strip, file))
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8 ({error.reason})") from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path} is damaged: {error}") from None
