"""Pooling attention: a transformer of video whose queries, keys and values are pooled, so that its grid of tokens shrinks.

Clips `(B, E, T, H, W)` become a class token and T H W others, which a block takes together with their grid:

    q, k, v   = parts of W norm1(x)                     A heads of d features each
    p         <- norm(conv(p))                          for p in q, k, v: depthwise, with strides of its own; the class
                                                        token is only normed. The grid of q is that of the output
    o         = softmax(q k^T / sqrt(d) + r) v          r = 0, or relative positions of a query q and a key, not of the
                                                        class token: q . (R_t[t - t'] + R_h[h - h'] + R_w[w - w'])
    x         <- pool(x) + U o                          maxima of windows (1, 3, 3) where queries have a stride
    x         <- x + MLP(norm2(x))                      4 times as many hidden features, GELU

                   features grow                        shortcuts                     positions
    first kind     in the MLP: x <- V norm2(x) + ..     as above                      learned, of frame and of place, added
    improved       in W: pool(V norm1(x)) + ..          o + q, but for the class      relative
                                                        token, before U

Where grids of queries and keys differ, distances are counted in the finer one. What comes out is the class token, normed:
`(B, E', 1)`. Every token sees the whole clip, and convolutions see the frames about theirs: nothing streams.
Sources: Fan et al., "Multiscale vision transformers", ICCV 2021, sections 3.1 and 3.2; Li et al., "MViTv2: Improved
multiscale vision transformers for classification and detection", CVPR 2022, section 4.1; names as in facebookresearch/
SlowFast (`models/attention.py`).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from coequal.reference.activation import Activation
from coequal.reference.attention import inverse_sqrt
from coequal.reference.conv import Conv
from coequal.reference.layer import Array, Layer, Parameters, Shape, scope
from coequal.reference.linear import Linear
from coequal.reference.norm import LayerNorm
from coequal.reference.pool import MaxPool
from coequal.reference.softmax import softmax
from coequal.reference.window import Ints

EPS, POOLED_EPS = 1e-6, 1e-5  # of norms; of what is pooled, in blocks of the first kind
GELU = Activation("GELU")
ONES = (1, 1, 1)
Grid = tuple[int, ...]  # frames, height, width


def distances_loops(queries: int, keys: int, reach: int) -> list[list[int]]:
    """Naive form: the row of each pair, of a table of `2 reach - 1` rows whose middle one is for distance 0."""
    finer = max(queries, keys)
    step = [finer / queries if keys > queries else 1, finer / keys if queries > keys else 1]
    rows = [[int(i * step[0] + (keys - 1 - j) * step[1]) for j in range(keys)] for i in range(queries)]
    return [[row + reach - finer for row in pairs] for pairs in rows]


def distances(queries: int, keys: int, reach: int) -> np.ndarray:
    """Vectorised form: `(queries, keys)`."""
    i, j = np.arange(queries)[:, None], np.arange(keys)
    apart = i * max(keys / queries, 1.0) + (keys - 1 - j) * max(queries / keys, 1.0)
    return apart.astype(int) + reach - max(queries, keys)


def relative_scores_loops(q: Array, grid: Grid, seen: Grid, tables: list[Array]) -> Array:
    """Naive form for one head `(T H W, d)`: one query and one key at a time."""
    rows = [distances_loops(a, b, (len(table) + 1) // 2) for a, b, table in zip(grid, seen, tables, strict=True)]
    y = np.zeros((math.prod(grid), math.prod(seen)), dtype=q.dtype)
    for n, query in enumerate(np.ndindex(*grid)):
        for m, key in enumerate(np.ndindex(*seen)):
            for axis, table in enumerate(tables):
                y[n, m] = y[n, m] + sum(q[n] * table[rows[axis][query[axis]][key[axis]]])
    return y


def relative_scores(q: Array, grid: Grid, seen: Grid, tables: list[Array]) -> Array:
    """Vectorised form: queries `(B, A, T H W, d)` to `(B, A, T H W, T' H' W')`; tables `(2 reach - 1, d)` of t, h and w."""
    (batch, heads, _, size), (t, h, w) = q.shape, grid
    rows = [distances(a, b, (table.shape[0] + 1) // 2) for a, b, table in zip(grid, seen, tables, strict=True)]
    of_t, of_h, of_w = (np.swapaxes(table[row], 1, 2) for table, row in zip(tables, rows, strict=True))  # (., d, .')
    places = q.reshape(batch, heads, t, h, w, size)
    by_t = q.reshape(batch, heads, t, h * w, size) @ of_t  # (B, A, T, H W, T')
    by_h = places @ of_h  # (B, A, T, H, W, H')
    by_w = np.swapaxes(np.swapaxes(places, 3, 4) @ of_w, 3, 4)
    scores = (
        by_t.reshape(batch, heads, t, h, w, seen[0], 1, 1)
        + by_h.reshape(batch, heads, t, h, w, 1, seen[1], 1)
        + by_w.reshape(batch, heads, t, h, w, 1, 1, seen[2])
    )
    return scores.reshape(batch, heads, t * h * w, math.prod(seen))


@dataclass(frozen=True)
class PoolingBlock:
    """A block from `in_features` to `out_features`; `kernel_q`, `kernel_kv`: of the convolutions, None for none.

    `reach`: of an improved block, how many frames and how many places along a side are told apart; None for the first kind.
    """

    in_features: int
    out_features: int
    num_heads: int
    kernel_q: Ints | None = None
    kernel_kv: Ints | None = (3, 3, 3)
    stride_q: Ints = ONES
    stride_kv: Ints = ONES
    reach: Ints | None = None

    @property
    def improved(self) -> bool:
        """Whether it is of the second kind."""
        return self.reach is not None

    @property
    def inner(self) -> int:
        """Features of its attention."""
        return self.out_features if self.improved else self.in_features

    @property
    def size(self) -> int:
        """Features of a head."""
        return self.inner // self.num_heads

    @functools.cached_property
    def children(self) -> dict[str, Layer]:
        """The layers inside, by the name that prefixes their parameters."""
        inner, wide = self.inner, 4 * self.inner
        layers: dict[str, Layer] = {"norm1": _norm(self.in_features), "attn.qkv": Linear(self.in_features, 3 * inner)}
        for name, kernel, stride in self.pools:
            layers[f"attn.pool_{name}"] = _depthwise(self.size, kernel, stride)
            layers[f"attn.norm_{name}"] = _norm(self.size, EPS if self.improved else POOLED_EPS)
        layers |= {"attn.proj": Linear(inner, inner), "norm2": _norm(inner)}
        layers |= {"mlp.fc1": Linear(inner, wide), "mlp.act": GELU, "mlp.fc2": Linear(wide, self.out_features)}
        if self.in_features != self.out_features:
            layers["proj"] = Linear(self.in_features, self.out_features)
        if self.stride_q != ONES:
            layers["pool_skip"] = self.skip
        return layers

    @property
    def pools(self) -> list[tuple[str, Ints, Ints]]:
        """What is pooled, by its letter, with kernel and stride."""
        queries = [("q", self.kernel_q, self.stride_q)] if self.kernel_q else []
        return queries + [(name, self.kernel_kv, self.stride_kv) for name in "kv" if self.kernel_kv]

    @property
    def skip(self) -> MaxPool:
        """Of the shortcut, where queries have strides."""
        kernel = tuple(s + 1 if s > 1 else s for s in self.stride_q)
        return MaxPool(kernel, self.stride_q, tuple(k // 2 for k in kernel))

    @property
    def tables(self) -> dict[str, Shape]:
        """Relative positions: `attn.rel_pos_h`, `attn.rel_pos_w`, `attn.rel_pos_t`."""
        if self.reach is None:
            return {}
        time, side = self.reach
        return {f"attn.rel_pos_{axis}": (2 * n - 1, self.size) for axis, n in (("h", side), ("w", side), ("t", time))}

    def grids(self, grid: Grid) -> tuple[Grid, Grid]:
        """Of queries, and of keys."""
        shapes = {name: self.children[f"attn.pool_{name}"].output_shape((1, self.size, *grid)) for name, _, _ in self.pools}
        return tuple(shapes.get("q", (1, 1, *grid))[2:]), tuple(shapes.get("k", (1, 1, *grid))[2:])

    def parameters(self) -> dict[str, Shape]:
        """`norm1.*`, `attn.*`, `norm2.*`, `mlp.*`, and `proj.*` where features grow."""
        found = {f"{child}.{name}": s for child, layer in self.children.items() for name, s in layer.parameters().items()}
        return found | self.tables

    def check(self, grid: Grid) -> None:
        """ValueError for features that are no whole heads, and for a grid that is larger than its tables."""
        if self.inner % self.num_heads:
            raise ValueError(
                f"PoolingBlock: {self.inner} features of attention must be a multiple of num_heads, got {self.num_heads}"
            )
        queries, keys = self.grids(grid)
        far = [max(a, b) for a, b in zip(queries, keys, strict=True)]
        if self.reach is not None and (far[0] > self.reach[0] or max(far[1:]) > self.reach[1]):
            raise ValueError(
                f"PoolingBlock: a grid of {grid} is too large for relative positions of {self.reach[0]} frames and"
                f" {self.reach[1]} places; give it a larger reach"
            )

    def __call__(self, parameters: Parameters, x: Array, grid: Grid) -> tuple[Array, Grid]:
        """Tokens `(B, 1 + T H W, E)` and their grid to those of the next block."""
        children = self.children

        def run(name: str, value: Array) -> Array:
            return children[name](scope(parameters, name), value)

        normed = run("norm1", x)
        attended, pooled = self.attended(parameters, run("attn.qkv", normed), grid)
        grows = "proj" in children
        shortcut = run("proj", normed) if grows and self.improved else x
        if "pool_skip" in children:
            shortcut = _pooled(shortcut[:, None], grid, self.skip, {})[0][:, 0]
        x = shortcut + run("attn.proj", attended)
        normed = run("norm2", x)
        shortcut = run("proj", normed) if grows and not self.improved else x
        return shortcut + run("mlp.fc2", run("mlp.act", run("mlp.fc1", normed))), pooled

    def attended(self, parameters: Parameters, projected: Array, grid: Grid) -> tuple[Array, Grid]:
        """`(B, 1 + T H W, 3 E) -> (B, 1 + T' H' W', E)`, and the grid of the latter."""
        batch, length, _ = projected.shape
        heads = np.swapaxes(projected.reshape(batch, length, 3 * self.num_heads, self.size), 1, 2)
        parts = {name: heads[:, i * self.num_heads : (i + 1) * self.num_heads] for i, name in enumerate("qkv")}
        grids = dict.fromkeys("qkv", grid)
        for name, _, _ in self.pools:
            conv, inner = self.children[f"attn.pool_{name}"], scope(parameters, f"attn.pool_{name}")
            parts[name], grids[name] = _pooled(parts[name], grid, conv, inner)
            norm, given = self.children[f"attn.norm_{name}"], scope(parameters, f"attn.norm_{name}")
            parts[name] = norm(given, parts[name].reshape(batch * self.num_heads, -1, self.size)).reshape(parts[name].shape)
        q, k, v = (parts[name] for name in "qkv")
        scores = q @ np.swapaxes(k, 2, 3) * inverse_sqrt(self.size, q)
        if self.improved:
            scores = scores + self._relative(parameters, q, grids)
        y = softmax(scores, -1) @ v
        if self.improved:
            y = np.concatenate([y[:, :, :1], y[:, :, 1:] + q[:, :, 1:]], axis=2)
        return np.swapaxes(y, 1, 2).reshape(batch, -1, self.inner), grids["q"]

    def _relative(self, parameters: Parameters, q: Array, grids: dict[str, Grid]) -> Array:
        """What is added to the scores: nothing for the class token."""
        tables = [parameters[f"attn.rel_pos_{axis}"] for axis in "thw"]
        scores = relative_scores(q[:, :, 1:], grids["q"], grids["k"], tables)
        scores = np.concatenate([np.zeros_like(scores[:, :, :1]), scores], axis=2)
        return np.concatenate([np.zeros_like(scores[..., :1]), scores], axis=3)


def _norm(features: int, eps: float = EPS) -> LayerNorm:
    return LayerNorm((features,), eps)


def _depthwise(features: int, kernel: Ints, stride: Ints) -> Conv:
    return Conv(features, features, kernel, stride, tuple(k // 2 for k in kernel), groups=features, bias=False)


def _pooled(tokens: Array, grid: Grid, pool: Layer, parameters: Parameters) -> tuple[Array, Grid]:
    """All tokens of `(B, A, 1 + T H W, d)` but the first, pooled."""
    batch, heads, _, size = tokens.shape
    rest = np.swapaxes(tokens[:, :, 1:], 2, 3).reshape(batch * heads, size, *grid)
    rest = pool(parameters, rest)
    after = tuple(rest.shape[2:])
    rest = np.swapaxes(rest.reshape(batch, heads, size, math.prod(after)), 2, 3)
    return np.concatenate([tokens[:, :, :1], rest], axis=2), after


@dataclass(frozen=True)
class PoolingEncoder:
    """Class token, positions, blocks and a last norm; parameters `cls_token`, `pos_embed_*`, `blocks.<i>.*`, `norm.*`.

    `length`, `positions`: rows of the learned tables, where blocks have no relative positions; smaller clips meet the first.
    """

    blocks: tuple[PoolingBlock, ...]
    length: int = 0
    positions: int = 0
    time: int = 2
    timing = None

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ValueError("PoolingEncoder: needs at least one block, got none")
        for a, b in zip(self.blocks, self.blocks[1:], strict=False):
            if a.out_features != b.in_features:
                raise ValueError(
                    f"PoolingEncoder: a block of {a.out_features} features is followed by one of {b.in_features}"
                )

    @property
    def absolute(self) -> bool:
        """Whether positions are learned and added."""
        return not self.blocks[0].improved

    @property
    def norm(self) -> LayerNorm:
        """The last one."""
        return _norm(self.blocks[-1].out_features)

    def parameters(self) -> dict[str, Shape]:
        """As in the original."""
        size = self.blocks[0].in_features
        shapes: dict[str, Shape] = {"cls_token": (1, 1, size)}
        if self.absolute:
            shapes |= {"pos_embed_spatial": (1, self.positions, size), "pos_embed_temporal": (1, self.length, size)}
            shapes["pos_embed_class"] = (1, 1, size)
        for i, block in enumerate(self.blocks):
            shapes |= {f"blocks.{i}.{name}": shape for name, shape in block.parameters().items()}
        return shapes | {f"norm.{name}": shape for name, shape in self.norm.parameters().items()}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, E', 1)`; ValueError where features or tables do not fit."""
        size, grid = self.blocks[0].in_features, tuple(shape[2:])
        if len(shape) != 5 or shape[1] != size or min(grid) < 1:
            raise ValueError(
                f"PoolingEncoder: expected a clip (B, E, T, H, W) with E = {size} and tokens, got shape {tuple(shape)}"
            )
        if self.absolute and (grid[0] > self.length or grid[1] * grid[2] > self.positions):
            raise ValueError(
                f"PoolingEncoder: a grid of {grid} is too large for {self.length} frames of {self.positions} positions"
            )
        for block in self.blocks:
            block.check(grid)
            grid = block.grids(grid)[0]
        return (shape[0], self.blocks[-1].out_features, 1)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The class token of a clip."""
        self.output_shape(clip.shape)
        grid = tuple(clip.shape[2:])
        x = np.swapaxes(clip.reshape(*clip.shape[:2], -1), 1, 2)  # (B, T H W, E)
        first = np.concatenate([parameters["cls_token"]] * clip.shape[0])
        x = np.concatenate([first, x], axis=1)
        if self.absolute:
            x = x + self._added(parameters, grid)
        for i, block in enumerate(self.blocks):
            x, grid = block(scope(parameters, f"blocks.{i}"), x, grid)
        return np.swapaxes(self.norm(scope(parameters, "norm"), x)[:, :1], 1, 2)

    def _added(self, parameters: Parameters, grid: Grid) -> Array:
        """`(1, 1 + T H W, E)`: a row for each frame and one for each place."""
        frames = parameters["pos_embed_temporal"][0, : grid[0], None]
        places = parameters["pos_embed_spatial"][:, : grid[1] * grid[2]]
        rows = (frames + places).reshape(1, math.prod(grid), -1)
        return np.concatenate([parameters["pos_embed_class"], rows], axis=1)
