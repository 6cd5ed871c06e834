"""Adaptive pooling: the mean or the maximum of as many windows as are asked for (`reference/adaptive_pool.py`).

    clip         axis by axis, as boxes allow: for an axis of L elements and M windows of together V elements, V - M
                 additions (comparisons), and for the mean M divisions, for each line

The formulas of global pooling over a sliding window stand with those of `pool`, whose steps they take.
"""

from __future__ import annotations

from typing import Any

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.symbols import ceil_div, floor_div, numel, product
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, output_shape, shape_formula
from coequal.proofs.cost.formulas.pool import reducing
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import adaptive_pool
from coequal.reference.adaptive_pool import AdaptiveAvgPool, AdaptiveMaxPool
from coequal.reference.layer import Layer, Shape
from coequal.reference.window import check_clip

ADAPTIVE = (AdaptiveAvgPool, AdaptiveMaxPool)


def _shape(layer: Any, shape: Sizes) -> Sizes:
    check_clip(type(layer).__name__, shape, len(layer.output_size))
    return (*shape[:2], *(n if m is None else m for n, m in zip(shape[2:], layer.output_size, strict=True)))


def _clip(layer: Any, shape: Sizes, padding: str) -> Cost:
    cost, sizes, outputs = Cost.of("pool"), list(shape), output_shape(layer, shape)
    for axis, kept in enumerate(layer.output_size, start=2):
        lines = product(sizes[:axis]) * product(sizes[axis + 1 :])
        elements = shape[axis] if kept is None else _overlapping(shape[axis], kept)
        cost += reducing(layer, lines * elements, lines * outputs[axis])
        sizes[axis] = outputs[axis]
    return cost + Cost.of("pool", reads=numel(shape), writes=numel(outputs))


def _overlapping(length: Size, windows: int) -> Size:
    """Elements of all windows together: `sum_j ceil((j + 1) L / M) - floor(j L / M)`."""
    return sum(ceil_div((j + 1) * length, windows) - floor_div(j * length, windows) for j in range(windows))


for _kind in ADAPTIVE:
    shape_formula.register(_kind, _shape)
    clip_formula.register(_kind, _clip)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return adaptive_pool.GlobalAvgPool(3, scale.frames), scale.video
