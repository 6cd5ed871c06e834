"""S3D and S3D-G: Inception with convolutions over space and time taken apart; clips `(B, 3, T, H, W)`.

    sep k, s   conv 1 x k x k, stride (1, s, s), -> C; norm; relu; conv k x 1 x 1, stride (s, 1, 1), C -> C; norm; relu
    stem       sep 7, 2, 3 -> 64; max pool 1x3x3 stride (1, 2, 2); conv 1x1x1, 64; sep 3, 192; max pool as before
    blocks     two; max pool 3x3x3 stride 2; five; max pool 2x2x2 stride 2; two
    block      four branches on the same clip, one after the other as channels:
               conv 1x1x1 | conv 1x1x1, sep 3 | conv 1x1x1, sep 3 | max pool 3x3x3, conv 1x1x1        (each with norm; relu)
    head       mean over all of space and two frames; 1024 -> 400 at each position; mean over the positions

S3D-G multiplies each of these branches, and the end of the stem, by a gate for every channel,

    y = x * sigmoid(W mean(x) + b)        mean over space and the whole clip

so that no frame can be computed before the last one has come: it does not stream. S3D does, at one frame in eight.

Source: Xie, Sun, Huang, Tu & Murphy, "Rethinking spatiotemporal feature learning: Speed-accuracy trade-offs in video
classification", ECCV 2018; layers as in torchvision (`models/video/s3d.py`), which has no gates; gates as in
alibaba-mmai-research/TAdaConv (`models/module_zoo/branches/s3dg_branch.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.activation import Activation
from coequal.reference.adaptive_pool import GlobalAvgPool
from coequal.reference.compose import Parallel, Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.norm import BatchNorm
from coequal.reference.pool import AvgPool, MaxPool
from coequal.systems.blocks import RELU, classifier, conv
from coequal.systems.system import System

PAPER = "Xie, Sun, Huang, Tu & Murphy, ECCV 2018, arXiv 1712.04851"
POINT, SIZE, EPS = (1, 1, 1), 224, 1e-3
STEM = (64, 192)
# channels of a block: first branch; second, inside and out; third, inside and out; fourth
GROUPS = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


def unit(layer: Conv) -> tuple[Layer, ...]:
    """A convolution with norm and ReLU."""
    return (layer, BatchNorm(layer.out_channels, EPS), RELU)


def sep(inputs: int, outputs: int, kernel: int, stride: int = 1) -> tuple[Layer, ...]:
    """Space, then time."""
    space = conv(inputs, outputs, (1, kernel, kernel), (1, stride, stride))
    return (*unit(space), *unit(conv(outputs, outputs, (kernel, 1, 1), (stride, 1, 1))))


def gate(channels: int) -> Residual:
    """Each channel times a number that its mean over the whole clip decides."""
    mean = (GlobalAvgPool(3), Conv(channels, channels, POINT), Activation("Sigmoid"))
    return Residual(Sequential(mean), reduce="product")


def block(inputs: int, channels: tuple[int, ...], gated: bool) -> Parallel:
    """Four branches, one after the other as channels; `gated`: each by its own gate."""
    b0, inside1, b1, inside2, b2, b3 = channels

    def end(outputs: int) -> tuple[Layer, ...]:
        return (gate(outputs),) if gated else ()

    branches = (
        (*unit(conv(inputs, b0, POINT)), *end(b0)),
        (*unit(conv(inputs, inside1, POINT)), *sep(inside1, b1, 3), *end(b1)),
        (*unit(conv(inputs, inside2, POINT)), *sep(inside2, b2, 3), *end(b2)),
        (MaxPool((3, 3, 3), 1, 1), *unit(conv(inputs, b3, POINT)), *end(b3)),
    )
    return Parallel(tuple(map(Sequential, branches)), "concatenate")


def s3d(frames: int, gated: bool = False, classes: int = 400, side: int = 7, divisor: int = 1) -> Sequential:
    """The network on clips of `frames` frames, of which `frames / 8` reach the head, of `side` x `side` positions.

    `divisor`: all channels are divided by it.
    """
    first, second = (channels // divisor for channels in STEM)
    spatial = MaxPool((1, 3, 3), (1, 2, 2), (0, 1, 1))
    end = (gate(second),) if gated else ()
    layers: list[Layer] = [
        *sep(3, first, 7, 2),
        spatial,
        *unit(conv(first, first, POINT)),
        *sep(first, second, 3),
        *end,
        spatial,
    ]
    inputs = second
    pools = (MaxPool((3, 3, 3), 2, 1), MaxPool((2, 2, 2), 2))
    for i, group in enumerate(GROUPS):
        for full in group:
            channels = tuple(c // divisor for c in full)
            layers.append(block(inputs, channels, gated))
            inputs = channels[0] + channels[2] + channels[4] + channels[5]
        layers += pools[i : i + 1]
    head = (AvgPool((2, side, side), 1), classifier(inputs, classes), GlobalAvgPool(3, frames // 8 - 1))
    return Sequential((*layers, *head))


def modules() -> Iterator[str]:
    """Modules with weights of torchvision's S3D, in the order of ours."""
    yield from _pair("features.0")
    yield from ("features.2.0", "features.2.1")
    yield from _pair("features.3")
    blocks = (i for i in range(5, 16) if i not in (7, 13))  # pools stand between
    for at in (f"features.{i}" for i in blocks):
        yield from (f"{at}.branch0.0", f"{at}.branch0.1")
        for branch in (f"{at}.branch1", f"{at}.branch2"):
            yield from (f"{branch}.0.0", f"{branch}.0.1")
            yield from _pair(f"{branch}.1")
        yield from (f"{at}.branch3.1.0", f"{at}.branch3.1.1")
    yield "classifier.1"


def _pair(at: str) -> tuple[str, ...]:
    """Space and time of a convolution taken apart."""
    return (f"{at}.0.0", f"{at}.0.1", f"{at}.1.0", f"{at}.1.1")


def systems() -> list[System]:
    """S3D on clips of 16 frames as in torchvision, S3D-G on clips of 64 as in the paper."""
    notes = "gates are means over the whole clip: not streamable"
    return [
        System("S3D_16", "S3D", s3d(16), (1, 3, 16, SIZE, SIZE), PAPER),
        System("S3D-G_64", "S3D", s3d(64, gated=True), (1, 3, 64, SIZE, SIZE), PAPER, notes),
    ]
