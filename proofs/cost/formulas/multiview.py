"""Views of a clip (`reference/multiview.py`): tubelets, blocks group by group, attention of a view to the next finer one.

    cross    2 L E^2 + 2 S E E' + 2 L S E      of L queries of E features to S keys of E'

There is no step: a class token is learned for each place in the clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.domain import Domain, ranges
from coequal.proofs.cost.algebra.symbols import floor_div, numel, product
from coequal.proofs.cost.formulas.attention import attended
from coequal.proofs.cost.formulas.dispatch import Part, Sizes, clip_formula, domains, output_shape, parts, shape_formula
from coequal.proofs.cost.formulas.linear import product_cost
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import multiview
from coequal.reference.attention import MultiheadAttention
from coequal.reference.layer import Layer, Shape
from coequal.reference.multiview import MultiviewEncoder, View


@shape_formula.register
def _(layer: MultiviewEncoder, shape: Sizes) -> Sizes:
    return (shape[0], sum(view.embed_dim for view in layer.views), floor_div(shape[2], layer.views[-1].tubelet))


def tokens(layer: MultiviewEncoder, shape: Sizes) -> list[Sizes]:
    """Of each view: groups, tokens of a group, features."""
    groups = shape[0] * floor_div(shape[2], layer.group)
    found = []
    for view in layer.views:
        grid = output_shape(view.embedding(layer.in_channels), shape)
        found.append((groups, layer.group // view.tubelet * (1 + product(grid[3:])), view.embed_dim))
    return found


@parts.register
def _(layer: MultiviewEncoder, shape: Sizes) -> list[Part]:
    """All but attention between views, which no layer of one clip does."""
    given, found = tokens(layer, shape), []
    for name, child in layer.children.items():
        if not isinstance(child, MultiheadAttention):
            view = int(name.rpartition("view")[2])
            found.append(Part(name, child, shape if name.startswith("embedding") else given[view]))
    return found


def fusions(layer: MultiviewEncoder) -> int:
    """How many layers fuse."""
    return sum(depth in layer.fusion for depth in range(layer.num_layers))


def crossed(layer: MultiviewEncoder, shape: Sizes) -> Cost:
    """Attention between views, in all fusion layers."""
    given, total = tokens(layer, shape), Cost({})
    for i in layer.asked:
        attention: MultiheadAttention = layer.cross(i)
        (groups, queries, size), (_, keys, other) = given[i - 1], given[i]
        maps = [
            product_cost("projection", groups * queries, size, size, True),
            *[product_cost("projection", groups * keys, other, size, True)] * 2,
            product_cost("projection", groups * queries, size, size, True),
        ]
        moved = Cost.of("projection", reads=groups * (queries * size + keys * other), writes=groups * queries * size)
        added = Cost.of("residual", add=groups * queries * size)
        total += Cost.total([*maps, attended(attention, groups, queries, queries * keys), moved, added])
    return total * fusions(layer)


@domains.register
def _(layer: MultiviewEncoder, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    """Those of attention between views; of layers inside they are theirs."""
    given, found, times = tokens(layer, shape), dict[str, Domain](), fusions(layer)
    for i in layer.asked:
        (groups, queries, size), (_, keys, other), heads = given[i - 1], given[i], layer.cross(i).num_heads
        met = Domain(ranges(times, groups, heads, queries, keys, floor_div(size, heads)))
        found |= {
            f"{i} query and output": Domain(ranges(times, 2, groups, queries, size, size)),
            f"{i} key and value": Domain(ranges(times, 2, groups, keys, other, size)),
            **{f"{i} q k": met, f"{i} weights v": met},
        }
    return found


@clip_formula.register
def _(layer: MultiviewEncoder, shape: Sizes, padding: str) -> Cost:
    positions = sum(map(numel, tokens(layer, shape)))
    inside = [clip_formula(part.layer, part.shape, padding) for part in parts(layer, shape)]
    return Cost.total(
        [*inside, crossed(layer, shape), Cost.of("position", add=positions, reads=positions, writes=positions)]
    )


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    width, side = scale.heads * 4, max(2, scale.side // 8)
    views: Any = (View(width, scale.heads, 2 * width, 2, 1), View(2 * width, scale.heads, 2 * width, 1, 1))
    frames: Size = max(2, scale.frames // 2 * 2)
    layer = multiview.MultiviewEncoder(views, 2, (1,), frames, side**2, scale.channels)
    return layer, (1, scale.channels, frames, side, side)
