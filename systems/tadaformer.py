"""TAdaFormer: a vision transformer, frame by frame, with calibrated depthwise convolutions; clips `(B, 3, T, 224, 224)`.

    stem     conv 3 x P x P stride (2, P, P), 3 -> C; a class token for every frame; learned positions; norm
    block    x + calibrated(x); x + attention(norm(x)), over the positions of a frame;
             [x + calibrated(x);] x + perceptron(norm(x)), C -> 4 C -> C, quick GELU
    head     class token of every frame, its mean over the frames; norm; C -> classes

             P    C      blocks  heads
    B/16     16   768    12      12
    L/14     14   1024   24      16

`calibrated` leaves out the class token: to C / 2 channels; depthwise conv 1x3x3 with weights and bias as in TAdaConvNeXt-V2
(`systems/tada_next.py`), but calibrated by a[t] and b[t] instead of 1 + a[t] and 1 + b[t]; norm(y) + norm(mean of y over 3
frames), batch norms; quick GELU; back to C. Networks of Something-Something V2 have it twice in a block, and look at three
frames where it begins. Heads of the attention over frames have 64 features.

The attention over frames is that of the whole clip, in every block: as published, nothing streams. With one that looks at
frames before it would, at a phase of two frames.

Source: Huang, Zhang, Pan, Qing, Zhang, Liu & Ang Jr, "Temporally-adaptive models for efficient video understanding", arXiv
2308.05787, 2023; layers as in alibaba-mmai-research/TAdaConv (`configs/pool/backbone/tadaformer_*.yaml`,
`configs/projects/tadaformer`, `models/base/backbone.py`, `models/module_zoo/branches/tadaformer.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from coequal.reference.class_token import FirstToken, PrependToken
from coequal.reference.clip_attention import ClipAttention
from coequal.reference.compose import Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.norm import ChannelLayerNorm
from coequal.reference.pool import GlobalAvgPool
from coequal.reference.position import GridEncoding
from coequal.reference.token_grid import TokenGrid
from coequal.reference.tokens import Tokens
from coequal.systems import weights
from coequal.systems.blocks import conv, noted
from coequal.systems.system import System
from coequal.systems.tada import AROUND, POINT, aggregated
from coequal.systems.tada_next import NOTES, PAPER, QUICK_GELU, RATIO, calibrated, calibrated_modules, factors, perceptron
from coequal.systems.weights import Module

SIZE, HEAD = 224, 64


@dataclass(frozen=True)
class Size:
    """Patches, channels, blocks, heads over a frame."""

    patch: int
    width: int
    blocks: int
    heads: int


SIZES = {"B/16": Size(16, 768, 12, 12), "L/14": Size(14, 1024, 24, 16)}

# data set: classes, whether calibrated convolutions are twice in a block, frames of the clips of each size
SETS: dict[str, tuple[int, bool, dict[str, tuple[int, ...]]]] = {
    "K400": (400, False, {"B/16": (16,), "L/14": (16, 32, 64)}),
    "SSv2": (174, True, {"B/16": (16, 32), "L/14": (16, 32)}),
}


def calibration(channels: int, around: bool, window: int | None) -> Residual:
    """The calibrated convolution of everything but the class token, around a shortcut; `around`: three frames go in."""
    inner = channels // 2
    route = (*factors(inner, HEAD, window), conv(inner // RATIO, 2 * inner, AROUND))
    layers = (
        TokenGrid(),
        conv(channels, inner, AROUND if around else POINT, bias=True),
        calibrated(inner, (1, 3, 3), route),
        aggregated(inner),
        QUICK_GELU,
        conv(inner, channels, POINT, bias=True),
        Tokens(PrependToken(channels, learned=False), "space"),
    )
    return Residual(Sequential(layers))


def block(channels: int, heads: int, twice: bool, window: int | None) -> Sequential:
    """Convolution, attention over the frame, perceptron; the convolution `twice`."""
    again = (calibration(channels, twice, window),) if twice else ()
    return Sequential((
        calibration(channels, twice, window),
        Residual(Sequential((ChannelLayerNorm(channels), ClipAttention(channels, heads)))),
        *again,
        Residual(Sequential((ChannelLayerNorm(channels), *perceptron(channels, 2)))),
    ))  # fmt: skip


def tadaformer(
    frames: int, size: Size, classes: int = 400, twice: bool = False, window: int | None = None, side: int = SIZE
) -> Sequential:
    """The network on clips of `frames` frames; with a `window`, weights look at so many frames before alone."""
    channels, patch = size.width, size.patch
    stem = (
        Conv(3, channels, (3, patch, patch), (2, patch, patch), (1, 0, 0), bias=False),
        Tokens(PrependToken(channels), "space"),
        GridEncoding(channels, 1, 1 + (side // patch) ** 2, recycled=True),
        ChannelLayerNorm(channels),
    )
    blocks = [block(channels, size.heads, twice, window)] * size.blocks
    pooled = (Tokens(FirstToken(), "space"), GlobalAvgPool(2, -(-frames // 2)), ChannelLayerNorm(channels))
    return Sequential((*stem, *blocks, *pooled, Conv(channels, classes, (1, 1))))


def modules(size: Size, twice: bool = False) -> Iterator[Module]:
    """Modules with weights of the original code, in the order of ours."""
    yield from ("backbone.conv1", weights.parameter("backbone.class_embedding"))
    yield from (weights.parameter("backbone.positional_embedding"), "backbone.ln_pre")
    heads = size.width // 2 // RATIO // HEAD
    for i in range(size.blocks):
        at = f"backbone.layers.{i}"
        yield from calibration_modules(f"{at}.tada", heads)
        yield from (f"{at}.ln_1", f"{at}.attn", f"{at}.attn.out_proj")
        if twice:
            yield from calibration_modules(f"{at}.tada2", heads)
        yield from (f"{at}.ln_2", f"{at}.mlp.c_fc", f"{at}.mlp.c_proj")
    yield from ("backbone.ln_post", "head.out")


def calibration_modules(at: str, heads: int) -> Iterator[Module]:
    """Of a calibrated convolution and what is about it."""
    conv = f"{at}.tadaconv"
    yield f"{at}.tada_pre_proj"
    yield from calibrated_modules(conv, f"{conv}.rf_func", heads)
    yield from (f"{conv}.bn_a", f"{conv}.bn_b", f"{at}.tada_proj")


def systems() -> list[System]:
    """B/16 and L/14, of Kinetics and of Something-Something V2."""
    return [
        System(
            f"TAdaFormer-{size}_{t} {name}", "TAdaFormer", tadaformer(t, SIZES[size], classes, twice), (1, 3, t, SIZE, SIZE),
            PAPER, noted(NOTES, classes),
        )
        for name, (classes, twice, clips) in SETS.items()
        for size, lengths in clips.items()
        for t in lengths
    ]  # fmt: skip
