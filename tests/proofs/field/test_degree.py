"""Tracked degrees are never below the true ones: random expressions, their fractions reduced by sympy."""

import random

import pytest
import sympy
import torch

from coequal.proofs.field.arithmetic import Field
from coequal.proofs.field.degree import CONSTANT, VARIABLE, Degrees
from coequal.proofs.field.errors import ZeroDivisor
from coequal.proofs.field.numbers.symbols import Symbols
from coequal.proofs.field.torch_frontend.dispatch import Exact

NAMES = sympy.symbols("a:6")


def expression(rng: random.Random, depth: int, leaves: list) -> object:
    """A random tree of + - * / and whole powers, by Python's operators alone: of tensors, or of sympy symbols."""
    if depth == 0 or rng.random() < 0.15:
        return leaves[rng.randrange(len(leaves))]
    kind = rng.choice(["+", "-", "*", "/", "1/", "**", "*2", "sum"])
    one = expression(rng, depth - 1, leaves)
    if kind == "1/":
        return 1 / one
    if kind == "**":
        return one ** rng.choice([2, 3])
    if kind == "*2":
        return one * 2 + 1
    other = expression(rng, depth - 1, leaves)
    return {"+": lambda: one + other, "-": lambda: one - other, "*": lambda: one * other, "/": lambda: one / other}.get(
        kind, lambda: one + one * other
    )()


def degrees_of(fraction: sympy.Expr) -> tuple[int, int]:
    numerator, denominator = sympy.fraction(sympy.cancel(fraction))
    return tuple(int(sympy.Poly(part, *NAMES).total_degree()) for part in (numerator, denominator))


@pytest.mark.parametrize("seed", range(80))
def test_they_are_bounds(seed: int) -> None:
    exact = Exact(Field.drawn(seed))
    symbols = list(exact.store.symbols.fresh(torch.empty(6, dtype=torch.float64)).unbind())
    try:
        with exact.running():
            results = [expression(random.Random(2 * seed + i), 3, symbols) for i in range(2)]
            exact.same(*results)
            values = [exact.value(r) for r in results]
        truths = [sympy.sympify(expression(random.Random(2 * seed + i), 3, list(NAMES))) for i in range(2)]
    except (ZeroDivisor, ZeroDivisionError):
        pytest.skip("the tree divides by zero")
    if any(t.has(sympy.zoo, sympy.nan) for t in truths):
        pytest.skip("the tree divides by zero")
    degrees = exact.field.account.degrees
    for value, truth in zip(values, truths, strict=True):
        numerator, denominator = degrees_of(truth)
        assert numerator <= degrees.total(value.degree)
        assert denominator <= degrees.denominator(value.degree)
    assert degrees_of(truths[0] - truths[1])[0] <= degrees.greatest


@pytest.mark.parametrize("seed", range(20))
def test_values_agree_with_the_fractions(seed: int) -> None:
    """The same trees of whole numbers, in residues and in rationals."""
    exact, rng = Exact(Field.drawn(seed)), random.Random(seed)
    numbers = [rng.randrange(1, 50) for _ in NAMES]
    held = [exact.store.fresh(exact.field.scalar(float(n)), torch.float64, torch.device("cpu")) for n in numbers]
    try:
        with exact.running():
            planes = exact.value(expression(random.Random(seed), 3, held)).planes
        truth = sympy.Rational(expression(random.Random(seed), 3, [sympy.Integer(n) for n in numbers]))
    except (ZeroDivisor, ZeroDivisionError, TypeError):
        pytest.skip("the tree divides by zero")
    for residue, p in zip(planes.tolist(), exact.field.primes, strict=True):
        assert (int(residue) * int(truth.q) - int(truth.p)) % p == 0


def test_a_difference_of_a_product_and_a_fraction() -> None:
    """x^5 against 1 / y^5: the numerator x^5 y^5 - 1 has degree 10, though neither fraction has more than 5."""
    degrees = Degrees()
    power = CONSTANT
    for _ in range(5):
        power = power.times(VARIABLE)
    degrees.compared(power, degrees.inverse(power, 1))
    assert degrees.greatest == 10


def test_all_elements_of_a_divisor_count() -> None:
    """sum_i 1 / x_i over n elements: the numerator has degree n - 1, the denominator n."""
    degrees = Degrees()
    inverse = degrees.inverse(VARIABLE, 7)
    assert (degrees.total(inverse), degrees.denominator(inverse)) == (6, 7)
    assert degrees.total(inverse.plus(inverse)) == 6


def test_constants_and_their_inverses_have_none() -> None:
    degrees = Degrees()
    assert degrees.inverse(CONSTANT, 100) == CONSTANT
    assert degrees.divisors == []


@pytest.mark.parametrize(
    "program",
    [
        lambda x: torch.cummax(x * x * x, 0).values,
        lambda x: torch.amax((x * x * x).unsqueeze(1), 1),
        lambda x: torch.maximum(x * x * x, x * x * x),
        lambda x: torch.nn.functional.max_pool1d((x * x * x)[None], 1)[0],
    ],
    ids=["cummax", "amax", "maximum", "max_pool"],
)
def test_a_maximum_of_one_member_keeps_its_degree(program) -> None:
    exact = Exact(Field.drawn(1), symbols := Symbols(1))
    x = symbols.fresh(torch.empty(4, dtype=torch.float64))
    with exact.running():
        assert exact.field.account.degrees.total(exact.value(program(x)).degree) >= 3


def test_members_of_a_maximum_are_applications() -> None:
    """Two sets are confused as soon as two of their members are: every member counts."""
    exact = Exact(Field.drawn(1), symbols := Symbols(1))
    x = symbols.fresh(torch.empty(1000, dtype=torch.float64))
    with exact.running():
        torch.amax(x, 0)
    assert exact.field.account.applications >= 1000


def test_powers_of_functions_of_constants_have_their_degree() -> None:
    exact = Exact(Field.drawn(1, shadow=True))
    with exact.running():
        powers = torch.exp(torch.tensor(0.7123456789, dtype=torch.float64)) ** torch.arange(20, dtype=torch.float64)
    shadow = exact.store.shadow(powers)
    assert shadow is not None
    assert shadow.degree.excess >= 19
    without_past = torch.tensor(powers.tolist(), dtype=torch.float64)  # its floats are taken for what was computed
    assert exact.field.constants(without_past).degree.excess >= 19


def test_what_a_logarithm_was_taken_of_is_no_atom() -> None:
    """`1 / E(log S)` is one over a sum, with the degree of that: no inverse of a value of a free function."""
    for undone in (False, True):
        exact = Exact(Field.drawn(1), symbols := Symbols(1))
        x = symbols.fresh(torch.empty(6, dtype=torch.float64))
        with exact.running():
            total = torch.exp(x).sum()
            result = 1 / (total.log().exp() if undone else total)
            assert not exact.value(result).monomial
        assert not exact.field.account.degrees.laurent
