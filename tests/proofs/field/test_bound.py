"""The formula of the bound, in exact rationals."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coequal.proofs.field.bound import wrong
from coequal.proofs.field.primes import draw

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


def test_collisions_of_the_hash_are_within_it() -> None:
    """Each sum: 2^-43, and 2^-22 where half of the residues coincide; then the other half of the primes is left."""
    q = [Fraction(1, p) for p in PRIMES]
    even, odd = q[0] * q[2], q[1] * q[3]
    half = max(even, odd)
    each = Fraction(1, 2**43) + half / 2**22
    both = Fraction(1, 2**86) + half / 2**44
    assert wrong(0, 1, PRIMES) >= float(q[0] * q[1] * q[2] * q[3] + 2 * each * half + both) * (1 - 2**-40)


def test_four_primes_and_a_hundred_thousand_activations() -> None:
    assert 2.0**-45 < wrong(100_000, 2, PRIMES) < 2.0**-38
