"""Factors (`reference/rescale.py`): a multiplication for each element, and an addition where something is added."""

from __future__ import annotations

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import rescale
from coequal.reference.layer import Layer, Shape
from coequal.reference.rescale import ChannelScale, Rescale


@shape_formula.register
def _(layer: ChannelScale, shape: Sizes) -> Sizes:
    return shape


@clip_formula.register
def _(layer: ChannelScale, shape: Sizes, padding: str) -> Cost:
    return Cost.of("elementwise", mul=numel(shape), reads=numel(shape), writes=numel(shape), weights=layer.channels)


@shape_formula.register
def _(layer: Rescale, shape: Sizes) -> Sizes:
    return shape


@clip_formula.register
def _(layer: Rescale, shape: Sizes, padding: str) -> Cost:
    size = numel(shape)
    return Cost.of("elementwise", mul=size * (layer.factor != 1), add=size * (layer.offset != 0), reads=size, writes=size)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return rescale.ChannelScale(scale.channels), scale.video
