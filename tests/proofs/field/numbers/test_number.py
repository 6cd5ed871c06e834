"""What a float stands for, against exact rationals."""

import math
import random
from fractions import Fraction

import pytest
from scipy.stats import poisson

from coequal.proofs.field.errors import NeedsRoot, ZeroDivisor
from coequal.proofs.field.numbers.number import DOUBLE, SINGLE, Number, modulo, number_of, prime_factors, spacing
from coequal.proofs.field.numbers.primes import draw, is_prime

SIMPLE = [
    ("1/10", 0.1),
    ("1/3", 1 / 3),
    ("2/3", 2 / 3),
    ("-7/11", -7 / 11),
    ("1/100000", 1e-5),
    ("22/7", 22 / 7),
    ("1/9999", 1 / 9999),
]


def single(value: float) -> float:
    import torch

    return float(torch.tensor(value, dtype=torch.float32))


@pytest.mark.parametrize(("meant", "value"), SIMPLE)
def test_simple_rationals_are_recognised(meant: str, value: float) -> None:
    assert number_of(value) == Number(Fraction(meant), exact=False)
    assert number_of(value, literal=True) == Number(Fraction(value))


@pytest.mark.parametrize("d", [2, 3, 8, 10, 32, 64 * 3, 768])
@pytest.mark.parametrize("precision", [float, single])
def test_roots_of_widths_are_recognised(d: int, precision) -> None:
    """Scales of attention: sqrt(d), 1 / sqrt(d), and the fourth root that torch multiplies queries and keys by."""
    assert number_of(precision(math.sqrt(d))) == Number(Fraction(1), d, 2, exact=False)
    inverse = number_of(precision(1 / math.sqrt(d)))
    assert inverse.rational**2 * inverse.radicand == Fraction(1, d)
    fourth = number_of(precision(d**-0.25))
    root = 1 if fourth.index == 1 else fourth.radicand ** (4 // fourth.index)
    assert fourth.rational**4 * root == Fraction(1, d)


@pytest.mark.parametrize("value", [0.75, -3.0, 2.0**39, 1 + 2.0**-12, 0.0])
def test_short_dyadic_numbers_are_themselves(value: float) -> None:
    assert number_of(value) == Number(Fraction(value))


def test_one_unit_in_the_last_place_is_near_two_are_not() -> None:
    value = 1 / 3
    assert number_of(value + spacing(value)).rational == Fraction(1, 3)
    assert number_of(value + 2 * spacing(value)) == Number(Fraction(value + 2 * spacing(value)))


@pytest.mark.parametrize("a", [0.9, 0.95, 0.99, 0.999, 0.7])
def test_what_a_decimal_leaves_of_one_is_a_decimal(a: float) -> None:
    meant = 1 - Fraction(str(a))
    assert number_of(1 - a).rational == meant
    assert number_of(float(meant) * (1 + 1e-13)).rational != meant


@pytest.mark.parametrize("magnitude", [2.0**e for e in range(-20, 40, 3)])
def test_hardly_any_double_is_taken_for_another_number(magnitude: float) -> None:
    """Simple numbers a binade: at most 3 N^2 fractions, as many roots of each index, 10^8 decimals; each takes 3 floats."""
    rng = random.Random(int(math.log2(magnitude)))
    taken = [v for _ in range(200) if not number_of(v := rng.uniform(magnitude, 2 * magnitude)).exact]
    expected = 200 * 3 * (9 * DOUBLE.size**2 + 10**DOUBLE.digits) / 2**52
    assert expected < 2e-4  # so a single one has a probability below that
    assert taken == []


@pytest.mark.parametrize("magnitude", [2.0**e for e in range(-12, 30, 3)])
def test_few_singles_are_taken_for_another_number(magnitude: float) -> None:
    rng = random.Random(int(math.log2(magnitude)))
    values = [single(rng.uniform(magnitude, 2 * magnitude)) for _ in range(500)]
    share = 3 * (9 * SINGLE.size**2 + 10**SINGLE.digits + 2 * SINGLE.root**2) / 2**23  # rationals, decimals, roots
    taken = sum(not number_of(v).exact for v in values)
    assert poisson.sf(taken - 1, 500 * share) > 1e-4  # more than that many would hardly happen by chance


@pytest.mark.parametrize("value", [v for _, v in SIMPLE] + [0.123456789, 1e300, 5e-324, -2.5e7, 123.4567])
def test_residues_are_those_of_the_number(value: float) -> None:
    for p in draw(3, seed=5):
        for literal in (False, True):
            number = number_of(value, literal=literal)
            residue = modulo(number, p)
            assert abs(residue) <= p // 2
            assert (residue * number.rational.denominator - number.rational.numerator) % p == 0


@pytest.mark.parametrize("value", [math.sqrt(32), 1 / math.sqrt(32), -math.sqrt(6), 3**0.25])
def test_roots_are_roots(value: float) -> None:
    number = number_of(value)
    for p in draw(2, seed=1, roots=(2, 3)):
        residue = modulo(number, p)
        power = number.rational**number.index * number.radicand
        assert (residue**number.index * power.denominator - power.numerator) % p == 0


def test_products_of_roots_are_roots_of_products() -> None:
    for p in draw(4, seed=2, roots=(2, 3)):
        two, three, six = (modulo(number_of(math.sqrt(n)), p) for n in (2, 3, 6))
        assert (two * three - six) % p == 0
        assert (two * two - 2) % p == 0
        assert (modulo(number_of(1 / math.sqrt(2)), p) * two - 1) % p == 0


@pytest.mark.timeout(10)
@pytest.mark.parametrize("n", [1, 2, 12, 97, 2**20 * 3, 99_999_989, 9_973**4, 99_999_989 * 7])
def test_prime_factors_multiply_to_the_number(n: int) -> None:
    factors = prime_factors(n)
    assert math.prod(factors) == n
    assert all(is_prime(q) for q in factors)


def test_a_root_that_is_not_there_is_asked_for() -> None:
    with pytest.raises(NeedsRoot) as caught:
        modulo(number_of(math.sqrt(2)), 11)  # the squares modulo 11 are 1, 3, 4, 5, 9
    assert caught.value.root == 2


def test_a_denominator_that_is_zero_modulo_the_prime() -> None:
    with pytest.raises(ZeroDivisor):
        modulo(Number(Fraction(1, 11)), 11)


def test_numbers_say_what_they_are() -> None:
    assert [str(number_of(v)) for v in (0.1, math.sqrt(6), 3**0.25, 0.5 * math.sqrt(3))] == [
        "1/10", "sqrt(6)", "fourth root of 3", "1/4 sqrt(12)",
    ]  # fmt: skip
