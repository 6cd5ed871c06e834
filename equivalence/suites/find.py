"""From the name of a distribution to its suite, which is imported where the library is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pkgutil import iter_modules
from types import ModuleType

from coequal.equivalence.campaigns.families import Family
from coequal.equivalence.suites.names import names
from coequal.subjects.errors import BadSubject, nearest


@dataclass(frozen=True)
class Suite:
    """All families of one library, by name, in the order of its files and of the lines in them."""

    name: str
    version: str
    families: Mapping[str, Family]


def suite_of(name: str) -> Suite:
    """The suite of a distribution.

    Args:
        name: One of `names()`.

    Raises:
        BadSubject: The library is not installed.
    """
    where = names()[name]
    try:
        installed = version(name)
    except PackageNotFoundError as error:
        raise BadSubject(f"{name} is not installed: its suite needs it (pip install {name})") from error
    module = import_module(where) if isinstance(where, str) else where.load()
    return Suite(name, installed, _families(module))


def family_of(suite: Suite, name: str) -> Family:
    """One of its families.

    Raises:
        BadSubject: There is none of this name.
    """
    if name in suite.families:
        return suite.families[name]
    close = nearest(name, suite.families)
    hint = f"did you mean {close}?" if close else f"families: {', '.join(suite.families)}"
    raise BadSubject(f"the suite of {suite.name} has no family {name!r}; {hint}")


def _families(module: ModuleType) -> dict[str, Family]:
    """Those of a module, or of the modules of a package."""
    inner = sorted(name for _, name, _ in iter_modules(getattr(module, "__path__", ())))
    files = [module, *(import_module(f"{module.__name__}.{name}") for name in inner)]
    return {
        name: value
        for file in files
        for name, value in vars(file).items()
        if isinstance(value, Family) and value.function.__module__ == file.__name__
    }
