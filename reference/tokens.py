"""Layers of tokens inside a clip: every position of every frame is a token; a layer sees those of a frame, those of a
position, or all of them.

    over      the layer's tokens              its batch               in time
    space     the N positions of a frame      B T: frame by frame     frame by frame
    time      the T frames of a position      B N: one by one         as the layer
    all       T N, frame after frame          B                       needs the whole clip

Shapes: x `(B, E, T, ...)`, of which the axes after T are N positions, N = 1 where there are none; the layer's tokens are
`(B', L, E)` (time axis 1). It may change their number and their features: what was `...` is then one axis of so many
positions, over all tokens the axis of time.
Source: Arnab, Dehghani, Heigold, Sun, Lucic & Schmid, "ViViT: A video vision transformer", ICCV 2021, section 3.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from coequal.reference.layer import Array, Layer, Parameters, Shape, scope
from coequal.reference.timing import Timing

OVER = ("space", "time", "all")


def split(over: str, shape: Any) -> Any:
    """Shape `(B', L, E)` of the tokens of a clip; sizes may be letters."""
    batch, features, frames, *space = shape
    positions = math.prod(space)
    return {
        "space": (batch * frames, positions, features),
        "time": (batch * positions, frames, features),
        "all": (batch, frames * positions, features),
    }[over]


def joined(over: str, shape: Any, tokens: Any) -> Any:
    """Shape of the clip that tokens of this shape make, of a clip of `shape`."""
    batch, _, frames, *space = shape
    _, length, features = tokens
    if over == "time":
        return (batch, features, length, *space)
    if over == "all":
        return (batch, features, length)
    return (batch, features, frames, *(space if math.prod(space) == length else [length]))


def to_tokens(over: str, clip: Array) -> Array:
    """`(B, E, T, ...) -> (B', L, E)`."""
    batch, features, frames = clip.shape[:3]
    grid = clip.reshape(batch, features, frames, math.prod(clip.shape[3:]))
    grid = np.swapaxes(grid, 1, 3) if over == "time" else np.swapaxes(np.swapaxes(grid, 1, 2), 2, 3)
    return grid.reshape(split(over, clip.shape))


def to_clip(over: str, tokens: Array, shape: Shape) -> Array:
    """Back, to what was a clip of `shape`."""
    batch, _, frames, *space = shape
    _, length, features = tokens.shape
    whole = joined(over, shape, tokens.shape)
    if over == "all":
        return np.swapaxes(tokens, 1, 2)
    if over == "time":
        grid = np.swapaxes(tokens.reshape(batch, math.prod(space), length, features), 1, 3)
    else:
        grid = np.swapaxes(np.swapaxes(tokens.reshape(batch, frames, length, features), 2, 3), 1, 2)
    return grid.reshape(whole)


def tokens_loops(layer: Tokens, parameters: Parameters, clip: Array) -> Array:
    """Naive form: one frame, or one position, at a time."""
    batch, features, frames = clip.shape[:3]
    inner = scope(parameters, "inner")
    grid = clip.reshape(batch, features, frames, -1)
    if layer.over == "space":
        parts = [layer.inner(inner, np.swapaxes(grid[:, :, t], 1, 2)) for t in range(frames)]
        y = np.stack([np.swapaxes(part, 1, 2) for part in parts], axis=2)
    elif layer.over == "time":
        parts = [layer.inner(inner, np.swapaxes(grid[..., n], 1, 2)) for n in range(grid.shape[3])]
        y = np.stack([np.swapaxes(part, 1, 2) for part in parts], axis=3)
    else:
        rows = [grid[:, :, t, n] for t in range(frames) for n in range(grid.shape[3])]
        y = np.swapaxes(layer.inner(inner, np.stack(rows, axis=1)), 1, 2)
    return y.reshape(layer.output_shape(clip.shape))


@dataclass(frozen=True)
class Tokens:
    """A layer of tokens `inner`, `over` "space", "time" or "all"; its parameters are called `"inner.<name>"`."""

    inner: Layer
    over: str

    def __post_init__(self) -> None:
        if self.over not in OVER:
            raise ValueError(f"Tokens: over is one of {', '.join(map(repr, OVER))}, got {self.over!r}")
        if self.inner.time not in (1, None):
            raise ValueError(
                f"Tokens: the inner layer must take tokens (B, T, E), time axis 1, got one with time axis {self.inner.time}"
            )

    @property
    def time(self) -> int:
        """Axis 2 of `(B, E, T, ...)`."""
        return 2

    @property
    def timing(self) -> Timing | None:
        """Frame by frame over space; over time that of the inner layer; None over all tokens."""
        return {"space": Timing(), "time": self.inner.timing, "all": None}[self.over]

    def parameters(self) -> dict[str, Shape]:
        """`inner.*`."""
        return {f"inner.{name}": shape for name, shape in self.inner.parameters().items()}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, E', T', ...)`; ValueError where the inner layer does not take the tokens."""
        if len(shape) < 3:
            raise ValueError(f"Tokens: expected a clip (B, E, T, ...), got shape {tuple(shape)}")
        try:
            return joined(self.over, shape, self.inner.output_shape(split(self.over, shape)))
        except ValueError as error:
            raise ValueError(f"Tokens: over {self.over} ({type(self.inner).__name__}): {error}") from error

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The layer on the tokens of a clip."""
        self.output_shape(clip.shape)
        return to_clip(self.over, self.inner(scope(parameters, "inner"), to_tokens(self.over, clip)), clip.shape)
