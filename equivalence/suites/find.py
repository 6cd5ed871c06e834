"""From the name of a distribution to its suite, which is imported where the library is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, version
from pkgutil import iter_modules
from types import ModuleType

from coequal.equivalence.campaigns.families import Family
from coequal.equivalence.suites.names import names
from coequal.subjects.errors import BadSubject, nearest


@dataclass(frozen=True)
class Suite:
    """All families of one library, by name, in the order of its files and of the lines in them."""

    name: str
    library: str  # its distribution
    version: str
    families: Mapping[str, Family]


def suite_of(name: str) -> Suite:
    """The suite of a distribution, or of a part of one.

    Args:
        name: One of `names()`.

    Raises:
        BadSubject: The library is not installed.
    """
    where = names()[name]
    library = name if isinstance(where, EntryPoint) else getattr(import_module(where), "LIBRARY", name)
    try:
        installed = version(library)
    except PackageNotFoundError as error:
        whose = "its suite" if library == name else f"the suite {name}"
        raise BadSubject(f"{library} is not installed: {whose} needs it (pip install {library})") from error
    module = where.load() if isinstance(where, EntryPoint) else import_module(where)
    return Suite(name, library, installed, _families(module))


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
