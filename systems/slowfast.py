"""SlowFast: a slow pathway of few frames, and a fast one of all frames and an eighth of the channels.

Both are ResNet-50 or ResNet-101 (`systems/resnet3d.py`), with kernels in time

    slow    1 (stem)   1   1   3   3                      64 channels at the stem
    fast    5 (stem)   3   3   3   3                       8 channels at the stem

SlowFast-16x8-R101 has kernels of 3 in the first six blocks of the third stage only, and of 1 in its other 17.

After the stem and every stage but the last, the fast pathway's C channels go to the slow one: conv k x 1 x 1 of stride
alpha, C -> 2 C; norm; relu. Head: both pathways' means over everything, one after the other; 2048 + 256 -> 400, or as many
classes as Something-Something V2 (174) and Charades (157) have.

Before the second stage the code has a max pool of one element in both pathways: x itself, but counters count it.

The slow pathway takes `T / alpha` frames spread over the clip by `linspace`: other frames in every window, and not equally
far apart, so the network as published cannot be streamed (`reference/pathways.py`).

Source: Feichtenhofer, Fan, Malik & He, "SlowFast networks for video recognition", ICCV 2019, table 1; hyper-parameters as
in facebookresearch/SlowFast (`configs/Kinetics/SLOWFAST_4x16_R50.yaml`, `SLOWFAST_8x8_R50.yaml`, `video_model_builder.py`),
of ResNet-101 in facebookresearch/pytorchvideo (`models/hub/slowfast.py`), of both in open-mmlab/mmaction2
(`configs/recognition/slowfast`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coequal.reference.compose import Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.pathways import Pathways
from coequal.reference.pool import GlobalAvgPool, MaxPool
from coequal.systems.blocks import RELU, classifier, normed, noted
from coequal.systems.resnet3d import BLOCKS, SLOWFAST, pathway_modules, stage, stem
from coequal.systems.system import System

Kernels = tuple[tuple[int, ...], ...]
SLOW: Kernels = ((1,), (1,), (1,), (3,), (3,))
FAST: Kernels = ((5,), (3,), (3,), (3,), (3,))
SOME = (3,) * 6 + (1,) * 17  # kernels of the third stage of SlowFast-16x8-R101
R50, R101 = BLOCKS, (3, 4, 23, 3)
FRAMES, SIZE = 32, 256


@dataclass(frozen=True)
class Variant:
    """One slow frame for `alpha` fast ones, a lateral `kernel`; blocks of both pathways, kernels of their third stage."""

    alpha: int
    kernel: int
    slow: tuple[int, ...] = R50
    fast: tuple[int, ...] = R50
    third: tuple[int, ...] = (3,)
    frames: int = FRAMES
    classes: int = 400


VARIANTS = {
    "SlowFast-4x16-R50": Variant(8, 5),
    "SlowFast-8x8-R50": Variant(4, 7),
    "SlowFast-8x8-R50 SSv2": Variant(4, 7, classes=174),
    "SlowFast-8x8-R50 Charades": Variant(4, 7, classes=157),
    "SlowFast-8x8-R101": Variant(4, 5, R101, R101),
    "SlowFast-16x8-R101": Variant(4, 5, R101, R101, SOME, frames=64),
    "SlowFast-4x16-R101+R50": Variant(8, 5, R101, R50),
}


def lateral(channels: int, kernel: int, alpha: int) -> Sequential:
    """What the fast pathway tells the slow one."""
    return Sequential(
        normed(Conv(channels, 2 * channels, (kernel, 1, 1), (alpha, 1, 1), (kernel // 2, 0, 0), bias=False), RELU)
    )


def pathway(kernels: Kernels, width: int, extra: int, blocks: tuple[int, ...]) -> tuple[Layer, ...]:
    """Stem, stages, mean; every stage takes `extra / width` of its input's channels from the lateral connection besides."""
    stages: list[Layer] = [stem(width, *kernels[0])]
    inputs = width
    for i, (depth, kernel) in enumerate(zip(blocks, kernels[1:], strict=True)):
        inner = width * 2**i
        blocks_of = stage(inputs + inputs * extra // width, inner, depth, kernel, 1 if i == 0 else 2)
        stages.append(Sequential((MaxPool((1, 1, 1)), *blocks_of.layers)) if i == 1 else blocks_of)
        inputs = 4 * inner
    return (*stages[:-1], Sequential((stages[-1], GlobalAvgPool(3))))


def slowfast(variant: Variant, width: int = 64) -> Sequential:
    """The network; the fast pathway has `width / 8` channels at the stem."""
    narrow, depth = width // 8, len(variant.fast)
    slow, fast = ((*kernels[:3], variant.third, *kernels[4:]) for kernels in (SLOW, FAST))
    channels = [narrow, *(4 * narrow * 2**i for i in range(depth - 1))]
    both = Pathways(
        variant.alpha,
        pathway(slow, width, 2 * narrow, variant.slow),
        pathway(fast, narrow, 0, variant.fast),
        tuple(lateral(c, variant.kernel, variant.alpha) for c in channels),
    )
    features = 4 * (width + narrow) * 2 ** (depth - 1)
    return Sequential((both, classifier(features, variant.classes)))


def modules(variant: Variant) -> Iterator[str]:
    """Modules with weights of facebookresearch/SlowFast, in the order of ours: slow pathway, fast, lateral connections."""
    yield from (*pathway_modules(0, variant.slow), *pathway_modules(1, variant.fast))
    yield from (f"s{i}_fuse.{name}" for i in range(1, 5) for name in ("conv_f2s", "bn"))
    yield "head.projection"


def systems() -> list[System]:
    """SlowFast of ResNet-50 and ResNet-101, on clips of 32 or 64 frames."""
    notes = "the frames of the slow pathway depend on the window: not streamable"
    return [
        System(name, "SlowFast", slowfast(v), (1, 3, v.frames, SIZE, SIZE), SLOWFAST, noted(notes, v.classes))
        for name, v in VARIANTS.items()
    ]
