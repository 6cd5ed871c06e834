"""Positional encodings (`reference/position.py`): one addition for each element; a rotation has two products and a sum.

    rotary    (a cos - b sin, a sin + b cos) for each pair of features: 4 multiplications, 2 additions

The tables themselves depend on no input: they are computed once, so they are no cost of a clip.
"""

from __future__ import annotations

from typing import Any

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.symbols import is_number, numel
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import position
from coequal.reference.layer import Layer, Shape
from coequal.reference.position import GridEncoding, LearnedEncoding, RecyclingEncoding, RotaryEncoding, SinusoidalEncoding


def _shape(layer: Any, shape: Sizes) -> Sizes:
    layer.output_shape(tuple(size if is_number(size) else 1 for size in shape))
    return shape


def _added(layer: Any, shape: Sizes, padding: str) -> Cost:
    rows = shape[1] * shape[2] if layer.parameters() else 0
    return Cost.of("position", add=numel(shape), reads=numel(shape), writes=numel(shape), weights=rows)


def _grid(layer: GridEncoding, shape: Sizes, padding: str) -> Cost:
    rows = numel((shape[1], 1 if layer.length == 1 else shape[2], *shape[3:]))
    return Cost.of("position", add=numel(shape), reads=numel(shape), writes=numel(shape), weights=rows)


def _rotated(layer: Any, shape: Sizes, padding: str) -> Cost:
    size = numel(shape)
    return Cost.of("position", mul=2 * size, add=size, reads=size, writes=size)


for _kind, _formula in {
    SinusoidalEncoding: _added,
    LearnedEncoding: _added,
    RecyclingEncoding: _added,
    GridEncoding: _grid,
    RotaryEncoding: _rotated,
}.items():
    shape_formula.register(_kind, _shape)
    clip_formula.register(_kind, _formula)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return position.RecyclingEncoding(scale.width, 2 * scale.tokens - 1), scale.sequence
