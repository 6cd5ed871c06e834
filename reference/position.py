"""Positional encodings: what tells tokens apart by where they stand. Clips `(B, T, E)`, position `t` counted from the first.

    sinusoidal   y[t] = x[t] + P[t],   P[t, 2i] = sin(t / 10000^(2i / E)),  P[t, 2i + 1] = cos(t / 10000^(2i / E))
    learned      y[t] = x[t] + W[t]
    recycling    y[t] = x[t] + W[t mod M]
    grid         y[t, n] = x[t, n] + W[t N + n], or W[(t mod M) N + n]             of N positions a frame
    rotary       (y[t, 2i], y[t, 2i + 1]) = (x[t, 2i], x[t, 2i + 1]) rotated by the angle t / base^(2i / E)

A sinusoidal or learned table has `length` rows and a stream must end with it. Recycling never ends: a window of `N` tokens
sees distinct rows as long as `M >= N`, and `M = 2 N - 1` keeps distances within a window apart as well. A grid is for clips
`(B, E, T, ...)`, whose axes after T are N positions in space.

Sources: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5; Su et al., "RoFormer", 2021, equation 34;
Hedegaard, Bakhtiarnia & Iosifidis, "Continual Transformers", ICLR 2023, section 3.4 (recycling positional encoding); the
fixed recycled table is Ma et al., "Learning to iteratively solve routing problems with dual-aspect collaborative
transformer", NeurIPS 2021, equation 4 (there: cyclic positional encoding).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing

DOUBLE = np.dtype(np.float64)


def frequencies(features: int, base: float, dtype: np.dtype) -> np.ndarray:
    """`base^(-2i / E)` for each of the `E / 2` pairs of features, in radians per frame."""
    return dtype.type(base) ** (-np.arange(0, features, 2, dtype=dtype) / dtype.type(features))


def sinusoidal_table_loops(length: int, features: int, base: float = 10000.0) -> list[list[float]]:
    """Naive form of the sinusoidal table, one entry at a time."""
    table = []
    for t in range(length):
        angles = [t / base ** (2 * (e // 2) / features) for e in range(features)]
        table.append([math.cos(angle) if e % 2 else math.sin(angle) for e, angle in enumerate(angles)])
    return table


def sinusoidal_table(length: int, features: int, dtype: np.dtype, base: float = 10000.0) -> np.ndarray:
    """Sines in even features, cosines of the same angles in odd ones: `(length, features)`."""
    angles = np.arange(length, dtype=dtype)[:, None] * frequencies(features, base, dtype)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, features + features % 2)[:, :features]


def recycling_table(num_embeds: int, embed_dim: int, dtype: np.dtype) -> np.ndarray:
    """Fixed table `(M, E)` whose last row is followed smoothly by its first (Ma et al. 2021, equation 4 and appendix B).

    Feature `e` is a sine (even) or cosine (odd) of a triangle wave of period `2 L_e`, the lengths `L_e` growing from about
    `M^(2 / E)` to `M` over triples of features. Rows are averaged over five neighbours, and the mean over time is taken off.
    """
    M, half = num_embeds, embed_dim // 2
    spread = np.linspace(M ** (1 / half), M, half).astype(int)
    columns = []
    for e in range(embed_dim):
        triple = 3 * (e // 3) + 1
        length = min(M, int(spread[triple] if triple < half else spread[-1]))
        place = np.arange(M, dtype=dtype) * (-(-M // length) * length) / M  # a whole number of waves over the M rows
        pi = np.arccos(dtype.type(-1))
        phase = 2 * pi * (half - e) / half if e > half else 0
        angle = 2 * pi / length * np.abs(place % (2 * length) - length) + phase
        columns.append(np.cos(angle) if e % 2 else np.sin(angle))
    table = np.stack(columns, axis=1)
    smooth = sum(np.roll(table, shift, axis=0) for shift in range(-2, 3)) / 5
    return smooth - table.mean(axis=0)


def rotary_loops(x: Array, base: float = 10000.0, interleaved: bool = True) -> Array:
    """Naive form for one head `(T, E)`: one pair of features at a time."""
    features = x.shape[-1]
    rotated = x.copy()
    for t in range(len(x)):
        for i in range(features // 2):
            a, b = (2 * i, 2 * i + 1) if interleaved else (i, i + features // 2)
            angle = t / base ** (2 * i / features)
            rotated[t, a] = x[t, a] * math.cos(angle) - x[t, b] * math.sin(angle)
            rotated[t, b] = x[t, a] * math.sin(angle) + x[t, b] * math.cos(angle)
    return rotated


def rotary(x: Array, base: float = 10000.0, interleaved: bool = True) -> Array:
    """Pairs of features of `x (..., T, E)` rotated by the angle of their position; same shape.

    A pair is `(2i, 2i + 1)`, or `(i, i + E / 2)` unless `interleaved` (the layout of GPT-NeoX and Llama).
    """
    dtype = _float(x)
    angle = np.arange(x.shape[-2], dtype=dtype)[:, None] * frequencies(x.shape[-1], base, dtype)
    cos, sin = (_like(x, value) for value in (np.cos(angle), np.sin(angle)))
    half = x.shape[-1] // 2
    a, b = (x[..., 0::2], x[..., 1::2]) if interleaved else (x[..., :half], x[..., half:])
    first, second = a * cos - b * sin, a * sin + b * cos
    if interleaved:
        return np.stack([first, second], axis=-1).reshape(x.shape)
    return np.concatenate([first, second], axis=-1)


def _float(x: Array) -> np.dtype:
    """The precision of constants: at least float64, more where `x` has more."""
    dtype = getattr(x, "dtype", None)
    extended = isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize > 8
    return dtype if extended else DOUBLE  # type: ignore[return-value]


def _like(x: Array, constant: np.ndarray) -> np.ndarray:
    """A constant rounded once to the dtype of `x`, where that is a float."""
    dtype = getattr(x, "dtype", None)
    return constant.astype(dtype) if isinstance(dtype, np.dtype) and dtype.kind == "f" else constant


@dataclass(frozen=True)
class _Encoding:
    """What encodings of tokens `(B, T, E)` share."""

    embed_dim: int

    @property
    def time(self) -> int:
        """Axis 1 of `(B, T, E)`."""
        return 1

    @property
    def timing(self) -> Timing:
        """One token in, one token out; which row it meets depends on how many tokens came before."""
        return Timing()

    @property
    def longest(self) -> int | None:
        """Tokens that the encoding can tell apart before it ends; None: it never ends."""
        return None

    def parameters(self) -> dict[str, Shape]:
        """None, unless learned."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError where features or length do not fit."""
        if len(shape) != 3 or shape[2] != self.embed_dim:
            raise ValueError(
                f"{type(self).__name__}: expected a clip (B, T, E) with E = embed_dim = {self.embed_dim}, got {tuple(shape)}"
            )
        if self.longest is not None and shape[1] > self.longest:
            raise ValueError(
                f"{type(self).__name__}: a clip of {shape[1]} tokens is longer than the table of {self.longest} positions;"
                " use RecyclingEncoding for endless streams"
            )
        return tuple(shape)


