"""The formula of the bound, in exact rationals."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coequal.proofs.field.bound import wrong
from coequal.proofs.field.numbers.primes import draw

PRIMES = draw(4, seed=1)


@given(st.integers(0, 10**6), st.integers(1, 1000))
def test_it_is_at_least_the_union_over_pairs(applications: int, degree: int) -> None:
    """Outputs, pairs of applications, and each application against zero, where some functions have a known value."""
    pairs = 1 + applications * (applications + 1) // 2
    union = pairs * math.prod(Fraction(degree, p) for p in PRIMES)
    assert wrong(applications, degree, PRIMES) >= float(min(1, union)) * (1 - 2**-40)


@given(st.integers(0, 10**5), st.integers(1, 100))
def test_more_of_anything_makes_it_weaker(applications: int, degree: int) -> None:
    base = wrong(applications, degree, PRIMES)
    assert wrong(applications + 1, degree, PRIMES) >= base
    assert wrong(applications, degree + 1, PRIMES) >= base
    assert wrong(applications, degree, PRIMES[:3]) >= base


@pytest.mark.parametrize("degree", [2**20, 10**9])
def test_it_is_a_probability(degree: int) -> None:
    assert wrong(10**9, degree, PRIMES) == 1.0


@given(st.integers(0, 10**7), st.integers(1, 50))
def test_collisions_of_the_hash_are_within_it(applications: int, degree: int) -> None:
    """A collision of one prime's word, and then a pair that agrees in all others; of all words at once."""
    pairs = Fraction(1 + applications * (applications + 1) // 2)
    q = [Fraction(degree, p) for p in PRIMES]
    one_lost = sum(pairs / 2**62 * min(1, pairs * math.prod(q[:i] + q[i + 1 :])) for i in range(4))
    at_once = pairs * (Fraction(1, 2**43) + q[0] * q[2] / 2**22) ** 2
    assert wrong(applications, degree, PRIMES) >= float(min(1, one_lost + at_once)) * (1 - 2**-40)


def test_four_primes_and_a_hundred_thousand_activations() -> None:
    assert 2.0**-45 < wrong(100_000, 2, PRIMES) < 2.0**-38
