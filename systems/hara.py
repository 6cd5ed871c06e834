"""3-D ResNets and ResNeXts of Hara: image networks with a third axis everywhere; clips `(B, 3, T, H, W)`.

    stem      conv 7x7x7 stride (1, 2, 2), 3 -> 64; norm; relu; max pool 3x3x3 stride 2
    stages    blocks of 64, 128, 256, 512 channels C; stride 2 in space and time from the second stage on
    18, 34    conv 3x3x3 stride s, -> C; norm; relu; conv 3x3x3, -> C; norm; around shortcut A
    50 .. 200 conv 1x1x1, -> C; norm; relu; conv 3x3x3 stride s; norm; relu; conv 1x1x1, -> 4 C; norm; around shortcut B
    ResNeXt   the same with 2 C inside, 32 groups in the middle, -> 4 C
    head      mean over everything; 512 or 2048 -> 400

Shortcut A takes one element in s along every axis, and has zeros for the channels that are missing: no weights. Shortcut B
is a convolution 1x1x1 with norm. Both have the stride, hence the phase, of the branch beside them: the network streams at
one frame in 16, and its 16 frames give one.

Blocks of a stage: 2, 2, 2, 2 (18), 3, 4, 6, 3 (34, 50), 3, 4, 23, 3 (101), 3, 8, 36, 3 (152), 3, 24, 36, 3 (200).

Source: Hara, Kataoka & Satoh, "Can spatiotemporal 3D CNNs retrace the history of 2D CNNs and ImageNet?", CVPR 2018,
section 3.1 and table 1; layers as in kenshohara/3D-ResNets-PyTorch (`models/resnet.py`, `resnext.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from coequal.reference.channels import ZeroChannels
from coequal.reference.compose import Residual, Sequential
from coequal.reference.layer import Layer
from coequal.reference.pool import AvgPool, GlobalAvgPool, MaxPool
from coequal.systems.blocks import RELU, classifier, conv, normed, residual
from coequal.systems.system import System

PAPER = "Hara, Kataoka & Satoh, CVPR 2018, arXiv 1711.09577"
FRAMES, SIZE, GROUPS, POINT = 16, 112, 32, (1, 1, 1)
BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
Block = Callable[[int, int, int], Sequential]  # of input channels, the C of its stage, and stride


def shortcut_a(main: Sequential, inputs: int, outputs: int, stride: int) -> Sequential:
    """`relu(main(x) + x)`, x taken at every `stride`-th element, with zeros for the channels that are missing."""
    sizes = (AvgPool(POINT, (stride,) * 3),) if stride > 1 else ()
    more = (ZeroChannels(inputs, outputs),) if inputs != outputs else ()
    return Sequential((Residual(main, Sequential((*sizes, *more)) if sizes or more else None), RELU))


def shortcut_b(main: Sequential, inputs: int, outputs: int, stride: int) -> Sequential:
    """`relu(main(x) + W x)` where channels or sizes change."""
    return residual(main, inputs, outputs, (stride,) * 3)


def basic(inputs: int, channels: int, stride: int) -> Sequential:
    """Two convolutions around shortcut A."""
    strides = (stride,) * 3
    layers = (*normed(conv(inputs, channels, (3, 3, 3), strides), RELU), *normed(conv(channels, channels, (3, 3, 3))))
    return shortcut_a(Sequential(layers), inputs, channels, stride)


def bottleneck(inputs: int, channels: int, stride: int, inner: int = 1, groups: int = 1) -> Sequential:
    """Narrow inside, around shortcut B; `inner` times the channels in the middle, in so many groups."""
    strides, middle = (stride,) * 3, inner * channels
    layers = (
        *normed(conv(inputs, middle, POINT), RELU),
        *normed(conv(middle, middle, (3, 3, 3), strides, groups), RELU),
        *normed(conv(middle, 4 * channels, POINT)),
    )
    return shortcut_b(Sequential(layers), inputs, 4 * channels, stride)


def next_bottleneck(inputs: int, channels: int, stride: int) -> Sequential:
    """That of ResNeXt."""
    return bottleneck(inputs, channels, stride, 2, GROUPS)


def stem(width: int) -> Sequential:
    """Stride 4 in space and 2 in time."""
    return Sequential((*normed(conv(3, width, (7, 7, 7), (1, 2, 2)), RELU), MaxPool((3, 3, 3), 2, 1)))


def resnet(frames: int, blocks: tuple[int, ...], block: Block = basic, width: int = 64, classes: int = 400) -> Sequential:
    """The network on clips of `frames` frames, of which the head sees a sixteenth."""
    layers: list[Layer] = [stem(width)]
    inputs, wider = width, 1 if block is basic else 4
    for i, depth in enumerate(blocks):
        channels, stage = width * 2**i, []
        for j in range(depth):
            stage.append(block(inputs, channels, 2 if i > 0 and j == 0 else 1))
            inputs = wider * channels
        layers.append(Sequential(tuple(stage)))
    pooled = -(-frames // 2 ** len(blocks))
    return Sequential((*layers, GlobalAvgPool(3, pooled), classifier(inputs, classes)))


def modules(blocks: tuple[int, ...], basic: bool) -> Iterator[str]:
    """Modules with weights of the original code, in the order of ours."""
    yield from ("conv1", "bn1")
    convolutions = (1, 2) if basic else (1, 2, 3)
    for stage, depth in enumerate(blocks, start=1):
        for j in range(depth):
            names = [name for i in convolutions for name in (f"conv{i}", f"bn{i}")]
            yield from (f"layer{stage}.{j}.{name}" for name in names)
            if j == 0 and not basic:
                yield from (f"layer{stage}.{j}.downsample.0", f"layer{stage}.{j}.downsample.1")
    yield "fc"


def systems() -> list[System]:
    """ResNet-18 to ResNet-200 and ResNeXt-50 to ResNeXt-200 on clips of 16 frames."""
    deep = [depth for depth in BLOCKS if depth >= 50]
    kinds: list[tuple[str, Block, list[int]]] = [
        ("3D ResNet-{}", basic, [18, 34]),
        ("3D ResNet-{}", bottleneck, deep),
        ("3D ResNeXt-{}", next_bottleneck, deep),
    ]
    shape = (1, 3, FRAMES, SIZE, SIZE)
    return [
        System(name.format(depth), "3D ResNet", resnet(FRAMES, BLOCKS[depth], block), shape, PAPER)
        for name, block, depths in kinds
        for depth in depths
    ]
