"""A token at the end of the clip (`reference/class_token.py`): nothing is computed."""

from __future__ import annotations

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import class_token
from coequal.reference.class_token import AppendToken
from coequal.reference.layer import Layer, Shape


@shape_formula.register
def _(layer: AppendToken, shape: Sizes) -> Sizes:
    return (shape[0], shape[1] + 1, shape[2])


@clip_formula.register
def _(layer: AppendToken, shape: Sizes, padding: str) -> Cost:
    size = numel(shape)
    return Cost.of("move", reads=size, weights=layer.embed_dim, writes=size + shape[0] * layer.embed_dim)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return class_token.AppendToken(scale.width), scale.sequence