@dataclass(frozen=True)
class SinusoidalEncoding(_Encoding):
    """Adds sines and cosines of the position (Vaswani et al. 2017)."""

    length: int

    @property
    def longest(self) -> int:
        """`length`."""
        return self.length

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """`x[t] + P[t]`."""
        self.output_shape(clip.shape)
        return clip + _like(clip, sinusoidal_table(clip.shape[1], self.embed_dim, _float(clip)))


@dataclass(frozen=True)
class LearnedEncoding(_Encoding):
    """Adds a learned row for each position; parameter `weight (length, E)`, as in torch.nn.Embedding."""

    length: int

    @property
    def longest(self) -> int:
        """`length`."""
        return self.length

    def parameters(self) -> dict[str, Shape]:
        """`weight (length, E)`."""
        return {"weight": (self.length, self.embed_dim)}

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """`x[t] + W[t]`."""
        self.output_shape(clip.shape)
        return clip + parameters["weight"][: clip.shape[1]]


@dataclass(frozen=True)
class RecyclingEncoding(_Encoding):
    """Adds one of `num_embeds` rows in turn, for ever; learned `pe.weight (M, E)`, or a fixed smooth cycle.

    `offset` is the row that the first token meets. The parameter is called as in continual-inference.
    """

    num_embeds: int
    learned: bool = True
    offset: int = 0

    def __post_init__(self) -> None:
        if self.num_embeds < 1:
            raise ValueError(f"RecyclingEncoding: num_embeds is at least 1, got {self.num_embeds}")
        if not self.learned and self.embed_dim < 2:
            raise ValueError(f"RecyclingEncoding: the fixed table needs embed_dim of at least 2, got {self.embed_dim}")

    def parameters(self) -> dict[str, Shape]:
        """`pe.weight (M, E)` when learned."""
        return {"pe.weight": (self.num_embeds, self.embed_dim)} if self.learned else {}

    def table(self, parameters: Parameters, clip: Array) -> Array:
        """The rows to recycle, `(M, E)`."""
        if self.learned:
            return parameters["pe.weight"]
        return _like(clip, recycling_table(self.num_embeds, self.embed_dim, _float(clip)))

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """`x[t] + W[(t + offset) mod M]`."""
        self.output_shape(clip.shape)
        return clip + self.table(parameters, clip)[(np.arange(clip.shape[1]) + self.offset) % self.num_embeds]


