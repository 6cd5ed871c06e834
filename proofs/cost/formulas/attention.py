"""Attention (`reference/attention.py`) of L queries to S keys, A heads, E features: multiply-adds

    projections   L E^2 + 2 S E^2 + L E^2        queries; keys and values; outputs
    products      2 L S E                        q . k, then weights times values, all heads together
    softmax       A L rows of S

so a clip of T tokens costs `4 T E^2 + 2 T^2 E`. "effective" takes the pairs that the mask lets pass instead of L S.
A step projects one token, `3 E^2`, and then

    causal        E^2 + 2 t E             its query over the t tokens so far
    sliding       E^2 + 2 N E             over the last N ("single": the same, for the newest token alone)
    full, N       N E^2 + (6 N - 4) E     retroactive: all N rows, by adding the new key and subtracting the leaving one

Retroactive attention of a step, per head of d = E / A features: with old key and value (k_o, v_o) and new (q, k, v),
`exp(Q k_o)`, `exp(Q k)` over N - 1 rows, `exp(q K)` over N keys; numerators minus the one, plus the other, each (N - 1) d;
the new row N d. Together `4 (N - 1) d + 2 N d`; its rows are divided by their denominators, N d divisions.

Of a window that is new at every step, the newest row alone needs no keys and values: with `u = Wk^T q` the scores are
`u . x_j`, and `sum_j p_j Wv x_j = Wv sum_j p_j x_j`. That is `4 E^2 + 2 A N E` instead of `2 E^2 + 2 N E^2 + 2 N E`
(`newest_row`); the last of stacked layers does the less of the two.
Sources: Vaswani et al., NeurIPS 2017, equation 1; Hedegaard, Bakhtiarnia & Iosifidis, "Continual Transformers", ICLR 2023,
sections 3.2 and 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.domain import Domain, Pairs, ranges
from coequal.proofs.cost.algebra.symbols import is_number
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
from coequal.reference import attention
from coequal.reference.attention import MultiheadAttention
from coequal.reference.layer import Layer, Shape


@shape_formula.register
def _(layer: MultiheadAttention, shape: Sizes) -> Sizes:
    layer.output_shape(tuple(size if is_number(size) else 1 for size in shape))
    return (shape[0], returned(layer, shape[1]), shape[2])


def returned(layer: MultiheadAttention, length: Size) -> Size:
    """Tokens that come out of a clip; a letter is taken to be at least a window long."""
    if layer.mode != "single":
        return length
    if layer.window is None:
        return min(length, 1) if is_number(length) else 1
    return max(0, length - layer.window + 1) if is_number(length) else length - layer.window + 1


def pairs(layer: MultiheadAttention, length: Size, padding: str) -> Pairs:
    """Queries and keys that meet."""
    window = {"sliding": layer.window, "single": layer.window or length}.get(layer.mode)
    return Pairs(returned(layer, length), length, layer.mode == "causal", window, padding == "effective")


@domains.register
def _(layer: MultiheadAttention, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    batch, length, size = shape
    queries, met = returned(layer, length), pairs(layer, length, padding)
    heads = (*ranges(batch, layer.num_heads), met, *ranges(size // layer.num_heads))
    return {
        "query": Domain(ranges(batch, queries, size, size)),
        "key and value": Domain(ranges(2, batch, length, size, size)),
        "q k": Domain(heads),
        "weights v": Domain(heads),
        "output": Domain(ranges(batch, queries, size, size)),
    }


@clip_formula.register
def _(layer: MultiheadAttention, shape: Sizes, padding: str) -> Cost:
    batch, length, size = shape
    queries, met = returned(layer, length), pairs(layer, length, padding).count()
    masked = int(layer.mode != "full" and padding == "nominal")
    return (
        projections(layer, batch * queries, batch * length)
        + attended(layer, batch, queries, met)
        + Cost.of("mask", add=batch * layer.num_heads * met * masked)
        + Cost.of("projection", reads=batch * length * size, writes=batch * queries * size)
    )


def projections(layer: MultiheadAttention, queries: Size, keys: Size) -> Cost:
    """Of so many tokens to queries and outputs, and to keys and values."""
    size = layer.embed_dim
    inwards = (product_cost("projection", tokens, size, size, layer.bias) for tokens in (queries, keys, keys))
    return Cost.total([*inwards, product_cost("projection", queries, size, size, layer.biased_out)])


def attended(layer: MultiheadAttention, batch: Size, queries: Size, met: Size) -> Cost:
    """Scores, softmax and weighted means of `met` pairs of query and key for each head."""
    rows, scores = batch * layer.num_heads * queries, batch * layer.num_heads * met
    size = layer.embed_dim // layer.num_heads
    return (
        Cost.of("attention", mul=2 * scores * size, add=scores * (size - 1) + (scores - rows) * size)
        + Cost.of("scale", mul=scores)
        + softmax.rows("attention softmax", scores, rows)
    )


def newest_row(layer: MultiheadAttention, shape: Sizes) -> Cost:
    """The last row of a whole window `(B, N, E)`, without projecting its keys and values."""
    batch, window, size = shape
    heads = batch * layer.num_heads
    query, value = (product_cost("projection", batch, size, size, layer.bias) for _ in range(2))
    key = Cost.of("projection", mul=batch * size * size, add=(batch * size - heads) * size, weights=size * size)
    sums = heads * window * (size - 1) + heads * size * (window - 1)
    return Cost.total(
        [
            *(query, key, value, product_cost("projection", batch, size, size, layer.biased_out)),
            Cost.of("attention", mul=2 * heads * window * size, add=sums),
            Cost.of("scale", mul=batch * size),
            softmax.rows("attention softmax", heads * window, heads),
            Cost.of("projection", reads=batch * window * size, writes=batch * size),
        ]
    )


@step_formula.register
def _(layer: MultiheadAttention, shape: Sizes, padding: str) -> Steps:
    batch, length, size = shape
    if layer.mode == "full":
        moved = Cost.of("projection", reads=batch * size, writes=batch * _window(layer) * size)
        return Steps((retroactive(layer, batch) + moved,))
    moved = Cost.of("projection", reads=batch * size, writes=batch * size)
    seen = length if layer.mode == "causal" else _window(layer)
    cache = Cost.of("attention", traffic=2 * batch * seen * size)  # one key and value written, seen - 1 read
    return Steps((projections(layer, batch, batch) + attended(layer, batch, 1, seen) + moved + cache,))


def _window(layer: MultiheadAttention) -> int:
    if layer.window is None:
        raise NotStreamable(f"MultiheadAttention: mode {layer.mode!r} without a window needs the whole clip; give a window")
    return layer.window


def retroactive(layer: MultiheadAttention, batch: Size) -> Cost:
    """All of the last N rows, from what they were a step ago."""
    N, size, heads = _window(layer), layer.embed_dim, batch * layer.num_heads
    head, older = size // layer.num_heads, N - 1
    project = Cost.total(product_cost("projection", batch, size, size, layer.bias) for _ in range(3))
    outputs = product_cost("projection", batch * N, size, size, layer.biased_out)
    scores, rows = 2 * older + N, older + 1
    products = Cost.of("attention", mul=heads * (4 * older + 2 * N) * head, traffic=heads * (4 * N * head + 2 * N))
    sums = heads * (scores * (head - 1) + 2 * older * (head + 1) + (N - 1) * (head + 1))
    rest = Cost.of("scale", mul=heads * head) + Cost.of("attention softmax", exp=heads * scores, div=heads * rows * head)
    return project + outputs + products + Cost.of("attention", add=sums) + rest


@state_formula.register
def _(layer: MultiheadAttention, shape: Sizes) -> Size:
    """Keys and values seen; retroactive also queries, numerators and denominators."""
    batch, length, size = shape
    if layer.mode == "causal":
        return 2 * batch * (length - 1) * size
    others = batch * (_window(layer) - 1)
    return others * (4 * size + layer.num_heads) if layer.mode == "full" else others * 2 * size


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return attention.MultiheadAttention(scale.width, scale.heads, mode="single", window=scale.tokens), scale.sequence
