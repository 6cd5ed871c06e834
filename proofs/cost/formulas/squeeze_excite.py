"""Squeeze-and-excite (`reference/squeeze_excite.py`), with G gates in time (T, or one for the whole clip):

    squeeze    B C T (H W - 1) additions over space, then over the frames of the scope: N - 1 for each of G, or T - 1 once
    excite     2 C C' multiply-adds for each gate vector, biases, ReLU, sigmoid
    scale      B C T H W multiplications

A step with a window keeps the means of the last N - 1 frames.
"""

from __future__ import annotations

from collections.abc import Mapping

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.domain import Domain, ranges
from coequal.proofs.cost.algebra.symbols import is_number, numel
from coequal.proofs.cost.formulas.dispatch import (
    NotStreamable,
    Sizes,
    Steps,
    clip_formula,
    domains,
    one_frame,
    shape_formula,
    state_formula,
    step_formula,
)
from coequal.proofs.cost.formulas.linear import product_cost
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import squeeze_excite
from coequal.reference.layer import Layer, Shape
from coequal.reference.squeeze_excite import SqueezeExcite


@shape_formula.register
def _(layer: SqueezeExcite, shape: Sizes) -> Sizes:
    layer.output_shape(tuple(size if is_number(size) else 1 for size in shape))
    return shape


def _gates(layer: SqueezeExcite, shape: Sizes) -> Size:
    """Gate vectors."""
    return shape[0] * (1 if layer.scope == "clip" else shape[2])


@domains.register
def _(layer: SqueezeExcite, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    gates, wide, narrow = _gates(layer, shape), layer.channels, layer.squeeze_channels
    return {"fc1": Domain(ranges(gates, narrow, wide)), "fc2": Domain(ranges(gates, wide, narrow))}


@clip_formula.register
def clip(layer: SqueezeExcite, shape: Sizes, padding: str) -> Cost:
    """Squeeze, excite, scale."""
    gates, wide, narrow = _gates(layer, shape), layer.channels, layer.squeeze_channels
    elements, frames = numel(shape), shape[0] * wide * shape[2]
    over_time = shape[0] * wide * (shape[2] - 1) if layer.scope == "clip" else gates * wide * ((layer.window or 1) - 1)
    return Cost.total(
        [
            Cost.of("pool", add=elements - frames + over_time, div=gates * wide, reads=elements, writes=gates * wide),
            product_cost("linear", gates, wide, narrow, True),
            Cost.of("rectifier", compare=gates * narrow, reads=gates * narrow, writes=gates * narrow),
            product_cost("linear", gates, narrow, wide, True),
            Cost.of("activation", exp=gates * wide, add=gates * wide, div=gates * wide, writes=gates * wide),
            Cost.of("gate", mul=elements, reads=elements, writes=elements),
        ]
    )


@step_formula.register
def _(layer: SqueezeExcite, shape: Sizes, padding: str) -> Steps:
    if layer.scope == "clip":
        raise NotStreamable("SqueezeExcite: scope 'clip' needs the whole clip; use scope 'frame' or 'window'")
    frames = layer.window or 1
    kept = shape[0] * layer.channels * frames if frames > 1 else 0
    return Steps((clip(layer, one_frame(layer, shape), padding) + Cost.of("pool", traffic=kept),))


@state_formula.register
def _(layer: SqueezeExcite, shape: Sizes) -> Size:
    return ((layer.window or 1) - 1) * shape[0] * layer.channels


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return squeeze_excite.SqueezeExcite(scale.channels, max(1, scale.channels // 8)), scale.video
