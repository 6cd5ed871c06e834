"""Attention of given queries, keys and values (`reference/qkv_attention.py`) of T tokens, A heads, E features:

clip    2 T^2 E for both products, A T rows of softmax of T each
step    causal: 2 t E over the t tokens so far, whose keys and values are kept
"""

from __future__ import annotations

from collections.abc import Mapping

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.domain import Domain, Pairs, ranges
from coequal.proofs.cost.formulas.attention import attended
from coequal.proofs.cost.formulas.dispatch import (
    Sizes,
    Steps,
    clip_formula,
    domains,
    shape_formula,
    state_formula,
    step_formula,
)
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import qkv_attention
from coequal.reference.attention import MultiheadAttention
from coequal.reference.layer import Layer, Shape
from coequal.reference.qkv_attention import QKVAttention


@shape_formula.register
def _(layer: QKVAttention, shape: Sizes) -> Sizes:
    layer.output_shape((1, 1, shape[2]))
    return (shape[0], shape[1], layer.embed_dim)


def _met(layer: QKVAttention, length: Size, padding: str) -> Pairs:
    """Queries and keys that meet."""
    return Pairs(length, length, layer.mode == "causal", None, padding == "effective")


def _heads(layer: QKVAttention) -> MultiheadAttention:
    """The same heads with projections, whose products they share."""
    return MultiheadAttention(layer.embed_dim, layer.num_heads)


@domains.register
def _(layer: QKVAttention, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    batch, length, _ = shape
    size = layer.embed_dim // layer.num_heads
    heads = Domain((*ranges(batch, layer.num_heads), _met(layer, length, padding), *ranges(size)))
    return {"q k": heads, "weights v": heads}


@clip_formula.register
def _(layer: QKVAttention, shape: Sizes, padding: str) -> Cost:
    batch, length, _ = shape
    met = _met(layer, length, padding).count()
    masked = int(layer.mode == "causal" and padding == "nominal")
    size = batch * length * layer.embed_dim
    return (
        attended(_heads(layer), batch, length, met)
        + Cost.of("mask", add=batch * layer.num_heads * met * masked)
        + Cost.of("attention", reads=3 * size, writes=size)
    )


@step_formula.register
def _(layer: QKVAttention, shape: Sizes, padding: str) -> Steps:
    batch, length, _ = shape
    size = batch * layer.embed_dim
    moved = Cost.of("attention", reads=3 * size, writes=size, traffic=2 * length * size)
    return Steps((attended(_heads(layer), batch, 1, length) + moved,))


@state_formula.register
def _(layer: QKVAttention, shape: Sizes) -> Size:
    return 2 * shape[0] * (shape[1] - 1) * layer.embed_dim


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return qkv_attention.QKVAttention(scale.width, scale.heads), (1, scale.tokens, 3 * scale.width)
