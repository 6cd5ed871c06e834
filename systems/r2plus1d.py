"""R(2+1)D: every convolution over space and time taken apart, space first, then time; clips `(B, 3, T, H, W)`.

    stem    conv 1x7x7 stride (1, 2, 2), 3 -> 45; norm; relu; conv 3x1x1, 45 -> 64; norm; relu
    stages  2 residual blocks each of 64, 128, 256, 512 channels; stride 2 in space and time from the second stage on
    conv    conv 1x3x3 stride (1, s, s), N -> M; norm; relu; conv 3x1x1 stride (s, 1, 1), M -> C
    head    mean over everything; 512 -> 400

`M = floor(27 N C / (9 N + 3 C))` gives the pair as many weights as the 3x3x3 convolution N -> C that it replaces. The paper
takes M from the N and C of each convolution; torchvision takes it once a block, from the N of the block, and so does co3d:
fewer channels in the first block of a stage. Both are here; the paper's is called VMZ, after its code.

Source: Tran et al., "A closer look at spatiotemporal convolutions for action recognition", CVPR 2018, section 3.5 and
table 1; layers as in torchvision (`models/video/resnet.py`), of which LukasHedegaard/co3d (`models/r2plus1d`) builds it.
"""

from __future__ import annotations

from coequal.reference.compose import Sequential
from coequal.reference.layer import Layer
from coequal.reference.pool import GlobalAvgPool
from coequal.systems.blocks import RELU, classifier, conv, normed, residual
from coequal.systems.system import System

PAPER = "Tran et al., CVPR 2018, arXiv 1711.11248"
SIZE = 112


def middle(inputs: int, outputs: int) -> int:
    """Channels between space and time.

    >>> middle(64, 64), middle(64, 128), middle(128, 128)
    (144, 230, 288)
    """
    return 27 * inputs * outputs // (9 * inputs + 3 * outputs)


def apart(inputs: int, between: int, outputs: int, stride: int, kernel: int = 3) -> tuple[Layer, ...]:
    """A convolution over space, then one over time, with its norm."""
    space = conv(inputs, between, (1, kernel, kernel), (1, stride, stride))
    return (*normed(space, RELU), *normed(conv(between, outputs, (3, 1, 1), (stride, 1, 1))))


def block(inputs: int, outputs: int, stride: int, own: bool = False) -> Sequential:
    """Two convolutions taken apart, around a shortcut; `own`: the second has channels between of its own (the paper)."""
    between = middle(inputs, outputs)
    second = middle(outputs, outputs) if own else between
    layers = (*apart(inputs, between, outputs, stride), RELU, *apart(outputs, second, outputs, 1))
    return residual(Sequential(layers), inputs, outputs, (stride,) * 3)


def stem(width: int, between: int = 45) -> Sequential:
    """Stride 2 in space only."""
    return Sequential(
        (*normed(conv(3, between, (1, 7, 7), (1, 2, 2)), RELU), *normed(conv(between, width, (3, 1, 1)), RELU))
    )


def r2plus1d(
    frames: int, width: int = 64, classes: int = 400, blocks: tuple[int, ...] = (2, 2, 2, 2), own: bool = False
) -> Sequential:
    """The network on clips of `frames` frames, of which the head sees an eighth."""
    layers: list[Layer] = [stem(width)]
    inputs = width
    for i, depth in enumerate(blocks):
        outputs = width * 2**i
        first = block(inputs, outputs, 1 if i == 0 else 2, own)
        layers.append(Sequential((first, *[block(outputs, outputs, 1)] * (depth - 1))))
        inputs = outputs
    pooled = -(-frames // 2 ** (len(blocks) - 1))
    return Sequential((*layers, GlobalAvgPool(3, pooled), classifier(inputs, classes)))


def system(frames: int, own: bool) -> System:
    """R(2+1)D-18 on clips of so many frames, by torchvision's rule or the paper's `own`."""
    name = f"R(2+1)D-18_{frames}{' VMZ' if own else ''}"
    return System(name, "R(2+1)D", r2plus1d(frames, own=own), (1, 3, frames, SIZE, SIZE), PAPER)


def deep(frames: int, size: int = SIZE) -> System:
    """R(2+1)D-34, by the paper's rule."""
    layer = r2plus1d(frames, blocks=(3, 4, 6, 3), own=True)
    return System(f"R(2+1)D-34_{frames}", "R(2+1)D", layer, (1, 3, frames, size, size), PAPER)


def systems() -> list[System]:
    """R(2+1)D-18 on clips of 8 and of 16 frames, by either rule; R(2+1)D-34 on clips of 8 and of 32."""
    return [*(system(frames, own) for own in (False, True) for frames in (8, 16)), deep(8), deep(32)]
