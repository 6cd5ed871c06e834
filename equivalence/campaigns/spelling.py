"""Configurations in words, `kernel_size=4, dtype=torch.float64`, and back: what a printed command names them by."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from coequal.subjects.errors import BadSubject


def spelled(configuration: Mapping[str, Any]) -> str:
    """A configuration as keyword arguments."""
    return ", ".join(f"{name}={value_in_words(value)}" for name, value in configuration.items())


def value_in_words(value: Any) -> str:
    """A value as an expression: what has a name in a module is called by that."""
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str) and not isinstance(value, (int, float, str, tuple, list, dict)):
        return f"{value.__module__}.{name}"
    return repr(value)


def read(text: str) -> dict[str, Any]:
    """The configuration that a text spells.

    Args:
        text: Keyword arguments: literals of Python, dotted names of what can be imported, words that stand for themselves.

    Returns:
        Values by option.

    Raises:
        BadSubject: The text is something else.
    """
    try:
        call = ast.parse(f"family({text})", mode="eval").body
    except SyntaxError as error:
        raise BadSubject(f"a configuration is written option=value, option=value; got [{text}]") from error
    if not isinstance(call, ast.Call) or call.args or any(keyword.arg is None for keyword in call.keywords):
        raise BadSubject(f"a configuration is written option=value, option=value; got [{text}]")
    return {str(keyword.arg): _value(keyword.value) for keyword in call.keywords}


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return _imported(ast.unparse(node))


def _imported(dotted: str) -> Any:
    """What a dotted name stands for: the longest beginning that is a module, and attributes of it. A word is a text."""
    names = dotted.split(".")
    if not all(name.isidentifier() for name in names):
        raise BadSubject(
            f"a value of a configuration is a literal, or the dotted name of what can be imported; got {dotted}"
        )
    if len(names) == 1:
        return dotted
    for count in range(len(names) - 1, 0, -1):
        try:
            value = import_module(".".join(names[:count]))
            for name in names[count:]:
                value = getattr(value, name)
        except (ImportError, AttributeError):
            continue
        return value
    raise BadSubject(f"there is nothing to import as {dotted}")
