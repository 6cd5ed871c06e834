"""C3D: eight convolutions over space and time, five poolings, three linear maps; clips `(B, 3, 16, 112, 112)`.

    conv 3x3x3, bias, relu    64 | 128 | 256, 256 | 512, 512 | 512, 512
    pool after each bar       1x2x2 | 2x2x2 | 2x2x2 | 2x2x2 | 2x2x2
    head                      fc6 4096, relu; fc7 4096, relu; fc8

What is left for fc6 is one frame of 3 x 3 positions, or of 4 x 4 where the last pooling is padded by one position: a linear
map of all of it is a convolution as large. The temporal stride is 16: a stream would emit at one frame of sixteen.

Source: Tran, Bourdev, Fergus, Torresani & Paluri, "Learning spatiotemporal features with 3D convolutional networks", ICCV
2015, figure 3; with batch norm and 3 x 3 positions as in facebookresearch/VMZ (`c3d_model.py`), with 4 x 4 as in
open-mmlab/mmaction2.
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.compose import Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.norm import BatchNorm
from coequal.reference.pool import MaxPool
from coequal.systems.blocks import RELU
from coequal.systems.system import System

PAPER = "Tran, Bourdev, Fergus, Torresani & Paluri, ICCV 2015, arXiv 1412.0767"
FRAMES, SIZE = 16, 112
STAGES = ((64,), (128,), (256, 256), (512, 512), (512, 512))


def c3d(classes: int = 400, *, padded: bool = False, norms: bool = False, width: int = 64, wide: int = 4096) -> Sequential:
    """The network; `padded`: the last pooling is, in space. `width` channels come first, linear maps are `wide`."""
    layers: list[Layer] = []
    inputs = 3
    for i, stage in enumerate(STAGES):
        for channels in stage:
            outputs = channels * width // 64
            norm = (BatchNorm(outputs, 1e-3),) if norms else ()
            layers += [Conv(inputs, outputs, (3, 3, 3), padding=1), *norm, RELU]
            inputs = outputs
        last = i == len(STAGES) - 1
        window = (1, 2, 2) if i == 0 else (2, 2, 2)
        layers.append(MaxPool(window, window, (0, 1, 1) if last and padded else 0))
    side = 4 if padded else 3
    head = (Conv(inputs, wide, (1, side, side)), RELU, Conv(wide, wide, (1, 1, 1)), RELU, Conv(wide, classes, (1, 1, 1)))
    return Sequential((*layers, *head))


def modules(norms: bool = False) -> Iterator[str]:
    """Modules with weights of mmaction2, in the order of ours."""
    parts = ("conv", "bn") if norms else ("conv",)
    for i, stage in enumerate(STAGES, start=1):
        yield from (f"backbone.conv{i}{letter}.{part}" for letter in "ab"[: len(stage)] for part in parts)
    yield from ("backbone.fc6", "backbone.fc7", "cls_head.fc_cls")


def systems() -> list[System]:
    """As in VMZ, with batch norm and without, 400 classes; as in mmaction2, 101 classes."""
    shape = (1, 3, FRAMES, SIZE, SIZE)
    return [
        System("C3D", "C3D", c3d(), shape, PAPER, "fc6 sees 3 x 3 positions"),
        System("C3D BN", "C3D", c3d(norms=True), shape, PAPER, "fc6 sees 3 x 3 positions; with batch norm"),
        System("C3D padded", "C3D", c3d(101, padded=True), shape, PAPER, "fc6 sees 4 x 4 positions; 101 classes"),
    ]
