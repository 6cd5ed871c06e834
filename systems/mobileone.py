"""TSM-MobileOne: MobileOne-S4, frame by frame, with channels of frames before and after in front of every block.

    stem    block 1x3x3 stride (1, 2, 2), 3 -> 64
    stages  2, 8, 10, 1 pairs of 192, 448, 896, 2048 channels C': a depthwise block 1x3x3, then one 1x1x1, -> C'; stride 2 in
            space in the first depthwise block of each
    block   temporal shift; norm(conv(x)) [+ norm(conv 1x1x1(x)) where the kernel is 1x3x3] [+ norm(x) where sizes stay];
            squeeze-and-excite, frame by frame, in the last five pairs of the third stage and in the fourth; relu
    head    mean over space and a linear map for every frame, mean over the frames

The shift is in front of the whole block, not inside a residual branch: every branch sees the shifted frames, so that the
branches can still be folded into one convolution. They are counted unfolded, as mmaction2 does. Of the three channels of the
stem an eighth is none: its shift moves nothing and is left out.

Every shift waits for one frame: 42 in all.

Source: Vasu, Gabriel, Zhu, Tuzel & Ranjan, "MobileOne: An improved one millisecond mobile backbone", CVPR 2023, section 3;
Lin, Gan & Han, ICCV 2019; layers as in open-mmlab/mmpretrain (`backbones/mobileone.py`) and open-mmlab/mmaction2
(`backbones/mobileone_tsm.py`, `configs/recognition/tsm`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.compose import Parallel, Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.norm import BatchNorm
from coequal.reference.shift import TemporalShift
from coequal.reference.squeeze_excite import SqueezeExcite
from coequal.systems.blocks import RELU, conv, normed
from coequal.systems.system import System
from coequal.systems.tsm import DIVISOR, POINT, SIZE, head

PAPER = "Vasu, Gabriel, Zhu, Tuzel & Ranjan, CVPR 2023, arXiv 2206.04040; Lin, Gan & Han, ICCV 2019, arXiv 1811.08383"
SPACE, REDUCTION, LEAST = (1, 3, 3), 16, 8
STEM = 64

# pairs, channels, and how many of the last pairs have a squeeze-and-excite
STAGES = ((2, 192, 0), (8, 448, 0), (10, 896, 5), (1, 2048, 1))


def squeezed(channels: int) -> int:
    """Channels inside a gate: a sixteenth, to a multiple of 8, and never by more than a tenth down.

    >>> [squeezed(channels) for channels in (448, 896, 2048)]
    [32, 56, 128]
    """
    wanted = channels // REDUCTION
    nearest = max(LEAST, (wanted + LEAST // 2) // LEAST * LEAST)
    return nearest + LEAST if nearest < 0.9 * wanted else nearest


def branches(inputs: int, outputs: int, kernel: tuple[int, ...], stride: int, groups: int) -> Layer:
    """Convolutions with norms side by side, as they are trained."""
    strides = (1, stride, stride)
    side = [Sequential((BatchNorm(inputs),))] if inputs == outputs and stride == 1 else []
    if kernel != POINT:
        side.append(Sequential(normed(Conv(inputs, outputs, POINT, strides, groups=groups, bias=False))))
    side.append(Sequential(normed(conv(inputs, outputs, kernel, strides, groups))))
    return Parallel(tuple(side)) if len(side) > 1 else side[0]


def block(inputs: int, outputs: int, kernel: tuple[int, ...], stride: int, gated: bool, groups: int = 1) -> Sequential:
    """The branches, a gate, relu."""
    gate = (SqueezeExcite(outputs, squeezed(outputs)),) if gated else ()
    return Sequential((branches(inputs, outputs, kernel, stride, groups), *gate, RELU))


def mobileone(
    frames: int | None,
    classes: int = 400,
    width: int = STEM,
    stages: tuple[tuple[int, int, int], ...] = STAGES,
) -> Sequential:
    """The network, `width` channels at the stem; `frames`: how many predictions are averaged, None for each by itself."""
    shift = TemporalShift(DIVISOR)
    layers: list[Layer] = [block(3, width, SPACE, 2, False)]
    inputs = width
    for pairs, channels, gates in stages:
        outputs = channels * width // STEM
        stage: list[Layer] = []
        for i in range(pairs):
            gated, stride = i >= pairs - gates, 2 if i == 0 else 1
            depthwise = block(inputs, inputs, SPACE, stride, gated, inputs)
            stage.append(Sequential((shift, depthwise, shift, block(inputs, outputs, POINT, 1, gated))))
            inputs = outputs
        layers.append(Sequential(tuple(stage)))
    return Sequential((*layers, *head(inputs, classes, frames)))


def modules(stages: tuple[tuple[int, int, int], ...] = STAGES) -> Iterator[str]:
    """Modules with weights of mmaction2, in the order of ours."""
    scale, convolution = (
        tuple(f"{name}.{part}" for part in ("conv", "norm")) for name in ("branch_scale", "branch_conv_list.0")
    )
    gate = ("se.conv1.conv", "se.conv2.conv")
    yield from (f"backbone.stage0.net.{name}" for name in (*scale, *convolution))
    inputs = STEM
    for stage, (pairs, channels, gates) in enumerate(stages, start=1):
        for i in range(2 * pairs):
            pair, depthwise = i // 2, i % 2 == 0
            same = pair > 0 if depthwise else inputs == channels
            inside = (*(("branch_norm",) if same else ()), *(scale if depthwise else ()), *convolution)
            inside += gate if pair >= pairs - gates else ()
            yield from (f"backbone.stage{stage}.{i}.net.{name}" for name in inside)
            inputs = inputs if depthwise else channels
    yield "cls_head.fc_cls"


def systems() -> list[System]:
    """On clips of 16 frames."""
    return [System("TSM-MobileOne-S4_16", "TSM", mobileone(16), (1, 3, 16, SIZE, SIZE), PAPER)]
