"""Which suites there are: found without importing any, or what families take."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules

from coequal.equivalence import suites

GROUP = "coequal.suites"  # entry points of other packages


def names() -> dict[str, str | EntryPoint]:
    """Suites, by distribution or by names of their own, with where they stand."""
    packages = [name for _, name, package in iter_modules(suites.__path__) if package]
    ours = {name.replace("_", "-"): f"{suites.__name__}.{name}" for name in packages}
    return {point.name: point for point in entry_points(group=GROUP)} | ours


def is_of_a_suite(target: str) -> bool:
    """Whether a target, `NAME` or `NAME:FAMILY`, is about a suite."""
    return target.partition(":")[0] in names()
