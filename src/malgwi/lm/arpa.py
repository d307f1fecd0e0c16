"""ARPA files: the text form of n-gram models that every toolkit reads.

``\\data\\``, the number of n-grams of each order, then a section an order with lines of
log10 P, the words, and log10 of the backoff weight where there is one. gzipped if named ``.gz``.

Read as found in the wild: words in any order, a weight that is missing is 1, a missing ``<unk>``
gets 10⁻¹⁰⁰ as in KenLM, ``-inf`` is 10⁻⁹⁹. A trie needs every n-gram's beginning; where a file has
an n-gram but not its first words (SRILM prunes so), the beginning is put in with the
probability that backoff gives it, which changes no score.

Source: ngram-format(5) of SRILM (Stolcke, 2002).

Shapes: n n-grams of one order, k words each.
"""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import DataError
from malgwi.lm.counting import pack
from malgwi.lm.ngram import Level, NgramModel
from malgwi.lm.storage import write_whole
from malgwi.lm.units import END, START, UNKNOWN, TextSettings

_ALIASES = {"<UNK>": UNKNOWN, "<S>": START, "</S>": END}
_LOWEST, _UNSEEN = -99.0, -100.0
_BETWEEN = re.compile(r"[ \t]+")  # a word may hold other white space, such as U+3000


class _Section:
    """The n-grams of one order as read."""

    def __init__(self, words: list[int], log10: list[float], backoff: list[float], order: int):
        self.words = np.array(words, np.int64).reshape(-1, order)  # [n, k]
        self.log10 = np.array(log10, np.float64)
        self.backoff = np.array(backoff, np.float64)

    def added(self, words: NDArray[np.int64]) -> "_Section":
        """With more n-grams, whose probability is yet to be found."""
        made = _Section([], [], [], self.words.shape[1])
        made.words = np.concatenate([self.words, words])
        made.log10 = np.append(self.log10, np.full(len(words), np.nan))
        made.backoff = np.append(self.backoff, np.zeros(len(words)))
        return made


def read_arpa(path: Path, settings: TextSettings | None = None) -> NgramModel:
    """The model of an ARPA file.

    Args:
        path: ``.arpa``, or gzipped with any name that ends in ``.gz``.
        settings: How its text was cut, if known; the file itself does not say.

    Raises:
        DataError: No such file, or not the format; the message names the line.
    """
    if not path.is_file():
        raise DataError(f"no ARPA file {path}")
    lines = _Lines(path)
    try:
        with lines.file:
            sizes = _sizes(lines)
            ids: dict[str, int] = {}
            sections = [_section(lines, order, size, ids) for order, size in enumerate(sizes, 1)]
            if (end := lines.next_filled()) != "\\end\\":
                raise lines.fault(f"expected \\end\\, found {end!r}")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}:{lines.number + 1}: not UTF-8 ({error.reason})") from None
    if UNKNOWN not in ids:
        ids[UNKNOWN] = len(ids)
        sections[0] = sections[0].added(np.array([[ids[UNKNOWN]]]))
        sections[0].log10[-1] = _UNSEEN
    return _trie(tuple(ids), sections, settings)


class _Lines:
    """The lines of a file and where one is."""

    def __init__(self, path: Path) -> None:
        self.path, self.number = path, 0
        self.file: IO[str] = (gzip.open if path.suffix == ".gz" else open)(
            path, "rt", encoding="utf-8"
        )

    def __iter__(self) -> Iterator[str]:
        for line in self.file:
            self.number += 1
            yield line.strip("\r\n\t ")

    def next_filled(self) -> str:
        """The next line that is not empty; '' at the end of the file."""
        return next((line for line in self if line), "")

    def fault(self, message: str) -> DataError:
        """An error at the present line."""
        return DataError(f"{self.path}:{self.number}: {message}")


def _sizes(lines: _Lines) -> list[int]:
    """The header: n-grams of each order. Leaves off after the ``\\1-grams:`` line."""
    if not any(line == "\\data\\" for line in lines):
        raise DataError(f"{lines.path} is no ARPA file: it has no line \\data\\")
    sizes: list[int] = []
    while (line := lines.next_filled()).startswith("ngram "):
        order, _, size = line.removeprefix("ngram ").partition("=")
        if order.strip() != str(len(sizes) + 1) or not size.strip().isdigit():
            raise lines.fault(f"expected  ngram {len(sizes) + 1}=NUMBER, found {line!r}")
        sizes.append(int(size))
    if not sizes or line != "\\1-grams:":
        raise lines.fault(f"expected \\1-grams:, found {line!r}")
    return sizes


