"""Other readings of what a program says, tried where the first one tells clip and stream apart.

The first reading takes every constant for the number that its float stands for, and every function for one of which nothing
is known. Each of the others knows more, and assumes more, which the report lists; what is equal in one of them is equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from coequal.equivalence.compare.field import Draw

DEEPEST = 4  # nested exponentials that chains of primes are drawn for
MANY = 8  # primes where the bound is weak
HOMOMORPHISM = (
    "the exponential is a homomorphism: sums of exponentials are told apart by chains of smaller primes, and the bound takes"
    " exponents of different terms as independent"
)
ROTATION = (
    "cosine and sine of a sum of angles are those of one angle: angles are told apart by chains of smaller primes, and the"
    " bound takes sums of rotations as independent of one another"
)


@dataclass(frozen=True)
class Seen:
    """What a run met that can be read otherwise."""

    low: bool = False  # finite constants at or below -1e4
    rotates: bool = False  # cosines and sines
    exponential: bool = False
    maxima: bool = False  # also relu, magnitudes
    defined: bool = False  # elementary functions, of which clip and stream apply different ones


@dataclass(frozen=True)
class Reading:
    """A draw, and what is assumed besides what the run itself lists."""

    draw: Draw
    assumption: str = ""


def other_readings(draw: Draw, seen: Seen) -> Iterator[Reading]:
    """From what assumes least: constants computed exactly, masks; maxima as sets; angles that add up; exponents that add
    up; elementary functions by their definitions.
    """
    exact = replace(draw, shadow=True, low_masks=seen.low)
    yield Reading(exact)
    if seen.maxima:
        yield Reading(replace(exact, sets=True))
    if seen.rotates:
        yield Reading(replace(exact, levels=2, count=MANY, turns=True), ROTATION)
    if seen.exponential:
        for levels in range(2, DEEPEST + 1):
            yield Reading(replace(exact, levels=levels, count=MANY), HOMOMORPHISM)
    if seen.defined:
        for levels in range(2, DEEPEST):
            yield Reading(replace(exact, levels=levels, count=MANY, definitions=True), HOMOMORPHISM)
