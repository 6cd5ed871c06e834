"""Arithmetic on residues, against Python's integers and fractions."""

import math
import random
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coequal.proofs.field.arithmetic import Field, Value
from coequal.proofs.field.errors import NotDecided, TooLong, ZeroDivisor
from coequal.proofs.field.numbers.primes import EXACT

FIELD = Field.drawn(11)


def centred(n: int, p: int) -> int:
    residue = n % p
    return residue - p if residue > p // 2 else residue


def known(numbers: list[Fraction]) -> Value:
    """Of rationals, by Python's integers alone."""
    planes = [[centred(n.numerator * pow(n.denominator, -1, p), p) for n in numbers] for p in FIELD.primes]
    return Value(torch.tensor(planes, dtype=torch.float64))


def rationals(seed: int, count: int = 20) -> list[Fraction]:
    rng = random.Random(seed)
    return [Fraction(rng.randrange(1, 10**9) * rng.choice((-1, 1)), rng.randrange(1, 10**6)) for _ in range(count)]


def equals(value: Value, numbers: list[Fraction]) -> None:
    assert torch.equal(value.planes, known(numbers).planes)


@given(st.lists(st.integers(-EXACT, EXACT), min_size=1, max_size=20))
def test_reduce_is_exact_up_to_its_limit(numbers: list[int]) -> None:
    reduced = FIELD.reduce(torch.tensor([numbers] * 4, dtype=torch.float64))
    assert reduced.tolist() == [[centred(n, p) for n in numbers] for p in FIELD.primes]


