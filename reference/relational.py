"""Relational self-attention: weights and values that look at how a position relates to those about it, and no softmax.

A heads, D = C / A features, windows of `frames` x `side` x `side` positions m about each position n of a clip, zero outside.
Queries (of each head), keys and values are linear maps of each position, divided by their length: `u / sqrt(|u|^2 + 1e-6)`.

    kernel     K[h, e] = sum_a q[h, a] (P1[a, e] + sum_m H1[a, e, m] k[n + m, a])          basic and relational
    context    V[a, e] = sum_m H2[e, m] v[n + m, a]
    values     F[b, e] = sum_a (I[a, b] + sum_m G[b, m] v[n + m, a]) V[a, e]               basic and relational
    output     y[b A + h] = sum_e K[h, e] F[b, e]

It is a polynomial in queries, keys and values, and local: all windows are convolutions of what each frame gives by itself.
So it streams, `frames // 2` frames late, from the keys and values of the last frames.

Shapes: x and y `(B, C, T, H, W)`; weights `projection.weight (C + 2 D, C, 1, 1, 1)`, `H1.weight (D D, 1, ...)`,
`H2.weight (D, 1, ...)`, `G.weight (D, 1, ...)`, `P1 (1, D, D)`, `I (1, D, D)`.
Source: Kim, Kwon, Wang, Kwak & Cho, "Relational self-attention: What's missing in attention for video understanding",
NeurIPS 2021, section 4; layers as in KimManjin/RSA (`ops/rsa.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.conv import Conv
from coequal.reference.layer import Array, Parameters, Shape, scope
from coequal.reference.timing import Timing

EPS = 1e-6


def unit(clip: Array, features: int) -> Array:
    """Every run of so many channels of each position, divided by its length."""
    vectors = clip.reshape(clip.shape[0], -1, features, *clip.shape[2:])
    return (vectors / np.sqrt(np.sum(vectors * vectors, axis=2, keepdims=True) + EPS)).reshape(clip.shape)


def each(conv: Conv, parameters: Parameters, clip: Array) -> Array:
    """The same convolution of every channel, `(B, D, ...) -> (B, D, E, ...)`."""
    batch, channels = clip.shape[:2]
    y = conv(parameters, clip.reshape(batch * channels, 1, *clip.shape[2:]))
    return y.reshape(batch, channels, *y.shape[1:])


def relate_loops(q: Array, k: Array, v: Array, g: Array) -> Array:
    """Naive form of the products at one position, `(A, D), (D, E), (D, E), (D, B) -> (A, B)`: one term at a time."""
    (heads, features), out = q.shape, np.zeros((q.shape[0], g.shape[1]), dtype=q.dtype)
    for h, b in np.ndindex(heads, g.shape[1]):
        for e in range(k.shape[1]):
            kernel = sum(q[h, a] * k[a, e] for a in range(features))
            value = sum(g[a, b] * v[a, e] for a in range(features))
            out[h, b] = out[h, b] + kernel * value
    return out


def relate(q: Array, k: Array, v: Array, g: Array) -> Array:
    """Vectorised form, for any leading axes."""
    return (q @ k) @ np.swapaxes(np.swapaxes(g, -1, -2) @ v, -1, -2)


@dataclass(frozen=True)
class RelationalSelfAttention:
    """Of `channels` C in `heads` A heads; windows of `frames` frames and `side` x `side` positions, both odd."""

    channels: int
    heads: int
    frames: int = 5
    side: int = 7
    time: int = 2

    def __post_init__(self) -> None:
        if self.channels % self.heads:
            raise ValueError(f"RelationalSelfAttention: {self.channels} channels do not divide into {self.heads} heads")
        if self.frames % 2 == 0 or self.side % 2 == 0:
            raise ValueError(
                f"RelationalSelfAttention: frames and side are odd, to be centred, got {self.frames} and {self.side}"
            )

    @property
    def features(self) -> int:
        """D."""
        return self.channels // self.heads

    @property
    def timing(self) -> Timing:
        """The frames of the window, half of them to come."""
        return Timing(self.frames, 1, self.frames // 2, self.frames // 2)

    @property
    def maps(self) -> dict[str, Conv]:
        """The convolutions by name."""
        size, kernel = self.features, (self.frames, self.side, self.side)
        padding = tuple(n // 2 for n in kernel)
        return {
            "projection": Conv(self.channels, self.channels + 2 * size, (1, 1, 1), bias=False),
            "H1": Conv(size, size * size, kernel, padding=padding, groups=size, bias=False),
            "H2": Conv(1, size, kernel, padding=padding, bias=False),
            "G": Conv(1, size, kernel, padding=padding, bias=False),
        }

    def parameters(self) -> dict[str, Shape]:
        """The weights of `projection`, `H1`, `H2` and `G`; `P1` and `I`."""
        size = self.features
        own: dict[str, Shape] = {"P1": (1, size, size), "I": (1, size, size)}
        return {**{f"{n}.{name}": s for n, conv in self.maps.items() for name, s in conv.parameters().items()}, **own}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError for other channels than C."""
        if len(shape) != 5 or shape[1] != self.channels:
            raise ValueError(
                f"RelationalSelfAttention: expected a clip (B, C, T, H, W) with C = channels = {self.channels},"
                f" got shape {tuple(shape)}"
            )
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """Every position's relations."""
        shape, size, maps = self.output_shape(clip.shape), self.features, self.maps
        projected = unit(maps["projection"](scope(parameters, "projection"), clip), size)
        queries, keys, values = (projected[:, a:b] for a, b in ((0, -2 * size), (-2 * size, -size), (-size, None)))
        related = maps["H1"](scope(parameters, "H1"), keys).reshape(shape[0], size, size, *shape[2:])
        q = _last(queries.reshape(shape[0], self.heads, size, *shape[2:]))
        k = _last(related) + parameters["P1"][0]
        v = _last(each(maps["H2"], scope(parameters, "H2"), values))
        g = _last(each(maps["G"], scope(parameters, "G"), values)) + parameters["I"][0]
        return np.moveaxis(relate(q, k, v, g), (-1, -2), (1, 2)).reshape(shape)


def _last(x: Array) -> Array:
    """`(B, M, N, T, H, W) -> (B, T, H, W, M, N)`."""
    return np.moveaxis(x, (1, 2), (-2, -1))
