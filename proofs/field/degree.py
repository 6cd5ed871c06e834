"""Degrees of the rational functions that a program computes between its free functions: what the bound needs.

A value is a fraction `n / d` of polynomials in inputs, weights and values of free functions. Its denominator is a product of
*divisors*, each of which some division put there, with exponents. Kept are the exponents, and the excess `deg n - deg d` of
the highest term when everything is brought to the common denominator:

    x + y    excess: the greater    exponents: the greater of each
    x * y    excess: the sum        exponents: the sum of each
    1 / x    excess: deg d(x) - deg n(x)    one new divisor n(x), exponent 1

Carried along is what decides whether a divisor may be cancelled: the *sign* of all elements, as far as it is known, and
whether piecewise functions (relu, clamp, maxima ...) stand in them. `relu(y)` is zero on an open set, so `x relu(y) /
relu(y)` is not x; a smooth function that is not zero everywhere is zero on a null set only.

A divisor stands for all elements of the tensor that was divided by, so a sum over any of them has the common denominator of
all: its degree is exponent times number of elements times the degree of one. Every bound is from above.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

UNKNOWN, NONNEGATIVE, DEFINITE, POSITIVE = range(4)  # definite: not negative, and zero on a null set only


@dataclass(frozen=True)
class Degree:
    """Of one tensor: the greatest of its elements. `divisors`: (which, exponent)."""

    excess: int = 0
    divisors: frozenset[tuple[int, int]] = frozenset()
    sign: int = UNKNOWN
    piecewise: bool = False

    @property
    def constant(self) -> bool:
        """Whether no variable is in it."""
        return self.excess == 0 and not self.divisors

    @property
    def may_vanish(self) -> bool:
        """Whether it may be zero on an open set."""
        return self.piecewise and self.sign < DEFINITE

    def plus(self, other: Degree) -> Degree:
        """Of a sum."""
        if self == other:
            return self
        sign = UNKNOWN if UNKNOWN in (self.sign, other.sign) else max(self.sign, other.sign)
        return Degree(max(self.excess, other.excess), _joined(self, other, max), sign, self.piecewise or other.piecewise)

    def beside(self, other: Degree) -> Degree:
        """Of a tensor with elements of both."""
        return replace(self.plus(other), sign=min(self.sign, other.sign))

    def times(self, other: Degree) -> Degree:
        """Of a product."""
        degree = _joined(self, other, int.__add__)
        return Degree(self.excess + other.excess, degree, min(self.sign, other.sign), self.piecewise or other.piecewise)

    def to_the(self, exponent: int) -> Degree:
        """Of a whole power, not negative."""
        divisors = frozenset((which, power * exponent) for which, power in self.divisors if exponent)
        return replace(self, excess=self.excess * exponent, divisors=divisors)

    def unsigned(self) -> Degree:
        """Of a negative, or of a difference."""
        return self if self.sign == UNKNOWN else replace(self, sign=UNKNOWN)

    def squared(self) -> Degree:
        """Of a square: not negative, and where no piecewise function stands in it zero on a null set only."""
        return replace(self.times(self), sign=max(self.sign, NONNEGATIVE if self.piecewise else DEFINITE))


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
    laurent: bool = False  # inverses of monomials were taken: degrees are sums of magnitudes of exponents

    @property
    def greatest(self) -> int:
        """Of the numerator of a difference `n/d - m/e = (n e - m d) / (d e)` of any two values that were compared."""
        greatest = self.numerators + self.denominators
        return 2 * greatest + 1 if self.laurent else greatest

    def inverse_of_monomial(self, degree: Degree) -> Degree:
        """Of `1 / x` where every element of x is a product of variables or of their inverses: no divisor, see Lemma 2."""
        if not degree.constant:
            self.laurent = True
        return replace(degree, sign=POSITIVE if degree.sign >= DEFINITE else UNKNOWN)

    def denominator(self, degree: Degree) -> int:
        """Degree of the common denominator."""
        return sum(exponent * self.divisors[which] for which, exponent in degree.divisors)

    def total(self, degree: Degree) -> int:
        """Degree of the numerator over the common denominator."""
        return max(0, degree.excess + self.denominator(degree))

    def inverse(self, degree: Degree, elements: int) -> Degree:
        """Of `1 / x` for a tensor x of so many elements. A number has degree 0, and so has its inverse."""
        if degree.constant:
            return degree
        self.divisors.append(elements * self.total(degree))
        sign = POSITIVE if degree.sign >= DEFINITE else UNKNOWN
        divisors = frozenset({(len(self.divisors) - 1, 1)})
        return Degree(self.denominator(degree) - self.total(degree), divisors, sign, degree.piecewise)

    def compared(self, *degrees: Degree) -> None:
        """Values of these degrees were told apart, or hashed: each may be met by any other."""
        for degree in degrees:
            self.numerators = max(self.numerators, self.total(degree))
            self.denominators = max(self.denominators, self.denominator(degree))
