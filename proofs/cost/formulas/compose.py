"""Layers made of layers (`reference/compose.py`): costs add; side by side, the sum or product of the branches comes on top.

In a stream a layer gets a frame whenever the layer before emits one. With `J` the product of the strides before it and `D`
their delay, it is fed its frame number n in step `D + n J`; so the work of a step depends on `t mod P`, where P is the
product of the strides, and so does what a step costs. Branches wait for the one with the largest delay: that many of their
output frames are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coequal.proofs.cost.algebra.counts import Cost, CostError, Size
from coequal.proofs.cost.algebra.symbols import broadcast, lcm, numel, same
from coequal.proofs.cost.formulas.dispatch import (
    Part,
    Sizes,
    Steps,
    after,
    clip_formula,
    output_shape,
    parts,
    shape_formula,
    state_formula,
    step_formula,
    time_axis,
)
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import compose, conv
from coequal.reference.compose import Identity, Parallel, Residual, Sequential
from coequal.reference.layer import Layer, Shape
from coequal.reference.timing import Timing

SideBySide = Parallel | Residual


@shape_formula.register
def _(layer: Identity, shape: Sizes) -> Sizes:
    return shape


@clip_formula.register
def _(layer: Identity, shape: Sizes, padding: str) -> Cost:
    return Cost.of("move")  # nothing happens, nothing is moved


# -- one after the other -----------------------------------------------------------------------------------------------


def _once(ask: Callable[..., Any]) -> Callable[..., Any]:
    """The same question of the same layer and shape is asked once: a block is often many times in a network."""
    known: dict[tuple[Any, ...], Any] = {}

    def asked(layer: Layer, *others: Any) -> Any:
        if (key := (id(layer), *others)) not in known:
            known[key] = ask(layer, *others)
        return known[key]

    return asked


@parts.register
def _(layer: Sequential, shape: Sizes) -> list[Part]:
    found, shaped = [], _once(output_shape)
    for i, child in enumerate(layer.layers):
        found.append(Part(str(i), child, shape))
        shape = shaped(child, shape)
    return found


@shape_formula.register
def _(layer: Sequential, shape: Sizes) -> Sizes:
    for child in layer.layers:
        shape = output_shape(child, shape)
    return shape


@clip_formula.register
def _(layer: Sequential, shape: Sizes, padding: str) -> Cost:
    counted = _once(clip_formula)
    return Cost.total(counted(part.layer, part.shape, padding) for part in parts(layer, shape))


@step_formula.register
def _(layer: Sequential, shape: Sizes, padding: str) -> Steps:
    before, fed, counted, shaped = Timing(), [], _once(step_formula), _once(after)
    for child in layer.layers:
        fed.append((before, counted(child, shape, padding)))
        before, shape = before.then(child.timing), shaped(child, shape)  # type: ignore[arg-type]
    period = lcm(1, *(timing.stride * steps.period for timing, steps in fed))
    return Steps(tuple(Cost.total(_in_step(t, *one) for one in fed) for t in range(period)))


def _in_step(t: int, before: Timing, steps: Steps) -> Cost:
    """What a layer costs in step t, given the timing of all layers before it."""
    n, late = divmod(t - before.delay, before.stride)
    return Cost({}) if late else steps.phases[n % steps.period]


@state_formula.register
def _(layer: Sequential, shape: Sizes) -> Size:
    total, counted, shaped = 0, _once(state_formula), _once(after)
    for child in layer.layers:
        total += counted(child, shape)
        shape = shaped(child, shape)
    return total


# -- side by side ------------------------------------------------------------------------------------------------------


def _parts(layer: SideBySide, shape: Sizes) -> list[Part]:
    return [Part(name, child, shape) for name, child in layer.branches.items()]


def _combined(layer: SideBySide, shapes: list[Sizes]) -> Sizes:
    """As the layer does, for letters."""
    first, *others = shapes
    axis = len(first) - 1 if layer.time == 1 else 1
    if layer.reduce == "affine":
        others = [(*shape[:axis], first[axis], *shape[axis + 1 :]) for shape in others]
    if layer.reduce == "concatenate":
        return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])
    for other in others:
        for letter, a, b in zip("BCTHW", first, other, strict=False):
            if not (same(a, b) or 1 in (a, b)):
                name = type(layer).__name__
                raise CostError(f"{name}: axis {letter} of the branches differs, {a} and {b}: pad the shorter")
        first = broadcast(first, other)
    return first


def _shape(layer: SideBySide, shape: Sizes) -> Sizes:
    return _combined(layer, [output_shape(child, shape) for child in layer.branches.values()])


def _joined(layer: SideBySide, shapes: list[Sizes]) -> Cost:
    """One addition or multiplication (or both) for each element of each branch but the first; concatenation only moves."""
    if layer.reduce == "concatenate":
        size = sum(map(numel, shapes))
        return Cost.of("move", reads=size, writes=size)
    if layer.reduce == "affine":
        size = numel(_combined(layer, shapes))
        return Cost.of("gate", mul=size, add=size, reads=sum(map(numel, shapes)), writes=size)
    cost, total = Cost({}), shapes[0]
    kind, operation = ("residual", "add") if layer.reduce == "sum" else ("gate", "mul")
    for shape in shapes[1:]:
        reads, total = numel(total) + numel(shape), broadcast(total, shape)
        cost += Cost.of(kind, **{operation: numel(total)}, reads=reads, writes=numel(total))
    return cost


def _clip(layer: SideBySide, shape: Sizes, padding: str) -> Cost:
    inside = [clip_formula(part.layer, part.shape, padding) for part in parts(layer, shape)]
    return Cost.total(inside) + _joined(layer, [output_shape(child, shape) for child in layer.branches.values()])


def _step(layer: SideBySide, shape: Sizes, padding: str) -> Steps:
    branches = list(layer.branches.values())
    total = Steps((Cost({}),))
    for child in branches:
        total += step_formula(child, shape, padding)
    frames = [_one(layer, after(child, shape)) for child in branches]
    timing: Timing = layer.timing  # type: ignore[assignment]
    joined, nothing = _joined(layer, frames), Cost({})
    due = ((t - timing.delay) % timing.stride == 0 for t in range(timing.stride))
    return total + Steps(tuple(joined if emits else nothing for emits in due))


def _one(layer: SideBySide, shape: Sizes) -> Sizes:
    time = min(time_axis(layer), len(shape) - 1)
    return (*shape[:time], 1, *shape[time + 1 :])


def _state(layer: SideBySide, shape: Sizes) -> Size:
    timing: Timing = layer.timing  # type: ignore[assignment]
    total: Size = 0
    for child in layer.branches.values():
        waiting = -(-(timing.delay - child.timing.delay) // timing.stride)  # type: ignore[union-attr]
        total += state_formula(child, shape) + waiting * numel(_one(layer, after(child, shape)))
    return total


for _kind in (Parallel, Residual):
    shape_formula.register(_kind, _shape)
    parts.register(_kind, _parts)
    clip_formula.register(_kind, _clip)
    step_formula.register(_kind, _step)
    state_formula.register(_kind, _state)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return compose.Residual(conv.Conv(scale.channels, scale.channels, (3, 3, 3), padding=1)), scale.video
