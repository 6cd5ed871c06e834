"""RSANet: ResNet-50, frame by frame, with relational self-attention in seven of its blocks; clips `(B, 3, T, H, W)`.

    stem     conv 1x7x7 stride (1, 2, 2), 3 -> 64; norm; relu; max pool 1x3x3 stride (1, 2, 2)
    stages   3, 4, 6, 3 blocks of 64, 128, 256, 512 inner channels C; stride 2 in space from the second stage on
    block    conv 1x1x1, -> C; norm; relu; conv 1x3x3 stride s; norm; relu; conv 1x1x1, -> 4 C; norm; around a shortcut
    head     mean over space, 2048 -> 174 for every frame; mean over the frames

In block 2 of the first stage, 1 and 3 of the second, 1, 3 and 5 of the third and 1 of the fourth, counted from 0, relational
self-attention of 8 heads and windows of 5 x 7 x 7 stands for the convolution 1x3x3 (`reference/relational.py`). Each waits
for two frames, 14 in all: the network streams, and what it says of a frame is what one endless clip gives.

Source: Kim, Kwon, Wang, Kwak & Cho, "Relational self-attention: What's missing in attention for video understanding",
NeurIPS 2021, sections 4 and 5; layers as in KimManjin/RSA (`ops/ResNet.py`, `scripts/test_Something_v1.sh`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.compose import Sequential
from coequal.reference.layer import Layer
from coequal.reference.norm import BatchNorm
from coequal.reference.relational import RelationalSelfAttention
from coequal.systems.blocks import RELU, conv, normed, noted, residual
from coequal.systems.resnet3d import BLOCKS, stem
from coequal.systems.system import System
from coequal.systems.tsm import POINT, SIZE, bottleneck, head

PAPER = "Kim, Kwon, Wang, Kwak & Cho, NeurIPS 2021, arXiv 2111.01673"
CLASSES, HEADS = 174, 8
PLACES = ((2,), (1, 3), (1, 3, 5), (1,))  # blocks of each stage that have it


def block(channels: int, inner: int, heads: int) -> Sequential:
    """A bottleneck with relational self-attention around a shortcut."""
    layers = (
        *normed(conv(channels, inner, POINT), RELU),
        *(RelationalSelfAttention(inner, heads), BatchNorm(inner), RELU),
        *normed(conv(inner, channels, POINT)),
    )
    return residual(Sequential(layers), channels, channels, POINT)


def rsanet(
    frames: int | None,
    classes: int = CLASSES,
    width: int = 64,
    heads: int = HEADS,
    blocks: tuple[int, ...] = BLOCKS,
    places: tuple[tuple[int, ...], ...] = PLACES,
) -> Sequential:
    """The network; `frames`: how many predictions are averaged, None for each by itself."""
    layers: list[Layer] = [stem(width, 1)]
    inputs = width
    for i, (depth, where) in enumerate(zip(blocks, places, strict=True)):
        inner = width * 2**i
        stage = [bottleneck(inputs, inner, 1 if i == 0 else 2, ())]
        stage += [
            block(4 * inner, inner, heads) if j in where else bottleneck(4 * inner, inner, 1, ()) for j in range(1, depth)
        ]
        layers.append(Sequential(tuple(stage)))
        inputs = 4 * inner
    return Sequential((*layers, *head(inputs, classes, frames)))


def modules(blocks: tuple[int, ...] = BLOCKS, places: tuple[tuple[int, ...], ...] = PLACES) -> Iterator[str]:
    """Modules with weights of the original code, in the order of ours."""
    yield from ("base_model.conv1", "base_model.bn1")
    relational = [f"conv2{name}" for name in (".projection", ".H1", ".H2", ".G", "")]
    for stage, (depth, where) in enumerate(zip(blocks, places, strict=True), start=1):
        for j in range(depth):
            inside = ("conv1", "bn1", *(relational if j in where else ["conv2"]), "bn2", "conv3", "bn3")
            shortcut = ("downsample.0", "downsample.1") if j == 0 else ()
            yield from (f"base_model.layer{stage}.{j}.{name}" for name in (*inside, *shortcut))
    yield "new_fc"


def systems() -> list[System]:
    """Of ResNet-50, on clips of 16 frames of Something-Something."""
    return [System("RSANet-R50_16", "RSA", rsanet(16), (1, 3, 16, SIZE, SIZE), PAPER, noted("", CLASSES))]
