"""Registries that are folders: whoever adds a file has entered it."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from types import ModuleType
from typing import Any


def modules_of(package: ModuleType, member: str) -> dict[str, Any]:
    """The modules of a package that have this member, by name."""
    found = {name: import_module(f"{package.__name__}.{name}") for _, name, _ in iter_modules(package.__path__)}
    return {name: module for name, module in sorted(found.items()) if hasattr(module, member)}


def installed(group: str) -> dict[str, Any]:
    """What other packages offer under an entry point of this group, by name."""
    return {point.name: point.load() for point in sorted(entry_points(group=group), key=lambda point: point.name)}
