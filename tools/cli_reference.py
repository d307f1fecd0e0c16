"""docs/reference/cli.md: the help of every command, as it is printed.

``python tools/cli_reference.py`` writes the page; a test fails while it differs from what this
script would write. Drawn lines are taken off, so that a diff shows words and not lines that moved.
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from textwrap import fill

from malgwi.cli import COMMANDS, main
from malgwi.corpora import CORPORA

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"
_WIDTH = "100"
#: Commands whose options depend on a first word, and the words to show.
_FIRST_WORDS: dict[str, tuple[str, ...]] = {"prepare": tuple(CORPORA), "train": ("joint_quick",)}
#: Recipes whose models have other settings than that one's; of these only the model's are shown.
_OTHER_MODELS = ("finetune",)

_HEAD = """# Command line

Written by `python tools/cli_reference.py` from the commands' own help; change it there.
The settings under `malgwi train joint_quick` are those of every recipe, but for a model of another
kind; the values are its own.
"""


def help_of(*words: str) -> str:
    """What ``malgwi WORDS --help`` prints, with one style for titles."""
    printed = io.StringIO()
    with _plain_terminal(), redirect_stdout(printed), suppress(SystemExit):
        main([*words, "--help"])
    return without_rules(printed.getvalue())


def without_rules(text: str) -> str:
    r"""Help text without the lines drawn under its titles; wide ones would only be noise here.

    >>> print(without_rules("usage: malgwi\n\n options\n -------\n  --seed INT"))
    usage: malgwi
    <BLANKLINE>
    options:
      --seed INT
    """
    trimmed = "\n".join(line.rstrip() for line in text.strip().splitlines())
    titled = re.sub(r"^ (\S.*)\n -+$", r"\1:", trimmed, flags=re.MULTILINE)
    without = re.sub(r"^ +-+\n", "", titled, flags=re.MULTILINE)
    joined = "\n".join(map(_wrapped, without.splitlines()))
    return re.sub(r"\n{3,}", "\n\n", joined)


def _wrapped(line: str) -> str:
    """Descriptions come as one line a paragraph; options are wrapped already."""
    return line if line.startswith(" ") else fill(line, int(_WIDTH), break_on_hyphens=False)


def page() -> str:
    """The whole page."""
    parts = [_HEAD, _section("malgwi", help_of())]
    for name in sorted(COMMANDS):
        parts.append(_section(f"malgwi {name}", help_of(name)))
        parts += [
            _section(f"malgwi {name} {word}", help_of(name, word), level=3)
            for word in _FIRST_WORDS.get(name, ())
        ]
        if name == "train":
            parts += [
                _section(f"the model of malgwi train {word}", model_options(word), level=3)
                for word in _OTHER_MODELS
            ]
    return "\n".join(parts)


def model_options(recipe: str) -> str:
    """The settings of a recipe's model, as ``malgwi train RECIPE --help`` prints them."""
    groups = re.split(r"\n\n(?=\S)", help_of("train", recipe))
    return "\n\n".join(group for group in groups if group.startswith("model"))


def _section(title: str, text: str, level: int = 2) -> str:
    return f"{'#' * level} {title}\n\n```text\n{text}\n```\n"


@contextmanager
def _plain_terminal() -> Iterator[None]:
    """A terminal of one width and without colours, whatever the real one is."""
    before = dict(os.environ)
    os.environ.update(COLUMNS=_WIDTH, NO_COLOR="1", TERM="dumb")
    os.environ.pop("FORCE_COLOR", None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
