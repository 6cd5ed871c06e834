"""TAdaConvNeXt-V2: ConvNeXt whose depthwise convolutions have other weights for every frame; clips `(B, 3, T, H, W)`.

    stem     conv 3x4x4 stride (2, 4, 4), 3 -> C; norm
    stages   blocks of C, 2 C, 4 C, 8 C channels; before the others: norm; conv 1x2x2 stride (1, 2, 2), to twice the channels
    block    calibrated depthwise conv 1x7x7; norm(y) + norm(mean of y over 3 frames); conv 1x1x1, -> 4 C; quick GELU;
             conv 1x1x1, -> C; a factor for each channel; around a shortcut
    head     mean over everything; norm; 8 C -> 400

    size     T           S            B
    blocks   3, 3, 9, 3  3, 3, 27, 3  3, 3, 27, 3
    C        96          96           128

Norms are layer norms of the channels of a position. A frame is convolved with weights and bias that are calibrated by what
the frames about it look like, output channel by output channel, with v the means over space:

    y[t] = (1 + a[t]) conv(x[t]) + (1 + b[t]) bias     z = quick GELU(norm(conv3(v)))      over time, C -> C / 2
    [a, b] = conv3(z + attention(norm(z)))             C / 2 -> C each                     attention over all frames

Heads of the attention have 48 features (B: 64); scores are divided by the root of all C / 2. In the code the features of a
head are every A-th of A heads, not one after the other: the same up to the order of channels. The attention is over the
whole clip, in every block: as published, nothing streams. With one that looks at frames before it would, at a phase of two
frames.

Source: Huang, Zhang, Pan, Qing, Zhang, Liu & Ang Jr, "Temporally-adaptive models for efficient video understanding", arXiv
2308.05787, 2023; layers as in alibaba-mmai-research/TAdaConv (`configs/pool/backbone/tadaconvnextv2_*.yaml`,
`models/base/backbone.py`, `models/module_zoo/branches/tadaconvnextv2.py`, `models/module_zoo/ops/tadaconv_v2.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coequal.reference import checkpoint
from coequal.reference.activation import Activation
from coequal.reference.adaptive_pool import AdaptiveAvgPool, GlobalAvgPool
from coequal.reference.channels import SelectChannels
from coequal.reference.clip_attention import ClipAttention
from coequal.reference.compose import Parallel, Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.norm import ChannelLayerNorm
from coequal.reference.pool import AvgPool
from coequal.reference.rescale import ChannelScale, Rescale
from coequal.systems import weights
from coequal.systems.blocks import classifier, conv
from coequal.systems.system import System
from coequal.systems.weights import Module

PAPER = "Huang, Zhang, Pan, Qing, Zhang, Liu & Ang Jr, arXiv 2308.05787"
POINT, AROUND, RATIO, SIZE = (1, 1, 1), (3, 1, 1), 2, 256
EPS = 1e-6
NOTES = "weights of every convolution attend to the whole clip: not streamable"
QUICK_GELU = Residual(Sequential((Rescale(1.702), Activation("Sigmoid"))), reduce="product")


@dataclass(frozen=True)
class Size:
    """Blocks of each stage, channels of the first, features of a head."""

    blocks: tuple[int, ...]
    width: int
    head: int


SIZES = {"T": Size((3, 3, 9, 3), 96, 48), "S": Size((3, 3, 27, 3), 96, 48), "B": Size((3, 3, 27, 3), 128, 64)}


def norm(channels: int) -> ChannelLayerNorm:
    """Layer norm of the channels of a position."""
    return ChannelLayerNorm(channels, EPS)


def factors(channels: int, head: int, window: int | None) -> tuple[Layer, ...]:
    """What frames look like, as a number for each of half the channels; `window` of its attention, None for the clip."""
    narrow = channels // RATIO
    attention = ClipAttention(narrow, max(1, narrow // head), "time", window, scaled=narrow)
    local = (AdaptiveAvgPool((None, 1, 1)), conv(channels, narrow, AROUND, bias=True), norm(narrow), QUICK_GELU)
    return (*local, Residual(Sequential((norm(narrow), attention))))


def calibrated(channels: int, kernel: tuple[int, ...], route: tuple[Layer, ...]) -> Parallel:
    """A depthwise convolution of kernel and bias times factors: `route` gives C of the one, and C of the other."""
    bias = Sequential((SelectChannels(channels, 2 * channels), ChannelScale(channels)))
    both = Parallel((SelectChannels(0, channels), bias), "concatenate")
    return Parallel((conv(channels, channels, kernel, groups=channels), Sequential((*route, both))), "affine")


def perceptron(channels: int, rank: int = 3) -> tuple[Layer, ...]:
    """Two linear maps of each position."""
    point = (1,) * rank
    return (
        conv(channels, 4 * channels, point, point, bias=True),
        QUICK_GELU,
        conv(4 * channels, channels, point, point, bias=True),
    )


def block(channels: int, head: int, window: int | None) -> Residual:
    """Around a shortcut."""
    route = (
        *factors(channels, head, window),
        conv(channels // RATIO, 2 * channels, AROUND),
        Rescale(offset=1.0),
    )
    mean = AvgPool(AROUND, 1, (1, 0, 0))
    layers = (
        calibrated(channels, (1, 7, 7), route),
        Parallel((norm(channels), Sequential((mean, norm(channels))))),
        *perceptron(channels),
        ChannelScale(channels),
    )
    return Residual(Sequential(layers))


def tada_next(frames: int, size: Size, classes: int = 400, window: int | None = None) -> Sequential:
    """The network on clips of `frames` frames; with a `window`, weights look at so many frames before alone."""
    channels = size.width
    layers: list[Layer] = []
    for i, depth in enumerate(size.blocks):
        if i == 0:
            down: tuple[Layer, ...] = (Conv(3, channels, (3, 4, 4), (2, 4, 4), (1, 0, 0)), norm(channels))
        else:
            down = (norm(channels), Conv(channels, 2 * channels, (1, 2, 2), (1, 2, 2)))
            channels *= 2
        layers.append(Sequential((*down, *[block(channels, size.head, window)] * depth)))
    return Sequential((*layers, GlobalAvgPool(3, -(-frames // 2)), norm(channels), classifier(channels, classes)))


def modules(size: Size) -> Iterator[Module]:
    """Modules with weights of the original code, in the order of ours."""
    channels = size.width
    for i, depth in enumerate(size.blocks):
        yield from (f"backbone.downsample_layers.{i}.0", f"backbone.downsample_layers.{i}.1")
        for j in range(depth):
            yield from block_modules(f"backbone.stages.{i}.{j}", channels // RATIO // size.head)
        channels *= 2
    yield from ("backbone.norm", "head.out")


def block_modules(at: str, heads: int) -> Iterator[Module]:
    """Of a block."""
    yield from calibrated_modules(f"{at}.dwconv", f"{at}.dwconv_rf", heads)
    yield from (f"{at}.norm", f"{at}.norm_avgpool", f"{at}.pwconv1", f"{at}.pwconv2", weights.parameter(f"{at}.gamma"))


def calibrated_modules(conv: str, route: str, heads: int) -> Iterator[Module]:
    """Of a calibrated convolution; features of its `heads` are in turns there."""
    attention = f"{route}.qkv_proj"
    yield from (weights.parameter(f"{conv}.weight"), f"{route}.a", f"{route}.norm", f"{route}.norm_transformer")
    yield from (weights.stacked(attention, turned=checkpoint.interleaved(heads)), f"{route}.attn_out")
    yield from (weights.stacked(f"{route}.b", f"{route}.b_bias"), weights.parameter(f"{conv}.bias"))


def systems() -> list[System]:
    """T, S and B on clips of 16 and of 32 frames."""
    return [
        System(f"TAdaConvNeXtV2-{name}_{t}", "TAdaConvNeXtV2", tada_next(t, size), (1, 3, t, SIZE, SIZE), PAPER, NOTES)
        for name, size in SIZES.items()
        for t in (16, 32)
    ]
