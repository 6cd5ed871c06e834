"""Every element times a factor: one for each channel, which is learned, or one for all, which is given.

    scale      y[b, c, t, ...] = w[c] x[b, c, t, ...]
    rescale    y = factor x + offset

Shapes: x and y `(B, C, T, ...)`.
Source: Touvron, Cord, Sablayrolles, Synnaeve & Jegou, "Going deeper with image transformers", ICCV 2021, section 2.2 (scale,
as layer scale).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Framewise, Parameters, Shape
from coequal.reference.norm import per_channel
from coequal.reference.timing import Timing


def channel_scale_loops(clip: Array, weight: Array) -> Array:
    """Naive form: one channel at a time."""
    return np.stack([weight[c] * clip[:, c] for c in range(clip.shape[1])], axis=1)


def channel_scale(clip: Array, weight: Array) -> Array:
    """Vectorised form."""
    return clip * per_channel(weight, clip)


@dataclass(frozen=True)
class ChannelScale:
    """A learned factor for each of `channels` channels."""

    channels: int
    time: int = 2

    @property
    def timing(self) -> Timing:
        """Frame by frame."""
        return Timing()

    def parameters(self) -> dict[str, Shape]:
        """`weight (C,)`."""
        return {"weight": (self.channels,)}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError for other channels than C."""
        if len(shape) < 3 or shape[1] != self.channels:
            raise ValueError(
                f"ChannelScale: expected a clip (B, C, T, ...) with C = channels = {self.channels}, got shape {tuple(shape)}"
            )
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The scaled channels."""
        self.output_shape(clip.shape)
        return channel_scale(clip, parameters["weight"])


@dataclass(frozen=True)
class Rescale(Framewise):
    """`factor x + offset`, element by element, with numbers that are not learned."""

    factor: float = 1.0
    offset: float = 0.0
    time: int | None = None

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself."""
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """Every element."""
        return clip * self.factor + self.offset
