"""Rounding bounds for operators that have no closed one: the operator itself is run on numbers that carry their error.

NumPy calls a method of the same name on the elements of an object array (`np.exp(x)` is `x.exp()`), so the reference runs on
these numbers as it is: running error analysis (Higham, "Accuracy and stability of numerical algorithms", section 3.3), to
first order in the unit roundoff.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

ULPS = 2  # of an elementary function, in either library (glibc and SLEEF state at most 1)


@functools.total_ordering
@dataclass(frozen=True, eq=False)
class Tracked:
    """A float64 with a bound on its error, in units of the unit roundoff.

    `terms` is the sum of the magnitudes that were added up to this value: no order of summation has larger partial sums.
    """

    value: float
    error: float = 0.0
    terms: float = 0.0

    @property
    def magnitude(self) -> float:
        return max(abs(self.value), self.terms)

    def __add__(self, other: Any) -> Tracked:
        other = tracked(other)
        terms = self.magnitude + other.magnitude
        if math.isinf(terms):  # a masked score: exact, and gone after the exponential
            return Tracked(self.value + other.value)
        return Tracked(self.value + other.value, self.error + other.error + terms, terms)

    def __mul__(self, other: Any) -> Tracked:
        other, value = tracked(other), self.value * tracked(other).value
        return Tracked(value, abs(self.value) * other.error + abs(other.value) * self.error + abs(value))

    def __truediv__(self, other: Any) -> Tracked:
        other = tracked(other)
        value = self.value / other.value
        return Tracked(value, (self.error + abs(value) * other.error) / abs(other.value) + abs(value))

    def __neg__(self) -> Tracked:
        return Tracked(-self.value, self.error, self.terms)

    def __abs__(self) -> Tracked:
        return Tracked(abs(self.value), self.error, self.terms)

    def __sub__(self, other: Any) -> Tracked:
        return self + -tracked(other)

    def __rsub__(self, other: Any) -> Tracked:
        return -self + other

    def __rtruediv__(self, other: Any) -> Tracked:
        return tracked(other) / self

    def __pow__(self, exponent: int) -> Tracked:
        return functools.reduce(Tracked.__mul__, [self] * exponent)

    __radd__, __rmul__ = __add__, __mul__
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self.value == tracked(other).value

    def __lt__(self, other: Any) -> bool:
        return self.value < tracked(other).value

    def _function(self, value: float, slope: float) -> Tracked:
        return Tracked(value, abs(slope) * self.error + ULPS * abs(value))

    def exp(self) -> Tracked:
        return self._function(math.exp(self.value), math.exp(self.value))

    def tanh(self) -> Tracked:
        return self._function(math.tanh(self.value), 1 - math.tanh(self.value) ** 2)

    def erf(self) -> Tracked:
        return self._function(math.erf(self.value), 2 / math.sqrt(math.pi) * math.exp(-(self.value**2)))

    def sqrt(self) -> Tracked:
        return self._function(math.sqrt(self.value), 0.5 / math.sqrt(self.value))

    def sin(self) -> Tracked:
        return self._function(math.sin(self.value), math.cos(self.value))

    def cos(self) -> Tracked:
        return self._function(math.cos(self.value), math.sin(self.value))


def tracked(number: Any) -> Tracked:
    """A number that is exact so far."""
    return number if isinstance(number, Tracked) else Tracked(float(number))


@pytest.fixture(scope="session")
def error_bound() -> Callable[..., np.ndarray]:
    """`error_bound(function, parameters, clip)`: bound of the rounding error of `function`, in units of the unit roundoff.

    It is the `magnitude` of `within`; the `operations` of a comparison are the number of terms of the longest sum, since the
    order of summation is free.
    """
    lift = np.vectorize(Tracked, otypes=[object])

    def bound(function: Callable[..., Any], parameters: dict[str, np.ndarray], *clips: np.ndarray) -> np.ndarray:
        result = function({name: lift(value) for name, value in parameters.items()}, *map(lift, clips))
        return np.vectorize(lambda number: tracked(number).error, otypes=[float])(result)

    return bound
