"""OadTR and CoOadTR: transformers that say what happens now in a stream of features; tokens `(B, 64, F)`.

    OadTR       F -> 1024; a class token at the end; learned positions; 3 blocks; norm; decoder of 5 layers on 8 queries
    OadTR-b1,2  F -> 1024; learned positions; 1 or 2 blocks; norm; 1024 -> classes
    CoOadTR-b1,2  F -> 1024; recycled positions; 1 or 2 blocks; norm; 1024 -> classes

    block of OadTR and OadTR-b      pre-norm, 8 heads, 1024 features everywhere, GELU; no bias where attention projects in
    block of CoOadTR                post-norm, no bias in attention

CoOadTR emits for every new token what its encoder says of the last of 64. It is neither OadTR nor OadTR-b with other code:
its blocks normalise after the shortcut, and its positions go round. OadTR-b emits a row of logits for each token; the newest
is used. Features F: a two-stream network trained on ActivityNet, 2048 + 1024, or on Kinetics, 2048 + 2048; with audio
features (AudioSet), 4096 more. Classes: 22 for THUMOS14.

Parameters that the authors' code has and never uses are left out: OadTR's positions of the queries (8 rows of 1024), and the
class token of OadTR-b.

Sources: Wang et al., "OadTR: Online action detection with transformers", ICCV 2021, section 4.2; hyper-parameters as in
wangxiang1230/OadTR (`config.py`, `ViT.py`, `decoder.py`); Hedegaard, Bakhtiarnia & Iosifidis, "Continual Transformers", ICLR
2023, section 4.1, and LukasHedegaard/CoOadTR (`config.py`, `ViT.py`, `Transformer.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from coequal.reference.class_token import AppendToken
from coequal.reference.compose import Sequential
from coequal.reference.decoder import QueryDecoder
from coequal.reference.layer import Layer
from coequal.reference.linear import Linear
from coequal.reference.norm import LayerNorm
from coequal.reference.position import LearnedEncoding, RecyclingEncoding
from coequal.reference.transformer import TransformerEncoder, TransformerEncoderLayer
from coequal.systems import weights
from coequal.systems.system import System
from coequal.systems.weights import Module

PAPER = "Wang et al., ICCV 2021, arXiv 2106.11149"
CONTINUAL = "Hedegaard, Bakhtiarnia & Iosifidis, ICLR 2023, arXiv 2201.06268"
WINDOW, CLASSES, TVSERIES = 64, 22, 31  # of THUMOS and of TVSeries

# name of the features: their number
FEATURES = {"A.Net": 3072, "Kin.": 4096, "A.Net+AudioSet": 7168, "Kin.+AudioSet": 8192}


def block(width: int, heads: int) -> TransformerEncoderLayer:
    """Pre-norm block of OadTR: bias everywhere but in queries, keys and values."""
    return TransformerEncoderLayer(width, heads, width, "gelu", norm_first=True, attention_bias=(False, True))


def oadtr(
    features: int, window: int = WINDOW, width: int = 1024, heads: int = 8, classes: int = CLASSES,
    blocks: int = 3, layers: int = 5, queries: int = 8,
) -> Sequential:  # fmt: skip
    """The original, with class token and decoder; the decoder has half the heads."""
    return Sequential((
        Linear(features, width),
        AppendToken(width),
        LearnedEncoding(width, window + 1),
        TransformerEncoder(block(width, heads), blocks, norm=True),
        QueryDecoder(width, heads // 2, width, layers, queries, classes),
    ))  # fmt: skip


def oadtr_b(
    features: int, blocks: int, window: int = WINDOW, width: int = 1024, heads: int = 8, classes: int = CLASSES
) -> Sequential:
    """OadTR without class token and decoder."""
    return Sequential((
        Linear(features, width),
        LearnedEncoding(width, window),
        TransformerEncoder(block(width, heads), blocks, norm=True),
        Linear(width, classes),
    ))  # fmt: skip


def modules(blocks: int) -> Iterator[str]:
    """Modules with weights of OadTR-b in LukasHedegaard/CoOadTR, in the order of ours."""
    yield from ("linear_encoding", "position_encoding.pe", *of_encoder(blocks), "mlp_head")


def of_encoder(blocks: int) -> Iterator[str]:
    """Blocks and norm."""
    for i in range(0, 2 * blocks, 2):
        attention, perceptron = f"encoder.net.{i}.fn", f"encoder.net.{i + 1}.fn"
        yield from (f"{attention}.fn.qkv", f"{attention}.fn.proj", f"{perceptron}.fn.net.0", f"{perceptron}.fn.net.3")
        yield from (f"{attention}.norm", f"{perceptron}.norm")
    yield "pre_head_ln"


def continual_modules(blocks: int) -> Iterator[str]:
    """Modules with weights of CoOadTR in LukasHedegaard/CoOadTR, in the order of ours; `blocks` is 1 or 2."""
    yield "0"
    if blocks == 2:
        ends = "fn.1.fn.0", "fn.1.fn.3", "fn.0", "fn.2"
        yield from ("3.0.0.1", "3.0.0.1.out_proj", *(f"3.0.1.{name}" for name in ends))
    at = "3.1.fn" if blocks == 2 else "3"
    yield from (f"{at}.{name}" for name in ("0.1", "0.1.out_proj", "2.1.0", "2.1.3", "1.fn", "3.fn"))
    yield from ("4.fn", "5")


def original_modules(blocks: int = 3, layers: int = 5) -> Iterator[Module]:
    """Modules with weights of OadTR in wangxiang1230/OadTR, in the order of ours."""
    yield from ("linear_encoding", weights.parameter("cls_token"), "position_encoding.pe", *of_encoder(blocks))
    yield weights.parameter("decoder_cls_token")
    for i in range(layers):
        for kind in ("self_attention", "cross_attention"):
            at = f"decoder.layers.{i}.{kind}"
            yield weights.stacked(*(f"{at}.{name}_projection" for name in ("query", "key", "value")))
            yield f"{at}.out_projection"
        yield from (f"decoder.layers.{i}.{name}" for name in ("conv1", "conv2", "norm1", "norm2", "norm3"))
    yield from ("decoder.norm", "mlp_head", "classifier")


def continual(
    features: int, blocks: int, window: int = WINDOW, width: int = 1024, heads: int = 8, classes: int = CLASSES,
    hidden: int | None = None, positions: int | None = None, learned: bool = False,
) -> Sequential:  # fmt: skip
    """The newest token of each window of a post-norm encoder; `positions` rows recycled, by default `2 window - 1`."""
    layer = TransformerEncoderLayer(
        width, heads, hidden or width, "gelu", mode="single", window=window, attention_bias=(False, False)
    )
    recycled = RecyclingEncoding(width, positions or 2 * window - 1, learned)
    layers: tuple[Layer, ...] = (Linear(features, width), recycled, TransformerEncoder(layer, blocks))
    return Sequential((*layers, LayerNorm((width,)), Linear(width, classes)))


def clip_systems(name: str) -> list[System]:
    """OadTR, OadTR-b1 and OadTR-b2 on features of one kind."""
    features = FEATURES[name]
    shape = (1, WINDOW, features)
    notes = "class token, learned positions and decoder are those of one window: every window anew"
    short = "learned positions restart with every window, and every block normalises first: every window anew"
    return [
        System(f"OadTR [{name}]", "OadTR", oadtr(features), shape, PAPER, notes),
        *(System(f"OadTR-b{n} [{name}]", "OadTR", oadtr_b(features, n), shape, CONTINUAL, short) for n in (1, 2)),
    ]


def step_system(name: str, blocks: int) -> System:
    """CoOadTR of `blocks` blocks on features of one kind."""
    features = FEATURES[name]
    layer = continual(features, blocks)
    return System(
        f"CoOadTR-b{blocks} [{name}]", "CoOadTR", layer, (1, WINDOW, features), CONTINUAL,
        "other positions and norms than OadTR-b: other weights, another function",
        layer, (1, 1, features), f"OadTR-b{blocks} [{name}]",
    )  # fmt: skip


def tvseries(blocks: int) -> System:
    """CoOadTR of `blocks` blocks with the classes of TVSeries."""
    features = FEATURES["Kin."]
    layer = continual(features, blocks, classes=TVSERIES)
    return System(
        f"CoOadTR-b{blocks} [Kin. TVSeries]", "CoOadTR", layer, (1, WINDOW, features), CONTINUAL,
        f"{TVSERIES} classes", layer, (1, 1, features),
    )  # fmt: skip


def systems() -> list[System]:
    """Every variant on features of every kind."""
    clips = [system for name in FEATURES for system in clip_systems(name)]
    return [*clips, *(step_system(name, blocks) for name in FEATURES for blocks in (1, 2)), tvseries(1), tvseries(2)]
