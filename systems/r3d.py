"""R3D-18 and its relatives with fewer dimensions: R2D, fR2D, MC2 to MC5, rMC2 to rMC5; clips `(B, 3, T, H, W)`.

    stem    conv 3x7x7 stride (1, 2, 2), 3 -> 64; norm; relu
    stages  2 residual blocks each of 64, 128, 256, 512 channels: conv 3x3x3; norm; relu; conv 3x3x3; norm; shortcut
    head    mean over everything; 512 -> 400

Stem and stages are five groups. In a group with time, convolutions are 3x3x3 and the first one of the last three groups has
stride 2 in space and time; in one without, they are 1x3x3 and the stride is in space alone. R3D has time in all groups, MCx
in those before the x-th, rMCx from the x-th on, fR2D in none: each frame by itself. R2D makes one frame of the clip, whose
frames are channels: a first convolution that is as long as the clip, and no time after it.

Source: Tran et al., "A closer look at spatiotemporal convolutions for action recognition", CVPR 2018, section 3 and table 1;
layers as in torchvision (`models/video/resnet.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.compose import Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.pool import GlobalAvgPool
from coequal.systems.blocks import RELU, classifier, conv, normed, residual
from coequal.systems.system import System

PAPER = "Tran et al., CVPR 2018, arXiv 1711.11248"
SIZE, GROUPS = 112, 5


def block(inputs: int, outputs: int, time: bool, stride: int) -> Sequential:
    """Two convolutions around a shortcut, with time or without."""
    kernel = (3 if time else 1, 3, 3)
    strides = (stride if time else 1, stride, stride)
    layers = (*normed(conv(inputs, outputs, kernel, strides), RELU), *normed(conv(outputs, outputs, kernel)))
    return residual(Sequential(layers), inputs, outputs, strides)


def stem(width: int, time: bool, stacked: int = 0) -> Sequential:
    """Stride 2 in space; `stacked`: so many frames become one, as channels do."""
    if stacked:
        return Sequential(normed(Conv(3, width, (stacked, 7, 7), (1, 2, 2), (0, 3, 3), bias=False), RELU))
    return Sequential(normed(conv(3, width, (3 if time else 1, 7, 7), (1, 2, 2)), RELU))


def r3d(
    frames: int, times: tuple[bool, ...], stacked: bool = False, width: int = 64, classes: int = 400, blocks: int = 2
) -> Sequential:
    """The network on clips of `frames` frames; `times`: which of the five groups have time."""
    layers: list[Layer] = [stem(width, times[0], frames if stacked else 0)]
    inputs, left = width, 1 if stacked else frames
    for i, time in enumerate(times[1:]):
        outputs, stride = width * 2**i, 1 if i == 0 else 2
        rest = [block(outputs, outputs, time, 1)] * (blocks - 1)
        layers.append(Sequential((block(inputs, outputs, time, stride), *rest)))
        inputs, left = outputs, -(-left // stride) if time else left
    return Sequential((*layers, GlobalAvgPool(3, left), classifier(inputs, classes)))


def modules(blocks: int = 2) -> Iterator[str]:
    """Modules with weights of torchvision (`models/video/resnet.py`), in the order of ours."""
    yield from ("stem.0", "stem.1")
    for group in range(1, GROUPS):
        for j in range(blocks):
            shortcut = ("downsample.0", "downsample.1") if j == 0 and group > 1 else ()
            names = ("conv1.0", "conv1.1", "conv2.0", "conv2.1", *shortcut)
            yield from (f"layer{group}.{j}.{name}" for name in names)
    yield "fc"


def before(group: int) -> tuple[bool, ...]:
    """Time in the groups before this one, counted from 1: MCx.

    >>> before(3)
    (True, True, False, False, False)
    """
    return tuple(i < group for i in range(1, GROUPS + 1))


def since(group: int) -> tuple[bool, ...]:
    """Time from this group on: rMCx."""
    return tuple(not time for time in before(group))


# name: which groups have time
FAMILY = {
    "R3D-18": before(GROUPS + 1),
    "fR2D-18": before(1),
    "R2D-18": before(1),
    **{f"MC{x}-18": before(x) for x in range(2, GROUPS + 1)},
    **{f"rMC{x}-18": since(x) for x in range(2, GROUPS + 1)},
}


def system(name: str, frames: int) -> System:
    """One of the family, on clips of so many frames."""
    stacked = name == "R2D-18"
    notes = "its frames are channels of one frame: every new one changes all" if stacked else ""
    layer = r3d(frames, FAMILY[name], stacked)
    return System(f"{name}_{frames}", "R3D", layer, (1, 3, frames, SIZE, SIZE), PAPER, notes)


def systems() -> list[System]:
    """Each of them on clips of 8 and of 16 frames."""
    return [system(name, frames) for name in FAMILY for frames in (8, 16)]
