"""ViViT: four transformers of video; clips `(B, 3, T, S, S)`, of which a tubelet of 2 frames, 16 x 16 pixels, is a token.

    tubelets  conv 2x16x16 stride (2, 16, 16), 3 -> d: T / 2 frames of N = (S / 16)^2 tokens
    block     pre-norm: x + attention(norm(x)); x + W2 gelu(W1 norm(x)); d features, 4 d hidden ones, gelu by tanh
    head      norm; d -> classes

    model 1   a class token, learned positions of all 1 + N T / 2 tokens, L blocks that see them all; the class token
    model 2   in every frame a class token, learned positions, L blocks that see the frame, its class token; of those a
              class token, learned positions, L_t blocks; the class token. Baseline: their mean instead
    model 3   learned positions; L blocks of attention over the tokens of a frame, then over the frames of a position, then
              W2 gelu(W1); the mean of all tokens
    model 4   learned positions; L blocks in whose attention half of the heads see the tokens of a frame, and half the
              frames of a position; the mean of all tokens

    B         d = 768, 12 heads, L = 12, L_t = 4
    L         d = 1024, 16 heads, L = 24, L_t = 24

Model 2, of tokens x[t] of a frame, class tokens u and v, positions P and Q:

    z[t] = encoder([u, x[t]] + P)[0]                     over space, L blocks
    y = encoder([v, z[0], z[1], ...] + Q)[0]             over time, L_t blocks

z streams, a tubelet at a time, and is nearly all of the cost; y does not: its class token looks at all frames. Models 1, 3
and 4 look at all frames in every block.

Weights: `kernel` of the original is `weight` here, transposed; `query`, `key` and `value` are one `in_proj_weight`. Model 4
projects to the queries, keys and values of the heads over time, then to those of the heads over space.

Source: Arnab, Dehghani, Heigold, Sun, Lucic & Schmid, "ViViT: A video vision transformer", ICCV 2021, sections 3 and 4;
layers as in google-research/scenic (`projects/vivit/model.py`, `model_utils.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from coequal.reference.activation import Activation
from coequal.reference.attention import MultiheadAttention
from coequal.reference.channels import SelectChannels
from coequal.reference.class_token import FirstToken, PrependToken
from coequal.reference.compose import Parallel, Residual, Sequential
from coequal.reference.conv import Conv
from coequal.reference.layer import Layer
from coequal.reference.linear import Linear
from coequal.reference.norm import LayerNorm
from coequal.reference.pool import GlobalAvgPool
from coequal.reference.position import GridEncoding, LearnedEncoding
from coequal.reference.qkv_attention import QKVAttention
from coequal.reference.tokens import Tokens
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer
from coequal.systems import weights
from coequal.systems.system import System
from coequal.systems.weights import Module

PAPER = "Arnab, Dehghani, Heigold, Sun, Lucic & Schmid, ICCV 2021, arXiv 2103.15691"
GELU = Activation("GELU", (("approximate", "tanh"),))
EPS = 1e-6  # of flax


@dataclass(frozen=True)
class Size:
    """Features, heads, blocks; blocks that see time in model 2; tubelets of so many frames and pixels; classes."""

    width: int = 768
    heads: int = 12
    blocks: int = 12
    temporal: int = 4
    tubelet: tuple[int, int] = (2, 16)
    classes: int = 400


B, L = Size(), Size(1024, 16, 24, 24)
Network = Callable[[Size, tuple[int, int]], Sequential]


def tubelets(size: Size) -> Conv:
    """Frames of tokens."""
    t, s = size.tubelet
    return Conv(3, size.width, (t, s, s), (t, s, s))


def encoder(size: Size, blocks: int) -> TransformerEncoder:
    """Pre-norm blocks and a last norm."""
    block = TransformerEncoderLayer(size.width, size.heads, 4 * size.width, GELU, EPS, norm_first=True)
    return TransformerEncoder(block, blocks, norm=True)


def classified(size: Size, blocks: int, tokens: int) -> Sequential:
    """What a class token says of `tokens` others."""
    return Sequential((
        PrependToken(size.width),
        LearnedEncoding(size.width, 1 + tokens),
        encoder(size, blocks),
        FirstToken(),
    ))  # fmt: skip


def head(size: Size) -> Tokens:
    """The last linear map."""
    return Tokens(Linear(size.width, size.classes), "space")


def norm(size: Size) -> Tokens:
    """Of every token."""
    return Tokens(LayerNorm((size.width,), EPS), "space")


def grid(size: Size, shape: tuple[int, int]) -> tuple[int, int]:
    """Frames of tokens, and tokens of a frame, of clips of frames and pixels `shape`."""
    return shape[0] // size.tubelet[0], (shape[1] // size.tubelet[1]) ** 2


def joint(size: Size, shape: tuple[int, int]) -> Sequential:
    """Model 1 on clips of `shape`: frames, pixels."""
    frames, tokens = grid(size, shape)
    return Sequential((tubelets(size), Tokens(classified(size, size.blocks, frames * tokens), "all"), head(size)))


def factorised_encoder(size: Size, shape: tuple[int, int], pooled: bool = False) -> Sequential:
    """Model 2; `pooled`: the mean of the frames instead of a temporal encoder."""
    frames, tokens = grid(size, shape)
    space = Tokens(classified(size, size.blocks, tokens), "space")
    time = GlobalAvgPool(2, frames) if pooled else Tokens(classified(size, size.temporal, frames), "time")
    return Sequential((tubelets(size), space, time, head(size)))


def spatial_encoder(size: Size, shape: tuple[int, int]) -> Sequential:
    """Model 2, its baseline."""
    return factorised_encoder(size, shape, pooled=True)


def perceptron(size: Size) -> Residual:
    """`x + W2 gelu(W1 norm(x))`."""
    wide = 4 * size.width
    inner = Sequential((LayerNorm((size.width,), EPS), Linear(size.width, wide), GELU, Linear(wide, size.width)))
    return Residual(Tokens(inner, "space"))


def attention(size: Size, over: str) -> Residual:
    """`x + attention(norm(x))` over one axis."""
    inner = Sequential((LayerNorm((size.width,), EPS), MultiheadAttention(size.width, size.heads)))
    return Residual(Tokens(inner, over))


def both_ways(size: Size) -> Residual:
    """`x + attention(norm(x))`, of half of the heads over time and half over space."""
    width = size.width
    half = QKVAttention(width // 2, size.heads // 2)
    ways = [
        Sequential((SelectChannels(i * 3 * width // 2, (i + 1) * 3 * width // 2), Tokens(half, over)))
        for i, over in enumerate(("time", "space"))
    ]
    projected = Tokens(Sequential((LayerNorm((width,), EPS), Linear(width, 3 * width))), "space")
    return Residual(Sequential((projected, Parallel(tuple(ways), "concatenate"), Tokens(Linear(width, width), "space"))))


def factorised(size: Size, shape: tuple[int, int], block: tuple[Layer, ...]) -> Sequential:
    """Models 3 and 4, of blocks that keep space and time apart."""
    frames, tokens = grid(size, shape)
    positions = GridEncoding(size.width, frames, tokens)
    return Sequential((
        tubelets(size),
        positions,
        *[Sequential(block)] * size.blocks,
        norm(size),
        GlobalAvgPool(3, frames),
        head(size),
    ))  # fmt: skip


def factorised_attention(size: Size, shape: tuple[int, int]) -> Sequential:
    """Model 3."""
    return factorised(size, shape, (attention(size, "space"), attention(size, "time"), perceptron(size)))


def factorised_products(size: Size, shape: tuple[int, int]) -> Sequential:
    """Model 4."""
    return factorised(size, shape, (both_ways(size), perceptron(size)))


def modules(network: Network, size: Size) -> Iterator[Module]:
    """Parts of the original with weights, in the order of ours; `network` is one of the functions above."""
    yield weights.flax("embedding")
    if network in (factorised_attention, factorised_products):
        yield weights.parameter("Transformer/posembed_input/pos_embedding")
        for i in range(size.blocks):
            block = f"Transformer/encoderblock_{i}"
            yield from both_of_block(block) if network is factorised_products else one_by_one_of_block(block)
        yield weights.scale("Transformer/encoder_norm")
    elif network is joint:
        yield from of_encoder("cls", "Transformer", size.blocks)
    else:
        yield from of_encoder("cls_SpatialTransformer", "SpatialTransformer", size.blocks)
        if network is factorised_encoder:
            yield from of_encoder("cls_TemporalTransformer", "TemporalTransformer", size.temporal)
    yield weights.flax("output_projection")


def of_encoder(token: str, path: str, blocks: int) -> Iterator[Module]:
    """A class token, positions, blocks and norm."""
    yield from (weights.parameter(token), weights.parameter(f"{path}/posembed_input/pos_embedding"))
    for i in range(blocks):
        yield from of_block(f"{path}/encoderblock_{i}")
    yield weights.scale(f"{path}/encoder_norm")


def of_block(path: str) -> Iterator[Module]:
    """Attention, perceptron, and the norms before them."""
    yield from weights.attention(f"{path}/MultiHeadDotProductAttention_0")
    yield from of_perceptron(f"{path}/MlpBlock_0")
    yield from (weights.scale(f"{path}/LayerNorm_0"), weights.scale(f"{path}/LayerNorm_1"))


def of_perceptron(path: str) -> Iterator[Module]:
    """Two linear maps."""
    yield from (weights.flax(f"{path}/Dense_0"), weights.flax(f"{path}/Dense_1"))


def one_by_one_of_block(path: str) -> Iterator[Module]:
    """Of model 3."""
    for axis in ("space", "time"):
        yield weights.scale(f"{path}/LayerNorm_{axis}")
        yield from weights.attention(f"{path}/MultiHeadDotProductAttention_{axis}")
    yield weights.scale(f"{path}/LayerNorm_mlp")
    yield from of_perceptron(f"{path}/MlpBlock")


def both_of_block(path: str) -> Iterator[Module]:
    """Of model 4."""
    yield weights.scale(f"{path}/LayerNorm_0")
    yield from weights.attention(f"{path}/MultiHeadDotProductAttention_0", cuts=2)
    yield weights.scale(f"{path}/LayerNorm_1")
    yield from of_perceptron(f"{path}/MlpBlock_0")


JOINT = "every block sees the whole clip: not streamable"
SPACE = "the spatial encoder streams, a tubelet at a time; the temporal one sees all frames"

# name: network, size, frames, pixels, notes
NETWORKS = {
    "ViViT-B/16x2": (joint, B, 32, 224, JOINT),
    "ViViT-B/16x2 FE": (factorised_encoder, B, 32, 224, SPACE),
    "ViViT-B/16x2 FE mean": (spatial_encoder, B, 32, 224, ""),
    "ViViT-B/16x2 FSA": (factorised_attention, B, 32, 224, JOINT),
    "ViViT-B/16x2 FDP": (factorised_products, B, 32, 224, JOINT),
    "ViViT-L/16x2": (joint, L, 32, 224, JOINT),
    "ViViT-L/16x2 288": (joint, L, 32, 288, JOINT),
    "ViViT-L/16x2 320": (joint, L, 32, 320, JOINT),
    "ViViT-L/16x2 FE": (factorised_encoder, L, 32, 224, SPACE),
    "ViViT-L/16x2 FE_128": (factorised_encoder, L, 128, 224, SPACE),
}


def systems() -> list[System]:
    """The four models on clips of 32 frames, the larger ones on larger clips too."""
    return [
        System(name, "ViViT", network(size, (frames, pixels)), (1, 3, frames, pixels, pixels), PAPER, notes)
        for name, (network, size, frames, pixels, notes) in NETWORKS.items()
    ]
