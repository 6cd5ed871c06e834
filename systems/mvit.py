"""MViT: transformers of video whose grid of tokens shrinks while their features grow; clips `(B, 3, T, S, S)`.

    stem      conv 3x7x7 stride (2, 4, 4), 3 -> d: a grid of T / 2 x S / 4 x S / 4 tokens
    blocks    pooling attention (`coequal.reference.pooling_attention`); where a stage begins, queries have stride (1, 2, 2),
              and heads and features double; keys and values have stride (1, 8, 8), halved where a stage begins
    head      the class token; norm; -> 400

              blocks   stages begin at   features, heads of the first
    MViT-B    16       1, 3, 14          96, 1                          learned positions
    MViTv2-S  16       1, 3, 14          96, 1                          relative positions, queries pooled in all blocks
    MViTv2-B  24       2, 5, 21          96, 1
    MViTv2-L  48       2, 8, 44          144, 2

MViT-B doubles features in the perceptron of the block before a stage begins, MViTv2 in the attention of its first. The stem
alone streams: the first block sees the whole clip, and its class token is what is classified.

Weights have the names of facebookresearch/SlowFast, behind `1.`; the stem is `patch_embed.proj` there, the last linear map
`head.projection`. Sides of 312 pixels leave grids of 78, 39, 20 and 10; the original has relative positions for 19 and 9,
which it interpolates.

What MViT-B pools is normed with 1e-5 added to variances, as in pytorchvideo; today's code of its authors adds 1e-6, as
everywhere else.

Sources: Fan et al., "Multiscale vision transformers", ICCV 2021, tables 1 to 3; Li et al., "MViTv2", CVPR 2022, table 1;
layers as in facebookresearch/SlowFast (`configs/Kinetics/MVIT_B_16x4_CONV.yaml`, `MVITv2_*.yaml`), the same in pytorchvideo,
torchvision (`models/video/mvit.py`) and open-mmlab/mmaction2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coequal.reference.compose import Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.linear import Linear
from coequal.reference.pooling_attention import PoolingBlock, PoolingEncoder
from coequal.reference.tokens import Tokens
from coequal.systems import weights
from coequal.systems.system import System
from coequal.systems.weights import Module

PAPER = "Fan, Xiong, Mangalam, Li, Yan, Malik & Feichtenhofer, ICCV 2021, arXiv 2104.11227"
IMPROVED = "Li, Wu, Fan, Mangalam, Xiong, Malik & Feichtenhofer, CVPR 2022, arXiv 2112.01526"
KERNEL, ONES, HALVED, ADAPTIVE = (3, 3, 3), (1, 1, 1), (1, 2, 2), 8


@dataclass(frozen=True)
class Size:
    """Blocks, the first ones of stages, features and heads of the first stage; whether it is MViTv2."""

    blocks: int = 16
    stages: tuple[int, ...] = (1, 3, 14)
    width: int = 96
    heads: int = 1
    improved: bool = True


B, V2_S = Size(improved=False), Size()
V2_B, V2_L = Size(24, (2, 5, 21)), Size(48, (2, 8, 44), 144, 2)


def grid(shape: tuple[int, int]) -> tuple[int, int]:
    """Frames and side of the grid of tokens, of clips of frames and pixels `shape`."""
    return -(-shape[0] // 2), -(-shape[1] // 4)


def blocks(size: Size, shape: tuple[int, int]) -> list[PoolingBlock]:
    """All of them, for clips of `shape`."""
    frames, side = grid(shape)
    stage, found = 0, []
    for i in range(size.blocks):
        begins = i in size.stages
        stage += begins
        # MViT: before a stage begins; MViTv2: where it does
        widens = i in size.stages if size.improved else i + 1 in size.stages
        width = size.width * 2**stage
        inputs, outputs = (width // 2, width) if size.improved and widens else (width, 2 * width if widens else width)
        stride = HALVED if begins else ONES
        pooled = ADAPTIVE // 2**stage
        keys, side = -(-side // pooled), -(-side // stride[1])
        found.append(
            PoolingBlock(
                inputs, outputs, size.heads * 2**stage, KERNEL if size.improved or begins else None, KERNEL,
                stride, (1, pooled, pooled), (frames, max(keys, side)) if size.improved else None,
            )
        )  # fmt: skip
    return found


def mvit(size: Size, shape: tuple[int, int], classes: int = 400) -> Sequential:
    """The network on clips of frames and pixels `shape`."""
    frames, side = grid(shape)
    all_blocks = tuple(blocks(size, shape))
    tables = (0, 0) if size.improved else (frames, side**2)
    stem = Conv(3, size.width, (3, 7, 7), (2, 4, 4), (1, 3, 3))
    head = Tokens(Linear(all_blocks[-1].out_features, classes), "space")
    return Sequential((stem, PoolingEncoder(all_blocks, *tables), head))


# name: size, frames, pixels, source
NETWORKS = {
    "MViT-B_16x4": (B, 16, 224, PAPER),
    "MViT-B_32x3": (B, 32, 224, PAPER),
    "MViTv2-S_16x4": (V2_S, 16, 224, IMPROVED),
    "MViTv2-B_32x3": (V2_B, 32, 224, IMPROVED),
    "MViTv2-L_40x3": (V2_L, 40, 312, IMPROVED),
}


def modules(layer: Layer) -> Iterator[Module]:
    """Modules with weights of facebookresearch/SlowFast, in the order of ours: those of the blocks are called alike."""
    outside: dict[str, Module] = {"0": "patch_embed.proj", "1": weights.alike, "2.inner": "head.projection"}
    for place in dict.fromkeys(name.rpartition(".")[0] for name in layer.parameters()):
        yield outside.get(place, place.removeprefix("1."))


def systems() -> list[System]:
    """MViT and MViTv2 on the clips that they were published with."""
    notes = "every block sees the whole clip: not streamable"
    return [
        System(name, "MViT", mvit(size, (frames, pixels)), (1, 3, frames, pixels, pixels), source, notes)
        for name, (size, frames, pixels, source) in NETWORKS.items()
    ]
