"""The cost of a stream's steps: with strides in time they are not all alike, but their work repeats with a period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.symbols import is_number, lcm


@dataclass(frozen=True)
class Steps:
    """Cost of every step of one period, in steady state: step `t` costs `phases[t mod len(phases)]`."""

    phases: tuple[Cost, ...]

    @property
    def period(self) -> int:
        """Frames after which the work repeats."""
        return len(self.phases)

    @property
    def mean(self) -> Cost:
        """Average of a step; fractions stay exact."""
        if self.period == 1:
            return self.phases[0]
        return Cost.total(self.phases).each(lambda ops: ops.map(lambda size: _over(size, self.period)))

    @property
    def worst(self) -> Cost:
        """The step with the most multiply-adds, and of those with the most operations of any kind."""
        return max(self.phases, key=lambda c: (_magnitude(c.macs()), _magnitude(c.flops("operations"))))

    def most(self, convention: str = "macs") -> Size:
        """Operations of the step that has the most by a convention."""
        return max((cost.flops(convention) for cost in self.phases), key=_magnitude)

    def __add__(self, other: Steps) -> Steps:
        period = lcm(self.period, other.period)
        pairs = ((self.phases[t % self.period], other.phases[t % other.period]) for t in range(period))
        return Steps(tuple(a + b for a, b in pairs))


def _over(size: Size, by: int) -> Size:
    quotient = sympy.sympify(size) / by
    return int(quotient) if quotient.is_Integer else quotient


def _magnitude(size: Size) -> Any:
    """To compare expressions that are sums of the same positive monomials: their value for large letters."""
    return size if is_number(size) else size.subs(dict.fromkeys(size.free_symbols, 1024))
