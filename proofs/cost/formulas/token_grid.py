"""A row of tokens back to a square (`reference/token_grid.py`): elements that move."""

from __future__ import annotations

import math

import sympy

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.symbols import is_number, numel
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import token_grid
from coequal.reference.layer import Layer, Shape
from coequal.reference.token_grid import TokenGrid


@shape_formula.register
def square(layer: TokenGrid, shape: Sizes) -> Sizes:
    """All tokens but one, as a square."""
    side = math.isqrt(shape[3] - 1) if is_number(shape[3]) else sympy.sqrt(shape[3] - 1)
    return (*shape[:3], side, side)


@clip_formula.register
def _(layer: TokenGrid, shape: Sizes, padding: str) -> Cost:
    outputs = numel(square(layer, shape))
    return Cost.of("move", reads=outputs, writes=outputs)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return token_grid.TokenGrid(), (*scale.video[:3], 1 + scale.side**2)
