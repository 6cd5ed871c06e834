"""Every published network by its name."""

from __future__ import annotations

from coequal.systems import x3d
from coequal.systems.system import System

FAMILIES = (x3d,)
SYSTEMS: dict[str, System] = {system.name: system for family in FAMILIES for system in family.systems()}
