"""A reference above its hypothesis, character by character, as HTML.

Characters are aligned without spaces, as in the CER without spaces. Word boundaries are shown
where either side has them, and marked as errors only if the hypothesis has any space at all: a
recogniser that predicts none has not misplaced them.
"""

from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from malgwi.metrics.alignment import Kind, align
from malgwi.metrics.error_rate import countable, word_starts

#: Kinds of edit → class of the stylesheet.
_CLASSES: dict[Kind, str] = {
    "hit": "hit",
    "substitution": "sub",
    "deletion": "del",
    "insertion": "ins",
}
_NOTHING = "·"


class Cell(NamedTuple):
    """One column: what was said above what was heard."""

    style: str
    said: str
    heard: str


def aligned(reference: str, hypothesis: str) -> str:
    """The two texts as columns of HTML; nothing in them can act as markup.

    >>> aligned("한 잔", "한장")
    '<span class="hit"><b>한</b><i>한</i></span> \
<span class="sub"><b>잔</b><i>장</i></span>'
    """
    cells = _joined(_cells(countable(reference), countable(hypothesis)))
    return "".join(map(_html, cells))


def _cells(reference: str, hypothesis: str) -> Iterator[Cell]:
    said_starts, heard_starts = iter(word_starts(reference)), iter(word_starts(hypothesis))
    spaced, first = " " in hypothesis, True
    for edit in align(reference.replace(" ", ""), hypothesis.replace(" ", "")):
        said = next(said_starts) if edit.reference is not None else None
        heard = next(heard_starts) if edit.hypothesis is not None else None
        if not first and (said or heard):
            yield Cell(_gap(said, heard) if spaced else "gap", "", "")
        first = False
        yield Cell(_CLASSES[edit.kind], edit.reference or "", edit.hypothesis or "")


def _gap(said: bool | None, heard: bool | None) -> str:
    """The class of a word boundary; a side without a character there has no say."""
    if said is None or heard is None or said == heard:
        return "gap"
    return "gap lost" if said else "gap extra"


def _joined(cells: Iterator[Cell]) -> Iterator[Cell]:
    """Runs of matching characters as one cell, so that words hold together."""
    run: Cell | None = None
    for cell in cells:
        if run is not None and cell.style == "hit":
            run = Cell("hit", run.said + cell.said, run.heard + cell.heard)
            continue
        if run is not None:
            yield run
        run = cell if cell.style == "hit" else None
        if run is None:
            yield cell
    if run is not None:
        yield run


def _html(cell: Cell) -> str:
    if cell.style == "gap":
        return " "  # a real one, so that none begins a line
    if cell.style.startswith("gap"):
        return f'<span class="{cell.style}"></span>'
    said, heard = escape(cell.said or _NOTHING), escape(cell.heard or _NOTHING)
    return f'<span class="{cell.style}"><b>{said}</b><i>{heard}</i></span>'