@pytest.mark.parametrize("distance", [-1, 0, 1])
def test_reduce_near_multiples_and_half_multiples(distance: int) -> None:
    for plane, p in enumerate(FIELD.primes):
        for k in (0, 1, 12345, EXACT // p - 1):
            for at in (k * p, k * p + p // 2, -k * p - p // 2):
                n = at + distance
                if abs(n) <= EXACT:
                    assert FIELD.reduce(torch.full((4, 1), float(n), dtype=torch.float64))[plane].item() == centred(n, p)


def test_reduce_in_pieces_and_strided() -> None:
    generator = torch.Generator().manual_seed(1)
    large = torch.randint(-EXACT, EXACT, (4, 300, 300), generator=generator).double()
    expected = torch.stack([(plane.long() % p) for plane, p in zip(large, FIELD.primes, strict=True)])
    expected = torch.stack([torch.where(e > p // 2, e - p, e) for e, p in zip(expected, FIELD.primes, strict=True)])
    assert torch.equal(FIELD.reduce(large.clone()).long(), expected)
    assert torch.equal(FIELD.reduce(large.clone().transpose(1, 2)).long(), expected.transpose(1, 2))


@pytest.mark.parametrize("seed", range(5))
def test_ring_and_quotients(seed: int) -> None:
    x, y = rationals(seed), rationals(seed + 100)
    a, b = known(x), known(y)
    equals(FIELD.plus(a, b), [s + t for s, t in zip(x, y, strict=True)])
    equals(FIELD.minus(a, b), [s - t for s, t in zip(x, y, strict=True)])
    equals(FIELD.times(a, b), [s * t for s, t in zip(x, y, strict=True)])
    equals(FIELD.over(a, b), [s / t for s, t in zip(x, y, strict=True)])
    equals(FIELD.inverse(a), [1 / s for s in x])
    equals(FIELD.sum(a, [0], keep=True), [sum(x)])
    equals(FIELD.mean(a, [0], keep=True), [sum(x) / len(x)])
    equals(FIELD.scaled(a, 0.1), [s / 10 for s in x])
    equals(FIELD.divided(a, 7), [s / 7 for s in x])


@pytest.mark.parametrize("exponent", [-5, -1, 0, 1, 2, 13, 64])
def test_whole_powers(exponent: int) -> None:
    x = rationals(exponent)
    equals(FIELD.power(known(x), exponent), [s**exponent for s in x])


def test_products_of_matrices() -> None:
    rng = random.Random(4)
    x, y = ([[Fraction(rng.randrange(-(10**9), 10**9)) for _ in range(9)] for _ in range(n)] for n in (5, 6))
    a, b = (Value(known([n for row in m for n in row]).planes.view(4, -1, 9)) for m in (x, y))
    product = FIELD.bilinear(lambda s, t: s @ t.T, a, b, 9)
    truth = [sum(s * t for s, t in zip(row, column, strict=True)) for row in x for column in y]
    equals(Value(product.planes.reshape(4, -1)), truth)


def test_extreme_products_of_the_longest_sum_are_exact() -> None:
    longest = 5000
    field = Field.drawn(1, longest=longest)
    edge = [(p - 1) // 2 for p in field.primes]
    a = Value(torch.tensor(edge, dtype=torch.float64).view(-1, 1, 1).expand(-1, 1, longest).contiguous())
    product = field.bilinear(lambda s, t: s @ t.T, a, a, longest).planes.flatten().tolist()
    assert product == [centred(longest * e * e, p) for e, p in zip(edge, field.primes, strict=True)]


def test_longer_sums_are_refused() -> None:
    field = Field.drawn(1)
    with pytest.raises(TooLong) as caught:
        field.terms(1 << 20)
    assert caught.value.longest == 1 << 20
    assert Field.drawn(1, longest=1 << 20).terms(1 << 20) is None


def test_a_sum_over_many_axes() -> None:
    x = rationals(3, 24)
    a = Value(known(x).planes.view(4, 2, 3, 4))
    truth = [sum(x[i * 12 + j * 4 + k] for i in range(2) for k in range(4)) for j in range(3)]
    equals(FIELD.sum(a, [0, 2]), truth)
    assert FIELD.sum(a, [0, 2], keep=True).shape == (1, 3, 1)
    equals(Value(FIELD.sum(a).planes.view(4, 1)), [sum(x)])


def test_broadcasting_aligns_the_last_axes() -> None:
    x, y = rationals(1, 6), rationals(2, 3)
    a, b = Value(known(x).planes.view(4, 2, 3)), known(y)
    equals(Value(FIELD.times(a, b).planes.reshape(4, -1)), [s * y[i % 3] for i, s in enumerate(x)])


@pytest.mark.parametrize("count", [1, 100, 200, 2000])  # by Python, for all primes at once, prime by prime
def test_inverses_of_few_and_of_many_numbers(count: int) -> None:
    a = known(rationals(5, count))
    one = FIELD.times(a, FIELD.inverse(a)).planes
    assert torch.equal(one, torch.ones_like(one))
    assert FIELD.inverse(a).planes.abs().le(FIELD.moduli(one) // 2).all()


def test_division_by_zero_in_one_prime_alone() -> None:
    a = known(rationals(1))
    a.planes[2, 5] = 0
    with pytest.raises(ZeroDivisor):
        FIELD.inverse(a)


def test_minus_infinity() -> None:
    mask = FIELD.constants(torch.tensor([-math.inf, 0.0, -math.inf]))
    x = known(rationals(5, 3))
    assert FIELD.plus(x, mask).minus_infinity().tolist() == [True, False, True]
    assert FIELD.minus(mask, x).minus_infinity().tolist() == [True, False, True]
    assert FIELD.exponential(mask).planes.tolist() == [[0.0, 1.0, 0.0]] * 4
    with pytest.raises(NotDecided, match="minus infinity is subtracted"):
        FIELD.minus(x, mask)
    with pytest.raises(NotDecided, match="minus infinity times -1"):
        FIELD.scaled(mask, -1.0)
    assert FIELD.scaled(mask, 2.0).minus_infinity().tolist() == [True, False, True]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_constants_that_are_no_numbers(value: float) -> None:
    with pytest.raises(NotDecided, match="the constant"):
        FIELD.number(value)


def test_free_functions_are_functions() -> None:
    field = Field.drawn(2)
    x = field.constants(torch.arange(-50.0, 50.0))
    image = field.free("f", x)
    assert torch.equal(field.free("f", x).planes, image.planes)
    assert image.planes[0].unique().numel() > 90  # no constant, no permutation of a few
    assert not bool((field.free("g", x).planes == image.planes).all(0).any())
    assert field.account.applications == 300
    assert field.free("f", x, at_zero=0.5).planes[:, 50].tolist() == field.number(0.5).tolist()


def test_the_homomorphic_exponential() -> None:
    """E(x + y) = E(x) E(y) for rationals, one prime less deep; E(0) = 1; it is not constant; deeper down it is free."""
    field = Field.drawn(3, levels=2, count=2)
    x, y = (field.constants(torch.randn(50, dtype=torch.float64)) for _ in range(2))
    left, right = field.exponential(field.plus(x, y)), field.times(field.exponential(x), field.exponential(y))
    assert torch.equal(left.planes, right.planes)
    assert left.planes.shape[0] == 2
    assert left.planes[0].unique().numel() > 40
    assert field.exponential(field.scalar(0.0)).planes.tolist() == [1.0, 1.0]
    deeper, again = field.exponential(left), field.exponential(right)  # deeper than the chains reach it is a free function
    assert torch.equal(deeper.planes, again.planes)
    both = field.exponential(field.plus(left, right))
    assert not torch.equal(both.planes, field.times(deeper, again).planes)


def test_the_bound_grows_with_the_run() -> None:
    field = Field.drawn(4)
    before = field.wrong
    field.free("f", field.constants(torch.randn(1000, dtype=torch.float64)))
    assert before < field.wrong < 1
