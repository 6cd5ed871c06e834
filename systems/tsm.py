"""TSM: image networks, frame by frame, in which some channels look at the frame before and some at the frame after.

ResNet-50 or ResNet-101 (`1 x k x k` convolutions are those of the image network), clips `(B, 3, T, H, W)`:

    stem    conv 1x7x7 stride (1, 2, 2), 3 -> 64; norm; relu; max pool 1x3x3 stride (1, 2, 2)
    block   temporal shift; conv 1x1x1, -> C; norm; relu; conv 1x3x3 stride s; norm; relu; conv 1x1x1, -> 4 C; norm; shortcut
    stages  3, 4, 6, 3 blocks (3, 4, 23, 3) of 64, 128, 256, 512 inner channels C; stride 2 from the second stage on

The shift is inside the residual branch, so that the shortcut sees the frame as it is; in ResNet-101 every other block has
one, from the first. MobileNetV2:

    stem    conv 1x3x3 stride (1, 2, 2), 3 -> 32; norm; relu6
    block   conv 1x1x1, -> t C; norm; relu6; depthwise conv 1x3x3 stride s; norm; relu6; conv 1x1x1, -> C'; norm; and a
            shortcut where C' = C and s = 1: those, ten of 17, begin with a shift
    head    conv 1x1x1, 320 -> 1280; norm; relu6

Head of both: mean over space and a linear map for every frame, then the mean over the frames of the clip.

Shifted both ways, each block waits for one frame more: ResNet-50 streams with a delay of 16 frames, and what it then says
of a frame is what one endless clip gives, not what 8 frames give. Shifted backwards only (online) there is no delay; that
is another function of the same weights. Online there is no mean over frames: a prediction for each.

Source: Lin, Gan & Han, "TSM: Temporal shift module for efficient video understanding", ICCV 2019, sections 3 and 4; layers
as in mit-han-lab/temporal-shift-module (`ops/temporal_shift.py`, `online_demo/mobilenet_v2_tsm.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.activation import Activation
from coequal.reference.adaptive_pool import AdaptiveAvgPool, GlobalAvgPool
from coequal.reference.compose import Residual, Sequential
from coequal.reference.layer import Layer
from coequal.reference.shift import TemporalShift
from coequal.systems.blocks import RELU, UNSEEN, beyond, classifier, conv, normed, noted, residual
from coequal.systems.resnet3d import stem
from coequal.systems.system import System

PAPER = "Lin, Gan & Han, ICCV 2019, arXiv 1811.08383"
POINT, SIZE, DIVISOR = (1, 1, 1), 224, 8
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
MANY = 23  # blocks of a stage (the third) from which on only every other block of all is shifted
RELU6 = Activation("ReLU6")

# stages of MobileNetV2: expansion t, channels, blocks, stride of the first
INVERTED = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def head(features: int, classes: int, frames: int | None) -> tuple[Layer, ...]:
    """Classes of every frame; their mean over `frames` of them, unless None."""
    consensus = () if frames is None else (GlobalAvgPool(3, frames),)
    return (AdaptiveAvgPool((None, 1, 1)), classifier(features, classes), *consensus)


# -- ResNet --------------------------------------------------------------------------------------------------------------


def bottleneck(inputs: int, inner: int, stride: int, shifts: tuple[Layer, ...]) -> Sequential:
    """The bottleneck of the image network, after the `shifts` of its residual branch."""
    strides = (1, stride, stride)
    layers = (
        *shifts,
        *normed(conv(inputs, inner, POINT), RELU),
        *normed(conv(inner, inner, (1, 3, 3), strides), RELU),
        *normed(conv(inner, 4 * inner, POINT)),
    )
    return residual(Sequential(layers), inputs, 4 * inner, strides)


def shifted(block: int, blocks: tuple[int, ...]) -> bool:
    """Whether this block of a stage has a shift.

    >>> [shifted(i, BLOCKS[101]) for i in range(4)]
    [True, False, True, False]
    """
    return block % (2 if max(blocks) >= MANY else 1) == 0


def resnet(
    frames: int | None,
    blocks: tuple[int, ...],
    classes: int = 400,
    bidirectional: bool = True,
    width: int = 64,
    chosen: tuple[str, int] | None = None,
) -> Sequential:
    """TSM of a ResNet; `frames`: how many predictions are averaged, None for each by itself.

    `chosen`: mode and place of its non-local blocks (`systems/blocks.py`).
    """
    shift = TemporalShift(DIVISOR, bidirectional)
    layers: list[Layer] = [stem(width, 1)]
    inputs = width
    for i, depth in enumerate(blocks):
        inner = width * 2**i
        stage: list[Layer] = []
        after = beyond(depth, 4 * inner, i, chosen)
        for j in range(depth):
            stride = 2 if i > 0 and j == 0 else 1
            stage.append(bottleneck(inputs, inner, stride, (shift,) if shifted(j, blocks) else ()))
            stage += [after[j]] if j in after else []
            inputs = 4 * inner
        layers.append(Sequential(tuple(stage)))
    return Sequential((*layers, *head(inputs, classes, frames)))


def resnet_modules(blocks: tuple[int, ...]) -> Iterator[str]:
    """Modules with weights of the original code, in the order of ours."""
    yield from ("base_model.conv1", "base_model.bn1")
    for stage, depth in enumerate(blocks, start=1):
        for j in range(depth):
            first = "conv1.net" if shifted(j, blocks) else "conv1"
            names = (first, "bn1", "conv2", "bn2", "conv3", "bn3", *(("downsample.0", "downsample.1") if j == 0 else ()))
            yield from (f"base_model.layer{stage}.{j}.{name}" for name in names)
    yield "new_fc"


# -- MobileNetV2 ---------------------------------------------------------------------------------------------------------


def inverted(inputs: int, outputs: int, stride: int, expansion: int, shift: TemporalShift) -> Sequential:
    """A narrow block that is wide inside; shifted where it has a shortcut."""
    inner, strides = inputs * expansion, (1, stride, stride)
    expand = normed(conv(inputs, inner, POINT), RELU6) if expansion > 1 else ()
    depthwise = normed(conv(inner, inner, (1, 3, 3), strides, groups=inner), RELU6)
    layers = (*expand, *depthwise, *normed(conv(inner, outputs, POINT)))
    if stride == 1 and inputs == outputs:
        return Sequential((Residual(Sequential((shift, *layers))),))
    return Sequential(layers)


def mobilenet(
    frames: int | None,
    classes: int = 400,
    bidirectional: bool = True,
    width: int = 32,
    wide: int = 1280,
    stages: tuple[tuple[int, int, int, int], ...] = INVERTED,
) -> Sequential:
    """TSM of MobileNetV2 with `width` channels at the stem and `wide` features; `frames` as in `resnet`."""
    shift = TemporalShift(DIVISOR, bidirectional)
    layers: list[Layer] = [Sequential(normed(conv(3, width, (1, 3, 3), (1, 2, 2)), RELU6))]
    inputs = width
    for expansion, channels, blocks, stride in stages:
        outputs = channels * width // 32
        for j in range(blocks):
            layers.append(inverted(inputs, outputs, stride if j == 0 else 1, expansion, shift))
            inputs = outputs
    layers.append(Sequential(normed(conv(inputs, wide, POINT), RELU6)))
    return Sequential((*layers, *head(wide, classes, frames)))


def mobilenet_modules() -> Iterator[str]:
    """Modules with weights of the original code (of its online demonstration), in the order of ours."""
    yield from ("features.0.0", "features.0.1")
    index = 1
    for expansion, _, blocks, _ in INVERTED:
        for _ in range(blocks):
            inside = (0, 1, 3, 4, 6, 7) if expansion > 1 else (0, 1, 3, 4)
            yield from (f"features.{index}.conv.{i}" for i in inside)
            index += 1
    yield from (f"features.{index}.0", f"features.{index}.1", "classifier")


# -- as published --------------------------------------------------------------------------------------------------------

# name: depth, frames, classes
RESNETS = {"TSM-R50_8": (50, 8, 400), "TSM-R50_16": (50, 16, 400), "TSM-R101_8": (101, 8, 174)}
# name: mode of its non-local blocks
BEYOND = {"TSM-R50_8 NL dot": "dot product", "TSM-R50_8 NL gauss": "gaussian"}


def systems() -> list[System]:
    """ResNets and MobileNetV2 on clips; MobileNetV2 shifted backwards only, a frame at a time."""
    clips = [
        System(name, "TSM", resnet(t, BLOCKS[depth], n), (1, 3, t, SIZE, SIZE), PAPER, noted("", n))
        for name, (depth, t, n) in RESNETS.items()
    ]
    clips += [
        System(name, "TSM", resnet(8, BLOCKS[50], chosen=(mode, 0)), (1, 3, 8, SIZE, SIZE), PAPER, UNSEEN)
        for name, mode in BEYOND.items()
    ]
    mobile = System("TSM-MobileNetV2_8", "TSM", mobilenet(8), (1, 3, 8, SIZE, SIZE), PAPER)
    online = mobilenet(None, bidirectional=False)
    stream = System(
        "TSM-MobileNetV2 online", "TSM", online, (1, 3, 8, SIZE, SIZE), PAPER,
        "shifted backwards only, a prediction for every frame: same weights, another function",
        online, (1, 3, 1, SIZE, SIZE), mobile.name,
    )  # fmt: skip
    return [*clips, mobile, stream]
