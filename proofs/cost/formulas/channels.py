"""More channels, and some of them (`reference/channels.py`): zero operations by their equations; moves are counted."""

from __future__ import annotations

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import channels
from coequal.reference.channels import SelectChannels, ZeroChannels
from coequal.reference.layer import Layer, Shape


@shape_formula.register
def _(layer: ZeroChannels, shape: Sizes) -> Sizes:
    layer.output_shape((1, shape[1], *[1] * (len(shape) - 2)))
    return (shape[0], layer.out_channels, *shape[2:])


@clip_formula.register
def _(layer: ZeroChannels, shape: Sizes, padding: str) -> Cost:
    outputs = numel((shape[0], layer.out_channels, *shape[2:]))
    return Cost.of("move", reads=numel(shape), writes=outputs)


@shape_formula.register
def selected(layer: SelectChannels, shape: Sizes) -> Sizes:
    """Some of the channels."""
    layer.output_shape((1, shape[1], *[1] * (len(shape) - 2)))
    return (shape[0], layer.stop - layer.start, *shape[2:])


@clip_formula.register
def _(layer: SelectChannels, shape: Sizes, padding: str) -> Cost:
    outputs = numel(selected(layer, shape))
    return Cost.of("move", reads=outputs, writes=outputs)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return channels.ZeroChannels(scale.channels, 2 * scale.channels), scale.video
