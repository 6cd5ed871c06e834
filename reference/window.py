"""Windows that slide over the axes of a clip, shared by convolution and pooling.

Along one axis a window of K taps, dilation D and stride S over L (padded) elements has taps and positions

    y[j] sees x[j*S + k*D],  k = 0 .. K-1,          j = 0 .. L' - 1,   L' = floor((L - D*(K-1) - 1) / S) + 1

Source: Dumoulin & Visin, "A guide to convolution arithmetic for deep learning", arXiv 1603.07285, relationship 15.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral

import numpy as np

from coequal.reference.layer import Array, Shape

Ints = tuple[int, ...]


def per_axis(value: int | Sequence[int], rank: int, what: str, least: int = 1) -> Ints:
    """One integer an axis, none below `least`; a single one holds for all.

    >>> per_axis(3, 2, "Conv: kernel_size")
    (3, 3)
    """
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(values) != rank:
        raise ValueError(f"{what} needs {rank} integers, one an axis, time first, got {value}")
    if rank < 1:
        raise ValueError(f"{what} says how many axes there are, and time is one of them: give at least one integer, got ()")
    if any(isinstance(value, Integral) and value < least for value in values):  # a letter stands for any size
        raise ValueError(f"{what} must be at least {least} along every axis, got {values}")
    return values


def positions(length: int, kernel: int, stride: int = 1, dilation: int = 1) -> int:
    """Number of windows along an axis of `length` elements, padding included; 0 when not one fits."""
    return max(0, (length - dilation * (kernel - 1) - 1) // stride + 1)


def tap(clip: Array, offset: Ints, shape: Ints, stride: Ints, dilation: Ints) -> Array:
    """The elements that tap `offset` of every window sees: `x[..., j*S + k*D]` for all `j < shape`. A view."""
    index = tuple(
        slice(k * d, k * d + (n - 1) * s + 1 if n else k * d, s)
        for k, n, s, d in zip(offset, shape, stride, dilation, strict=True)
    )
    return clip[(..., *index)]


def taps(clip: Array, kernel: Ints, stride: Ints, dilation: Ints) -> Iterator[tuple[Ints, Array]]:
    """Every tap of the kernel with what it sees, `(offset, (..., positions))`."""
    shape = out_shape(clip.shape[-len(kernel) :], kernel, stride, dilation)
    for offset in np.ndindex(*kernel):
        yield offset, tap(clip, offset, shape, stride, dilation)


def out_shape(extent: Sequence[int], kernel: Ints, stride: Ints, dilation: Ints) -> Ints:
    """Positions along every axis."""
    return tuple(positions(*axis) for axis in zip(extent, kernel, stride, dilation, strict=True))


def check_clip(what: str, shape: Shape, rank: int, channels: int | None = None) -> None:
    """ValueError unless `shape` is `(B, C, T, ...)` with `rank` axes after the channels (and `channels` of them)."""
    letters = "(" + ", ".join(["B", "C", "T", "H", "W"][: 2 + rank]) + ")"
    if len(shape) != 2 + rank:
        raise ValueError(
            f"{what}: expected a clip {letters}, {2 + rank} axes, got {len(shape)} axes {tuple(shape)}: reshape it"
        )
    if channels is not None and shape[1] != channels:
        raise ValueError(
            f"{what}: axis 1 (C) of the clip {letters} must have {channels} channels, got {shape[1]} in {tuple(shape)}"
        )


def check_fits(what: str, extent: Sequence[int], outputs: Sequence[int]) -> None:
    """ValueError naming the first axis along which not one window fits; `extent` includes the padding."""
    for letter, length, count in zip("THW", extent, outputs, strict=False):
        if count < 1:
            raise ValueError(
                f"{what}: the window is longer than axis {letter}, {length} elements with its padding:"
                " give a longer clip or pad more"
            )
