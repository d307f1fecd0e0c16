"""Finding the file that a label means, in a tree that was not unpacked as its makers foresaw.

Labels name audio as ``D03/J11/S001342/0001.wav``, or only as ``0001.wav``; the archives may lie
unpacked in folders of any name, in a tree apart from the labels. A file fits if its name and its
last two folders are those of the label (or the one folder, if the label says one); the last alone
will do right beside the label file. Of several that fit, the one that shares most folders is taken,
and none if two share as many: the wrong audio is worse than none.

Names are compared without ending and case and in NFC, since labels say .wav of files named .WAV.
"""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path


def files_beneath(root: Path, endings: Collection[str]) -> Iterator[tuple[str, str]]:
    """Folder and name of each file with one of these endings (lower case), in order."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            if os.path.splitext(name)[1].lower() in endings:
                yield folder, name


class FileTree:
    """The files beneath a folder, found by what a label says of them.

    Args:
        root: The folder.
        endings: Which files count, such as ``{".wav"}``.
    """

    def __init__(self, root: Path, endings: Collection[str]) -> None:
        self._by_name: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self._by_folder: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
        for place in files_beneath(root, endings):
            folder, name = place
            self._by_name[_bare(name)].append(place)
            self._by_folder[_plain(os.path.basename(folder)), _bare(name)].append(place)

    def find(self, wanted: Path, label: Path) -> Path | None:
        """The file called ``wanted`` in a label file; None if there is no such file.

        Args:
            wanted: A path as the label says it, or a bare name.
            label: The label file.

        Raises:
            LookupError: Several files fit equally well.
        """
        bare, folders = _bare(wanted.name), wanted.parent.parts
        nearby = folders[-1:] or label.parent.parts[-1:]
        found = self._by_folder.get((_plain("".join(nearby)), bare), [])
        fits = {
            Path(*place): fit
            for place in found
            if (fit := _fit(Path(*place), wanted, label)) is not None
        }
        if not fits and not folders:
            fits = {Path(*place): (False, 0, 0, 0) for place in self._by_name.get(bare, [])}
        if not fits:
            return None
        best = [path for path, fit in fits.items() if fit == max(fits.values())]
        if len(best) > 1:
            raise LookupError(f"{wanted}: several files fit: {', '.join(map(str, best[:3]))}")
        return best[0]


def _fit(path: Path, wanted: Path, label: Path) -> tuple[bool, int, int, int] | None:
    """How well a file fits: beside the label, folders shared with what it says, with it; or not."""
    beside = path.parent == label.parent
    named = _shared_end(path, wanted)
    if not beside and named < min(2, len(wanted.parent.parts)):
        return None
    start = _shared(path.parts, label.parts)
    return beside, named, _shared_end(path, label), start


def _shared_end(path: Path, other: Path) -> int:
    """How many folders from the files upwards are the same."""
    return _shared(reversed(path.parent.parts), reversed(other.parent.parts))


def _shared(these: Iterable[str], those: Iterable[str]) -> int:
    count = 0
    for this, that in zip(these, those, strict=False):
        if _plain(this) != _plain(that):
            break
        count += 1
    return count


def _bare(name: str) -> str:
    return _plain(os.path.splitext(name)[0]).casefold()


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)
