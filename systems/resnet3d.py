"""I3D-R50, Slow-R50, C2D-R50, and the continual twins CoI3D and CoSlow: ResNet-50 with a time axis; `(B, 3, T, H, W)`.

    stem    conv k x 7 x 7 stride (1, 2, 2), 3 -> 64; norm; relu; max pool 1x3x3 stride (1, 2, 2)
    stages  3, 4, 6, 3 bottlenecks of 64, 128, 256, 512 inner channels C; stride 2 in space from the second stage on
    block   conv k x 1 x 1, -> C; norm; relu; conv 1x3x3 stride s; norm; relu; conv 1x1x1, -> 4 C; norm; around a shortcut
    head    mean over everything; 2048 -> 400

    kernel k in time of   stem   stages (alternating over their blocks)      between stages 1 and 2
    I3D                   5      3;  3, 1;  3, 1;  1, 3                      max pool of 2 frames, stride 2
    Slow                  1      1;  1;  3;  3                               max pool of 1 frame: x itself, but counted
    C2D                   1      1;  1;  1;  1                               max pool of 2 frames, stride 2
    I3D heavy             5      3;  3;  3;  3                               max pool of 2 frames, stride 2

I3D of clips of 32 frames, in mmaction2, has stride 2 in time in convolution and pool of the stem too; the heavy one has not.
Networks called NL have non-local blocks after every other block of the second and the third stage.

CoI3D and CoSlow are the same layers a frame at a time: same weights, same function of one endless clip. With the pool of I3D
only every other frame reaches the later stages.

Sources: Feichtenhofer, Fan, Malik & He, "SlowFast networks for video recognition", ICCV 2019, table 1 (Slow); Carreira &
Zisserman, "Quo vadis, action recognition?", CVPR 2017, and Wang et al., "Non-local neural networks", CVPR 2018, table 1
(I3D); layers as in facebookresearch/SlowFast (`video_model_builder.py`, `resnet_helper.py`); Hedegaard & Iosifidis, ECCV
2022, and LukasHedegaard/co3d (`models/common/coresnet.py`); open-mmlab/mmaction2 (`configs/recognition/i3d`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from coequal.reference.compose import Sequential
from coequal.reference.layer import Layer
from coequal.reference.pool import GlobalAvgPool, MaxPool
from coequal.systems.blocks import RELU, UNSEEN, beyond, classifier, conv, normed, noted, residual
from coequal.systems.system import System

SLOWFAST = "Feichtenhofer, Fan, Malik & He, ICCV 2019, arXiv 1812.03982"
CONTINUAL = "Hedegaard & Iosifidis, ECCV 2022, arXiv 2106.00050"
BLOCKS = (3, 4, 6, 3)

# name: kernels in time of stem and stages, frames pooled after the first stage
ARCHITECTURES: dict[str, tuple[tuple[tuple[int, ...], ...], int]] = {
    "I3D": (((5,), (3,), (3, 1), (3, 1), (1, 3)), 2),
    "Slow": (((1,), (1,), (1,), (3,), (3,)), 1),
    "C2D": (((1,), (1,), (1,), (1,), (1,)), 2),
    "I3D heavy": (((5,), (3,), (3,), (3,), (3,)), 2),
}


def stem(outputs: int, kernel: int, inputs: int = 3, stride: int = 1) -> Sequential:
    """Convolution and pooling, each of stride 2 in space, and of `stride` in time."""
    strides = (stride, 2, 2)
    first = normed(conv(inputs, outputs, (kernel, 7, 7), strides), RELU)
    return Sequential((*first, MaxPool((1, 3, 3), strides, (0, 1, 1))))


def bottleneck(inputs: int, inner: int, outputs: int, kernel: int, stride: int) -> Sequential:
    """Time in the first convolution, space in the second."""
    strides = (1, stride, stride)
    layers = (
        *normed(conv(inputs, inner, (kernel, 1, 1)), RELU),
        *normed(conv(inner, inner, (1, 3, 3), strides), RELU),
        *normed(conv(inner, outputs, (1, 1, 1))),
    )
    return residual(Sequential(layers), inputs, outputs, strides)


def stage(
    inputs: int, inner: int, blocks: int, kernels: tuple[int, ...], stride: int, after: Mapping[int, Layer] | None = None
) -> Sequential:
    """`blocks` bottlenecks to `4 inner` channels; kernels in time alternate, the first block has the stride.

    `after`: what follows a block, by its index.
    """
    outputs = 4 * inner
    layers: list[Layer] = []
    for i in range(blocks):
        size, step = (inputs, stride) if i == 0 else (outputs, 1)
        layers.append(bottleneck(size, inner, outputs, kernels[i % len(kernels)], step))
        layers += [after[i]] if after and i in after else []
    return Sequential(tuple(layers))


def resnet(
    name: str,
    frames: int,
    width: int = 64,
    classes: int = 400,
    blocks: tuple[int, ...] = BLOCKS,
    stride: int = 1,
    chosen: tuple[str, int] | None = None,
) -> Sequential:
    """The network `name` of `frames` frames, with `width` channels and `stride` in time at the stem.

    `chosen`: mode and place of its non-local blocks (`systems/blocks.py`).
    """
    (first, *kernels), pooled = ARCHITECTURES[name]
    layers: list[Layer] = [stem(width, first[0], stride=stride)]
    inputs = width
    for i, (depth, kernel) in enumerate(zip(blocks, kernels, strict=True)):
        inner = width * 2**i
        after = beyond(depth, 4 * inner, i, chosen)
        layers.append(stage(inputs, inner, depth, kernel, 1 if i == 0 else 2, after))
        inputs = 4 * inner
        if i == 0:
            layers.append(MaxPool((pooled, 1, 1)))
    return Sequential((*layers, GlobalAvgPool(3, frames // pooled // stride**2), classifier(inputs, classes)))


def pathway_modules(
    pathway: int, blocks: tuple[int, ...] = BLOCKS, after: Mapping[int, Sequence[int]] | None = None
) -> Iterator[str]:
    """Modules with weights of a pathway of facebookresearch/SlowFast, in the order of ours.

    `after`: by stage, counted from 0, the blocks that a non-local block follows.
    """
    yield from (f"s1.pathway{pathway}_stem.{name}" for name in ("conv", "bn"))
    inside = [f"branch2.{name}" for name in ("a", "a_bn", "b", "b_bn", "c", "c_bn")]
    for i, depth in enumerate(blocks):
        for j in range(depth):
            shortcut = ["branch1", "branch1_bn"] if j == 0 else []
            yield from (f"s{i + 2}.pathway{pathway}_res{j}.{name}" for name in (*inside, *shortcut))
            if after and j in after.get(i, ()):
                names = ("conv_g", "conv_theta", "conv_phi", "conv_out", "bn")
                yield from (f"s{i + 2}.pathway{pathway}_nonlocal{j}.{name}" for name in names)


def modules(blocks: tuple[int, ...] = BLOCKS, after: Mapping[int, Sequence[int]] | None = None) -> Iterator[str]:
    """Those of a whole network."""
    yield from (*pathway_modules(0, blocks, after), "head.projection")


@dataclass(frozen=True)
class Clip:
    """A network as published: frames, crop, classes, stride in time of the stem's layers, non-local blocks."""

    architecture: str
    frames: int
    size: int
    classes: int = 400
    stride: int = 1
    chosen: tuple[str, int] | None = None


