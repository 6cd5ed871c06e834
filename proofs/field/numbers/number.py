"""What a float stands for: a simple rational, a square or fourth root of one, or the dyadic number that it is.

A program writes 0.1, 1e-5 or `1 / sqrt(32)` and means that number; the float is its rounding. A float within one unit in the
last place of a simple rational, or of a root of one, stands for it, unless constants are taken literally (attention in torch
scales queries and keys by the fourth root each); so does what `1 - 0.9` leaves of one. A value that single precision holds
exactly is taken for one rounded to single precision, of which far fewer are simple (of the roots, those of whole numbers and
of their inverses): simple numbers must stay so rare that hardly any other float is near one.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction

from coequal.proofs.field.errors import NeedsRoot, ZeroDivisor
from coequal.proofs.field.numbers.primes import is_square, sqrt_mod


@dataclass(frozen=True)
class Simple:
    """What counts as simple in a format: numerator times denominator at most `size^2`, or so many decimal digits.

    `root`: the same for what stands below a root.
    """

    size: int
    digits: int
    root: int


DOUBLE, SINGLE = Simple(10_000, 8, 10_000), Simple(12, 3, 32)


@dataclass(frozen=True)
class Number:
    """`rational * radicand^(1 / index)`; `exact`: it is the very float."""

    rational: Fraction
    radicand: int = 1
    index: int = 1  # 1, 2 or 4
    exact: bool = True

    def __str__(self) -> str:
        root = {1: "", 2: f"sqrt({self.radicand})", 4: f"fourth root of {self.radicand}"}[self.index]
        return " ".join(part for part in ("" if self.rational == 1 and root else str(self.rational), root) if part)


@functools.lru_cache(maxsize=200_000)
def number_of(value: float, *, literal: bool = False) -> Number:
    """What a finite float stands for.

    >>> str(number_of(0.1)), str(number_of(1 / 32**0.5)), str(number_of(1e-5)), str(number_of(0.75))
    ('1/10', '1/32 sqrt(32)', '1/100000', '3/4')
    """
    exact = Fraction(value)
    ordinary = 2.0**-1000 < abs(value) < 2.0**250  # whatever memory may hold that was never written
    if literal or not ordinary or (exact.denominator <= 4096 and abs(exact.numerator) < 2**40):
        return Number(exact)
    simple = SINGLE if in_single(value) else DOUBLE
    return _simple(value, exact, simple) or _root(value, simple, 2) or _root(value, simple, 4) or Number(exact)


def in_single(value: float) -> bool:
    """Whether single precision holds the value as a normal number."""
    if not 2.0**-126 <= abs(value) < 2.0**100:
        return False
    return value % 2.0 ** (math.frexp(value)[1] - 24) == 0.0


def spacing(value: float) -> float:
    """One unit in the last place, of single precision where single precision holds the value."""
    return 2.0 ** (math.frexp(value)[1] - 24) if in_single(value) else math.ulp(value)


def _simple(value: float, exact: Fraction, simple: Simple) -> Number | None:
    unit = Fraction(spacing(value))
    for candidate in (_near(exact, simple.size), Fraction(f"{value:.{simple.digits}g}")):
        if candidate and (abs(candidate - exact) <= unit or _is_left_of_one(value, candidate)):
            return Number(candidate, exact=candidate == exact)
    return None


def _is_left_of_one(value: float, candidate: Fraction) -> bool:
    """Whether it is what `1 - 0.9` is in double precision, where 0.1 is meant."""
    return 0 < candidate < 1 and value == 1.0 - float(1 - candidate)


def _near(exact: Fraction, greatest: int) -> Fraction:
    """The nearest rational n / d with `n d <= N^2`; zero where there is none.

    Of those there are about `N^2` a binade, however large the numbers: with `d <= N` alone, any float above a thousand would
    be near one.
    """
    size = abs(float(exact))
    limit = int(greatest / math.sqrt(size)) if greatest**-2 < size else 0
    return exact.limit_denominator(limit) if limit else Fraction(0)


def _root(value: float, simple: Simple, index: int) -> Number | None:
    if not 2.0**-100 < abs(value) < 2.0**100:  # no simple number, and its powers might overflow
        return None
    power, size, unit = _near(Fraction(value**index), simple.root), abs(Fraction(value)), Fraction(spacing(value))
    if power <= 0 or not (size - unit) ** index <= power <= (size + unit) ** index:
        return None
    n, d = power.numerator, power.denominator
    if simple is SINGLE and min(n, d) > 1:
        return None
    # (n / d)^(1/k) = (n d^(k-1))^(1/k) / d
    return Number(Fraction(1 if value > 0 else -1, d), n * d ** (index - 1), index, exact=False)


@functools.cache
def prime_factors(n: int) -> tuple[int, ...]:
    """With repetition: roots are taken prime by prime, so that sqrt(6) = sqrt(2) sqrt(3)."""
    factors, q = [], 2
    while q * q <= n:
        while n % q == 0:
            factors.append(q)
            n //= q
        q += 1
    return (*factors, n) if n > 1 else tuple(factors)


@functools.lru_cache(maxsize=1_000_000)
def modulo(number: Number, p: int) -> int:
    """The number modulo a prime or the square of one, centred. ZeroDivisor: its denominator has no inverse; NeedsRoot: the
    root does not exist.
    """
    if math.gcd(number.rational.denominator, p) > 1:
        raise ZeroDivisor(f"the constant {number} has a denominator that is zero modulo {p}")
    root = 1
    for q in prime_factors(number.radicand):
        if not is_square(q, p):
            raise NeedsRoot(q)
        factor = sqrt_mod(q, p)
        root = root * (factor if number.index == 2 else sqrt_mod(factor, p)) % p
    residue = number.rational.numerator * pow(number.rational.denominator, -1, p) * root % p
    return residue - p if residue > p // 2 else residue
