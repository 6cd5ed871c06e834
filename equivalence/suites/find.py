"""From the name of a distribution to its suite, which is imported where the library is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pkgutil import iter_modules
from types import ModuleType

from coequal.equivalence import suites
from coequal.equivalence.campaigns.families import Family
from coequal.subjects.errors import BadSubject, nearest

GROUP = "coequal.suites"  # entry points of other packages


@dataclass(frozen=True)
class Suite:
    """All families of one library, by name, in the order of its files and of the lines in them."""

    name: str
    version: str
    families: Mapping[str, Family]


def names() -> dict[str, str | EntryPoint]:
    """Distributions that there is a suite for, with where it stands; none of them is imported."""
    ours = {
        name.replace("_", "-"): f"{suites.__name__}.{name}" for _, name, package in iter_modules(suites.__path__) if package
    }
    return {point.name: point for point in entry_points(group=GROUP)} | ours


def is_of_a_suite(target: str) -> bool:
    """Whether a target, `NAME` or `NAME:FAMILY`, is about a suite."""
    return target.partition(":")[0] in names()


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
