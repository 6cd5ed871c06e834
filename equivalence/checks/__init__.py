"""The named checks: `base` says what one is, `catalogue` lists them, `run` makes one example of one."""

from coequal.equivalence.checks.base import CheckSpec, Finer, Skip
from coequal.equivalence.checks.catalogue import CHECKS
from coequal.equivalence.checks.run import distance, run_once

__all__ = ["CHECKS", "CheckSpec", "Finer", "Skip", "distance", "run_once"]
