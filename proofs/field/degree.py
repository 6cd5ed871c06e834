"""Degrees of the rational functions that a program computes between its free functions: what the bound needs.

A value is a fraction `n / d` of polynomials in inputs, weights and values of free functions. Its denominator is a product of
*divisors*, each of which some division put there, with exponents. Kept are the exponents, and the excess `deg n - deg d` of
the highest term when everything is brought to the common denominator:

    x + y    excess: the greater    exponents: the greater of each
    x * y    excess: the sum        exponents: the sum of each
    1 / x    excess: deg d(x) - deg n(x)    one new divisor n(x), exponent 1

A divisor stands for all elements of the tensor that was divided by, so a sum over any of them has the common denominator of
all: its degree is exponent times number of elements times the degree of one. Every bound is from above.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Degree:
    """Of one tensor: the greatest of its elements. `divisors`: (which, exponent)."""

    excess: int = 0
    divisors: frozenset[tuple[int, int]] = frozenset()

    def plus(self, other: Degree) -> Degree:
        """Of a sum."""
        if self == other:
            return self
        return Degree(max(self.excess, other.excess), _joined(self, other, max))

    def times(self, other: Degree) -> Degree:
        """Of a product."""
        return Degree(self.excess + other.excess, _joined(self, other, int.__add__))


def _joined(a: Degree, b: Degree, join: Callable[[int, int], int]) -> frozenset[tuple[int, int]]:
    if not a.divisors or not b.divisors:
        return a.divisors | b.divisors
    left, right = dict(a.divisors), dict(b.divisors)
    return frozenset((which, join(left.get(which, 0), right.get(which, 0))) for which in left.keys() | right.keys())


CONSTANT, VARIABLE = Degree(0), Degree(1)


@dataclass
class Degrees:
    """The divisors of a run, and the greatest degrees of what was compared."""

    divisors: list[int] = field(default_factory=list)  # degree of each, of all its elements together
    numerators: int = 1
    denominators: int = 0

    @property
    def greatest(self) -> int:
        """Of the numerator of a difference `n/d - m/e = (n e - m d) / (d e)` of any two values that were compared."""
        return self.numerators + self.denominators

    def denominator(self, degree: Degree) -> int:
        """Degree of the common denominator."""
        return sum(exponent * self.divisors[which] for which, exponent in degree.divisors)

    def total(self, degree: Degree) -> int:
        """Degree of the numerator over the common denominator."""
        return max(0, degree.excess + self.denominator(degree))

    def inverse(self, degree: Degree, elements: int) -> Degree:
        """Of `1 / x` for a tensor x of so many elements. A number has degree 0, and so has its inverse."""
        if degree == CONSTANT:
            return degree
        self.divisors.append(elements * self.total(degree))
        return Degree(self.denominator(degree) - self.total(degree), frozenset({(len(self.divisors) - 1, 1)}))

    def compared(self, *degrees: Degree) -> None:
        """Values of these degrees were told apart, or hashed: each may be met by any other."""
        for degree in degrees:
            self.numerators = max(self.numerators, self.total(degree))
            self.denominators = max(self.denominators, self.denominator(degree))