def _section(lines: _Lines, order: int, size: int, ids: dict[str, int]) -> _Section:
    """The n-grams of one order; unigrams fill ``ids``."""
    if order > 1 and (title := lines.next_filled()) != f"\\{order}-grams:":
        raise lines.fault(f"expected \\{order}-grams:, found {title!r}")
    words: list[int] = []
    log10: list[float] = []
    backoff: list[float] = []
    while len(log10) < size:
        line = lines.next_filled()
        if not line or line.startswith("\\"):
            raise lines.fault(f"{size} {order}-grams announced, {len(log10)} found")
        fields = _BETWEEN.split(line)
        if len(fields) not in (order + 1, order + 2):
            raise lines.fault(
                f"expected log10 P, {order} words and maybe a backoff weight, found {line!r} "
                f"(n-gram {len(log10) + 1} of {size})"
            )
        names = [_ALIASES.get(name, name) for name in fields[1 : order + 1]]
        if order == 1:
            ids.setdefault(names[0], len(ids))
        try:
            words += [ids[name] for name in names]
            log10.append(max(float(fields[0]), _LOWEST))
            backoff.append(max(float(fields[order + 1]), _LOWEST) if fields[order + 1 :] else 0.0)
        except KeyError as error:
            raise lines.fault(f"the word {error} is not among the unigrams") from None
        except ValueError:
            raise lines.fault(f"not a number in {line!r}") from None
    return _Section(words, log10, backoff, order)


def _trie(
    words: tuple[str, ...], sections: Sequence[_Section], settings: TextSettings | None
) -> NgramModel:
    """Sections of any order, sorted and linked."""
    size, whole = len(words), list(sections)
    for place in range(len(whole) - 1, 1, -1):  # beginnings that are not there
        have = pack(whole[place - 1].words, size)
        wanted, first = np.unique(pack(whole[place].words[:, :-1], size), return_index=True)
        missing = first[~np.isin(wanted, have)]
        whole[place - 1] = whole[place - 1].added(whole[place].words[missing, :-1])
    levels: list[Level] = []
    above: NDArray[np.generic] | None = None
    for place, section in enumerate(whole):
        keys = pack(section.words, size)
        _, rows = np.unique(keys, return_index=True)
        if len(rows) < len(keys):
            raise DataError(f"the ARPA file has {len(keys) - len(rows)} {place + 1}-grams twice")
        if above is not None:
            heads = pack(section.words[rows, :-1], size)
            places = np.searchsorted(heads, above)
            levels[-1] = _linked(levels[-1], np.append(places, len(heads)))
        found = section.log10[rows]
        if np.isnan(found).any():
            partial = NgramModel(words, [*levels, _empty()], settings)
            for row in np.flatnonzero(np.isnan(found)):
                gram = section.words[rows[row]]
                found[row] = partial.log10_probs(gram)[-1]
        backoff = section.backoff[rows] if place < len(whole) - 1 else None
        levels.append(
            Level(
                words=section.words[rows, -1],
                log10=found.astype(np.float32),
                backoff=None if backoff is None else backoff.astype(np.float32),
            )
        )
        above = keys[rows]
    return NgramModel(words, levels, settings)


def _linked(level: Level, children: NDArray[np.int64]) -> Level:
    return Level(words=level.words, log10=level.log10, backoff=level.backoff, children=children)


def _empty() -> Level:
    return Level(words=np.zeros(0, np.int64), log10=np.zeros(0, np.float32))


def write_arpa(model: NgramModel, path: Path) -> None:
    """Write an ARPA file; gzipped if ``path`` ends in ``.gz``. Numbers keep all their float32."""
    text = (line.encode() for line in _written(model))
    write_whole(path, _gzipped(text) if path.suffix == ".gz" else text)


def _gzipped(parts: Iterable[bytes]) -> Iterator[bytes]:
    """As gzip packs them, without time or name, so that equal models are equal bytes."""
    packer = zlib.compressobj(level=9, wbits=31)
    for part in parts:
        yield packer.compress(part)
    yield packer.flush()


def _written(model: NgramModel) -> Iterator[str]:
    """The text of an ARPA file in pieces."""
    yield "\\data\\\n"
    for order, level in enumerate(model.levels, 1):
        yield f"ngram {order}={len(level.words)}\n"
    prefixes = [""]
    for order, level in enumerate(model.levels, 1):
        yield f"\n\\{order}-grams:\n"
        parents = model.levels[order - 2].parents() if order > 1 else None
        grams = []
        for row, word in enumerate(level.words.tolist()):
            before = "" if parents is None else prefixes[parents[row]] + " "
            grams.append(before + model.words[word])
            line = f"{float(level.log10[row]):.9g}\t{grams[-1]}"
            if level.backoff is not None and model.words[word] != END:
                line += f"\t{float(level.backoff[row]):.9g}"
            yield line + "\n"
        prefixes = grams
    yield "\n\\end\\\n"
