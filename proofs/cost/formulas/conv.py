"""Convolution: `y[b, o, j] = bias[o] + sum_{c, k} weight[o, c, k] * x[b, g(o) + c, j*S + k*D - P]` (`reference/conv.py`).

    domain       b < B, o < C_out, c < C_in / G, and pairs (j, k) of a window for each axis
    clip         B C_out C_in/G prod_axis (L' K) multiply-adds, one addition less for each output, and the bias
    effective    prod_axis sum_k #{j : 0 <= j*S + k*D - P < L} instead: stride 1, K = 3, P = 1 gives 3 L - 2
    step         when an output is due, every S_t frames: the same with L' = 1 in time, all K_t taps
    state        the last R - 1 input frames; the sums of outputs to come take (K_t - 1) output frames (stride 1 only)

A step does per output what the clip does: convolution saves nothing per frame, but a clip-mode network does it for all the
frames of a window, of which only one is new.
"""

from __future__ import annotations

from collections.abc import Mapping

from coequal.proofs.cost.algebra.counts import Cost, Size
from coequal.proofs.cost.algebra.domain import Domain, Window, ranges
from coequal.proofs.cost.algebra.symbols import numel, positions, product
from coequal.proofs.cost.formulas.dispatch import (
    NotStreamable,
    Sizes,
    Steps,
    clip_formula,
    domains,
    endless,
    output_shape,
    shape_formula,
    state_formula,
    step_formula,
)
from coequal.proofs.cost.formulas.scale import Scale
from coequal.reference import conv
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer, Shape
from coequal.reference.window import check_clip


@shape_formula.register
def _(layer: Conv, shape: Sizes) -> Sizes:
    check_clip("Conv", shape, len(layer.kernel_size), layer.in_channels)
    extent = [
        positions(n, k, s, d, before + after)
        for n, k, s, d, (before, after) in zip(
            shape[2:], layer.kernel_size, layer.strides, layer.dilations, layer.pads, strict=True
        )
    ]
    return (shape[0], layer.out_channels, *extent)


def windows(layer: Conv, shape: Sizes, padding: str) -> list[Window]:
    """One for each axis, time first. Padding that repeats the clip is no zero, so its products count."""
    effective = padding == "effective" and layer.padding_mode == "zeros"
    axes = zip(
        shape[2:], output_shape(layer, shape)[2:], layer.kernel_size, layer.strides, layer.dilations, layer.pads, strict=True
    )
    return [Window(n, out, k, s, d, pads[0], effective) for n, out, k, s, d, pads in axes]


@domains.register
def _(layer: Conv, shape: Sizes, padding: str = "nominal") -> Mapping[str, Domain]:
    channels = ranges(shape[0], layer.out_channels, layer.in_channels // layer.groups)
    return {"conv": Domain((*channels, *windows(layer, shape, padding)))}


@clip_formula.register
def _(layer: Conv, shape: Sizes, padding: str) -> Cost:
    products = domains(layer, shape, padding)["conv"].count()
    axes = windows(layer, shape, padding)
    sums = shape[0] * layer.out_channels * product(axis.nonempty() for axis in axes)
    outputs = shape[0] * layer.out_channels * product(axis.outputs for axis in axes)
    return _cost(layer, products, products - sums, numel(shape), outputs)


def _cost(layer: Conv, mul: Size, add: Size, reads: Size, outputs: Size, traffic: Size = 0) -> Cost:
    parameters = {name: numel(shape) for name, shape in layer.parameters().items()}
    cost = Cost.of("conv", mul=mul, add=add, reads=reads, weights=parameters["weight"], writes=outputs, traffic=traffic)
    return cost + Cost.of("conv bias", add=outputs, weights=parameters["bias"]) if layer.bias else cost


@step_formula.register
def _(layer: Conv, shape: Sizes, padding: str) -> Steps:
    """A frame that completes no window is kept, which is all that it costs."""
    timing, taps = layer.timing, layer.kernel_size[0]
    if timing is None:
        raise NotStreamable("Conv: circular padding in time needs the whole clip, so a step of it has no cost")
    axes = [Window(taps, 1, taps), *windows(layer, endless(layer, shape), padding)[1:]]
    channels = shape[0] * layer.out_channels
    mul = channels * (layer.in_channels // layer.groups) * product(axis.count() for axis in axes)
    sums = channels * product(axis.nonempty() for axis in axes)
    outputs = channels * product(axis.outputs for axis in axes)
    frame = numel((*shape[:2], *shape[3:]))
    kept = frame if taps > 1 else 0
    idle = Cost.of("conv", reads=frame, traffic=kept)
    due = _cost(layer, mul, mul - sums, frame, outputs, kept * taps)  # one frame written, K_t - 1 read
    return Steps(tuple(due if (n - timing.delay) % timing.stride == 0 else idle for n in range(timing.stride)))


@state_formula.register
def _(layer: Conv, shape: Sizes) -> Size:
    return (layer.dilations[0] * (layer.kernel_size[0] - 1)) * numel((*shape[:2], *shape[3:]))


def example(scale: Scale) -> tuple[Layer, Shape]:
    """A layer of this kind, and a clip for it."""
    return conv.Conv(scale.channels, scale.channels, (3, 3, 3), padding=1), scale.video
