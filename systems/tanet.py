"""TANet: ResNet-50, frame by frame, with a convolution over time whose kernels each clip makes; clips `(B, 3, T, H, W)`.

    stem     conv 1x7x7 stride (1, 2, 2), 3 -> 64; norm; relu; max pool 1x3x3 stride (1, 2, 2)
    stages   3, 4, 6, 3 blocks of 64, 128, 256, 512 inner channels C; stride 2 in space from the second stage on
    block    conv 1x1x1, -> C; norm; relu; temporal adaptive module; conv 1x3x3 stride s; norm; relu; conv 1x1x1, -> 4 C;
             norm; around a shortcut
    head     mean over space, 2048 -> 400 for every frame; mean over the frames

The module gates every channel of every frame, and then mixes each frame with its neighbours, with m the means over space:

    z[c, t] = x[c, t] sigmoid(conv 1(relu(norm(conv 3(m)))))[c, t]      over time, C -> C / 4 -> C
    y[c, t] = sum_k w[c, k] z[c, t + k]                                 k = -1, 0, 1
    w[c]    = softmax(W2 relu(norm(W1 m[c])))                           T -> 2 T -> 3, the same W for all channels

The gate looks at three frames. The kernel w is made of all T frames, in every block: as published, nothing streams, and
clips of another length are not taken. With one kernel for all clips it would.

Source: Liu, Wang, Wu, Qian & Lu, "TAM: Temporal adaptive module for video recognition", ICCV 2021, section 3; layers as in
open-mmlab/mmaction2 (`models/common/tam.py`, `models/backbones/tanet.py`, `configs/recognition/tanet`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.activation import Activation
from coequal.reference.adaptive_kernel import AdaptiveKernel
from coequal.reference.adaptive_pool import AdaptiveAvgPool
from coequal.reference.compose import Identity, Parallel, Residual, Sequential
from coequal.reference.layer import Layer
from coequal.systems.blocks import RELU, conv, normed, noted, residual
from coequal.systems.resnet3d import BLOCKS, stem
from coequal.systems.system import System
from coequal.systems.tsm import POINT, SIZE, head

PAPER = "Liu, Wang, Wu, Qian & Lu, ICCV 2021, arXiv 2005.06803"
AROUND, REDUCTION = (3, 1, 1), 4
NOTES = "kernels over time are made of the whole clip: not streamable"


def module(channels: int, frames: int) -> Sequential:
    """The temporal adaptive module."""
    narrow = channels // REDUCTION
    route = (*normed(conv(channels, narrow, AROUND), RELU), conv(narrow, channels, POINT), Activation("Sigmoid"))
    gated = Residual(Sequential((AdaptiveAvgPool((None, 1, 1)), *route)), reduce="product")
    return Sequential((Parallel((gated, Identity(2)), "concatenate"), AdaptiveKernel(channels, frames)))


def block(inputs: int, inner: int, stride: int, frames: int) -> Sequential:
    """A bottleneck around a shortcut."""
    strides = (1, stride, stride)
    layers = (
        *normed(conv(inputs, inner, POINT), RELU),
        module(inner, frames),
        *normed(conv(inner, inner, (1, 3, 3), strides), RELU),
        *normed(conv(inner, 4 * inner, POINT)),
    )
    return residual(Sequential(layers), inputs, 4 * inner, strides)


def tanet(frames: int, classes: int = 400, width: int = 64, blocks: tuple[int, ...] = BLOCKS) -> Sequential:
    """The network on clips of `frames` frames."""
    layers: list[Layer] = [stem(width, 1)]
    inputs = width
    for i, depth in enumerate(blocks):
        inner = width * 2**i
        rest = [block(4 * inner, inner, 1, frames)] * (depth - 1)
        layers.append(Sequential((block(inputs, inner, 1 if i == 0 else 2, frames), *rest)))
        inputs = 4 * inner
    return Sequential((*layers, *head(inputs, classes, frames)))


def modules(blocks: tuple[int, ...] = BLOCKS) -> Iterator[str]:
    """Modules with weights of mmaction2, in the order of ours."""
    yield from ("backbone.conv1.conv", "backbone.conv1.bn")
    adaptive = [f"tam.{name}" for name in ("L.0", "L.1", "L.3", "G.0", "G.1", "G.3")]
    first, *others = [[f"block.conv{i}.conv", f"block.conv{i}.bn"] for i in (1, 2, 3)]
    inside = [*first, *adaptive, *(name for pair in others for name in pair)]
    for stage, depth in enumerate(blocks, start=1):
        for j in range(depth):
            shortcut = ["block.downsample.conv", "block.downsample.bn"] if j == 0 else []
            yield from (f"backbone.layer{stage}.{j}.{name}" for name in inside + shortcut)
    yield "cls_head.fc_cls"


def systems() -> list[System]:
    """Of ResNet-50, on clips of 8 frames of Kinetics, and of 8 and 16 frames of Something-Something."""
    return [
        System(f"TANet-R50_{t}{name}", "TANet", tanet(t, n), (1, 3, t, SIZE, SIZE), PAPER, noted(NOTES, n))
        for t, n, name in ((8, 400, ""), (8, 174, " SSv1"), (16, 174, " SSv1"))
    ]
