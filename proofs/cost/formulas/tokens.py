"""Frames as tokens (`reference/tokens.py`): moves, and an addition for each element where positions are told apart."""

from __future__ import annotations

import math

from coequal.proofs.cost.algebra.counts import Cost, CostError
from coequal.proofs.cost.algebra.symbols import is_number, numel
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import tokens
from coequal.reference.layer import Layer, Shape
from coequal.reference.tokens import FirstToken, PositionTable, PrependToken, TokenGrid


@shape_formula.register
def prepended(layer: PrependToken, shape: Sizes) -> Sizes:
    """One position more."""
    return (*shape[:3], 1 + shape[3] * shape[4])


@clip_formula.register
def _(layer: PrependToken, shape: Sizes, padding: str) -> Cost:
    weights = layer.channels if layer.learned else 0
    return Cost.of("move", reads=numel(shape), writes=numel(prepended(layer, shape)), weights=weights)


@shape_formula.register
def square(layer: TokenGrid, shape: Sizes) -> Sizes:
    """All positions but one, as a square."""
    if not is_number(shape[3]):
        raise CostError(f"TokenGrid: the side of the square of {shape[3]} positions is not known: give them as a number")
    side = math.isqrt(int(shape[3]) - 1)
    return (*shape[:3], side, side)


@clip_formula.register
def _(layer: TokenGrid, shape: Sizes, padding: str) -> Cost:
    outputs = numel(square(layer, shape))
    return Cost.of("move", reads=outputs, writes=outputs)


@shape_formula.register
def first(layer: FirstToken, shape: Sizes) -> Sizes:
    """One position."""
    return (*shape[:3], 1)


@clip_formula.register
def _(layer: FirstToken, shape: Sizes, padding: str) -> Cost:
    outputs = numel(first(layer, shape))
    return Cost.of("move", reads=outputs, writes=outputs)


@shape_formula.register
def _(layer: PositionTable, shape: Sizes) -> Sizes:
    return shape


@clip_formula.register
def _(layer: PositionTable, shape: Sizes, padding: str) -> Cost:
    size, table = numel(shape), layer.channels * layer.positions
    return Cost.of("position", add=size, reads=size, writes=size, weights=table)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return tokens.PrependToken(scale.channels), scale.video
