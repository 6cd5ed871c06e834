"""`coequal.strategies`: Hypothesis strategies of random architectures, which live in `coequal.equivalence.strategies`."""

import sys

from coequal.equivalence import strategies

sys.modules[__name__] = strategies
