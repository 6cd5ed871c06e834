"""Convolution over any number of axes: time is just the first of them.

    y[b, o, t, h, w] = bias[o] + sum_{c, k, l, m} weight[o, c, k, l, m] * x[b, g(o) + c, t*S + k*D - P, h*.. , w*..]

`c` runs over the C_in / G channels of the group of `o`, `g(o)` is the first of them; `k, l, m` run over the kernel; S, D
and P are stride, dilation and padding of their axis. Elements outside of the clip are zero, or what `padding_mode` says
(`reference/pad.py`).
As in all of deep learning this is a cross-correlation: the kernel is not flipped.

Shapes: x `(B, C_in, T, H, W)`, weight `(C_out, C_in / G, K_t, K_h, K_w)`, bias `(C_out,)`, y `(B, C_out, T', H', W')`;
1-D and 2-D have fewer axes. Multiply-adds for each output element: `C_in / G * K_t * K_h * K_w`.
Source: Goodfellow, Bengio & Courville, "Deep learning", 2016, equation 9.6; Tran et al., "Learning spatiotemporal features
with 3D convolutional networks", ICCV 2015 (time as an axis).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.pad import Pairs, check_padding, pad
from coequal.reference.timing import Timing
from coequal.reference.window import Ints, check_clip, check_fits, out_shape, per_axis, taps

PADDING_MODES = {"zeros": "constant", "replicate": "replicate", "reflect": "reflect", "circular": "circular"}


def conv_loops(x: Array, weight: Array, bias: Array | None, stride: Ints, dilation: Ints, groups: int = 1) -> Array:
    """Naive form, of a clip that is padded already: one output element, one channel, one tap at a time."""
    outputs, per_group, kernel = weight.shape[0], weight.shape[1], weight.shape[2:]
    shape = (x.shape[0], outputs, *out_shape(x.shape[2:], kernel, stride, dilation))
    y = np.zeros(shape, dtype=x.dtype)
    for b, o, *position in np.ndindex(*shape):
        first = o // (outputs // groups) * per_group
        total = 0 if bias is None else bias[o]
        for c, *offset in np.ndindex(per_group, *kernel):
            where = [j * s + k * d for j, s, k, d in zip(position, stride, offset, dilation, strict=True)]
            total = total + weight[(o, c, *offset)] * x[(b, first + c, *where)]
        y[(b, o, *position)] = total
    return y


def conv(x: Array, weight: Array, bias: Array | None, stride: Ints, dilation: Ints, groups: int = 1) -> Array:
    """Vectorised form, of a clip that is padded already: one matrix product for each tap of the kernel."""
    batch, outputs, per_group = x.shape[0], weight.shape[0], weight.shape[1]
    total: Array = 0
    for offset, seen in taps(x, weight.shape[2:], stride, dilation):  # seen: (B, C_in, T', H', W')
        shape = seen.shape[2:]
        columns = seen.reshape(batch, groups, per_group, -1)  # (B, G, C_in / G, positions)
        matrix = weight[(..., *offset)].reshape(groups, outputs // groups, per_group)
        total = total + np.matmul(matrix, columns)  # (B, G, C_out / G, positions)
    y = total.reshape(batch, outputs, *shape)
    return y if bias is None else y + bias.reshape(outputs, *[1] * len(shape))


@dataclass(frozen=True)
class Conv:
    """Convolution as a layer; hyper-parameters as in torch.nn.Conv1d/2d/3d, one integer an axis, time first.

    The number of integers in `kernel_size` is the number of axes. `padding` may be "valid" or "same" (stride 1 only).
    """

    in_channels: int
    out_channels: int
    kernel_size: Ints
    stride: int | Ints = 1
    padding: int | Ints | str = 0
    dilation: int | Ints = 1
    groups: int = 1
    bias: bool = True
    padding_mode: str = "zeros"
    time: int = 2

    def __post_init__(self) -> None:
        if isinstance(self.kernel_size, int):
            raise ValueError(
                f"Conv: kernel_size says how many axes there are, so give a tuple, time first, for example"
                f" ({self.kernel_size},) for signals or ({self.kernel_size},) * 3 for video"
            )
        rank = len(self.kernel_size)
        set_ = object.__setattr__
        set_(self, "kernel_size", per_axis(self.kernel_size, rank, "Conv: kernel_size"))
        set_(self, "stride", per_axis(self.stride, rank, "Conv: stride"))
        set_(self, "dilation", per_axis(self.dilation, rank, "Conv: dilation"))
        if not isinstance(self.padding, str):
            set_(self, "padding", per_axis(self.padding, rank, "Conv: padding", least=0))
        self._check()

    def _check(self) -> None:
        if isinstance(self.padding, str) and self.padding not in ("same", "valid"):
            raise ValueError(f"Conv: padding is a number of elements, 'same' or 'valid', got {self.padding!r}")
        if self.padding == "same" and any(s != 1 for s in self.strides):
            raise ValueError(f"Conv: padding 'same' needs stride 1, got {self.stride}: give the padding as numbers")
        if self.padding_mode not in PADDING_MODES:
            raise ValueError(
                f"Conv: padding_mode is one of {', '.join(map(repr, PADDING_MODES))}, got {self.padding_mode!r}"
            )
        if self.groups < 1:
            raise ValueError(f"Conv: groups must be at least 1, got {self.groups}")
        for what, channels in (("in_channels", self.in_channels), ("out_channels", self.out_channels)):
            if channels % self.groups:
                raise ValueError(f"Conv: {what} must be a multiple of groups {self.groups}, got {channels}")

    @property
    def strides(self) -> Ints:
        """Stride of every axis."""
        return self.stride  # type: ignore[return-value]

    @property
    def dilations(self) -> Ints:
        """Dilation of every axis."""
        return self.dilation  # type: ignore[return-value]

    @functools.cached_property
    def pads(self) -> Pairs:
        """`(before, after)` of every axis; "same" puts the odd element after, as torch does."""
        if self.padding == "valid":
            return ((0, 0),) * len(self.kernel_size)
        if self.padding == "same":
            totals = [d * (k - 1) for k, d in zip(self.kernel_size, self.dilations, strict=True)]
            return tuple((total // 2, total - total // 2) for total in totals)
        return tuple((p, p) for p in self.padding)  # type: ignore[union-attr, misc]

    @property
    def timing(self) -> Timing | None:
        """`R = D (K - 1) + 1`; None when the start of the clip shows its end (circular padding in time)."""
        start, end = self.pads[0]
        if self.padding_mode == "circular" and (start or end):
            return None
        return Timing(self.dilations[0] * (self.kernel_size[0] - 1) + 1, self.strides[0], start, end)

    def parameters(self) -> dict[str, Shape]:
        """`weight` and, with bias, `bias`."""
        shapes: dict[str, Shape] = {"weight": (self.out_channels, self.in_channels // self.groups, *self.kernel_size)}
        return {**shapes, "bias": (self.out_channels,)} if self.bias else shapes

    def output_shape(self, shape: Shape) -> Shape:
        """`(B, C_out, T', H', W')`; ValueError names the axis that does not fit."""
        check_clip("Conv", shape, len(self.kernel_size), self.in_channels)
        check_padding("Conv", shape[2:], self.pads, PADDING_MODES[self.padding_mode])
        extent = padded(shape[2:], self.pads)
        outputs = out_shape(extent, self.kernel_size, self.strides, self.dilations)
        check_fits("Conv", extent, outputs)
        return (shape[0], self.out_channels, *outputs)

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The convolution of a clip."""
        self.output_shape(clip.shape)
        x = pad(clip, self.pads, PADDING_MODES[self.padding_mode], 0)
        return conv(x, parameters["weight"], parameters.get("bias"), self.strides, self.dilations, self.groups)


def padded(extent: Sequence[int], pads: Pairs) -> Ints:
    """Length of every axis with its padding."""
    return tuple(n + before + after for n, (before, after) in zip(extent, pads, strict=True))
