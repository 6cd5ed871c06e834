"""Sizes that are letters: `B C T H W` and what is computed from them, without nested roundings.

    positions   L' = floor((L + P - D (K - 1) - 1) / S) + 1 = ceil((L + P - D (K - 1)) / S)

and roundings along one axis collapse, `ceil((ceil(a / b) + k) / c) = ceil((a + k b) / (b c))` for integers, so that the
sizes of a deep network stay readable: `ceil(H / 32)`, not five roundings inside one another.
Source: Graham, Knuth & Patashnik, "Concrete mathematics", equation 3.11.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable

import sympy

from coequal.proofs.cost.algebra.counts import Size

LETTERS = {name: sympy.Symbol(name, integer=True, positive=True) for name in "BCTHWE"}
B, C, T, H, W, E = (LETTERS[name] for name in "BCTHWE")


def product(sizes: Iterable[Size]) -> Size:
    """Of integers and expressions alike."""
    return functools.reduce(operator.mul, sizes, 1)


def is_number(size: Size) -> bool:
    """Whether nothing symbolic is in it."""
    return isinstance(size, int)


def plainly(size: Size) -> Size:
    """An int where it is one."""
    return int(size) if isinstance(size, sympy.Integer) else size


def ceil_div(size: Size, by: int) -> Size:
    """`ceil(size / by)`, with roundings inside taken out."""
    if is_number(size):
        return -(-size // by)
    if by == 1:
        return size
    shift, rest = size.as_coeff_Add()
    denominator = 1
    if isinstance(rest, sympy.ceiling):
        rest, denominator = rest.args[0].as_numer_denom()
        shift = shift * denominator
    elif not shift.is_Integer:
        return sympy.ceiling(size / by)
    inner, rest = rest.as_coeff_Add()
    return _rounded(rest, shift + inner, int(denominator) * by)


def _rounded(size: Size, shift: Size, by: int) -> Size:
    """`ceil((size + shift) / by)` with the shift between `1 - by` and 0, so that equal sizes look the same."""
    whole = -((-shift) // by)
    return sympy.ceiling((size + shift - whole * by) / sympy.Integer(by)) + whole


def floor_div(size: Size, by: int) -> Size:
    """`floor(size / by)`, written with the same rounding as everything else."""
    return size // by if is_number(size) else ceil_div(size - (by - 1), by)


def positions(length: Size, kernel: int, stride: int = 1, dilation: int = 1, padding: int = 0) -> Size:
    """Windows along an axis of `length` elements with `padding` more; letters are taken to be long enough for one."""
    free = length + padding - dilation * (kernel - 1)
    return max(0, ceil_div(free, stride)) if is_number(free) else ceil_div(free, stride)


def same(one: Size, other: Size) -> bool:
    """Whether two sizes are equal for all values of their letters."""
    return one == other or sympy.expand(sympy.sympify(one) - other) == 0


def broadcast(one: tuple[Size, ...], other: tuple[Size, ...]) -> tuple[Size, ...]:
    """NumPy's rule; the layers have checked that the shapes fit."""
    return tuple(b if a == 1 else a for a, b in zip(one, other, strict=True))


def numel(shape: Iterable[Size]) -> Size:
    """Elements."""
    return product(shape)


def lcm(*numbers: int) -> int:
    """Least common multiple."""
    return math.lcm(*numbers)
