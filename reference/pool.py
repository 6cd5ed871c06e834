"""Pooling: the mean or the maximum of windows, over any number of axes; time is just the first of them.

    average   y[b, c, j] = 1 / n_j * sum_k x[b, c, j*S + k - P]
    maximum   y[b, c, j] = max_k x[b, c, j*S + k*D - P]

(one index stands for all axes). Padding counts as zero for the mean and as minus infinity for the maximum. `n_j` is the
number of elements of the window with the padding (`count_include_pad`), or without, or `divisor_override`. With `ceil_mode`
a last window may hang over the end, if it starts inside the clip or its start padding; what hangs over the padding is never
counted. Adaptive and global pooling: `reference/adaptive_pool.py`.

Shapes: x `(B, C, T, H, W)`, y `(B, C, T', H', W')`. Additions (comparisons) for each output element: the size of the window.
Source: LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 1998 (subsampling); the window
rules are those of torch.nn.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from coequal.reference.adaptive_pool import AdaptiveAvgPool, AdaptiveMaxPool, GlobalAvgPool, GlobalMaxPool
from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing
from coequal.reference.window import Ints, check_clip, check_fits, per_axis, taps

__all__ = ["AdaptiveAvgPool", "AdaptiveMaxPool", "AvgPool", "GlobalAvgPool", "GlobalMaxPool", "MaxPool"]


def pooled(length: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil_mode: bool = False) -> int:
    """Number of windows along one axis; a window that would start in the end padding is dropped, as in torch."""
    free = length + 2 * padding - dilation * (kernel - 1) - 1
    if free < 0 and not ceil_mode:
        return 0
    count = (-(-free // stride) if ceil_mode else free // stride) + 1
    if ceil_mode and (count - 1) * stride >= length + padding:
        count -= 1
    return max(0, count)


def spans(shape: Ints, extent: Ints, kernel: Ints, stride: Ints, padding: Ints) -> Iterator[tuple[Ints, list[range], int]]:
    """Every window: its index, the elements it covers along each axis, its number of elements with the padding."""
    for index in np.ndindex(*shape):
        starts = [j * s - p for j, s, p in zip(index, stride, padding, strict=True)]
        ends = [min(a + k, n + p) for a, k, n, p in zip(starts, kernel, extent, padding, strict=True)]
        inside = [range(max(a, 0), min(b, n)) for a, b, n in zip(starts, ends, extent, strict=True)]
        yield index, inside, math.prod(b - a for a, b in zip(starts, ends, strict=True))


def divisors(shape: Ints, extent: Ints, layer: AvgPool) -> np.ndarray:
    """What every window's sum is divided by."""
    counts = np.ones(shape, dtype=int)
    for index, inside, full in spans(shape, extent, layer.kernel_size, layer.strides, layer.paddings):
        counts[index] = layer.divisor_override or (full if layer.count_include_pad else math.prod(map(len, inside)))
    return counts


def avg_pool_loops(x: Array, layer: AvgPool) -> Array:
    """Naive form: one output element, one term at a time."""
    extent, shape = x.shape[2:], layer.output_shape(x.shape)
    y, counts = np.zeros(shape, dtype=x.dtype), divisors(shape[2:], extent, layer)
    for index, inside, _ in spans(shape[2:], extent, layer.kernel_size, layer.strides, layer.paddings):
        for b, c in np.ndindex(*shape[:2]):
            total = 0
            for offset in np.ndindex(*map(len, inside)):
                total = total + x[(b, c, *(axis[k] for axis, k in zip(inside, offset, strict=True)))]
            y[(b, c, *index)] = total / counts[index]
    return y


def avg_pool(x: Array, layer: AvgPool) -> Array:
    """Vectorised form: the sum of the taps, then one division."""
    shape = layer.output_shape(x.shape)[2:]
    seen = _surrounded(x, layer.window, shape, 0)
    counts = divisors(shape, x.shape[2:], layer)
    if isinstance(x, np.ndarray) and x.dtype.kind == "f":
        counts = counts.astype(x.dtype)  # NumPy would divide float32 by integers in float64
    return _reduce(operator_add, seen, layer.window) / counts


def max_pool_loops(x: Array, layer: MaxPool) -> Array:
    """Naive form: one output element, one comparison at a time; taps in the padding are skipped."""
    shape = layer.output_shape(x.shape)
    y = np.zeros(shape, dtype=x.dtype)
    kernel, stride, padding, dilation = layer.window
    for b, c, *index in np.ndindex(*shape):
        best = None
        for offset in np.ndindex(*kernel):
            where = [j * s + k * d - p for j, s, k, d, p in zip(index, stride, offset, dilation, padding, strict=True)]
            if all(0 <= i < n for i, n in zip(where, x.shape[2:], strict=True)):
                value = x[(b, c, *where)]
                best = value if best is None else max(best, value)
        y[(b, c, *index)] = -math.inf if best is None else best
    return y


def max_pool(x: Array, layer: MaxPool) -> Array:
    """Vectorised form: the maximum of the taps."""
    shape = layer.output_shape(x.shape)[2:]
    return _reduce(np.maximum, _surrounded(x, layer.window, shape, -math.inf), layer.window)