@dataclass(frozen=True)
class GridEncoding:
    """Adds a learned row for each position of each frame of clips `(B, E, T, ...)`; parameter `weight (M N, E)`.

    `length` M frames of `positions` N rows each; smaller frames meet the first of them. `recycled`: frame M has the rows of
    frame 0 again, else the stream must end. Source: Arnab et al., "ViViT", ICCV 2021, section 3.1 (a row for each token).
    """

    embed_dim: int
    length: int
    positions: int
    recycled: bool = False

    @property
    def time(self) -> int:
        """Axis 2 of `(B, E, T, ...)`."""
        return 2

    @property
    def timing(self) -> Timing:
        """One frame in, one frame out; which rows it meets depends on how many frames came before."""
        return Timing()

    @property
    def longest(self) -> int | None:
        """Frames that it can tell apart before it ends; None: it never ends."""
        return None if self.recycled else self.length

    def parameters(self) -> dict[str, Shape]:
        """`weight (M N, E)`."""
        return {"weight": (self.length * self.positions, self.embed_dim)}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError where features, positions or frames do not fit."""
        if len(shape) < 3 or shape[1] != self.embed_dim or math.prod(shape[3:]) > self.positions:
            raise ValueError(
                f"GridEncoding: expected a clip (B, E, T, ...) with E = embed_dim = {self.embed_dim} and at most"
                f" {self.positions} positions, got shape {tuple(shape)}"
            )
        if self.longest is not None and shape[2] > self.longest:
            raise ValueError(
                f"GridEncoding: a clip of {shape[2]} frames is longer than the table of {self.longest};"
                " use recycled=True for endless streams"
            )
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """`x[t, n] + W[(t mod M) N + n]`."""
        self.output_shape(clip.shape)
        rows = parameters["weight"].reshape(self.length, self.positions, self.embed_dim)
        seen = rows[np.arange(clip.shape[2]) % self.length, : math.prod(clip.shape[3:])]  # (T, N, E)
        seen = np.swapaxes(np.swapaxes(seen, 1, 2), 0, 1)  # (E, T, N)
        return clip + seen.reshape(clip.shape[1:])


def grid_loops(clip: Array, weight: Array, length: int, positions: int) -> Array:
    """Naive form of the grid, recycled or not: one token at a time."""
    flat = clip.reshape(*clip.shape[:3], -1).copy()
    for t in range(flat.shape[2]):
        for n in range(flat.shape[3]):
            flat[:, :, t, n] = flat[:, :, t, n] + weight[t % length * positions + n]
    return flat.reshape(clip.shape)


@dataclass(frozen=True)
class RotaryEncoding:
    """Rotates pairs of features of each head by the angle of the position; clips `(B, T, A head_dim)`."""

    head_dim: int
    base: float = 10000.0
    interleaved: bool = True

    def __post_init__(self) -> None:
        if self.head_dim < 2 or self.head_dim % 2:
            raise ValueError(f"RotaryEncoding: head_dim must be even, to make pairs, got {self.head_dim}")

    @property
    def time(self) -> int:
        """Axis 1 of `(B, T, E)`."""
        return 1

    @property
    def timing(self) -> Timing:
        """One token in, one token out; its angle depends on how many tokens came before."""
        return Timing()

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError unless the features are whole heads."""
        if len(shape) != 3 or shape[2] % self.head_dim:
            raise ValueError(
                f"RotaryEncoding: expected a clip (B, T, E) with E a multiple of head_dim = {self.head_dim},"
                f" got {tuple(shape)}"
            )
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """Every head rotated."""
        batch, length, features = self.output_shape(clip.shape)
        heads = clip.reshape(batch, length, features // self.head_dim, self.head_dim)  # (B, T, A, E / A)
        turned = rotary(np.swapaxes(heads, 1, 2), self.base, self.interleaved)
        return np.swapaxes(turned, 1, 2).reshape(clip.shape)
