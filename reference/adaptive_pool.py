"""Pooling to a given size, and over everything.

    adaptive  y[b, c, j] = mean or max of x[b, c, floor(j L / L') .. ceil((j + 1) L / L') - 1]     (each axis alike)
    global    y[b, c]    = mean or max over time and space; with `window` N, over the last N frames and all of space

An adaptive window depends on the length of the clip, so in time it needs the whole clip. A global pool with a window is an
ordinary pool in time, of kernel N and stride 1: that is what its stream computes.

Shapes: x `(B, C, T, H, W)`, adaptive `(B, C, T', H', W')`, global `(B, C, 1, 1, 1)`, or `T - N + 1` frames with a window.
Source: torch.nn.AdaptiveAvgPool3d; Lin, Chen & Yan, "Network in network", ICLR 2014, section 3.2 (global).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing
from coequal.reference.window import Ints, check_clip, check_fits, per_axis, taps

Reduction = Callable[..., Array]


def bounds(j: int, length: int, outputs: int) -> tuple[int, int]:
    """First element of window j and one past its last."""
    return j * length // outputs, -(-(j + 1) * length // outputs)


def adaptive_pool_loops(x: Array, output_size: Ints, reduce: str) -> Array:
    """Naive form: one output element, one term at a time; `reduce` is "mean" or "max"."""
    y = np.zeros((*x.shape[:2], *output_size), dtype=x.dtype)
    for b, c, *index in np.ndindex(*y.shape):
        ranges = [range(*bounds(j, n, m)) for j, n, m in zip(index, x.shape[2:], output_size, strict=True)]
        offsets = np.ndindex(*map(len, ranges))
        values = [x[(b, c, *(axis[k] for axis, k in zip(ranges, offset, strict=True)))] for offset in offsets]
        y[(b, c, *index)] = max(values) if reduce == "max" else sum(values) / len(values)
    return y


def adaptive_pool(x: Array, output_size: Ints, reduce: str) -> Array:
    """Vectorised form: one reduction for each output position."""
    pieces = x
    for axis, outputs in enumerate(output_size, start=2):
        length = x.shape[axis]
        windows = [_reduced(pieces, axis, *bounds(j, length, outputs), reduce) for j in range(outputs)]
        pieces = np.concatenate(windows, axis=axis)
    return pieces


def _reduced(x: Array, axis: int, start: int, stop: int, reduce: str) -> Array:
    """One window along one axis: windows are boxes, so mean and maximum go axis by axis."""
    window = x[(*[slice(None)] * axis, slice(start, stop))]
    if reduce == "max":
        return np.max(window, axis=axis, keepdims=True)
    return np.sum(window, axis=axis, keepdims=True) / (stop - start)


class _Adaptive:
    """What adaptive mean and maximum share; an axis whose output size is None keeps its length."""

    output_size: tuple[int | None, ...]
    reduce: str

    def __post_init__(self) -> None:
        name = type(self).__name__
        if isinstance(self.output_size, int):
            raise ValueError(
                f"{name}: output_size says how many axes there are, so give a tuple, time first, got {self.output_size}"
            )
        sizes = tuple(self.output_size)
        per_axis([1 if size is None else size for size in sizes], len(sizes), f"{name}: output_size")
        object.__setattr__(self, "output_size", sizes)

    @property
    def timing(self) -> Timing | None:
        """Frame by frame where time keeps its length; otherwise the whole clip is needed."""
        return Timing() if self.output_size[0] is None else None

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C)` and the output size."""
        check_clip(type(self).__name__, shape, len(self.output_size))
        check_fits(type(self).__name__, shape[2:], shape[2:])
        return (*shape[:2], *(n if m is None else m for n, m in zip(shape[2:], self.output_size, strict=True)))

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The pooled clip."""
        return adaptive_pool(clip, self.output_shape(clip.shape)[2:], self.reduce)


@dataclass(frozen=True)
class AdaptiveAvgPool(_Adaptive):
    """Mean to a given size, one integer (or None: keep) an axis, time first, as in torch.nn.AdaptiveAvgPool3d."""

    output_size: tuple[int | None, ...]
    time: int = 2
    reduce = "mean"


@dataclass(frozen=True)
class AdaptiveMaxPool(_Adaptive):
    """Maximum to a given size, one integer (or None: keep) an axis, time first, as in torch.nn.AdaptiveMaxPool3d."""

    output_size: tuple[int | None, ...]
    time: int = 2
    reduce = "max"


class _Global:
    """What global mean and maximum share."""

    rank: int
    window: int | None
    reduce: str

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise ValueError(f"{type(self).__name__}: rank counts the axes of time and space, at least 1, got {self.rank}")
        if self.window is not None and self.window < 1:
            raise ValueError(f"{type(self).__name__}: window counts frames, at least 1, got {self.window}")

    @property
    def timing(self) -> Timing | None:
        """`R = N`; None without a window: the whole clip is needed."""
        return None if self.window is None else Timing(self.window)

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C, 1, 1, 1)`, or `T - N + 1` frames with a window."""
        check_clip(type(self).__name__, shape, self.rank)
        frames = 1 if self.window is None else shape[2] - self.window + 1
        check_fits(type(self).__name__, shape[2:], (min(frames, shape[2]), *shape[3:]))
        return (*shape[:2], frames, *[1] * (self.rank - 1))

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The pooled clip."""
        self.output_shape(clip.shape)
        window = clip.shape[2] if self.window is None else self.window
        axes = tuple(range(3, 2 + self.rank))
        if self.reduce == "max":
            frames = np.max(clip, axis=axes, keepdims=True) if axes else clip
            return _sliding(np.maximum, frames, window)
        frames = np.sum(clip, axis=axes, keepdims=True) if axes else clip
        return _sliding(np.add, frames, window) / (window * int(np.prod(clip.shape[3:], dtype=int)))


def _sliding(combine: Reduction, frames: Array, window: int) -> Array:
    """Every `window` frames in a row, combined."""
    ones = (1,) * (frames.ndim - 3)
    first, *others = (seen for _, seen in taps(frames, (window, *ones), (1, *ones), (1, *ones)))
    for other in others:
        first = combine(first, other)
    return first


@dataclass(frozen=True)
class GlobalAvgPool(_Global):
    """Mean over time and space of `rank` axes; `window=N`: over the last N frames, a frame a window."""

    rank: int
    window: int | None = None
    time: int = 2
    reduce = "mean"


@dataclass(frozen=True)
class GlobalMaxPool(_Global):
    """Maximum over time and space of `rank` axes; `window=N`: over the last N frames, a frame a window."""

    rank: int
    window: int | None = None
    time: int = 2
    reduce = "max"
