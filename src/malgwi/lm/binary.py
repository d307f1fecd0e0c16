"""The compact binary form of an n-gram model: one file, mapped into memory rather than read.

    8 bytes   malgwiLM
    4 + 4     format version, length of the header (little-endian)
    32        SHA-256 of all that follows
    header    JSON: words, text settings, name/type/shape/place of each array; padded with spaces
              to a multiple of 64
    arrays    each at a multiple of 64

Words take two bytes where 65,536 suffice. Quantised, probabilities and weights take one byte each:
256 values an order, chosen so that each stands for as many n-grams (Federico and Bertoldi, "How
many bits are needed to store probabilities", WMT 2006: equal bins lose least for their cost);
``children`` and words are exact. They are unfolded when loaded.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import CheckpointError
from malgwi.lm.ngram import Joined, Level, NgramModel
from malgwi.lm.storage import write_whole
from malgwi.lm.units import TextSettings

MAGIC, FORMAT_VERSION = b"malgwiLM", 1
_LEAD, _ALIGNMENT, _BINS = 48, 64, 256
_REMEDY = "make it again with  malgwi lm"


def write_binary(model: NgramModel, path: Path, *, quantize: bool = False) -> int:
    """Write a model beside ``path``, then rename.

    Args:
        model: Any n-gram model.
        path: Of the file.
        quantize: Probabilities and weights in a byte each.

    Returns:
        The file's size in bytes.
    """
    arrays = dict(_arrays(model, quantize))
    places, at = {}, 0
    for name, array in arrays.items():
        places[name] = {"dtype": array.dtype.str, "shape": array.shape, "at": at}
        at += _padded(array.nbytes)
    header = {
        "order": model.order,
        "words": model.words,
        "settings": model.settings.to_dict() if model.settings else None,
        "quantized": quantize,
        "arrays": places,
    }
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (_padded(len(text) + _LEAD) - len(text) - _LEAD)
    digest = hashlib.sha256(text)
    for array in arrays.values():
        digest.update(_bytes(array))
    lead = MAGIC + struct.pack("<II", FORMAT_VERSION, len(text)) + digest.digest()
    write_whole(path, chain([lead, text], map(_bytes, arrays.values())))
    return path.stat().st_size


def read_binary(path: Path) -> NgramModel:
    """Map a model that `write_binary` wrote, after proving it whole.

    Raises:
        CheckpointError: No such file, not this format, another version, or damaged.
    """
    if not path.is_file():
        raise CheckpointError(f"no language model {path}: make one with  malgwi lm TEXT --out ...")
    header, data = _proven(path)
    arrays = {name: _view(data, entry) for name, entry in header["arrays"].items()}
    levels = [_level(arrays, order) for order in range(1, header["order"] + 1)]
    settings = header["settings"]
    return NgramModel(
        header["words"],
        levels,
        None if settings is None else TextSettings.from_dict(settings),
        joined=_joined(data, header["arrays"], header["order"]),
    )


def _joined(data: NDArray[np.uint8], entries: dict[str, Any], order: int) -> dict[str, Joined]:
    """All levels' arrays of a kind as one view of the file, for the kinds that are not unfolded."""
    found, whole = {}, np.asarray(data[: len(data) // _ALIGNMENT * _ALIGNMENT])
    for name in ("words", "children", "log10", "backoff"):
        there = range(1, order + (name in ("words", "log10")))
        own = [entries[f"{name}/{number}"] for number in there if f"{name}/{number}" in entries]
        kinds = {np.dtype(entry["dtype"]) for entry in own}
        if len(own) == len(there) and len(kinds) == 1:
            (kind,) = kinds
            begins = np.array([entry["at"] // kind.itemsize for entry in own])
            found[name] = Joined(whole.view(kind), begins)
    return found


def _proven(path: Path) -> tuple[dict[str, Any], NDArray[np.uint8]]:
    """The JSON header and the bytes of the arrays, after comparing the checksum."""
    with path.open("rb") as file:
        lead = file.read(_LEAD)
    if lead[: len(MAGIC)] != MAGIC or len(lead) < _LEAD:
        raise CheckpointError(
            f"{path} is no language model of malgwi: it does not begin with "
            f"{MAGIC.decode()}; an ARPA file must be named .arpa or .arpa.gz"
        )
    version, length = struct.unpack("<II", lead[8:16])
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: format version {version}, this malgwi reads {FORMAT_VERSION}; {_REMEDY}"
        )
    data = np.memmap(path, np.uint8, "r")[_LEAD:]
    found, expected = hashlib.sha256(data.data).digest(), lead[16:]
    if found != expected:
        raise CheckpointError(
            f"{path} is damaged: its contents have SHA-256 {found.hex()[:12]}…, expected "
            f"{expected.hex()[:12]}…; {_REMEDY}"
        )
    header: dict[str, Any] = json.loads(data[:length].tobytes())
    return header, data[length:]


def _arrays(model: NgramModel, quantize: bool) -> Iterator[tuple[str, NDArray[Any]]]:
    small = np.uint16 if len(model.words) <= 1 << 16 else np.uint32
    for order, level in enumerate(model.levels, 1):
        yield f"words/{order}", level.words.astype(small)
        if level.children is not None:
            yield f"children/{order}", level.children.astype(np.uint32)
        for name, values in (("log10", level.log10), ("backoff", level.backoff)):
            if values is None:
                continue
            if quantize:
                codes, book = _quantized(values)
                yield f"{name}_codes/{order}", codes
                yield f"{name}_book/{order}", book
            else:
                yield f"{name}/{order}", values.astype(np.float32)


def _quantized(values: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Codes and the values they stand for; 0, the weight of n-grams without children, is kept."""
    distinct = np.unique(values)
    if len(distinct) <= _BINS:
        return np.searchsorted(distinct, values).astype(np.uint8), distinct
    rest = np.sort(values[values != 0.0])
    parts = np.array_split(rest, _BINS - 1)
    book = np.unique(np.append([np.float32(part.mean()) for part in parts], np.float32(0.0)))
    edges = (book[1:] + book[:-1]) / 2
    codes = np.searchsorted(edges, values)
    codes[values == 0.0] = np.searchsorted(book, np.float32(0.0))
    return codes.astype(np.uint8), book.astype(np.float32)


def _level(arrays: dict[str, NDArray[Any]], order: int) -> Level:
    def values(name: str) -> NDArray[np.float32] | None:
        codes = arrays.get(f"{name}_codes/{order}")
        return (
            arrays.get(f"{name}/{order}")
            if codes is None
            else arrays[f"{name}_book/{order}"][codes]
        )

    log10 = values("log10")
    assert log10 is not None
    return Level(
        words=arrays[f"words/{order}"],
        log10=log10,
        backoff=values("backoff"),
        children=arrays.get(f"children/{order}"),
    )


def _view(data: NDArray[np.uint8], entry: dict[str, Any]) -> NDArray[Any]:
    kind, shape, at = np.dtype(entry["dtype"]), tuple(entry["shape"]), entry["at"]
    size = int(np.prod(shape)) * kind.itemsize
    array: NDArray[Any] = np.asarray(data[at : at + size]).view(kind).reshape(shape)
    return array


def _bytes(array: NDArray[Any]) -> bytes:
    """The array, padded."""
    data = np.ascontiguousarray(array).tobytes()
    return data + bytes(_padded(len(data)) - len(data))


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
