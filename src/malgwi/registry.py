"""Open families by name: a literal table of ``"module:attribute"`` strings, resolved when used.

No decorator registers anything on import, so reading a table costs nothing and a broken member
breaks only itself.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, TypeVar

from malgwi.errors import ConfigError

Value = TypeVar("Value")


def choose(family: str, table: Mapping[str, Value], name: str) -> Value:
    """``table[name]``.

    Raises:
        ConfigError: The name is not in the table; the message lists those that are.

    >>> choose("example", {"path": 1}, "paht")
    Traceback (most recent call last):
    malgwi.errors.ConfigError: unknown example 'paht'; did you mean 'path'? Known: path
    """
    if name not in table:
        near = get_close_matches(name, table, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ";"
        raise ConfigError(f"unknown {family} {name!r}{hint} Known: {', '.join(sorted(table))}")
    return table[name]


def resolve(family: str, table: Mapping[str, str], name: str) -> Any:
    """The object that ``name`` stands for in ``table``.

    Raises:
        ConfigError: The name is not in the table; the message lists those that are.

    >>> resolve("example", {"path": "pathlib:Path"}, "path").__name__
    'Path'
    """
    module, _, attribute = choose(family, table, name).partition(":")
    return getattr(import_module(module), attribute)
