"""Attention inside clips (`reference/clip_attention.py`), of M tokens in rows of N, C features, A heads: multiply-adds

    projections   3 M C^2 + M C^2
    products      2 M N C            scores, then sums of values
    softmax       A M rows of N
    mask          A M N additions in a clip, where there is a window

Over space M = T P and N = P, over time M = T P and N = T, for P positions of a frame. With a window of W frames a step has
M = P and N = W, and keeps keys and values of the W - 1 frames before.
"""

from __future__ import annotations

from collections.abc import Mapping

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.domain import Domain, ranges
from coequal.proofs.cost.algebra.symbols import product
from coequal.proofs.cost.formulas import softmax
from coequal.proofs.cost.formulas.dispatch import (
    NotStreamable,
    Sizes,
    Steps,
    clip_formula,
    domains,
    shape_formula,
    state_formula,
    step_formula,
)
from coequal.proofs.cost.formulas.linear import product_cost
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import clip_attention
from coequal.reference.clip_attention import ClipAttention
from coequal.reference.layer import Layer, Shape


@shape_formula.register
def _(layer: ClipAttention, shape: Sizes) -> Sizes:
    return shape


def attending(layer: ClipAttention, tokens: Size, seen: Size) -> Cost:
    """`tokens` queries, each to `seen` keys."""
    size, pairs = layer.channels, tokens * seen
    products = Cost.of("attention", mul=2 * pairs * size, add=pairs * (size - layer.heads) + tokens * size * (seen - 1))
    scaling = Cost.of("scale", mul=pairs * layer.heads)
    weights = softmax.rows("attention softmax", pairs * layer.heads, tokens * layer.heads)
    inputs = product_cost("projection", tokens, size, 3 * size, True)
    outputs = product_cost("projection", tokens, size, size, True)
    return Cost.total([inputs, products, scaling, weights, outputs, Cost.of("attention", reads=tokens * size)])


def pairs(layer: ClipAttention, shape: Sizes) -> tuple[Size, Size]:
    """Tokens of a clip, and how many each of them sees."""
    positions = product(shape[3:])
    return shape[0] * shape[2] * positions, positions if layer.over == "space" else shape[2]


@domains.register
def _(layer: ClipAttention, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    size, (tokens, seen) = layer.channels, pairs(layer, shape)
    heads = Domain(ranges(tokens, layer.heads, seen, size // layer.heads))
    return {
        "projection": Domain(ranges(tokens, 3 * size, size)),
        "q k": heads,
        "weights v": heads,
        "output": Domain(ranges(tokens, size, size)),
    }


@clip_formula.register
def _(layer: ClipAttention, shape: Sizes, padding: str) -> Cost:
    tokens, seen = pairs(layer, shape)
    masked = tokens * seen * layer.heads if layer.window is not None else 0
    return attending(layer, tokens, seen) + Cost.of("mask", add=masked)


@step_formula.register
def _(layer: ClipAttention, shape: Sizes, padding: str) -> Steps:
    positions = product(shape[3:])
    if layer.over == "space":
        return Steps((attending(layer, shape[0] * positions, positions),))
    if layer.window is None:
        raise NotStreamable("ClipAttention: over the whole clip a step has no cost; give it a window")
    kept = 2 * shape[0] * positions * layer.channels
    return Steps((attending(layer, shape[0] * positions, layer.window) + Cost.of("attention", traffic=layer.window * kept),))


@state_formula.register
def _(layer: ClipAttention, shape: Sizes) -> Size:
    return 2 * ((layer.window or 1) - 1) * shape[0] * product(shape[3:]) * layer.channels


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    shape = (1, scale.width, scale.frames, 2, 2)
    return clip_attention.ClipAttention(scale.width, scale.heads, "time", max(1, scale.frames // 2)), shape
