"""The next frame less this one (`reference/frame_difference.py`): a subtraction for each element of T - 1 output frames.

State: the half of a frame that waits for the next one.
"""

from __future__ import annotations

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas.dispatch import Sizes, Steps, clip_formula, shape_formula, state_formula, step_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import frame_difference
from coequal.reference.frame_difference import FrameDifference
from coequal.reference.layer import Layer, Shape


@shape_formula.register
def outputs(layer: FrameDifference, shape: Sizes) -> Sizes:
    """Half of the channels."""
    layer.output_shape((1, shape[1], *[1] * (len(shape) - 2)))
    return (shape[0], layer.channels, *shape[2:])


@clip_formula.register
def _(layer: FrameDifference, shape: Sizes, padding: str) -> Cost:
    differences = numel((shape[0], layer.channels, shape[2] - 1, *shape[3:]))
    return Cost.of("elementwise", add=differences, reads=numel(shape), writes=numel(outputs(layer, shape)))


@step_formula.register
def _(layer: FrameDifference, shape: Sizes, padding: str) -> Steps:
    half = state(layer, shape)
    return Steps((Cost.of("elementwise", add=half, reads=2 * half, writes=half, traffic=2 * half),))


@state_formula.register
def state(layer: FrameDifference, shape: Sizes) -> Size:
    """Numbers kept."""
    return layer.channels * numel((shape[0], *shape[3:]))


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return frame_difference.FrameDifference(scale.channels), (1, 2 * scale.channels, *scale.video[2:])
