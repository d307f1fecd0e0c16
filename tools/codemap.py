"""The map of the code in CONTRIBUTING.md: one line a module, taken from its docstring.

``python tools/codemap.py`` rewrites the part of CONTRIBUTING.md between the two markers; a test
fails while it differs from what this script would write.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- map: begin, written by tools/codemap.py -->", "<!-- map: end -->"


def summary(path: Path) -> str:
    """The first sentence of a module's docstring, on one line.

    Raises:
        ValueError: The module has no docstring.
    """
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not text:
        raise ValueError(f"{path} has no docstring: say in one line what the module does")
    paragraph = " ".join(text.partition("\n\n")[0].split())
    sentence = re.split(r"(?<=\.)\s+(?=[A-Z`])", paragraph, maxsplit=1)[0]
    return sentence.removesuffix(".").replace("``", "`")


def rows(package: Path) -> Iterator[str]:
    """Table rows: the files of the package, then each folder's."""
    files = sorted(path for path in package.glob("*.py") if path.name != "__init__.py")
    for path in files:
        yield f"| `{path.stem}` | {summary(path)} |"
    for folder in sorted(path.parent for path in package.glob("*/__init__.py")):
        yield f"| **`{folder.name}/`** | **{summary(folder / '__init__.py')}** |"
        for path in sorted(folder.glob("*.py")):
            if path.name != "__init__.py":
                yield f"| `{folder.name}/{path.stem}` | {summary(path)} |"


def code_map() -> str:
    """The table, with its markers."""
    table = ["| module | what it does |", "|---|---|", *rows(ROOT / "src" / "malgwi")]
    return "\n".join([BEGIN, "", *table, "", END])


def with_map(text: str) -> str:
    """The text of CONTRIBUTING.md with the map as it should be.

    Raises:
        ValueError: The markers are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{CONTRIBUTING} lacks the markers {BEGIN} and {END}")
    return before + code_map() + after


if __name__ == "__main__":
    CONTRIBUTING.write_text(with_map(CONTRIBUTING.read_text(encoding="utf-8")), encoding="utf-8")
