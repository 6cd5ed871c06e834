"""Pooling: the mean or the maximum of windows (`reference/pool.py`, `reference/adaptive_pool.py`).

    domain       b < B, c < C, and pairs (j, k) of a window for each axis
    clip         n - 1 additions (comparisons) for each output of n terms; for the mean one division
    step         a frame is pooled over space when it comes; K_t - 1 additions when an output is due
    state        R - 1 pooled frames

The step does less than the clip does for a frame, because windows that overlap in time share what was pooled over space.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coequal.proofs.cost.algebra.counts import Cost, CostError, Size
from coequal.proofs.cost.algebra.domain import Domain, Window, ranges
from coequal.proofs.cost.algebra.symbols import ceil_div, is_number, numel, positions, product
from coequal.proofs.cost.formulas.dispatch import (
    NotStreamable,
    Sizes,
    Steps,
    clip_formula,
    domains,
    endless,
    output_shape,
    shape_formula,
    state_formula,
    step_formula,
)
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import pool
from coequal.reference.adaptive_pool import AdaptiveMaxPool, GlobalAvgPool, GlobalMaxPool
from coequal.reference.layer import Layer, Shape
from coequal.reference.pool import AvgPool, MaxPool, pooled
from coequal.reference.window import check_clip

POOLS = (AvgPool, MaxPool)
GLOBAL = (GlobalAvgPool, GlobalMaxPool)


def reducing(layer: Any, terms: Size, outputs: Size, **moved: Size) -> Cost:
    """`terms - outputs` additions and a division for each output, or as many comparisons."""
    if isinstance(layer, MaxPool | AdaptiveMaxPool | GlobalMaxPool):
        return Cost.of("pool", compare=terms - outputs, **moved)
    return Cost.of("pool", add=terms - outputs, div=outputs, **moved)


# -- windows -----------------------------------------------------------------------------------------------------------


def _pooled(layer: Any, size: Size, k: int, s: int, p: int, d: int) -> Size:
    if is_number(size):
        return pooled(size, k, s, p, d, layer.ceil_mode)
    reach = d * (k - 1) + 1
    if layer.ceil_mode and s > 1 and s - 1 < reach - p:  # then the last window always starts before the end padding
        return ceil_div(size + 2 * p - reach, s) + 1
    if layer.ceil_mode and s > 1:
        raise CostError(f"{type(layer).__name__}: how many windows ceil_mode makes depends on the size: give it as a number")
    return positions(size, k, s, d, 2 * p)


def _shape(layer: Any, shape: Sizes) -> Sizes:
    check_clip(type(layer).__name__, shape, len(layer.kernel_size))
    return (*shape[:2], *(_pooled(layer, n, *axis) for n, *axis in zip(shape[2:], *layer.window, strict=True)))


def _windows(layer: Any, shape: Sizes, padding: str) -> list[Window]:
    outputs = output_shape(layer, shape)[2:]
    axes = zip(shape[2:], outputs, *layer.window, strict=True)
    return [Window(n, out, k, s, d, p, padding == "effective") for n, out, k, s, p, d in axes]


def _domains(layer: Any, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    return {"pool": Domain((*ranges(*shape[:2]), *_windows(layer, shape, padding)))}


def _clip(layer: Any, shape: Sizes, padding: str) -> Cost:
    axes = _windows(layer, shape, padding)
    seen, outputs = (shape[0] * shape[1] * product(sizes) for sizes in _sizes(axes))
    cost = reducing(layer, _domains(layer, shape, padding)["pool"].count(), seen, reads=numel(shape), writes=outputs)
    return cost if padding == "nominal" or isinstance(layer, MaxPool) else cost + Cost.of("pool", div=outputs - seen)


def _sizes(axes: list[Window]) -> tuple[list[Size], list[Size]]:
    return [axis.nonempty() for axis in axes], [axis.outputs for axis in axes]


def _step(layer: Any, shape: Sizes, padding: str) -> Steps:
    timing, lead = layer.timing, shape[0] * shape[1]
    if timing is None:
        raise NotStreamable(f"{type(layer).__name__}: with this ceil_mode a stream owes outputs that a clip has not")
    space, taps = _windows(layer, endless(layer, shape), padding)[1:], layer.kernel_size[0]
    terms, frame = (lead * product(sizes) for sizes in ([a.count() for a in space], [a.outputs for a in space]))
    enter = reducing(layer, terms, frame, reads=numel((*shape[:2], *shape[3:])), traffic=frame if taps > 1 else 0)
    entered = Cost({kind: _undivided(ops) for kind, ops in enter.items.items()})
    due = entered + reducing(layer, taps * frame, frame, writes=frame, traffic=(taps - 1) * frame)
    return Steps(tuple(due if (n - timing.delay) % timing.stride == 0 else entered for n in range(timing.stride)))


def _undivided(ops: Any) -> Any:
    """What is pooled over space is divided once, when the output is due."""
    from dataclasses import replace

    return replace(ops, div=0)


def _state(layer: Any, shape: Sizes) -> Size:
    space = output_shape(layer, endless(layer, shape))[3:]
    return layer.dilations[0] * (layer.kernel_size[0] - 1) * numel((*shape[:2], *space))


for _kind in POOLS:
    shape_formula.register(_kind, _shape)
    domains.register(_kind, _domains)
    clip_formula.register(_kind, _clip)
    step_formula.register(_kind, _step)
    state_formula.register(_kind, _state)


# -- global ------------------------------------------------------------------------------------------------------------


def _global_shape(layer: Any, shape: Sizes) -> Sizes:
    check_clip(type(layer).__name__, shape, layer.rank)
    return (*shape[:2], 1 if layer.window is None else shape[2] - layer.window + 1, *[1] * (layer.rank - 1))


def _global_clip(layer: Any, shape: Sizes, padding: str) -> Cost:
    lead, outputs = shape[0] * shape[1], numel(output_shape(layer, shape))
    frames, window = lead * shape[2], shape[2] if layer.window is None else layer.window
    means = reducing(layer, numel(shape), frames)
    return (
        Cost({kind: _undivided(ops) for kind, ops in means.items.items()})
        + reducing(layer, outputs * window, outputs)
        + Cost.of("pool", reads=numel(shape), writes=outputs)
    )


def _global_step(layer: Any, shape: Sizes, padding: str) -> Steps:
    """The frame over space, then with the N - 1 before it: nothing is subtracted, so nothing drifts."""
    window, frame = layer.window, shape[0] * shape[1]
    clip = _global_clip(layer, (*shape[:2], window, *shape[3:]), padding)
    others = (window - 1) * frame
    elements = numel((*shape[:2], *shape[3:]))
    pooled_before = reducing(layer, (window - 1) * elements, others)
    cost = clip + Cost({kind: _undivided(ops) for kind, ops in pooled_before.items.items()}) * -1
    return Steps((cost + Cost.of("pool", reads=-(window - 1) * elements, traffic=window * frame if window > 1 else 0),))


for _global in GLOBAL:
    shape_formula.register(_global, _global_shape)
    clip_formula.register(_global, _global_clip)
    step_formula.register(_global, _global_step)
    state_formula.register(_global, lambda layer, shape: (layer.window - 1) * shape[0] * shape[1])


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return pool.MaxPool((3, 3, 3), 2, 1), scale.video
