"""A network taken apart: every operator of a layer tree, with the shapes of what goes in and what comes out.

Papers count operator by operator, and differ in which operators they count. In step mode the shapes are those of one frame
(its time axis has length 1): what runs when every layer of the tree runs once. `rate` is how often that is: layers after a
stride `S` in time run in one step of `S`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from coequal.proofs.cost.formulas.dispatch import parts
from coequal.reference.compose import Parallel, Residual, Sequential
from coequal.reference.layer import Layer, Shape
from coequal.reference.multiview import MultiviewEncoder
from coequal.reference.pathways import Pathways, joined_shape
from coequal.reference.pooling_attention import PoolingEncoder
from coequal.reference.tokens import Tokens, joined, split


@dataclass(frozen=True)
class Leaf:
    """One operator at work; `inputs` and `outputs` are shapes, `path` its place in the tree."""

    path: str
    layer: Layer
    inputs: Shape
    outputs: Shape
    rate: Fraction = Fraction(1)


@dataclass(frozen=True)
class Walk:
    """Where in the tree we are: shape, how often it runs, and whether shapes are those of one frame."""

    shape: Shape
    step: bool = False
    rate: Fraction = Fraction(1)

    def through(self, layer: Layer) -> Walk:
        """After one operator."""
        time = layer.time
        if not self.step or time is None:
            return Walk(layer.output_shape(self.shape), self.step, self.rate)
        if layer.timing is None:
            raise ValueError(f"{type(layer).__name__}: needs the whole clip, so it has no step")
        window = int(min(layer.timing.receptive_field, 10**6))
        outputs = layer.output_shape((*self.shape[:time], window, *self.shape[time + 1 :]))
        return Walk((*outputs[:time], 1, *outputs[time + 1 :]), True, self.rate / layer.timing.stride)


def leaves(layer: Layer, shape: Shape, *, step: bool = False) -> Iterator[Leaf]:
    """Every operator of a tree for a clip of `shape`, or for one frame of it (`step`), in the order of execution."""
    found: list[Leaf] = []
    _take_apart(layer, "", Walk(tuple(shape), step), found)
    yield from found


@functools.singledispatch
def _take_apart(layer: Layer, path: str, walk: Walk, found: list[Leaf]) -> Walk:
    after = walk.through(layer)
    found.append(Leaf(path, layer, walk.shape, after.shape, after.rate))
    return after


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


@_take_apart.register
def _(layer: Sequential, path: str, walk: Walk, found: list[Leaf]) -> Walk:
    for i, child in enumerate(layer.layers):
        walk = _take_apart(child, _at(path, str(i)), walk, found)
    return walk


@_take_apart.register(Residual)
@_take_apart.register(Parallel)
def _(layer: Residual | Parallel, path: str, walk: Walk, found: list[Leaf]) -> Walk:
    ends = {name: _take_apart(child, _at(path, name), walk, found) for name, child in layer.branches.items()}
    combined = layer._combined({name: end.shape for name, end in ends.items()})
    return Walk(combined, walk.step, min(end.rate for end in ends.values()))


@_take_apart.register
def _(layer: Pathways, path: str, walk: Walk, found: list[Leaf]) -> Walk:
    stages = {"select": layer.select, **layer.children}

    def join(a: Walk, b: Walk) -> Walk:
        return Walk(joined_shape(a.shape, b.shape), walk.step, walk.rate)

    return layer.run(lambda name, w: _take_apart(stages[name], _at(path, name), w, found), join, walk)


@_take_apart.register
def _(layer: Tokens, path: str, walk: Walk, found: list[Leaf]) -> Walk:
    """Over space the inner layer sees whole sequences, whatever the mode."""
    if walk.step and layer.timing is None:
        raise ValueError("Tokens: needs the whole clip, so it has no step")
    inside = Walk(split(layer.over, walk.shape), walk.step and layer.over == "time", walk.rate)
    after = _take_apart(layer.inner, _at(path, "inner"), inside, found)
    return Walk(joined(layer.over, walk.shape, after.shape), walk.step, after.rate)


@_take_apart.register(MultiviewEncoder)
@_take_apart.register(PoolingEncoder)
def _(layer: PoolingEncoder | MultiviewEncoder, path: str, walk: Walk, found: list[Leaf]) -> Walk:
    """The layers inside, and itself for the products of attention that none of them does."""
    after = walk.through(layer)
    found.append(Leaf(path, layer, walk.shape, after.shape, after.rate))
    for part in parts(layer, walk.shape):
        found.append(Leaf(_at(path, part.name), part.layer, part.shape, part.layer.output_shape(part.shape), walk.rate))
    return after
