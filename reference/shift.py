"""Temporal shift: some channels look one frame back, some one frame ahead; no multiplication at all.

With `F = C // fold_div` channels in a fold, of a clip `x (B, C, T, ...)`:

    bidirectional    y[c, t] = x[c, t + 1]  for      c < F      (zero at the last frame)
                     y[c, t] = x[c, t - 1]  for F <= c < 2 F    (zero at the first frame)
                     y[c, t] = x[c, t]      for the rest
    unidirectional   y[c, t] = x[c, t - 1]  for      c < F      (zero at the first frame)
                     y[c, t] = x[c, t]      for the rest

Source: Lin, Gan & Han, "TSM: Temporal shift module for efficient video understanding", ICCV 2019, sections 3.2 and 3.4
(the online model is the unidirectional one).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing


def offsets(channels: int, fold_div: int, bidirectional: bool) -> list[int]:
    """For each channel, the frame it reads relative to its own: +1, -1 or 0."""
    fold = channels // fold_div
    shifted = [+1] * fold + [-1] * fold if bidirectional else [-1] * fold
    return shifted + [0] * (channels - len(shifted))


def temporal_shift_loops(clip: Array, fold_div: int, bidirectional: bool) -> Array:
    """Naive form: one channel of one frame at a time."""
    shifted = np.zeros_like(clip)
    length = clip.shape[2]
    for channel, offset in enumerate(offsets(clip.shape[1], fold_div, bidirectional)):
        for t in range(length):
            if 0 <= t + offset < length:
                shifted[:, channel, t] = clip[:, channel, t + offset]
    return shifted


def temporal_shift(clip: Array, fold_div: int, bidirectional: bool) -> Array:
    """The clip `(B, C, T, ...)` with its first folds of channels shifted by a frame; same shape."""
    fold = clip.shape[1] // fold_div
    zero = np.zeros_like(clip[:, :fold, :1])  # keeps the number system of the clip
    earlier = clip[:, fold : 2 * fold] if bidirectional else clip[:, :fold]
    parts = [np.concatenate([zero, earlier[:, :, :-1]], axis=2)]
    if bidirectional:
        parts.insert(0, np.concatenate([clip[:, :fold, 1:], zero], axis=2))
    return np.concatenate([*parts, clip[:, len(parts) * fold :]], axis=1)


@dataclass(frozen=True)
class TemporalShift:
    """`1 / fold_div` of the channels shifted each way (bidirectional) or backwards only; clips `(B, C, T, ...)`."""

    fold_div: int = 8
    bidirectional: bool = True

    def __post_init__(self) -> None:
        least = 2 if self.bidirectional else 1
        if self.fold_div < least:
            raise ValueError(
                f"TemporalShift: fold_div is at least {least} when bidirectional={self.bidirectional}, got {self.fold_div}"
            )

    @property
    def time(self) -> int:
        """Axis 2 of `(B, C, T, ...)`."""
        return 2

    @property
    def timing(self) -> Timing:
        """One frame back, and one ahead when bidirectional."""
        return Timing(3, 1, 1, 1) if self.bidirectional else Timing(2, 1, 1, 0)

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError where it has too few channels to shift any."""
        if len(shape) < 3:
            raise ValueError(f"TemporalShift: expected a clip (B, C, T, ...), got shape {tuple(shape)}")
        if shape[1] < self.fold_div:
            raise ValueError(
                f"TemporalShift: {shape[1]} channels are fewer than fold_div {self.fold_div}: none would be shifted;"
                " use a smaller fold_div"
            )
        return tuple(shape)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The shifted clip."""
        self.output_shape(clip.shape)
        return temporal_shift(clip, self.fold_div, self.bidirectional)
