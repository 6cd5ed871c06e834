"""The operators of this room are its files: listed, each with its public names, and imported once where all are needed.

A file may be imported while a program runs over a field, so none of them runs an operation of torch when it is imported.
"""

from __future__ import annotations

import functools
import re
import sys
from importlib import import_module
from pathlib import Path

NAMES = re.compile(r"^__all__ = [\[(](.*?)[\])]$", re.DOTALL | re.MULTILINE)


def files() -> list[Path]:
    """Of every folder of this package, but the package's own."""
    folders = sys.modules[str(__package__)].__path__
    return sorted(path for folder in folders for path in Path(folder).glob("*.py") if path.stem != "__init__")


@functools.cache
def public_names() -> dict[str, str]:
    """Name -> the file that it lives in, as each file's `__all__` says; nothing is imported."""
    found: dict[str, str] = {}
    for path in files():
        if (listed := NAMES.search(path.read_text(encoding="utf-8"))) is not None:
            found |= dict.fromkeys(re.findall(r'"(\w+)"', listed[1]), path.stem)
    return found


@functools.cache
def complete() -> None:
    """Every file has entered its converters and makers."""
    for path in files():
        import_module(f"{__package__}.{path.stem}")
