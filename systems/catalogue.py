"""Every published network by its name: whatever the files of this folder list in `systems()`."""

from __future__ import annotations

import functools
from importlib import import_module
from pkgutil import iter_modules

from coequal import systems
from coequal.systems.system import System


def families() -> list[str]:
    """The files of the folder, one family each."""
    return sorted(name for _, name, _ in iter_modules(systems.__path__) if name != "catalogue")


@functools.cache
def networks_of(family: str) -> tuple[System, ...]:
    """What the file lists; nothing for one that others share."""
    return tuple(getattr(import_module(f"{systems.__name__}.{family}"), "systems", tuple)())


SYSTEMS: dict[str, System] = {system.name: system for family in families() for system in networks_of(family)}
