"""CSN: 3-D ResNets whose convolutions over space and time look at one channel at a time; clips `(B, 3, T, H, W)`.

    stem    conv 3x7x7 stride (1, 2, 2), 3 -> 64; norm; relu; max pool 1x3x3 stride (1, 2, 2)
    stages  bottlenecks of 64, 128, 256, 512 inner channels C; stride 2 in space and time from the second stage on
    ir      conv 1x1x1, -> C; norm; relu; depthwise conv 3x3x3 stride s; norm; relu; conv 1x1x1, -> 4 C; norm; shortcut
    ip      the same with conv 1x1x1, C -> C; norm before the depthwise convolution
    head    mean over everything; 2048 -> 400

ir stands for interaction-reduced, ip for interaction-preserved: where channels meet. Blocks of a stage: 3, 4, 6, 3 (50),
3, 4, 23, 3 (101), 3, 8, 36, 3 (152). Norms add 0.001 to variances.

Source: Tran, Wang, Torresani & Feiszli, "Video classification with channel-separated convolutional networks", ICCV 2019,
section 4; layers as in facebookresearch/VMZ (`pt/vmz/models/csn.py`, `utils.py`), open-mmlab/mmaction2 (`resnet3d_csn.py`)
and facebookresearch/pytorchvideo (`models/csn.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.compose import Sequential
from coequal.reference.layer import Layer
from coequal.reference.pool import GlobalAvgPool, MaxPool
from coequal.systems.blocks import RELU, classifier, conv, normed, residual, with_eps
from coequal.systems.system import System

PAPER = "Tran, Wang, Torresani & Feiszli, ICCV 2019, arXiv 1904.02811"
DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
POINT = (1, 1, 1)
FRAMES, EPS = 32, 1e-3


def block(inputs: int, inner: int, stride: int, preserved: bool) -> Sequential:
    """A bottleneck around a shortcut, `preserved`: channels meet before the depthwise convolution as well."""
    strides, outputs = (stride,) * 3, 4 * inner
    meeting = normed(conv(inner, inner, POINT)) if preserved else ()
    layers = (
        *normed(conv(inputs, inner, POINT), RELU),
        *meeting,
        *normed(conv(inner, inner, (3, 3, 3), strides, groups=inner), RELU),
        *normed(conv(inner, outputs, POINT)),
    )
    return residual(Sequential(layers), inputs, outputs, strides)


def stem(width: int) -> Sequential:
    """Convolution and pooling, each of stride 2 in space."""
    first = normed(conv(3, width, (3, 7, 7), (1, 2, 2)), RELU)
    return Sequential((*first, MaxPool((1, 3, 3), (1, 2, 2), (0, 1, 1))))


def csn(frames: int, blocks: tuple[int, ...], preserved: bool, width: int = 64, classes: int = 400) -> Sequential:
    """The network on clips of `frames` frames, of which the head sees an eighth."""
    layers: list[Layer] = [stem(width)]
    inputs = width
    for i, depth in enumerate(blocks):
        inner, stride = width * 2**i, 1 if i == 0 else 2
        rest = [block(4 * inner, inner, 1, preserved)] * (depth - 1)
        layers.append(Sequential((block(inputs, inner, stride, preserved), *rest)))
        inputs = 4 * inner
    pooled = -(-frames // 2 ** (len(blocks) - 1))
    return with_eps(Sequential((*layers, GlobalAvgPool(3, pooled), classifier(inputs, classes))), EPS)


def modules(blocks: tuple[int, ...], preserved: bool) -> Iterator[str]:
    """Modules with weights of facebookresearch/VMZ (`pt/vmz/models/csn.py`), in the order of ours."""
    yield from ("stem.0", "stem.1")
    depthwise = ("conv2.0.0", "conv2.0.1", "conv2.0.2") if preserved else ("conv2.0",)
    inside = ("conv1.0", "conv1.1", *depthwise, "conv2.1", "conv3.0", "conv3.1")
    for stage, depth in enumerate(blocks, start=1):
        for j in range(depth):
            names = (*inside, *(("downsample.0", "downsample.1") if j == 0 else ()))
            yield from (f"layer{stage}.{j}.{name}" for name in names)
    yield "fc"


# name: depth, interaction-preserved, crop
NETWORKS = {
    "ir-CSN-50": (50, False, 224),
    "ir-CSN-101": (101, False, 256),
    "ir-CSN-152": (152, False, 224),
    "ip-CSN-152": (152, True, 224),
}


def systems() -> list[System]:
    """On clips of 32 frames."""
    return [
        System(name, "CSN", csn(FRAMES, DEPTHS[depth], preserved), (1, 3, FRAMES, size, size), PAPER)
        for name, (depth, preserved, size) in NETWORKS.items()
    ]
