"""What a stream saves: the clip's work over a step's, its limit for long clips, and from where on it saves anything.

A clip-mode network that gives a prediction for every frame runs its whole window for each: so the honest ratio is

    reduction = multiply-adds of a clip / multiply-adds of a step (mean over its period)

For a network whose layers keep the clip's length it is exactly T, for any depth: a step does the work of one frame.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy

from coequal.proofs.cost.algebra.counts import Cost, CostError, Size, simplified
from coequal.proofs.cost.algebra.symbols import is_number
from coequal.proofs.cost.formulas.dispatch import Steps, clip_cost, step_cost
from coequal.reference.layer import Layer


def reduction(clip: Cost, steps: Steps, convention: str = "macs") -> Any:
    """How many steps a clip costs: a Fraction, or an expression; CostError where a step does no work to compare with."""
    above, below = clip.flops(convention), steps.mean.flops(convention)
    if below == 0:
        raise CostError(f"reduction: a step costs nothing under the convention {convention}, so there is no ratio")
    if is_number(above) and not isinstance(below, sympy.Expr):
        return Fraction(above) / Fraction(below)
    ratio = sympy.cancel(sympy.sympify(above) / sympy.sympify(below))
    return Fraction(int(ratio.p), int(ratio.q)) if ratio.is_Rational else ratio


def limit(ratio: Any, letter: sympy.Symbol) -> Any:
    """Where a ratio goes for a long clip: `oo`, or a number or an expression; roundings vanish against the length."""
    smooth = sympy.sympify(ratio).replace(sympy.ceiling, lambda inside: inside)
    return sympy.limit(sympy.together(smooth), letter, sympy.oo)


def per_frame(ratio: Any, letter: sympy.Symbol) -> Any:
    """The limit of `ratio / T`: the slope with which a longer clip saves more."""
    return limit(sympy.sympify(ratio) / letter, letter)


def break_even(layer: Layer, shape: tuple[Size, ...], letter: sympy.Symbol, largest: int = 1 << 20) -> int | None:
    """The shortest clip that costs more than a step; None when none up to `largest` does. `letter` stands in the shape."""
    clip, step = clip_cost(layer, shape).macs(), step_cost(layer, shape).mean.macs()
    return first_above(clip, step, letter, largest)


def first_above(clip: Size, step: Size, letter: sympy.Symbol, largest: int = 1 << 20) -> int | None:
    """The smallest value of the letter with `clip > step`, both growing, the clip the faster: found by halving."""
    difference = sympy.sympify(clip) - sympy.sympify(step)

    def saves(length: int) -> bool:
        return bool(simplified(difference.subs(letter, length)) > 0)

    low, high = 0, largest
    if not saves(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if saves(middle) else (middle, high)
    return high
