"""Frames as tokens inside clips: positions in a row, a first one that is no pixel, a number for each of them.

    prepend      y[:, :, t, 0] = u, or zero                     (B, C, T, H, W) -> (B, C, T, 1 + H W)
                 y[:, :, t, 1 + h W + w] = x[:, :, t, h, w]
    grid         y[:, :, t, h, w] = x[:, :, t, 1 + h S + w]     the way back, of S x S positions
    first        y[:, :, t, 0] = x[:, :, t, 0]                  -> (B, C, T, 1)
    positions    y[:, c, t, n] = x[:, c, t, n] + P[c, n]        the same in every frame

All of it frame by frame.
Source: Dosovitskiy et al., "An image is worth 16x16 words: Transformers for image recognition at scale", ICLR 2021,
equation 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing


def prepend_token_loops(clip: Array, token: Array) -> Array:
    """Naive form: one position at a time."""
    batch, channels, length, height, width = clip.shape
    y = np.zeros((batch, channels, length, 1 + height * width), dtype=clip.dtype)
    for b, t in np.ndindex(batch, length):
        y[b, :, t, 0] = token
        for h, w in np.ndindex(height, width):
            y[b, :, t, 1 + h * width + w] = clip[b, :, t, h, w]
    return y


def prepend_token(clip: Array, token: Array) -> Array:
    """Vectorised form; `token (C,)`."""
    flat = clip.reshape(*clip.shape[:3], -1)
    first = np.zeros_like(flat[..., :1]) + token.reshape(-1, 1, 1)  # keeps the number system of the clip
    return np.concatenate([first, flat], axis=3)


class _Framewise:
    """What they share: time is axis 2, and a frame is all they look at."""

    @property
    def time(self) -> int:
        """Axis 2 of `(B, C, T, ...)`."""
        return 2

    @property
    def timing(self) -> Timing:
        """Frame by frame."""
        return Timing()

    def parameters(self) -> dict[str, Shape]:
        """None, unless learned."""
        return {}


def _check(layer: object, shape: Shape, axes: int, channels: int | None = None) -> None:
    letters = ("B", "C", "T", "N") if axes == 4 else ("B", "C", "T", "H", "W")
    if len(shape) != axes or (channels is not None and shape[1] != channels):
        fitting = "" if channels is None else f" with C = channels = {channels}"
        raise ValueError(
            f"{type(layer).__name__}: expected a clip ({', '.join(letters)}){fitting}, got shape {tuple(shape)}"
        )


@dataclass(frozen=True)
class PrependToken(_Framewise):
    """A position before those of each frame, of `channels` learned numbers or, without `learned`, zero."""

    channels: int
    learned: bool = True

    def parameters(self) -> dict[str, Shape]:
        """`weight (C,)` when learned."""
        return {"weight": (self.channels,)} if self.learned else {}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C, T, 1 + H W)`."""
        _check(self, shape, 5, self.channels)
        return (*shape[:3], 1 + shape[3] * shape[4])

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The positions in a row, the new one first."""
        self.output_shape(clip.shape)
        token = parameters["weight"] if self.learned else np.zeros_like(clip[0, :, 0, 0, 0])
        return prepend_token(clip, token)


@dataclass(frozen=True)
class TokenGrid(_Framewise):
    """All positions but the first as a square: `(B, C, T, 1 + S S) -> (B, C, T, S, S)`."""

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C, T, S, S)`; ValueError where the positions make no square."""
        _check(self, shape, 4)
        side = math.isqrt(shape[3] - 1)
        if shape[3] < 2 or side * side != shape[3] - 1:
            raise ValueError(f"TokenGrid: expected 1 + S S positions, S at least 1, got {shape[3]} in {tuple(shape)}")
        return (*shape[:3], side, side)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The square."""
        return clip[..., 1:].reshape(self.output_shape(clip.shape))


@dataclass(frozen=True)
class FirstToken(_Framewise):
    """The first position alone: `(B, C, T, N) -> (B, C, T, 1)`."""

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C, T, 1)`."""
        _check(self, shape, 4)
        return (*shape[:3], 1)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """That one."""
        self.output_shape(clip.shape)
        return clip[..., :1]


@dataclass(frozen=True)
class PositionTable(_Framewise):
    """A learned number for each channel of each of `positions` positions, the same in every frame."""

    channels: int
    positions: int

    def parameters(self) -> dict[str, Shape]:
        """`weight (C, N)`."""
        return {"weight": (self.channels, self.positions)}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError for other channels or positions."""
        _check(self, shape, 4, self.channels)
        if shape[3] != self.positions:
            raise ValueError(f"PositionTable: expected {self.positions} positions, got {shape[3]} in {tuple(shape)}")
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The sum."""
        self.output_shape(clip.shape)
        return clip + parameters["weight"][:, None]
