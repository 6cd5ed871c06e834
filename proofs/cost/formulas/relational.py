"""Relational self-attention (`reference/relational.py`), at each position, of A heads and D = C / A features: multiply-adds

    projection    C (C + 2 D)
    windows       3 D^2 frames side^2       H1, H2 and G
    products      2 A D^2 + D^3             kernels and outputs of each head; values

and of the lengths of A + 2 vectors D squares, a square root and D divisions each. A step is that of one frame; it keeps keys
and values of `frames - 1` frames, and the queries of half as many.
"""

from __future__ import annotations

from collections.abc import Mapping

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.domain import Domain, ranges
from coequal.proofs.cost.algebra.symbols import product
from coequal.proofs.cost.formulas.dispatch import (
    Sizes,
    Steps,
    clip_formula,
    domains,
    one_frame,
    shape_formula,
    state_formula,
    step_formula,
)
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import relational
from coequal.reference.layer import Layer, Shape
from coequal.reference.relational import RelationalSelfAttention


@shape_formula.register
def _(layer: RelationalSelfAttention, shape: Sizes) -> Sizes:
    return shape


@domains.register
def _(layer: RelationalSelfAttention, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    positions, size, heads = shape[0] * product(shape[2:]), layer.features, layer.heads
    window = ranges(layer.frames, layer.side, layer.side)
    return {
        "projection": Domain(ranges(positions, layer.channels + 2 * size, layer.channels)),
        "windows": Domain((*ranges(3, positions, size, size), *window)),
        "kernels": Domain(ranges(positions, heads, size, size)),
        "values": Domain(ranges(positions, size, size, size)),
        "outputs": Domain(ranges(positions, heads, size, size)),
    }


@clip_formula.register
def clip(layer: RelationalSelfAttention, shape: Sizes, padding: str) -> Cost:
    """Of all positions of a clip."""
    positions, size, heads = shape[0] * product(shape[2:]), layer.features, layer.heads
    counts = {name: domain.count() for name, domain in domains(layer, shape, padding).items()}
    sums = {
        "projection": layer.channels + 2 * size,
        "windows": 3 * size * size,
        "kernels": heads * size,
        "values": size * size,
        "outputs": heads * size,
    }
    weights = layer.channels * (layer.channels + 2 * size) + (size * size + 2 * size) * layer.frames * layer.side**2
    vectors = positions * (heads + 2)
    return Cost.total(
        [
            Cost.of("conv", mul=counts["projection"], add=counts["projection"] - positions * sums["projection"]),
            Cost.of("norm", mul=vectors * size, add=vectors * size, exp=vectors, div=vectors * size),
            Cost.of("conv", mul=counts["windows"], add=counts["windows"] - positions * sums["windows"], weights=weights),
            Cost.of("elementwise", add=2 * positions * size * size, weights=2 * size * size),
            *(
                Cost.of("attention", mul=counts[name], add=counts[name] - positions * sums[name])
                for name in ("kernels", "values", "outputs")
            ),
            Cost.of("conv", reads=positions * layer.channels, writes=positions * layer.channels),
        ]
    )


@step_formula.register
def _(layer: RelationalSelfAttention, shape: Sizes, padding: str) -> Steps:
    kept = 2 * layer.features * shape[0] * product(shape[3:])
    return Steps((clip(layer, one_frame(layer, shape), padding) + Cost.of("conv", traffic=layer.frames * kept),))


@state_formula.register
def _(layer: RelationalSelfAttention, shape: Sizes) -> Size:
    positions = shape[0] * product(shape[3:])
    return positions * (2 * layer.features * (layer.frames - 1) + layer.channels * (layer.frames // 2))


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    heads = 2 if scale.channels % 2 == 0 else 1
    return relational.RelationalSelfAttention(scale.channels, heads, 3, 3), scale.video
