"""Two pathways (`reference/pathways.py`): the costs of their stages add; selecting frames and joining channels only moves.

There is no step: which frames the slow pathway sees depends on the window. In letters, T is a multiple of alpha: the slow
pathway has `floor(T / alpha)` frames and what joins it usually `ceil(T / alpha)`, so other clips do not fit.
"""

from __future__ import annotations

from coequal.proofs.cost.algebra.counts import Cost, CostError
from coequal.proofs.cost.algebra.symbols import ceil_div, floor_div, is_number, numel, same
from coequal.proofs.cost.formulas.dispatch import Part, Sizes, clip_formula, output_shape, parts, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import pathways
from coequal.reference.layer import Layer, Shape
from coequal.reference.pathways import Pathways, SelectFrames


@shape_formula.register
def _(layer: SelectFrames, shape: Sizes) -> Sizes:
    return (*shape[:2], floor_div(shape[2], layer.alpha), *shape[3:])


@clip_formula.register
def _(layer: SelectFrames, shape: Sizes, padding: str) -> Cost:
    size = numel(output_shape(layer, shape))
    return Cost.of("move", reads=size, writes=size)


def _walk(layer: Pathways, shape: Sizes) -> tuple[list[Part], list[Sizes], Sizes]:
    """The stages with the clips that they get, the shapes where channels are joined, the shape of the output."""
    stages: dict[str, Layer] = {"select": layer.select, **layer.children}
    found: list[Part] = []
    joints: list[Sizes] = []

    def stage(name: str, before: Sizes) -> Sizes:
        found.append(Part(name, stages[name], before))
        if name == "select" and not is_number(before[2]):
            return (*before[:2], ceil_div(before[2], layer.alpha), *before[3:])
        return output_shape(stages[name], before)

    def join(a: Sizes, b: Sizes) -> Sizes:
        if not all(same(m, n) for m, n in zip((a[0], *a[2:]), (b[0], *b[2:]), strict=True)):
            raise CostError(f"Pathways: the pathways may differ in channels only where they meet, got {a} and {b}")
        joints.append((a[0], a[1] + b[1], *a[2:]))
        return joints[-1]

    return found, joints, layer.run(stage, join, shape)


@parts.register
def _(layer: Pathways, shape: Sizes) -> list[Part]:
    return _walk(layer, shape)[0]


@shape_formula.register
def _(layer: Pathways, shape: Sizes) -> Sizes:
    return _walk(layer, shape)[2]


@clip_formula.register
def _(layer: Pathways, shape: Sizes, padding: str) -> Cost:
    found, joints, _ = _walk(layer, shape)
    moved = sum(map(numel, joints))
    inside = Cost.total(clip_formula(part.layer, part.shape, padding) for part in found)
    return inside + Cost.of("move", reads=moved, writes=moved)


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return pathways.SelectFrames(4), scale.video
