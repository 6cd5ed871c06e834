"""TAda2D: ResNet-50 for images whose 3x3 convolutions have other weights for every frame; clips `(B, 3, T, H, W)`.

    stem     conv 1x7x7 stride (1, 2, 2), 3 -> 64; norm; relu
    stages   3, 4, 6, 3 blocks of 64, 128, 256, 512 inner channels C, the first of each with stride 2 in space
    block    conv 1x1x1, -> C; norm; relu; calibrated conv 1x3x3; norm(y) + norm(mean of y over 3 frames); relu;
             conv 1x1x1, -> 4 C; norm; around a shortcut
    head     mean over everything; 2048 -> 400

Frame t is convolved with weights that are calibrated by what the frames about it look like, input channel by input channel:

    y[t] = conv(a[t] x[t])     a = 1 + conv3(relu(norm(conv3(v + g))))     v[t] = mean of x[t] over space
                               (over time, C -> C / 4 -> C)                g = W (mean of v over the clip) + b

Scaling channels of the input is scaling weights. The local part looks at three frames twice, and the mean over three frames
at one more on either side: every block waits for three frames, 48 in all. The global part g is a mean over the whole clip,
in every block: as published, nothing streams. Without g (`context=False`) it does.

Source: Huang et al., "TAda! Temporally-adaptive convolutions for video understanding", ICLR 2022, section 3; layers as in
alibaba-mmai-research/TAdaConv (`configs/pool/backbone/tada2d.yaml`, `models/module_zoo/branches/tada_branch.py`,
`models/module_zoo/ops/tadaconv.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.adaptive_pool import AdaptiveAvgPool, GlobalAvgPool
from coequal.reference.compose import Parallel, Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.norm import BatchNorm
from coequal.reference.pool import AvgPool
from coequal.systems.blocks import RELU, classifier, conv, normed, residual
from coequal.systems.system import System

PAPER = "Huang, Zhang, Pan, Qing, Tang, Liu & Ang Jr, ICLR 2022, arXiv 2110.06178"
BLOCKS, POINT, SIZE, RATIO = (3, 4, 6, 3), (1, 1, 1), 224, 4
AROUND = (3, 1, 1)  # a frame and its neighbours


def calibrated(channels: int, context: bool) -> Residual:
    """`a x = x + (a - 1) x`; with the mean of the whole clip where `context` is given."""
    means: Layer = AdaptiveAvgPool((None, 1, 1))
    if context:
        means = Parallel((means, Sequential((GlobalAvgPool(3), Conv(channels, channels, POINT)))))
    narrow = channels // RATIO
    route = (means, *normed(conv(channels, narrow, AROUND, bias=True), RELU), conv(narrow, channels, AROUND))
    return Residual(Residual(Sequential(route), reduce="product"))


def aggregated(channels: int) -> Parallel:
    """The norm of each frame, and another one of the mean over three frames."""
    mean = AvgPool(AROUND, 1, (1, 0, 0))
    return Parallel((BatchNorm(channels), Sequential((mean, BatchNorm(channels)))))


def block(inputs: int, inner: int, stride: int, context: bool) -> Sequential:
    """A bottleneck around a shortcut."""
    strides = (1, stride, stride)
    layers = (
        *normed(conv(inputs, inner, POINT), RELU),
        calibrated(inner, context),
        conv(inner, inner, (1, 3, 3), strides),
        aggregated(inner),
        RELU,
        *normed(conv(inner, 4 * inner, POINT)),
    )
    return residual(Sequential(layers), inputs, 4 * inner, strides)


def tada2d(
    frames: int, context: bool = True, width: int = 64, classes: int = 400, blocks: tuple[int, ...] = BLOCKS
) -> Sequential:
    """The network on clips of `frames` frames; `context`: weights look at the whole clip, too."""
    layers: list[Layer] = [Sequential(normed(conv(3, width, (1, 7, 7), (1, 2, 2)), RELU))]
    inputs = width
    for i, depth in enumerate(blocks):
        inner = width * 2**i
        rest = [block(4 * inner, inner, 1, context)] * (depth - 1)
        layers.append(Sequential((block(inputs, inner, 2, context), *rest)))
        inputs = 4 * inner
    return Sequential((*layers, GlobalAvgPool(3, frames), classifier(inputs, classes)))


def modules(blocks: tuple[int, ...] = BLOCKS) -> Iterator[str]:
    """Modules with weights of the original code, in the order of ours."""
    branch = ("a", "a_bn", "b_rf.g", "b_rf.a", "b_rf.bn", "b_rf.b", "b", "b_bn", "b_avgpool_bn", "c", "c_bn")
    yield from ("backbone.conv1.a", "backbone.conv1.a_bn")
    for stage, depth in enumerate(blocks, start=2):
        for j in range(1, depth + 1):
            at = f"backbone.conv{stage}.res_{j}"
            yield from (f"{at}.conv_branch.{name}" for name in branch)
            if j == 1:
                yield from (f"{at}.short_cut", f"{at}.short_cut_bn")
    yield "head.out"


def systems() -> list[System]:
    """On clips of 8 and of 16 frames."""
    notes = "weights of every convolution depend on the mean of the whole clip: not streamable"
    return [
        System(f"TAda2D-R50_{frames}", "TAda2D", tada2d(frames), (1, 3, frames, SIZE, SIZE), PAPER, notes)
        for frames in (8, 16)
    ]
