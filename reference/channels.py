"""More channels, all of them zero: the shortcut without weights of a block that widens.

    y[c] = x[c]     for      c < C
    y[c] = 0        for C <= c < C'

Shapes: x `(B, C, T, ...)`, y `(B, C', T, ...)`.
Source: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, section 3.3, option A.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing


def zero_channels_loops(clip: Array, channels: int) -> Array:
    """Naive form: one channel at a time."""
    y = np.zeros((clip.shape[0], channels, *clip.shape[2:]), dtype=clip.dtype)
    for c in range(clip.shape[1]):
        y[:, c] = clip[:, c]
    return y


def zero_channels(clip: Array, channels: int) -> Array:
    """The clip `(B, C, T, ...)` with zeros up to so many channels."""
    zero = np.zeros_like(clip[:, :1])  # keeps the number system of the clip
    return np.concatenate([clip, *[zero] * (channels - clip.shape[1])], axis=1)


@dataclass(frozen=True)
class ZeroChannels:
    """Clips of `in_channels` channels become clips of `out_channels`, frame by frame."""

    in_channels: int
    out_channels: int

    def __post_init__(self) -> None:
        if not 1 <= self.in_channels <= self.out_channels:
            raise ValueError(
                f"ZeroChannels: out_channels are at least in_channels, and those at least 1, got {self.in_channels}"
                f" and {self.out_channels}"
            )

    @property
    def time(self) -> int:
        """Axis 2 of `(B, C, T, ...)`."""
        return 2

    @property
    def timing(self) -> Timing:
        """Frame by frame."""
        return Timing()

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C', T, ...)`; ValueError for other channels than C."""
        if len(shape) < 3 or shape[1] != self.in_channels:
            raise ValueError(
                f"ZeroChannels: expected a clip (B, C, T, ...) with C = in_channels = {self.in_channels},"
                f" got shape {tuple(shape)}"
            )
        return (shape[0], self.out_channels, *shape[2:])

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The clip with more channels."""
        self.output_shape(clip.shape)
        return zero_channels(clip, self.out_channels)
