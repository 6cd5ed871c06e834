"""SlowFast-R50: a slow pathway of few frames, and a fast one of all frames and an eighth of the channels.

Both are ResNet-50 (`systems/resnet3d.py`), with kernels in time

    slow    1 (stem)   1   1   3   3                      64 channels at the stem
    fast    5 (stem)   3   3   3   3                       8 channels at the stem

After the stem and every stage but the last, the fast pathway's C channels go to the slow one: conv k x 1 x 1 of stride
alpha, C -> 2 C; norm; relu. Head: both pathways' means over everything, one after the other; 2048 + 256 -> 400.

Before the second stage the code has a max pool of one element in both pathways: x itself, but counters count it.

The slow pathway takes `T / alpha` frames spread over the clip by `linspace`: other frames in every window, and not equally
far apart, so the network as published cannot be streamed (`reference/pathways.py`).

Source: Feichtenhofer, Fan, Malik & He, "SlowFast networks for video recognition", ICCV 2019, table 1; hyper-parameters as
in facebookresearch/SlowFast (`configs/Kinetics/SLOWFAST_4x16_R50.yaml`, `SLOWFAST_8x8_R50.yaml`, `video_model_builder.py`).
"""

from __future__ import annotations

from coequal.reference.compose import Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.pathways import Pathways
from coequal.reference.pool import GlobalAvgPool, MaxPool
from coequal.systems.blocks import RELU, classifier, normed
from coequal.systems.resnet3d import BLOCKS, SLOWFAST, stage, stem
from coequal.systems.system import System

KERNELS = {"slow": (1, 1, 1, 3, 3), "fast": (5, 3, 3, 3, 3)}
FRAMES, SIZE = 32, 256

# name: alpha, kernel of the lateral connections
VARIANTS = {"SlowFast-4x16-R50": (8, 5), "SlowFast-8x8-R50": (4, 7)}


def lateral(channels: int, kernel: int, alpha: int) -> Sequential:
    """What the fast pathway tells the slow one."""
    return Sequential(
        normed(Conv(channels, 2 * channels, (kernel, 1, 1), (alpha, 1, 1), (kernel // 2, 0, 0), bias=False), RELU)
    )


def pathway(name: str, width: int, extra: int, blocks: tuple[int, ...]) -> tuple[Layer, ...]:
    """Stem, stages, mean; every stage takes `extra / width` of its input's channels from the lateral connection besides."""
    first, *kernels = KERNELS[name]
    stages: list[Layer] = [stem(width, first)]
    inputs = width
    for i, (depth, kernel) in enumerate(zip(blocks, kernels, strict=True)):
        inner = width * 2**i
        blocks_of = stage(inputs + inputs * extra // width, inner, depth, (kernel,), 1 if i == 0 else 2)
        stages.append(Sequential((MaxPool((1, 1, 1)), *blocks_of.layers)) if i == 1 else blocks_of)
        inputs = 4 * inner
    return (*stages[:-1], Sequential((stages[-1], GlobalAvgPool(3))))


def slowfast(alpha: int, kernel: int, width: int = 64, classes: int = 400, blocks: tuple[int, ...] = BLOCKS) -> Sequential:
    """The network; the fast pathway has `width / 8` channels at the stem."""
    narrow = width // 8
    channels = [narrow, *(4 * narrow * 2**i for i in range(len(blocks) - 1))]
    both = Pathways(
        alpha,
        pathway("slow", width, 2 * narrow, blocks),
        pathway("fast", narrow, 0, blocks),
        tuple(lateral(c, kernel, alpha) for c in channels),
    )
    features = 4 * (width + narrow) * 2 ** (len(blocks) - 1)
    return Sequential((both, classifier(features, classes)))


def systems() -> list[System]:
    """SlowFast-4x16-R50 and 8x8-R50 on clips of 32 frames."""
    notes = "the frames of the slow pathway depend on the window: not streamable"
    return [
        System(name, "SlowFast", slowfast(*variant), (1, 3, FRAMES, SIZE, SIZE), SLOWFAST, notes)
        for name, variant in VARIANTS.items()
    ]
