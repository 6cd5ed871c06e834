"""Softmax (`reference/softmax.py`) of M rows of n: n - 1 comparisons for the maximum, n subtractions, n exponentials,
n - 1 additions, n divisions.
"""

from __future__ import annotations

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.symbols import numel, product
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import softmax
from coequal.reference.layer import Layer, Shape
from coequal.reference.softmax import Softmax


def rows(kind: str, terms: Size, count: Size) -> Cost:
    """`count` rows of together `terms` elements."""
    return Cost.of(kind, compare=terms - count, add=terms + terms - count, exp=terms, div=terms)


@shape_formula.register
def _(layer: Softmax, shape: Sizes) -> Sizes:
    layer.output_shape((1,) * len(shape))
    return shape


@clip_formula.register
def _(layer: Softmax, shape: Sizes, padding: str) -> Cost:
    others = product((*shape[: layer.axis], *shape[layer.axis + 1 :]))
    return rows("softmax", numel(shape), others) + Cost.of("softmax", reads=numel(shape), writes=numel(shape))


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return softmax.Softmax(1), scale.video
