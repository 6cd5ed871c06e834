"""ST-GCN and CoST-GCN*: graph convolutions over the joints of a skeleton, convolutions over time; `(B, 3, T, 25, 2)`.

    norm     of each coordinate of each joint of each person
    blocks   of 64, 64, 64, 64, 128, 128, 128, 256, 256, 256 channels C; stride 2 in time in the fifth and the eighth
    block    relu(norm(conv 9x1x1, stride (s, 1, 1)(g)) + shortcut(x)), the first without a shortcut
    g        relu(norm(sum of three conv 1x1x1(mixing(x)), -> C) + x, or norm(conv 1x1x1(x)) where channels change)
    head     mean over joints, persons and time; 256 -> 60

`mixing` is along the edges of the skeleton, once for each of three kinds of neighbours (`reference/skeleton.py`). Every
convolution has a bias. Where C or s is another one than before, the shortcut is a convolution 1x1x1 with norm.

CoST-GCN* has no strides, and the mean over as many frames as an unpadded network of 300 frames has, 220; the authors leave
out padding as well. Of a frame that sees neither end of the clip, both say the same: the stream here pads its beginning with
zeros. It is another function of the same weights than ST-GCN.

Sources: Yan, Xiong & Lin, "Spatial temporal graph convolutional networks for skeleton-based action recognition", AAAI 2018;
Hedegaard, Heidari & Iosifidis, "Continual spatio-temporal graph convolutional networks", Pattern Recognition 2023; layers as
in LukasHedegaard/continual-skeletons (`models/base.py`, `models/st_gcn`, `models/cost_gcn_mod`, `datasets/datasets.py`).
"""

from __future__ import annotations

from coequal.reference.adaptive_pool import AdaptiveAvgPool, GlobalAvgPool
from coequal.reference.compose import Parallel, Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.norm import BatchNorm
from coequal.reference.skeleton import JointMixing, JointNorm
from coequal.systems.blocks import RELU, classifier, normed
from coequal.systems.system import System

PAPER = "Yan, Xiong & Lin, AAAI 2018, arXiv 1801.07455"
CONTINUAL = "Hedegaard, Heidari & Iosifidis, Pattern Recognition 2023, arXiv 2203.11009"
FRAMES, JOINTS, PERSONS, CLASSES = 300, 25, 2, 60  # of NTU RGB+D
KINDS, AROUND, POINT = 3, 9, (1, 1, 1)
BLOCKS = ((64, 1), (64, 1), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1), (256, 2), (256, 1), (256, 1))


def graph(inputs: int, outputs: int, joints: int) -> Sequential:
    """A graph convolution around a shortcut."""
    kinds = [Sequential((JointMixing(joints), Conv(inputs, outputs, POINT))) for _ in range(KINDS)]
    main = Sequential((Parallel(tuple(kinds)), BatchNorm(outputs)))
    shortcut = None if inputs == outputs else Sequential(normed(Conv(inputs, outputs, POINT)))
    return Sequential((Residual(main, shortcut), RELU))


def block(inputs: int, outputs: int, stride: int, joints: int, first: bool) -> Sequential:
    """A graph convolution and one over time, around a shortcut but for the `first`."""
    strides = (stride, 1, 1)
    over_time = Conv(outputs, outputs, (AROUND, 1, 1), strides, (AROUND // 2, 0, 0))
    main = Sequential((graph(inputs, outputs, joints), *normed(over_time)))
    if first:
        return Sequential((*main.layers, RELU))
    same = inputs == outputs and stride == 1
    shortcut = None if same else Sequential(normed(Conv(inputs, outputs, POINT, strides)))
    return Sequential((Residual(main, shortcut), RELU))


def st_gcn(
    window: int,
    strided: bool = True,
    classes: int = CLASSES,
    joints: int = JOINTS,
    persons: int = PERSONS,
    blocks: tuple[tuple[int, int], ...] = BLOCKS,
) -> Sequential:
    """The network; `window` frames are pooled of those that leave the last block."""
    layers: list[Layer] = [JointNorm(3, joints, persons)]
    inputs = 3
    for i, (channels, stride) in enumerate(blocks):
        layers.append(block(inputs, channels, stride if strided else 1, joints, i == 0))
        inputs = channels
    return Sequential((*layers, AdaptiveAvgPool((None, 1, 1)), GlobalAvgPool(3, window), classifier(inputs, classes)))


def systems() -> list[System]:
    """ST-GCN on clips of 300 frames, CoST-GCN* a frame at a time, of two persons of 25 joints."""
    shape, notes = (1, 3, FRAMES, JOINTS, PERSONS), f"{CLASSES} classes"
    stream = st_gcn(FRAMES - len(BLOCKS) * (AROUND - 1), strided=False)
    return [
        System("ST-GCN", "ST-GCN", st_gcn(FRAMES // 4), shape, PAPER, notes),
        System(
            "CoST-GCN*", "ST-GCN", stream, shape, CONTINUAL, f"no strides: same weights, another function; {notes}",
            stream, (1, 3, 1, JOINTS, PERSONS), "ST-GCN",
        ),
    ]  # fmt: skip
