"""Every published network by its name."""

from __future__ import annotations

from coequal.systems import audio, oadtr, r2plus1d, resnet3d, slowfast, x3d
from coequal.systems.system import System

FAMILIES = (resnet3d, r2plus1d, slowfast, x3d, oadtr, audio)
SYSTEMS: dict[str, System] = {system.name: system for family in FAMILIES for system in family.systems()}
