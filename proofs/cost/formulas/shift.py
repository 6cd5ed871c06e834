"""Temporal shift (`reference/shift.py`) computes nothing: zero operations by its equation; moves and state are counted.

State: the fold of channels that looks back; when some look ahead, also the whole frame that waits for the next one.
"""

from __future__ import annotations

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas.dispatch import Sizes, Steps, clip_formula, shape_formula, state_formula, step_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import shift
from coequal.reference.layer import Layer, Shape
from coequal.reference.shift import TemporalShift


@shape_formula.register
def _(layer: TemporalShift, shape: Sizes) -> Sizes:
    layer.output_shape((1, shape[1], *[1] * (len(shape) - 2)))
    return shape


@clip_formula.register
def _(layer: TemporalShift, shape: Sizes, padding: str) -> Cost:
    return Cost.of("move", reads=numel(shape), writes=numel(shape))


@step_formula.register
def _(layer: TemporalShift, shape: Sizes, padding: str) -> Steps:
    frame = numel((*shape[:2], *shape[3:]))
    return Steps((Cost.of("move", reads=frame, writes=frame, traffic=2 * state(layer, shape)),))


@state_formula.register
def state(layer: TemporalShift, shape: Sizes) -> Size:
    """Numbers kept."""
    kept = shape[1] // layer.fold_div + (shape[1] if layer.bidirectional else 0)
    return kept * numel((shape[0], *shape[3:]))


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return shift.TemporalShift(8), scale.video
