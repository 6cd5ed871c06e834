"""Primes, chains and roots, against arithmetic from first principles."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coequal.proofs.field.numbers.primes import EXACT, bits_for, draw, is_prime, is_square, of_order, sqrt_mod


def sieve(limit: int) -> set[int]:
    left = bytearray([1]) * limit
    left[:2] = b"\0\0"
    for n in range(2, int(limit**0.5) + 1):
        if left[n]:
            left[n * n :: n] = bytes(len(range(n * n, limit, n)))
    return {n for n, prime in enumerate(left) if prime}


PRIMES = sieve(20_000)


def test_small_primes_by_the_sieve() -> None:
    assert {n for n in range(20_000) if is_prime(n)} == PRIMES


@pytest.mark.parametrize("composite", [561, 3215031751, 3825123056546413051, 318665857834031151167461])
def test_strong_pseudoprimes_are_composite(composite: int) -> None:
    assert not is_prime(composite)


@pytest.mark.parametrize("prime", [2**31 - 1, 2**61 - 1, 2**89 - 1])
def test_mersenne_primes_are_prime(prime: int) -> None:
    assert is_prime(prime)


@given(st.integers(1, 2**34))
def test_the_longest_dot_product_stays_exact(longest: int) -> None:
    bits = bits_for(longest)
    assert longest * (2**bits - 2) ** 2 // 4 < EXACT
    assert bits == 20 or longest * 4**bits >= EXACT  # no wider prime would do


def test_too_long_a_dot_product_is_said() -> None:
    with pytest.raises(ValueError, match="leaves primes of 6 bits"):
        bits_for(2**40)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("roots", [(), (2,), (2, 3, 5, 7)])
def test_drawn_primes(seed: int, roots: tuple[int, ...]) -> None:
    drawn = draw(4, seed, roots=roots)
    assert len(set(drawn)) == 4
    for p in drawn:
        assert is_prime(p)
        assert p % 4 == 3
        assert 3 * 2**18 <= p < 2**20
        assert all(pow(r, (p - 1) // 2, p) == 1 for r in roots)
    assert drawn == draw(4, seed, roots=roots)
    assert drawn != draw(4, seed + 1, roots=roots)


@pytest.mark.parametrize("levels", [2, 3])
def test_chains(levels: int) -> None:
    drawn = draw(3, seed=7, roots=(2,), levels=levels)
    assert len(drawn) == 3 * levels
    for i in range(3):
        for p, q in itertools.pairwise(drawn[i::3]):
            assert (p - 1) % q == 0
            assert is_prime(p)
            assert is_prime(q)


@pytest.mark.parametrize("p", [103, 1019, 4919])
def test_principal_roots_are_squares_that_multiply(p: int) -> None:
    squares = {x * x % p for x in range(1, p)}
    for a in range(1, p):
        assert is_square(a, p) == (a in squares)
        if a in squares:
            root = sqrt_mod(a, p)
            assert root * root % p == a
            assert root in squares
        else:
            with pytest.raises(ValueError, match="not a square"):
                sqrt_mod(a, p)
    for a, b in itertools.islice(itertools.combinations(sorted(squares), 2), 200):
        assert sqrt_mod(a, p) * sqrt_mod(b, p) % p == sqrt_mod(a * b % p, p)


def test_generators_have_their_order() -> None:
    p, q = draw(1, seed=3, levels=2)
    g = of_order(q, p)
    assert g != 1
    assert pow(g, q, p) == 1
