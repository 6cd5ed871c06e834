"""MTV: transformers of several views of a video; clips `(B, 3, T, S, S)`.

    views     tubelets of 8, 4 and 2 frames, 16 x 16 pixels, with blocks of ViT-Ti, S and B, group by group of 8 frames; a
              view attends to the next finer one in the last of each six blocks (`coequal.reference.multiview`)
    global    the class tokens of all views, side by side: T / 2 tokens; a class token, learned positions, 12 blocks of
              8 heads and 3072 hidden features, norm; the class token
    head      -> 400

              views              features
    MTV-B     Ti/8 + S/4 + B/2   192, 384, 768

A group of 8 frames is encoded by itself, but for its class tokens, which are learned for each place in the clip; the global
encoder sees all of them. Nothing streams.

Source: Yan, Xiong, Arnab, Lu, Zhang, Sun & Schmid, "Multiview transformers for video recognition", CVPR 2022, section 3;
layers as in google-research/scenic (`projects/mtv/model.py`, `configs/kinetics/k400_mtv_b2_cva.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.class_token import FirstToken, PrependToken
from coequal.reference.compose import Sequential
from coequal.reference.linear import Linear
from coequal.reference.multiview import EPS, GELU, MultiviewEncoder, View
from coequal.reference.position import LearnedEncoding
from coequal.reference.tokens import Tokens
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer
from coequal.systems import vivit, weights
from coequal.systems.system import System
from coequal.systems.weights import Module

PAPER = "Yan, Xiong, Arnab, Lu, Zhang, Sun & Schmid, CVPR 2022, arXiv 2201.04288"
FRAMES, SIZE, BLOCKS, FUSION = 32, 224, 12, (5, 11)
B = (View(192, 3, 768, 8), View(384, 6, 1536, 4), View(768, 12, 3072, 2))


def mtv(
    views: tuple[View, ...], shape: tuple[int, int], blocks: int = BLOCKS, fusion: tuple[int, ...] = FUSION,
    heads: int = 8, hidden: int = 3072, classes: int = 400,
) -> Sequential:  # fmt: skip
    """The network on clips of frames and pixels `shape`."""
    frames, pixels = shape
    width = sum(view.embed_dim for view in views)
    block = TransformerEncoderLayer(width, heads, hidden, GELU, EPS, norm_first=True)
    whole = Sequential((
        PrependToken(width),
        LearnedEncoding(width, 1 + frames // views[-1].tubelet),
        TransformerEncoder(block, blocks, norm=True),
        FirstToken(),
    ))  # fmt: skip
    encoder = MultiviewEncoder(views, blocks, fusion, frames, (pixels // views[0].patch) ** 2)
    return Sequential((encoder, Tokens(whole, "time"), Tokens(Linear(width, classes), "space")))


def modules(
    views: tuple[View, ...] = B, blocks: int = BLOCKS, fusion: tuple[int, ...] = FUSION, whole: int = BLOCKS
) -> Iterator[Module]:
    """Parts of the original with weights, in the order of ours; `whole`: blocks of the global encoder."""
    count, path = range(len(views)), "MultiviewEncoder"
    positions = {f"posembed_input_view{i}": f"{path}/posembed_input_view{i}/pos_embedding" for i in count}
    yield weights.parameters(**{f"cls_view{i}": f"cls_view{i}" for i in count}, **positions)
    yield from (weights.flax(f"embedding_view{i}") for i in count)
    for depth in range(blocks):
        cross = f"{path}/cross_view_encoderblock_{depth}"
        if depth in fusion:
            yield from (weights.scale(f"{cross}/cross_attention_ln_view{i}") for i in count)
            for i in reversed(count[1:]):
                yield from weights.attention(f"{cross}/cross_attention_view{i - 1}_{i}")
        for i in count:
            if depth in fusion:
                yield from fused(cross, i)
            else:
                yield from vivit.of_block(f"{path}/encoderblock_{depth}_view{i}")
    yield from vivit.of_encoder("cls_global", "global_encoder", whole)
    yield weights.flax("output_projection")


def fused(path: str, i: int) -> Iterator[Module]:
    """What a view does by itself in a block that fuses."""
    yield from weights.attention(f"{path}/msa_view{i}")
    yield from vivit.of_perceptron(f"{path}/mlp_view{i}")
    yield from (weights.scale(f"{path}/msa_ln_view{i}"), weights.scale(f"{path}/mlp_ln_view{i}"))


def systems() -> list[System]:
    """On clips of 32 frames."""
    notes = "class tokens are learned for each place in the clip, and the global encoder sees all: not streamable"
    return [System("MTV-B", "MTV", mtv(B, (FRAMES, SIZE)), (1, 3, FRAMES, SIZE, SIZE), PAPER, notes)]
