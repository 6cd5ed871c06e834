"""X3D and CoX3D: a small network, expanded one axis at a time; clips `(B, 3, T, H, W)`.

    stem    conv 1x3x3 stride (1, 2, 2), 3 -> 24; depthwise conv 5x1x1; norm; relu
    stages  3, 5, 11, 7 residual blocks (L, XL: 5, 10, 25, 15) of 24, 48, 96, 192 channels C (XL: 32, 72, 136, 280), the
            first of each with stride 2
    block   conv 1x1x1, C -> 2.25 C; norm; relu; depthwise conv 3x3x3; norm; squeeze-and-excite in every other block, from
            the first; swish; conv 1x1x1, 2.25 C -> C; norm
    head    conv 1x1x1, C -> 2.25 C; norm; relu; mean over everything; conv 1x1x1, 2.25 C -> 2048; relu; 2048 -> 400

The gate of X3D is a mean over the whole clip, so no frame can be computed before the last has come. CoX3D gates every
frame by its own mean, and pools over the last T frames: another function of the same weights, which streams. The output is
logits; papers do not count the softmax.

Sources: Feichtenhofer, "X3D: Expanding architectures for efficient video recognition", CVPR 2020, table 1; hyper-parameters
as in facebookresearch/SlowFast (`configs/Kinetics/X3D_*.yaml`, `video_model_builder.py`); Hedegaard & Iosifidis, "Continual
3D convolutional neural networks for real-time processing of videos", ECCV 2022, and LukasHedegaard/co3d (`models/cox3d`).
The official code has no X3D-XL: its widths are those of fcogidi/X3D-tf (`configs/kinetics/X3D_XL.yaml`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from coequal.reference.activation import Activation
from coequal.reference.compose import Sequential
from coequal.reference.layer import Layer
from coequal.reference.pool import GlobalAvgPool
from coequal.reference.squeeze_excite import SqueezeExcite
from coequal.systems.blocks import RELU, classifier, conv, normed, residual
from coequal.systems.system import System

PAPER = "Feichtenhofer, CVPR 2020, arXiv 2004.04730"
CONTINUAL = "Hedegaard & Iosifidis, ECCV 2022, arXiv 2106.00050"

# name: frames, height and width of the crop, depth factor, width factor
SIZES: dict[str, tuple[int, int, float, float]] = {
    "XS": (4, 160, 2.2, 2.0),
    "S": (13, 160, 2.2, 2.0),
    "M": (16, 224, 2.2, 2.0),
    "L": (16, 312, 5.0, 2.0),
    "XL": (16, 312, 5.0, 2.9),
}
WIDTH = 12  # channels at the stem, times the width factor
WINDOWS = {"S": (13, 16, 32, 64, 96), "M": (16, 32, 64, 96), "L": (16, 32, 64, 96)}  # of CoX3D, in frames
BLOCKS = (1, 2, 5, 3)  # of a stage, times the depth factor
POINT = (1, 1, 1)


def rounded(width: float) -> int:
    """To a multiple of 8, at least 8, and never by more than a tenth down.

    >>> rounded(54 / 16), rounded(216 / 16), rounded(432 / 16)
    (8, 16, 32)
    """
    nearest = max(8, int(width + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * width else nearest


def block(inputs: int, outputs: int, stride: int, scope: str | None) -> Sequential:
    """Bottleneck turned inside out, around a shortcut; `scope` of its squeeze-and-excite, None without one."""
    inner, strides = int(2.25 * outputs), (1, stride, stride)
    gate = () if scope is None else (SqueezeExcite(inner, rounded(inner / 16), scope),)
    layers = (
        *normed(conv(inputs, inner, POINT), RELU),
        *normed(conv(inner, inner, (3, 3, 3), strides, groups=inner), *gate, Activation("SiLU")),
        *normed(conv(inner, outputs, POINT)),
    )
    return residual(Sequential(layers), inputs, outputs, strides)


def stage(inputs: int, outputs: int, depth: int, scope: str) -> Sequential:
    """`depth` blocks, the first of stride 2; every other one has a squeeze-and-excite, from the first."""
    return Sequential(
        tuple(block(outputs if i else inputs, outputs, 1 if i else 2, None if i % 2 else scope) for i in range(depth))
    )


def stem(width: int) -> Sequential:
    """Convolution in space, then one in time, a channel at a time."""
    space, time = conv(3, width, (1, 3, 3), (1, 2, 2)), conv(width, width, (5, 1, 1), groups=width)
    return Sequential((space, *normed(time, RELU)))


def head(inputs: int, features: int, classes: int, window: int) -> tuple[Layer, ...]:
    """Classes of the mean over space and `window` frames."""
    inner = int(2.25 * inputs)
    pooled = (*normed(conv(inputs, inner, POINT), RELU), GlobalAvgPool(3, window))
    return (*pooled, conv(inner, features, POINT), RELU, classifier(features, classes))


def x3d(
    window: int, depth: float = 2.2, scope: str = "clip", width: float = 24, features: int = 2048, classes: int = 400
) -> Sequential:
    """The network; `window` frames are pooled, `scope` "clip" is X3D and "frame" CoX3D, `width` channels at the stem.

    The width doubles from stage to stage, and is rounded in each.
    """
    inputs = rounded(width)
    layers: list[Layer] = [stem(inputs)]
    for i, blocks in enumerate(BLOCKS):
        outputs = rounded(width * 2**i)
        layers.append(stage(inputs, outputs, math.ceil(blocks * depth), scope))
        inputs = outputs
    return Sequential((*layers, *head(inputs, features, classes, window)))


def modules(depth: float = 2.2) -> Iterator[str]:
    """Modules with weights of facebookresearch/SlowFast, in the order of ours."""
    yield from (f"s1.pathway0_stem.{name}" for name in ("conv_xy", "conv", "bn"))
    for i, blocks in enumerate(BLOCKS, start=2):
        for j in range(math.ceil(blocks * depth)):
            gate = () if j % 2 else ("se.fc1", "se.fc2")
            inside = (f"branch2.{name}" for name in ("a", "a_bn", "b", "b_bn", *gate, "c", "c_bn"))
            yield from (f"s{i}.pathway0_res{j}.{name}" for name in (*inside, *(() if j else ("branch1", "branch1_bn"))))
    yield from ("head.conv_5", "head.conv_5_bn", "head.lin_5", "head.projection")


def clip_system(name: str) -> System:
    """X3D of a size, as published."""
    frames, size, depth, width = SIZES[name]
    notes = "squeeze-and-excite over the whole clip: not streamable"
    layer = x3d(frames, depth, width=WIDTH * width)
    return System(f"X3D-{name}", "X3D", layer, (1, 3, frames, size, size), PAPER, notes)


def step_system(name: str, window: int) -> System:
    """CoX3D of a size, pooling over `window` frames."""
    _, size, depth, width = SIZES[name]
    layer = x3d(window, depth, "frame", WIDTH * width)
    return System(
        f"CoX3D-{name}_{window}", "Co3D", layer, (1, 3, window, size, size), CONTINUAL,
        "squeeze-and-excite frame by frame, where the original takes the whole clip: same weights, another function",
        layer, (1, 3, 1, size, size), f"X3D-{name}",
    )  # fmt: skip


def systems() -> list[System]:
    """X3D-XS, S, M, L, XL in clip mode; CoX3D-S, M, L with the pool window of the original, and with longer ones."""
    return [*map(clip_system, SIZES), *(step_system(name, window) for name in WINDOWS for window in WINDOWS[name])]
