"""More channels, all of them zero: the shortcut without weights of a block that widens. And some of the channels.

    zero      y[c] = x[c] for c < C, y[c] = 0 for C <= c < C'
    select    y[c] = x[start + c] for c < stop - start

Shapes: x `(B, C, T, ...)`, y `(B, C', T, ...)`.
Sources: He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, section 3.3, option A (zero);
Gao et al., "Res2Net: A new multi-scale backbone architecture", TPAMI 2021, section 3.1 (select).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Framewise, Parameters, Shape


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


class _OtherChannels(Framewise):
    """What both share: clips `(B, C, T, ...)` become clips of other channels, frame by frame."""

    @property
    def time(self) -> int:
        """Axis 2 of `(B, C, T, ...)`."""
        return 2


@dataclass(frozen=True)
class ZeroChannels(_OtherChannels):
    """Clips of `in_channels` channels become clips of `out_channels`, frame by frame."""

    in_channels: int
    out_channels: int

    def __post_init__(self) -> None:
        if not 1 <= self.in_channels <= self.out_channels:
            raise ValueError(
                f"ZeroChannels: out_channels are at least in_channels, and those at least 1, got {self.in_channels}"
                f" and {self.out_channels}"
            )

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


def select_channels_loops(clip: Array, start: int, stop: int) -> Array:
    """Naive form: one channel at a time."""
    return np.stack([clip[:, c] for c in range(start, stop)], axis=1)


def select_channels(clip: Array, start: int, stop: int) -> Array:
    """The channels from `start` on, before `stop`."""
    return clip[:, start:stop]


@dataclass(frozen=True)
class SelectChannels(_OtherChannels):
    """The channels `start` to `stop - 1` of clips `(B, C, T, ...)`."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(f"SelectChannels: start is at least 0 and before stop, got {self.start} and {self.stop}")

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, stop - start, T, ...)`; ValueError where there are fewer channels."""
        if len(shape) < 3 or shape[1] < self.stop:
            raise ValueError(
                f"SelectChannels: expected a clip (B, C, T, ...) with C at least stop = {self.stop},"
                f" got shape {tuple(shape)}"
            )
        return (shape[0], self.stop - self.start, *shape[2:])

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """Those channels."""
        self.output_shape(clip.shape)
        return select_channels(clip, self.start, self.stop)
