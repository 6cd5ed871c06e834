"""Derivatives over a field: dual numbers modulo the square of a prime."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch

from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.numbers.number import modulo, number_of
from coequal.proofs.field.numbers.primes import sqrt_mod
from coequal.proofs.field.tangents import Moving, Tangents, chains_for
from coequal.proofs.field.torch_frontend.dispatch import Exact
from coequal.proofs.theorems.one_more import rank

Tensor = torch.Tensor
Program = Callable[[Tensor, Tensor], Tensor]


@contextmanager
def moving(levels: int = 1, count: int = 4) -> Iterator[tuple[Exact, Tensor, Tensor]]:
    """Two vectors of three numbers, each of which moves in all directions."""
    chain = chains_for(64, (2,), levels)[0]
    symbols = Moving(5)
    over = Exact(Tangents.along(chain, count, 5), symbols)
    symbols.hold(chain[0])
    x, y = (symbols.fresh(torch.empty(3, dtype=torch.float64)) for _ in range(2))
    with over.running():
        yield over, x, y


def moves(program: Program, levels: int = 1) -> Tensor:
    """How the numbers of its result move, (numbers, directions)."""
    with moving(levels) as (over, x, y):
        value = over.value(program(x, y))
        with over.suspended():
            return over.field.moved(value.planes).flatten(1).T  # type: ignore[attr-defined]


def directions(program: Program, levels: int = 1) -> int:
    found = moves(program, levels)
    return rank(found, chains_for(64, (2,), levels)[0][0]) if bool(found.any()) else 0


DERIVATIVES: dict[str, tuple[Program, Program]] = {  # a function, and what its derivative along (dx, dy) is made of
    "a product": (lambda x, y: x * y, lambda x, y: torch.stack([y, x])),
    "a quotient": (lambda x, y: x / y, lambda x, y: torch.stack([1 / y, -x / y**2])),
    "a power": (lambda x, y: x**5 + 0 * y, lambda x, y: torch.stack([5 * x**4, 0 * y])),
}


@pytest.mark.parametrize("what", DERIVATIVES)
def test_derivatives_are_those_of_calculus(what: str) -> None:
    function, slopes = DERIVATIVES[what]
    prime = chains_for(64, (2,))[0][0]
    with moving() as (over, x, y):
        value, by = over.value(function(x, y)), over.value(slopes(x, y))
        ends = [over.value(z) for z in (x, y)]
        with over.suspended():
            moved = [over.field.moved(v.planes) for v in (value, *ends)]  # type: ignore[attr-defined]
            a, b = by.planes[0].to(torch.int64)
            assert bool(moved[0].any())
            assert torch.equal(moved[0], (a * moved[1] + b * moved[2]) % prime)


DIRECTIONS: dict[str, tuple[Program, int]] = {
    "powers of one number": (lambda x, y: torch.stack([x[0], x[0] ** 2, x[0] ** 3]), 1),
    "functions of one number": (lambda x, y: torch.stack([x[0].tanh(), x[0].exp(), x[0].sigmoid()]), 1),
    "functions of a sum": (lambda x, y: torch.stack([(x[0] + y[0]).tanh(), (y[0] + x[0]).sin()]), 1),
    "functions of two numbers": (lambda x, y: torch.stack([(x[0] + y[0]).tanh(), (x[0] - y[0]).tanh()]), 2),
    "what is detached": (lambda x, y: torch.stack([x[0], x[0].detach() + y[0]]), 2),
    "nothing but for its gradient": (lambda x, y: x - x.detach() + 1, 0),
    "nothing but for rounding": (lambda x, y: ((x * 0.1) * 0.7) * 0.3 - ((x * 0.3) * 0.7) * 0.1, 0),
    "a trillionth of a number": (lambda x, y: torch.stack([x[0], x[0] + 1e-12 * y[0]]), 2),
    "the other sign of an odd function": (lambda x, y: x.tanh() + (-x).tanh(), 0),
    "a number and one less": (lambda x, y: x.sigmoid() + (-x).sigmoid(), 0),
    "a root of a constant": (lambda x, y: x * 2**0.5 * 2**0.5 - 2 * x, 0),
}


@pytest.mark.parametrize("what", DIRECTIONS)
def test_numbers_move_in_as_many_directions_as_they_are_independent(what: str) -> None:
    program, count = DIRECTIONS[what]
    assert directions(program) == count


def test_exponentials_of_sums_are_products_where_exponents_add_up() -> None:
    def law(x: Tensor, y: Tensor) -> Tensor:
        return (x + y).exp() - x.exp() * y.exp()

    assert directions(law, levels=2) == 0
    assert directions(law) == 3
    assert directions(lambda x, y: torch.stack([x[0].exp(), y[0].exp(), (x[0] + y[0]).exp()]), levels=2) == 2


def test_the_exponential_is_its_own_derivative() -> None:
    apart = moves(lambda x, y: (3 * x).exp() / x.exp() ** 2 - x.exp(), levels=2)
    assert not bool(apart.any())


def test_of_a_maximum_nothing_is_known() -> None:
    with pytest.raises(NotDecided):
        moves(torch.maximum)


@pytest.mark.parametrize("p", [983, 491])
def test_roots_exist_modulo_the_square_of_a_prime(p: int) -> None:
    root = next(a for a in range(2, 9) if pow(a, (p - 1) // 2, p) == 1 and a != 4)
    assert sqrt_mod(root, p * p) ** 2 % (p * p) == root
    assert modulo(number_of(root**0.5), p * p) ** 2 % (p * p) == root
    assert sqrt_mod(root, p * p) % p == sqrt_mod(root, p)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_chains_divide_one_another(levels: int) -> None:
    for chain in chains_for(64, (), levels):
        assert len(chain) == levels
        assert all((p - 1) % q == 0 for p, q in itertools.pairwise(chain))
        assert chain[0] ** 2 < 2**20
