"""A row of tokens back to a square: what a convolution over space sees of the tokens of a frame, all but a class token.

    y[:, :, t, h, w] = x[:, :, t, 1 + h S + w]      (B, C, T, 1 + S S) -> (B, C, T, S, S), frame by frame

Source: Huang, Zhang, Pan, Qing, Zhang, Liu & Ang Jr, "Temporally-adaptive models for efficient video understanding", arXiv
2308.05787, 2023; as in alibaba-mmai-research/TAdaConv (`models/module_zoo/branches/tadaformer.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Framewise, Parameters, Shape


def token_grid_loops(clip: Array) -> Array:
    """Naive form: one token at a time."""
    batch, channels, length, positions = clip.shape
    side = math.isqrt(positions - 1)
    y = np.empty((batch, channels, length, side, side), dtype=clip.dtype)
    for h, w in np.ndindex(side, side):
        y[:, :, :, h, w] = clip[:, :, :, 1 + h * side + w]
    return y


@dataclass(frozen=True)
class TokenGrid(Framewise):
    """All tokens of a frame but the first as a square: `(B, C, T, 1 + S S) -> (B, C, T, S, S)`."""

    @property
    def time(self) -> int:
        """Axis 2 of `(B, C, T, ...)`."""
        return 2

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C, T, S, S)`; ValueError where the tokens make no square."""
        if len(shape) != 4:
            raise ValueError(f"TokenGrid: expected a clip (B, C, T, N), got shape {tuple(shape)}")
        side = math.isqrt(max(shape[3] - 1, 0))
        if shape[3] < 2 or side * side != shape[3] - 1:
            raise ValueError(f"TokenGrid: expected 1 + S S tokens, S at least 1, got {shape[3]} in {tuple(shape)}")
        return (*shape[:3], side, side)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The square."""
        return clip[..., 1:].reshape(self.output_shape(clip.shape))