def operator_add(a: Array, b: Array) -> Array:
    """`a + b`, as a function of arrays."""
    return a + b


def _reduce(combine: Callable[[Array, Array], Array], x: Array, window: tuple[Ints, Ints, Ints, Ints]) -> Array:
    kernel, stride, _, dilation = window
    return functools.reduce(combine, (seen for _, seen in taps(x, kernel, stride, dilation)))


def _surrounded(x: Array, window: tuple[Ints, Ints, Ints, Ints], shape: Ints, value: float) -> Array:
    """x with its start padding, cut or padded at the end to what the last window sees."""
    widths = [(0, 0), (0, 0)]
    for n, count, k, s, p, d in zip(x.shape[2:], shape, *window, strict=True):
        widths.append((p, max(0, (count - 1) * s + d * (k - 1) + 1 - n - p)))
    if not any(a or b for a, b in widths):
        return x
    return np.pad(x, widths, constant_values=value)


class _Pool:
    """What average and maximum share: hyper-parameters an axis, shapes, timing."""

    kernel_size: Ints
    stride: int | Ints | None
    padding: int | Ints
    ceil_mode: bool

    def _normalise(self) -> None:
        name = type(self).__name__
        if isinstance(self.kernel_size, int):
            raise ValueError(
                f"{name}: kernel_size says how many axes there are, so give a tuple, time first, got {self.kernel_size}"
            )
        rank = len(self.kernel_size)
        set_ = object.__setattr__
        set_(self, "kernel_size", per_axis(self.kernel_size, rank, f"{name}: kernel_size"))
        set_(self, "stride", per_axis(self.kernel_size if self.stride is None else self.stride, rank, f"{name}: stride"))
        set_(self, "padding", per_axis(self.padding, rank, f"{name}: padding", least=0))
        if any(2 * p > k for p, k in zip(self.paddings, self.kernel_size, strict=True)):
            raise ValueError(f"{name}: padding is at most half of the kernel {self.kernel_size}, got {self.padding}")

    @property
    def strides(self) -> Ints:
        """Stride of every axis, by default the kernel's size."""
        return self.stride  # type: ignore[return-value]

    @property
    def paddings(self) -> Ints:
        """Padding of every axis, at either side."""
        return self.padding  # type: ignore[return-value]

    @property
    def dilations(self) -> Ints:
        """Dilation of every axis."""
        return (1,) * len(self.kernel_size)

    @property
    def window(self) -> tuple[Ints, Ints, Ints, Ints]:
        """Kernel, stride, padding, dilation."""
        return self.kernel_size, self.strides, self.paddings, self.dilations

    @property
    def timing(self) -> Timing | None:
        """`R = D (K - 1) + 1`. With `ceil_mode` the end of the clip owes up to `S - 1` frames more of padding."""
        reach, pad = self.dilations[0] * (self.kernel_size[0] - 1) + 1, self.paddings[0]
        if self.ceil_mode and self.strides[0] > 1:
            return (
                None
                if pad + self.strides[0] - 1 >= reach
                else Timing(reach, self.strides[0], pad, pad + self.strides[0] - 1)
            )
        return Timing(reach, self.strides[0], pad, pad)

    def parameters(self) -> dict[str, Shape]:
        """None."""
        return {}

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C, T', H', W')`; ValueError names the axis that is shorter than the window."""
        name, rank = type(self).__name__, len(self.kernel_size)
        check_clip(name, shape, rank)
        outputs = tuple(pooled(n, k, s, p, d, self.ceil_mode) for n, k, s, p, d in zip(shape[2:], *self.window, strict=True))
        check_fits(name, [n + 2 * p for n, p in zip(shape[2:], self.paddings, strict=True)], outputs)
        return (*shape[:2], *outputs)


@dataclass(frozen=True)
class AvgPool(_Pool):
    """Mean of windows; hyper-parameters as in torch.nn.AvgPool1d/2d/3d, one integer an axis, time first."""

    kernel_size: Ints
    stride: int | Ints | None = None
    padding: int | Ints = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None
    time: int = 2

    def __post_init__(self) -> None:
        self._normalise()
        if self.divisor_override == 0:
            raise ValueError("AvgPool: divisor_override must not be zero")

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The means."""
        return avg_pool(clip, self)


@dataclass(frozen=True)
class MaxPool(_Pool):
    """Maximum of windows; hyper-parameters as in torch.nn.MaxPool1d/2d/3d, one integer an axis, time first."""

    kernel_size: Ints
    stride: int | Ints | None = None
    padding: int | Ints = 0
    dilation: int | Ints = 1
    ceil_mode: bool = False
    time: int = 2

    def __post_init__(self) -> None:
        self._normalise()
        object.__setattr__(self, "dilation", per_axis(self.dilation, len(self.kernel_size), "MaxPool: dilation"))

    @property
    def dilations(self) -> Ints:
        """Dilation of every axis."""
        return self.dilation  # type: ignore[return-value]

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The maxima."""
        return max_pool(clip, self)
