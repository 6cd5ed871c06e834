"""TEA: Res2Net-50, frame by frame, in which differences of frames decide what passes; clips `(B, 3, T, H, W)`.

    stem     conv 1x7x7 stride (1, 2, 2), 3 -> 64; norm; relu; max pool 1x3x3 stride (1, 2, 2)
    stages   3, 4, 6, 3 blocks of 64, 128, 256, 512 channels C; stride 2 in space from the second stage on
    block    conv 1x1x1, -> 4 w; norm; relu; motion excitation; aggregation; conv 1x1x1, -> 4 C; norm; around a shortcut;
             w = floor(26 C / 64)
    head     mean over space, 2048 -> 400 for every frame; mean over the frames

Motion excitation, with K a depthwise conv 1x3x3:

    b = norm(conv(x)), 4 w -> w / 4    d[t] = K b[t + 1] - b[t], zero at the last frame
    y = x (1/2 + sigmoid(norm(conv(mean of d over space))))

Aggregation, of four groups of w channels, each with a depthwise convolution tau over three frames of its own:

    z_0 = f_0(tau_0(y_0))    z_i = f_i(tau_i(y_i + z_(i-1)))    z_3 = tau_3(y_3)    f_i = relu(norm(conv 1x3x3))

In the first block of a stage the groups do not add up, f has the stride, and z_3 is pooled in space. The code writes the
factor of y as 1 + (sigmoid - 1/2).

An excitation waits for one frame, a chain of three tau for three: four frames a block, two in the first of a stage, 56 in
all. It streams, but what it then says of a frame is what one endless clip gives.

Source: Li, Ji, Shi, Zhang, Kang & Wang, "TEA: Temporal excitation and aggregation for action recognition", CVPR 2020,
section 3; layers as in Phoenix1327/tea-action-recognition (`ops/tea50_8f.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.activation import Activation
from coequal.reference.adaptive_pool import AdaptiveAvgPool
from coequal.reference.channels import SelectChannels
from coequal.reference.compose import Identity, Parallel, Residual, Sequential
from coequal.reference.frame_difference import FrameDifference
from coequal.reference.layer import Layer
from coequal.reference.pool import AvgPool
from coequal.systems.blocks import RELU, conv, normed, residual
from coequal.systems.resnet3d import stem
from coequal.systems.system import System
from coequal.systems.tsm import head

PAPER = "Li, Ji, Shi, Zhang, Kang & Wang, CVPR 2020, arXiv 2004.01398"
BLOCKS, POINT, SPACE, SIZE = (3, 4, 6, 3), (1, 1, 1), (1, 3, 3), 224
BASE, SCALE, REDUCTION = 26, 4, 16
HALF = AvgPool(POINT, divisor_override=2)


def excitation(channels: int) -> Residual:
    """Every channel times one half and a number that the next frame decides."""
    narrow = channels // REDUCTION
    both = Parallel((conv(narrow, narrow, SPACE, groups=narrow), Identity()), "concatenate")
    motion = (*normed(conv(channels, narrow, POINT)), both, FrameDifference(narrow))
    gate = (AdaptiveAvgPool((None, 1, 1)), *normed(conv(narrow, channels, POINT)), Activation("Sigmoid"))
    return Residual(Residual(Sequential((*motion, *gate)), reduce="product"), HALF)


def over_time(width: int) -> Layer:
    """A depthwise convolution over three frames."""
    return conv(width, width, (3, 1, 1), groups=width)


def group(index: int, width: int, stop: int | None = None) -> SelectChannels:
    """The channels of one group, or of the groups up to another one."""
    return SelectChannels(index * width, (index + 1 if stop is None else stop) * width)


def aggregation(width: int) -> tuple[Layer, ...]:
    """Group after group: those that are done stay, later ones are handed on; the last one is due beside the third."""
    layers: list[Layer] = []
    for i in range(SCALE - 1):
        due: Layer = group(i, width) if i == 0 else Parallel((group(i, width), group(i - 1, width)))
        done = (group(0, width, i),) if i > 0 else ()
        branch = Sequential((due, over_time(width), *normed(conv(width, width, SPACE), RELU)))
        later: Layer = group(i + 1, width, SCALE)
        if i == SCALE - 2:
            later = Sequential((later, over_time(width)))
        layers.append(Parallel((*done, branch, later), "concatenate"))
    return tuple(layers)


def first_aggregation(width: int, stride: int) -> Parallel:
    """That of the first block of a stage: each group by itself."""
    strides = (1, stride, stride)
    branches = [
        Sequential((group(i, width), over_time(width), *normed(conv(width, width, SPACE, strides), RELU)))
        for i in range(SCALE - 1)
    ]
    pool = AvgPool(SPACE, strides, (0, 1, 1))
    return Parallel((*branches, Sequential((group(SCALE - 1, width), over_time(width), pool))), "concatenate")


def block(inputs: int, channels: int, stride: int, first: bool) -> Sequential:
    """Excitation and aggregation around a shortcut; `first` of its stage."""
    width = channels * BASE // 64
    inside = (first_aggregation(width, stride),) if first else aggregation(width)
    layers = (
        *normed(conv(inputs, SCALE * width, POINT), RELU),
        excitation(SCALE * width),
        *inside,
        *normed(conv(SCALE * width, 4 * channels, POINT)),
    )
    return residual(Sequential(layers), inputs, 4 * channels, (1, stride, stride))


def tea(frames: int | None, width: int = 64, classes: int = 400, blocks: tuple[int, ...] = BLOCKS) -> Sequential:
    """The network; `frames`: how many predictions are averaged, None for each by itself."""
    layers: list[Layer] = [stem(width, 1)]
    inputs = width
    for i, depth in enumerate(blocks):
        channels = width * 2**i
        rest = [block(4 * channels, channels, 1, False)] * (depth - 1)
        layers.append(Sequential((block(inputs, channels, 1 if i == 0 else 2, True), *rest)))
        inputs = 4 * channels
    return Sequential((*layers, *head(inputs, classes, frames)))


def modules(blocks: tuple[int, ...] = BLOCKS) -> Iterator[str]:
    """Modules with weights of the original code, in the order of ours."""
    yield from ("base_model.conv1", "base_model.bn1")
    excited = ("conv1", "bn1", "me.conv1", "me.bn1", "me.conv2", "me.conv3", "me.bn3")
    groups = (f"{name}" for i in range(SCALE - 1) for name in (f"shifts.{i}.conv", f"convs.{i}", f"bns.{i}"))
    inside = (*excited, *groups, f"shifts.{SCALE - 1}.conv", "conv3", "bn3")
    for stage, depth in enumerate(blocks, start=1):
        for j in range(depth):
            names = (*inside, *(("downsample.0", "downsample.1") if j == 0 else ()))
            yield from (f"base_model.layer{stage}.{j}.{name}" for name in names)
    yield "new_fc"


def systems() -> list[System]:
    """On clips of 8 and of 16 frames."""
    return [System(f"TEA-R50_{t}", "TEA", tea(t), (1, 3, t, SIZE, SIZE), PAPER) for t in (8, 16)]