CLIPS = {
    "I3D-R50": Clip("I3D", 8, 224),
    "I3D-R50 32x2": Clip("I3D", 32, 224, stride=2),
    "I3D-R50 heavy 32x2": Clip("I3D heavy", 32, 224),
    "I3D-R50 NL dot 32x2": Clip("I3D", 32, 224, stride=2, chosen=("dot product", 1)),
    "I3D-R50 NL gauss 32x2": Clip("I3D", 32, 224, stride=2, chosen=("gaussian", 1)),
    "Slow-8x8-R50": Clip("Slow", 8, 256),
    "Slow-8x8-R50 NL": Clip("Slow", 8, 256, chosen=("embedded", 0)),
    "Slow-8x8-R50 SSv2": Clip("Slow", 8, 256, 174),
    "Slow-8x8-R50 Charades": Clip("Slow", 8, 256, 157),
    "Slow-4x16-R50": Clip("Slow", 4, 256),
    "Slow-4x16-R50 NL": Clip("Slow", 4, 256, chosen=("embedded", 0)),
    "C2D-R50": Clip("C2D", 8, 256),
}
CONTINUAL_OF = ("I3D-R50", "Slow-8x8-R50")


def clip_system(name: str) -> System:
    """One of these, as published."""
    clip = CLIPS[name]
    layer = resnet(clip.architecture, clip.frames, classes=clip.classes, stride=clip.stride, chosen=clip.chosen)
    shape, notes = (1, 3, clip.frames, clip.size, clip.size), "" if clip.chosen is None else UNSEEN
    return System(name, clip.architecture.partition(" ")[0], layer, shape, SLOWFAST, noted(notes, clip.classes))


def step_system(original: str, frames: int) -> System:
    """CoI3D or CoSlow, whose head pools what `frames` frames have become."""
    architecture, size = CLIPS[original].architecture, CLIPS[original].size
    layer = resnet(architecture, frames)
    return System(
        f"Co{architecture}_{frames}", "Co3D", layer, (1, 3, frames, size, size), CONTINUAL,
        "same weights, same function of one endless clip", layer, (1, 3, 1, size, size), original,
    )  # fmt: skip


def systems() -> list[System]:
    """I3D-R50, Slow-R50 and C2D-R50 on clips; CoI3D and CoSlow, pooling over 8 and 64 frames."""
    return [*map(clip_system, CLIPS), *(step_system(name, frames) for name in CONTINUAL_OF for frames in (8, 64))]
