"""A token at the end of the clip or at its start, and the first alone (`reference/class_token.py`): nothing is computed."""

from __future__ import annotations

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import class_token
from coequal.reference.class_token import AppendToken, FirstToken, PrependToken
from coequal.reference.layer import Layer, Shape


def _one_more(layer: AppendToken | PrependToken, shape: Sizes) -> Sizes:
    return (shape[0], shape[1] + 1, shape[2])


def _moved(layer: AppendToken | PrependToken, shape: Sizes, padding: str) -> Cost:
    size = numel(shape)
    weights = layer.embed_dim if layer.parameters() else 0
    return Cost.of("move", reads=size, weights=weights, writes=size + shape[0] * layer.embed_dim)


for _kind in (AppendToken, PrependToken):
    shape_formula.register(_kind, _one_more)
    clip_formula.register(_kind, _moved)


@shape_formula.register
def _(layer: FirstToken, shape: Sizes) -> Sizes:
    return (shape[0], 1, shape[2])


@clip_formula.register
def _(layer: FirstToken, shape: Sizes, padding: str) -> Cost:
    return Cost.of("move", reads=shape[0] * shape[2], writes=shape[0] * shape[2])


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return class_token.AppendToken(scale.width), scale.sequence
