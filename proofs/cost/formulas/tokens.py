"""Layers of tokens inside a clip (`reference/tokens.py`): the cost of the inner layer; the tokens themselves only move.

clip     over space of B T sequences of N tokens, over time of B N of T, over all of B of T N
step     over space that of a clip of one frame; over time the inner layer's step, of B N sequences
"""

from __future__ import annotations

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.formulas.dispatch import (
    Part,
    Sizes,
    Steps,
    clip_formula,
    one_frame,
    output_shape,
    parts,
    shape_formula,
    state_formula,
    step_formula,
)
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import tokens
from coequal.reference.layer import Layer, Shape
from coequal.reference.linear import Linear
from coequal.reference.tokens import Tokens, joined, split


@shape_formula.register
def _(layer: Tokens, shape: Sizes) -> Sizes:
    return joined(layer.over, shape, output_shape(layer.inner, split(layer.over, shape)))


@parts.register
def _(layer: Tokens, shape: Sizes) -> list[Part]:
    return [Part("inner", layer.inner, split(layer.over, shape))]


@clip_formula.register
def _(layer: Tokens, shape: Sizes, padding: str) -> Cost:
    return clip_formula(layer.inner, split(layer.over, shape), padding)


@step_formula.register
def _(layer: Tokens, shape: Sizes, padding: str) -> Steps:
    if layer.over == "space":
        return Steps((clip_formula(layer, one_frame(layer, shape), padding),))
    return step_formula(layer.inner, split(layer.over, shape), padding)


@state_formula.register
def _(layer: Tokens, shape: Sizes) -> Size:
    return 0 if layer.over == "space" else state_formula(layer.inner, split(layer.over, shape))


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return tokens.Tokens(Linear(scale.channels, scale.channels), "space"), scale.video
