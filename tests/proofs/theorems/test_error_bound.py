"""Programs that are wrong as often as the bound says they may be, and none more often."""

import math
import random

import pytest
import torch

from coequal.proofs.field.bound import wrong
from coequal.proofs.field.errors import ZeroDivisor
from coequal.proofs.field.numbers.primes import draw
from coequal.proofs.theorems.error_bound import after_redraws, called_zero, divides, pairs, planted, pool

POINTS = 200_000


def deviation(expected: float) -> float:
    """Six standard deviations of a binomial count of small probability."""
    return 6 * math.sqrt(expected)


@pytest.mark.parametrize("primes", [(251,), (103, 107), (131, 139), (103, 107, 127)])
@pytest.mark.parametrize("degree", [1, 3, 12])
def test_the_bound_of_schwartz_and_zippel_is_attained(primes: tuple[int, ...], degree: int) -> None:
    seen, field = called_zero(primes, 7, planted(degree), (POINTS,))
    expected = POINTS * math.prod(degree / p for p in primes)
    assert field.account.degrees.greatest == degree
    assert abs(seen - expected) <= deviation(expected) + 1
    assert seen <= POINTS * wrong(0, degree, primes) + deviation(expected) + 1


def inverted(x: torch.Tensor) -> torch.Tensor:
    """`F - 1 / F`, zero where F is one of two values."""
    image = torch.tanh(x)
    return image - 1 / image


@pytest.mark.parametrize("prime", [251, 1019])
def test_the_bound_for_inverses_is_attained(prime: int) -> None:
    seen, field = 0, None
    for seed in range(400):  # a point where F is zero is none
        try:
            more, field = called_zero((prime,), seed, inverted, (20,))
        except ZeroDivisor:
            continue
        seen += more
    assert field is not None
    assert field.account.degrees.laurent
    expected = 8000 * 2 / (prime - 1)
    assert abs(seen - expected) <= deviation(expected) + 0.1 * expected
    assert 2 / (prime - 1) <= wrong(0, field.account.degrees.greatest, (prime,))


@pytest.mark.parametrize("count", [2, 3, 6])
@pytest.mark.parametrize("prime", [251, 1019])
def test_pairs_of_applications_are_a_birthday_problem(count: int, prime: int) -> None:
    """One prime: arguments collide (C(n, 2) / p), or their values do (as often): within the bound, and not far below it."""
    points = POINTS // count
    seen, field = called_zero((prime,), 3, pairs(count), (points, count))
    arguments = 1 - math.prod(1 - i / prime for i in range(count))
    expected = points * (1 - (1 - arguments) ** 2)
    assert abs(seen - expected) <= deviation(expected)
    assert seen <= points * wrong(count, field.account.degrees.greatest, (prime,)) + deviation(expected)


def test_a_hash_of_all_residues_jointly_needs_one_pair_for_all_primes() -> None:
    """With two primes the *arguments* must collide in both at once: seen in values that collide in one prime alone."""
    primes, count = (103, 107), 8
    points = POINTS // count
    seen, _ = called_zero(primes, 5, pairs(count), (points, count))
    one_pair = math.comb(count, 2) / math.prod(primes)  # arguments equal in both
    apart = [1 - math.prod(1 - i / p for i in range(count)) for p in primes]  # values equal, in each by a pair of its own
    expected = points * (one_pair + (1 - one_pair) * math.prod(apart))
    assert abs(seen - expected) <= deviation(expected)


def test_primes_of_full_width_do_not_let_it_happen() -> None:
    seen, field = called_zero(draw(4, seed=1), 7, planted(12), (POINTS,))
    assert seen == 0
    assert POINTS * wrong(0, field.account.degrees.greatest, field.primes) < 1e-12


def test_redraws_add_up() -> None:
    assert after_redraws(1e-13, 3) == pytest.approx(3e-13)
    assert after_redraws(0.7, 2) == 1.0


def test_thrown_away_draws_measured() -> None:
    """Among the first accepted of at most two draws, wrong ones are no more frequent than twice the bound."""
    rng, p, degree, accepted, wrong_ones = random.Random(3), 103, 5, 0, 0
    for _ in range(50_000):
        for _ in range(2):
            x = rng.randrange(p)
            if x >= p // 2:  # half of all draws divide by zero, and all that are wrong do not
                continue
            accepted += 1
            wrong_ones += x < degree
            break
    bound = after_redraws(degree / p, 2)
    assert wrong_ones > 50_000 * degree / p  # a single bound would not do
    assert wrong_ones <= 50_000 * bound + deviation(50_000 * bound)
    assert accepted > 0


def test_the_pool_of_primes() -> None:
    """About 2^18 / (2 ln 2^20) (Dirichlet); a coefficient of a thousand bits is hardly ever a multiple of all four."""
    assert abs(pool() / (2**18 / (2 * math.log(7 * 2**17))) - 1) < 0.02
    smallest = 3 * 2**6
    primes = [p for p in range(smallest, 2**8) if p % 4 == 3 and all(p % q for q in range(2, 16))]
    assert pool(smallest) == len(primes)
    product = math.prod(primes[:3])
    hits = sum(product % p == 0 for p in primes) / len(primes)
    assert hits <= divides(product.bit_length() + 8, smallest)
    assert divides(1000) ** 4 < 2.0**-28
