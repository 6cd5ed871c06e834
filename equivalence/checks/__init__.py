"""The named checks: `base` says what one is, `table` lists them, `judge` runs one example of one."""

from coequal.equivalence.checks.base import CheckSpec, Finer, Skip
from coequal.equivalence.checks.examples import value_examples
from coequal.equivalence.checks.judge import distance, run_once
from coequal.equivalence.checks.table import CHECKS

__all__ = ["CHECKS", "CheckSpec", "Finer", "Skip", "distance", "run_once", "value_examples"]
