"""Non-local operation: every position of a clip sees all others, in space and in time.

With N positions `i` of queries and M positions `j` of keys and values, which are all of them or, `pooled`, the maxima of
windows 1 x 2 x 2 in space:

    y[i] = sum_j w(i, j) g(x)[j]

    mode           w(i, j)
    dot product    theta(x)[i] . phi(x)[j] / M
    gaussian       softmax over j of  x[i] . x[j]
    embedded       softmax over j of  theta(x)[i] . phi(x)[j] / sqrt(C')

`theta`, `phi` and `g` are linear maps of each position, C -> C'. Of a frame that has not come nothing is known: it needs the
whole clip.

Shapes: x `(B, C, T, H, W)`, y `(B, C', T, H, W)`; weights `(C', C, 1, 1, 1)`.
Source: Wang, Girshick, Gupta & He, "Non-local neural networks", CVPR 2018, equations 1 to 4; names and pooling as in
open-mmlab/mmcv (`cnn/bricks/non_local.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.attention import inverse_sqrt
from coequal.reference.conv import Conv
from coequal.reference.layer import Array, Parameters, Shape, scope
from coequal.reference.pool import MaxPool
from coequal.reference.softmax import softmax

MODES = ("dot product", "gaussian", "embedded")
POOL = MaxPool((1, 2, 2))


def affine_loops(queries: Array, keys: Array, values: Array, mode: str) -> Array:
    """Naive form of the weighted sums of a clip's rows, `(N, K), (M, K), (M, C') -> (N, C')`: one pair at a time."""
    y = np.zeros((len(queries), values.shape[1]), dtype=values.dtype)
    for i, query in enumerate(queries):
        scores = np.array([sum(a * b for a, b in zip(query, key, strict=True)) for key in keys])
        if mode == "dot product":
            weights = [score / len(keys) for score in scores]
        else:
            scale = inverse_sqrt(len(query), scores) if mode == "embedded" else 1
            exponentials = np.exp(scores * scale - np.max(scores * scale))
            weights = [e / sum(exponentials) for e in exponentials]
        for weight, value in zip(weights, values, strict=True):
            y[i] = y[i] + weight * value
    return y


def affine(queries: Array, keys: Array, values: Array, mode: str) -> Array:
    """Vectorised form, `(B, N, K), (B, M, K), (B, M, C') -> (B, N, C')`."""
    scores = queries @ np.swapaxes(keys, 1, 2)
    if mode == "dot product":
        return (scores / keys.shape[1]) @ values
    if mode == "embedded":
        scores = scores * inverse_sqrt(queries.shape[2], scores)
    return softmax(scores, -1) @ values


def rows(clip: Array) -> Array:
    """Positions as rows: `(B, C, T, H, W) -> (B, T H W, C)`."""
    return np.swapaxes(clip.reshape(*clip.shape[:2], -1), 1, 2)


@dataclass(frozen=True)
class NonLocal:
    """Of `channels` C to `inner` C'; `mode` "dot product", "gaussian" or "embedded"; keys and values may be `pooled`."""

    channels: int
    inner: int
    mode: str = "embedded"
    pooled: bool = True
    time: int = 2
    timing = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"NonLocal: mode is one of {', '.join(map(repr, MODES))}, got {self.mode!r}")

    @property
    def maps(self) -> dict[str, Conv]:
        """The linear maps by name."""
        names = ("g",) if self.mode == "gaussian" else ("g", "theta", "phi")
        return {name: Conv(self.channels, self.inner, (1, 1, 1)) for name in names}

    def parameters(self) -> dict[str, Shape]:
        """`g.weight`, `g.bias` and, unless gaussian, those of `theta` and `phi`."""
        return {f"{n}.{name}": shape for n, layer in self.maps.items() for name, shape in layer.parameters().items()}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C', T, H, W)`; ValueError for other channels, or for frames that are too small to be pooled."""
        if len(shape) != 5 or shape[1] != self.channels:
            raise ValueError(
                f"NonLocal: expected a clip (B, C, T, H, W) with C = channels = {self.channels}, got shape {tuple(shape)}"
            )
        if self.pooled:
            POOL.output_shape(shape)
        return (shape[0], self.inner, *shape[2:])

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """Every position's weighted sum of all values."""
        shape = self.output_shape(clip.shape)
        mapped = {name: layer(scope(parameters, name), clip) for name, layer in self.maps.items()}
        queries, keys, values = mapped.get("theta", clip), mapped.get("phi", clip), mapped["g"]
        if self.pooled:
            keys, values = POOL({}, keys), POOL({}, values)
        y = affine(rows(queries), rows(keys), rows(values), self.mode)
        return np.swapaxes(y, 1, 2).reshape(shape)
