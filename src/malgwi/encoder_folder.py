"""The folder of a pretrained encoder, as Hugging Face saves one: what it holds and what it hears.

``config.json`` says what the encoder is, ``preprocessor_config.json`` how its sound is prepared,
``model*.safetensors`` hold its weights. The surprising choice: nothing is taken on trust. Weights
in pickles are refused, since reading one can run code, and the front end is derived from the
folder, since an encoder that is fed anything but what it was trained on still yields numbers.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from malgwi.errors import CheckpointError, ConfigError, MissingExtraError
from malgwi.front_end import OWN, FrontEndConfig, preset
from malgwi.manifest import atomic_text
from malgwi.registry import choose

#: Kinds of encoder by ``model_type`` → module and class in transformers.
ENCODERS = {
    "wav2vec2": ("transformers", "Wav2Vec2Model"),
    "hubert": ("transformers", "HubertModel"),
    "whisper": ("transformers.models.whisper.modeling_whisper", "WhisperEncoder"),
}
#: Where Whisper's encoder lies in a whole model, with and without its output layer.
_WITHIN = {r"^(model\.)?encoder\.": ""}
ARCHITECTURE, EXTRACTOR = "config.json", "preprocessor_config.json"
_HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def library(name: str) -> Any:
    """A package of the extra ``hf``, imported when it is needed.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError("hf", name, "a pretrained encoder") from error


def find(encoder: str, revision: str | None = None) -> Path:
    """The folder of an encoder: on disk, or fetched by its name on the hub (``owner/name``).

    Raises:
        ConfigError: There is no such folder, and the hub does not give one.
        MissingExtraError: The hub is asked without the extra ``hf``.
    """
    if not encoder:
        raise ConfigError("model.encoder is not set: name the encoder's folder with  --encoder")
    folder = Path(encoder).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists() or not _HUB_NAME.fullmatch(encoder):
        raise ConfigError(f"encoder {encoder}: no such folder")
    hub = library("huggingface_hub")
    try:
        patterns = ["*.json", "model*.safetensors"]
        return Path(hub.snapshot_download(encoder, revision=revision, allow_patterns=patterns))
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(
            f"encoder {encoder}: neither a folder here nor to be had from the hub ({reason})"
        ) from error


def architecture(folder: Path) -> dict[str, Any]:
    """What ``config.json`` says.

    Raises:
        ConfigError: It is missing, is no JSON, or is of a kind that is not in `ENCODERS`.
    """
    record = _read(folder / ARCHITECTURE)
    if record is None:
        raise ConfigError(f"encoder {folder}: {ARCHITECTURE} is missing: is this a model's folder?")
    choose(f"model_type in {folder / ARCHITECTURE}", ENCODERS, str(record.get("model_type")))
    return record


def check_weights(folder: Path) -> None:
    """Refuse a folder without weights, or with pickled ones alone.

    Raises:
        CheckpointError: See there; the message says how to convert them.
    """
    if any(folder.glob("model*.safetensors")):
        return
    pickles = sorted(path.name for suffix in ("bin", "pt") for path in folder.glob(f"*.{suffix}"))
    if not pickles:
        raise CheckpointError(f"encoder {folder}: there are no weights (model*.safetensors)")
    raise CheckpointError(
        f"encoder {folder}: its weights are a pickle ({pickles[0]}), which can run code when it is "
        'read. If you trust it, convert it once:  python -c "from transformers import AutoModel; '
        f"AutoModel.from_pretrained('{folder}').save_pretrained('{folder}')\""
    )


def model_class(settings: Any) -> Any:
    """The library's class for the encoder that the library's configuration describes."""
    module, name = ENCODERS[settings.model_type]
    return getattr(library(module), name)


def loaded(folder: Path, settings: Any) -> Any:
    """The library's model with the folder's weights, in float32.

    Args:
        folder: Of the encoder.
        settings: The library's configuration, as it is wanted.

    Raises:
        CheckpointError: There are no weights, or they do not fit ``config.json``.
    """
    check_weights(folder)
    try:
        with _quietly():
            model, report = model_class(settings).from_pretrained(
                folder,
                config=settings,
                dtype=torch.float32,
                use_safetensors=True,
                key_mapping=_WITHIN if settings.model_type == "whisper" else None,
                output_loading_info=True,
            )
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"encoder {folder}: its weights are damaged or do not fit {ARCHITECTURE}: {error}"
        ) from error
    # Masks may be learned from nothing.
    missing = [name for name in report["missing_keys"] if name != "masked_spec_embed"]
    if missing:
        raise CheckpointError(
            f"encoder {folder}: {len(missing)} of its weights are missing "
            f"({', '.join(sorted(missing)[:3])}, …): is this the model that {ARCHITECTURE} means?"
        )
    return model


def front_end(folder: Path, own: FrontEndConfig) -> FrontEndConfig:
    """The front end that the encoder was trained behind, with the trimming and channels of ``own``.

    Raises:
        ConfigError: See `architecture`.
    """
    said = architecture(folder)
    if said["model_type"] == "whisper":
        wanted = replace(preset("whisper"), num_mels=said.get("num_mel_bins", 80))
    else:
        extractor = _read(folder / EXTRACTOR) or {}
        wanted = replace(
            preset("waveform"),
            sample_rate_hz=extractor.get("sampling_rate", 16_000),
            normalize="utterance" if extractor.get("do_normalize", True) else "none",
        )
    return replace(wanted, **{name: getattr(own, name) for name in OWN})


def check_front_end(folder: Path, given: FrontEndConfig) -> None:
    """Refuse a front end that is not the encoder's.

    Raises:
        ConfigError: The message names each setting, what it is and what it should be.
    """
    wanted = front_end(folder, given)
    wrong = given.heard_otherwise(wanted)
    if wrong:
        raise ConfigError(
            f"the encoder {folder} was trained behind another front end: {'; '.join(wrong)}. "
            f"--encoder {folder}  sets all of it"
        )


def keep_architecture(folder: Path, target: Path) -> None:
    """Copy what rebuilding the encoder needs, weights aside, into the folder ``target``."""
    for name in (ARCHITECTURE, EXTRACTOR):
        if (folder / name).is_file():
            with atomic_text(target / name) as file:
                file.write((folder / name).read_text(encoding="utf-8"))


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object on disk; None where there is no such file."""
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise ConfigError(f"{path} holds a {type(record).__name__}, expected an object")
    return record


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the library's bars and tables: what a checkpoint lacks is said by us, as an error."""
    logging = library("transformers").logging
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        logging.enable_progress_bar()
