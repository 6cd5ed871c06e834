"""Decoder of learned queries (`reference/decoder.py`): Q queries, T tokens, E features, F hidden ones, C classes, D layers.

    each layer   4 Q E^2 + 2 Q^2 E  to themselves, 2 Q E^2 + 2 T E^2 + 2 Q T E  to the tokens, 2 Q E F  perceptron
    answers      (2 + Q) E C

"effective" leaves out what the causal mask of the queries hides. There is no step: every window is decoded anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coequal.proofs.cost.algebra.counts import Cost
from coequal.proofs.cost.algebra.domain import Domain, Pairs, ranges
from coequal.proofs.cost.algebra.symbols import numel
from coequal.proofs.cost.formulas.attention import attended, projections
from coequal.proofs.cost.formulas.dispatch import Sizes, clip_formula, domains, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import decoder
from coequal.reference.decoder import QueryDecoder
from coequal.reference.layer import Layer, Shape


@shape_formula.register
def _(layer: QueryDecoder, shape: Sizes) -> Sizes:
    return (shape[0], 1 + layer.queries, layer.classes)


def _met(layer: QueryDecoder, padding: str) -> Pairs:
    """Queries that see each other."""
    return Pairs(layer.queries, layer.queries, causal=True, effective=padding == "effective")


@domains.register
def _(layer: QueryDecoder, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    (batch, length, size), D, Q = shape, layer.num_layers, layer.queries
    heads, head = ranges(2, D, batch, layer.nhead), ranges(size // layer.nhead)  # 2: scores, weighted means
    return {
        "own projections": Domain(ranges(4, D, batch, Q, size, size)),
        "own products": Domain((*heads, _met(layer, padding), *head)),
        "queries and outputs": Domain(ranges(2, D, batch, Q, size, size)),
        "keys and values": Domain(ranges(2, D, batch, length, size, size)),
        "products": Domain((*heads, *ranges(Q, length), *head)),
        "perceptron": Domain(ranges(2, D, batch, Q, size, layer.dim_feedforward)),
        "answers": Domain(ranges(batch, 2 + Q, size, layer.classes)),
    }


@clip_formula.register
def _(layer: QueryDecoder, shape: Sizes, padding: str) -> Cost:
    batch, _, size = shape
    rows = (batch, layer.queries, size)
    mean = Cost.of("pool", add=batch * (layer.queries - 1) * size, div=batch * size, reads=numel(rows), writes=batch * size)
    return Cost.total(
        [
            _layer(layer, shape, padding) * layer.num_layers,
            clip_formula(layer.children["norm"], rows, padding),
            clip_formula(layer.children["head"], (batch, 1, 2 * size), padding),
            clip_formula(layer.children["foresee"], rows, padding),
            mean + Cost.of("move", weights=layer.queries * size),
        ]
    )


def _layer(layer: QueryDecoder, shape: Sizes, padding: str) -> Cost:
    """Two attentions, a perceptron, three norms, three sums."""
    batch, length, size = shape
    children, queries = layer.children, layer.queries
    rows, hidden = (batch, queries, size), (batch, queries, layer.dim_feedforward)
    seen = _met(layer, padding).count()
    attention: Any = children["layers.0.self_attn"]
    parts = {"linear1": rows, "activation": hidden, "linear2": hidden, "norm1": rows, "norm2": rows, "norm3": rows}
    inside = [clip_formula(children[f"layers.0.{name}"], inner, padding) for name, inner in parts.items()]
    masked = batch * layer.nhead * seen * int(padding == "nominal")
    return Cost.total(
        [
            projections(attention, batch * queries, batch * queries) + attended(attention, batch, queries, seen),
            projections(attention, batch * queries, batch * length) + attended(attention, batch, queries, queries * length),
            Cost.of("mask", add=masked),
            Cost.of("projection", reads=2 * numel(rows) + batch * length * size, writes=2 * numel(rows)),
            Cost.of("residual", add=3 * numel(rows), reads=6 * numel(rows), writes=3 * numel(rows)),
            *inside,
        ]
    )


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return decoder.QueryDecoder(scale.width, max(1, scale.heads // 2), scale.width, 5, 8, 22), scale.sequence
