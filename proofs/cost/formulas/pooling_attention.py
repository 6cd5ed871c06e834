"""Pooling attention (`reference/pooling_attention.py`) of N queries and M keys, A heads of d features, of N' tokens before:

    maps        those of its linear maps and convolutions
    products    2 A N M d
    relative    A (N - 1) (T' + H' + W') d, of a grid T' H' W' of keys; and sums: A (N - 1) T' H' of times and rows,
                A (N - 1) (M - 1) with columns, A N M with the scores

There is no step: every token sees the whole clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.domain import Domain, ranges
from coequal.proofs.cost.algebra.symbols import numel, product
from coequal.proofs.cost.formulas import softmax
from coequal.proofs.cost.formulas.dispatch import Part, Sizes, clip_formula, domains, output_shape, parts, shape_formula
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import pooling_attention
from coequal.reference.layer import Layer, Shape
from coequal.reference.pooling_attention import PoolingBlock, PoolingEncoder


@shape_formula.register
def _(layer: PoolingEncoder, shape: Sizes) -> Sizes:
    return (shape[0], layer.blocks[-1].out_features, 1)


def pooled(block: PoolingBlock, name: str, grid: Sizes) -> Sizes:
    """Of one of its parts, `q` or `k`."""
    pool: Any = block.children.get(f"attn.pool_{name}")
    return grid if pool is None else output_shape(pool, (1, block.size, *grid))[2:]


def _of_block(block: PoolingBlock, batch: Size, grid: Sizes) -> list[Part]:
    """The layers of a block with the clips that they get."""
    tokens, after = 1 + product(grid), 1 + product(pooled(block, "q", grid))
    inner, children = block.inner, block.children
    shapes: dict[str, Sizes] = {
        "norm1": (batch, tokens, block.in_features),
        "attn.qkv": (batch, tokens, block.in_features),
        "attn.proj": (batch, after, inner),
        "norm2": (batch, after, inner),
        "mlp.fc1": (batch, after, inner),
        "mlp.act": (batch, after, 4 * inner),
        "mlp.fc2": (batch, after, 4 * inner),
        "proj": (batch, tokens if block.improved else after, block.in_features),
        "pool_skip": (batch, inner, *grid),
    }
    heads = batch * block.num_heads
    for name, _, _ in block.pools:
        shapes[f"attn.pool_{name}"] = (heads, block.size, *grid)
        shapes[f"attn.norm_{name}"] = (heads, 1 + product(pooled(block, name, grid)), block.size)
    return [Part(name, child, shapes[name]) for name, child in children.items()]


def walk(layer: PoolingEncoder, shape: Sizes) -> list[tuple[str, PoolingBlock, Sizes]]:
    """The blocks with the grids that they get."""
    found, grid = [], tuple(shape[2:])
    for i, block in enumerate(layer.blocks):
        found.append((f"blocks.{i}", block, grid))
        grid = pooled(block, "q", grid)
    return found


@parts.register
def _(layer: PoolingEncoder, shape: Sizes) -> list[Part]:
    found = [
        Part(f"{path}.{part.name}", part.layer, part.shape)
        for path, block, grid in walk(layer, shape)
        for part in _of_block(block, shape[0], grid)
    ]
    _, last, grid = walk(layer, shape)[-1]
    return [*found, Part("norm", layer.norm, (shape[0], 1 + product(pooled(last, "q", grid)), last.out_features))]


def attention(block: PoolingBlock, batch: Size, grid: Sizes) -> Cost:
    """Both products, softmax, relative positions, sums of shortcuts: what no layer inside does."""
    queries, keys = pooled(block, "q", grid), pooled(block, "k", grid)
    N, M, heads = 1 + product(queries), 1 + product(keys), batch * block.num_heads
    pairs, size = heads * N * M, block.size
    cost = Cost.of("attention", mul=2 * pairs * size, add=pairs * (size - 1) + heads * N * (M - 1) * size)
    cost += Cost.of("scale", mul=pairs) + softmax.rows("attention softmax", pairs, heads * N)
    shortcuts = batch * N * (block.inner + block.out_features)
    cost += Cost.of("residual", add=shortcuts, reads=2 * shortcuts, writes=shortcuts)
    if block.improved:
        scores = heads * (N - 1) * sum(keys)
        sums = heads * ((N - 1) * (keys[0] * keys[1] + M - 1) + N * M)
        rows = sum(numel(shape) for shape in block.tables.values())
        cost += Cost.of("attention", mul=scores * size, add=scores * (size - 1), weights=rows) + Cost.of(
            "position", add=sums
        )
        cost += Cost.of("residual", add=heads * (N - 1) * size)
    return cost


@domains.register
def _(layer: PoolingEncoder, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    """Those of its blocks' attention; of layers inside they are theirs."""
    found: dict[str, Domain] = {}
    for path, block, grid in walk(layer, shape):
        queries, keys = pooled(block, "q", grid), pooled(block, "k", grid)
        heads = (*ranges(shape[0], block.num_heads), *ranges(1 + product(queries), 1 + product(keys), block.size))
        found |= {f"{path}.q k": Domain(heads), f"{path}.weights v": Domain(heads)}
        if block.improved:
            scores = ranges(shape[0], block.num_heads, product(queries), sum(keys), block.size)
            found[f"{path}.relative"] = Domain(scores)
    return found


@clip_formula.register
def _(layer: PoolingEncoder, shape: Sizes, padding: str) -> Cost:
    size = numel((shape[0], 1 + product(shape[2:]), shape[1]))
    added = Cost.of("position", add=size * int(layer.absolute), reads=size, writes=size)
    inside = [clip_formula(part.layer, part.shape, padding) for part in parts(layer, shape)]
    return Cost.total([added, *inside, *(attention(block, shape[0], grid) for _, block, grid in walk(layer, shape))])


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    width, side = scale.channels * scale.heads, max(2, scale.side // 8)
    reach = (scale.frames, side)
    block = pooling_attention.PoolingBlock(width, 2 * width, scale.heads, (3, 3, 3), stride_q=(1, 2, 2), reach=reach)
    return pooling_attention.PoolingEncoder((block,)), (1, width, scale.frames, side, side)
