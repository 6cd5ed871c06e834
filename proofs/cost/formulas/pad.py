"""Padding (`reference/pad.py`) computes nothing: zero operations by its equation; what it reads, writes, keeps is counted.

A step pads a frame in space. State: nothing for constant padding; the last frame to repeat, or the last P_end + 1 to mirror.
"""

from __future__ import annotations

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas.dispatch import (
    Sizes,
    Steps,
    clip_formula,
    output_shape,
    shape_formula,
    state_formula,
    step_formula,
)
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import pad
from coequal.reference.layer import Layer, Shape
from coequal.reference.pad import Pad
from coequal.reference.window import check_clip


@shape_formula.register
def _(layer: Pad, shape: Sizes) -> Sizes:
    rank = len(layer.padding)
    check_clip("Pad", shape, rank)
    return (*shape[:-rank], *(n + a + b for n, (a, b) in zip(shape[-rank:], layer.padding, strict=True)))


@clip_formula.register
def _(layer: Pad, shape: Sizes, padding: str) -> Cost:
    return Cost.of("move", reads=numel(shape), writes=numel(output_shape(layer, shape)))


@step_formula.register
def _(layer: Pad, shape: Sizes, padding: str) -> Steps:
    padded = [n + a + b for n, (a, b) in zip(shape[3:], layer.padding[1:], strict=True)]
    return Steps((Cost.of("move", reads=numel((*shape[:2], *shape[3:])), writes=numel((*shape[:2], *padded))),))


@state_formula.register
def _(layer: Pad, shape: Sizes) -> Size:
    end = layer.padding[0][1]
    frames = {"replicate": min(end, 1), "reflect": end + 1 if end else 0}.get(layer.mode, 0)
    return frames * numel((*shape[:2], *shape[3:]))


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return pad.Pad(((2, 0), (1, 1), (1, 1))), scale.video
