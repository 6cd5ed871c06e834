"""The next frame less this one, of two halves of the channels; nothing follows the last frame, where it is zero.

With 2 C channels of a clip `x (B, 2 C, T, ...)`:

    y[c, t] = x[c, t + 1] - x[C + c, t]     for t < T - 1
    y[c, T - 1] = 0

The two halves are two views of the same frames, one of which went through another layer: what motion is taken to be.

Shapes: y `(B, C, T, ...)`.
Source: Li, Ji, Shi, Zhang, Kang & Wang, "TEA: Temporal excitation and aggregation for action recognition", CVPR 2020,
section 3.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing


def frame_difference_loops(clip: Array) -> Array:
    """Naive form: one frame at a time."""
    half = clip.shape[1] // 2
    y = np.zeros_like(clip[:, :half])
    for t in range(clip.shape[2] - 1):
        y[:, :, t] = clip[:, :half, t + 1] - clip[:, half:, t]
    return y


def frame_difference(clip: Array) -> Array:
    """Vectorised form: one subtraction."""
    half = clip.shape[1] // 2
    zero = np.zeros_like(clip[:, :half, :1])  # keeps the number system of the clip
    return np.concatenate([clip[:, :half, 1:] - clip[:, half:, :-1], zero], axis=2)


@dataclass(frozen=True)
class FrameDifference:
    """`channels` C of what comes out, of the 2 C that go in; clips `(B, 2 C, T, ...)`."""

    channels: int

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise ValueError(f"FrameDifference: channels are those of the output, at least 1, got {self.channels}")

    @property
    def time(self) -> int:
        """Axis 2 of `(B, C, T, ...)`."""
        return 2

    @property
    def timing(self) -> Timing:
        """This frame and the next one."""
        return Timing(2, 1, 0, 1)

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C, T, ...)`; ValueError for other channels than 2 C."""
        if len(shape) < 3 or shape[1] != 2 * self.channels:
            raise ValueError(
                f"FrameDifference: expected a clip (B, C, T, ...) with C = 2 channels = {2 * self.channels},"
                f" got shape {tuple(shape)}"
            )
        return (shape[0], self.channels, *shape[2:])

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The differences."""
        self.output_shape(clip.shape)
        return frame_difference(clip)
