"""Attention over the last tokens, and the layers and encoders that are made of it."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.continual_inference.library import co
from coequal.equivalence.suites.continual_inference.ways import subject, ways, window_ways
from coequal.subjects.subject import Subject

LAYOUTS = {"T N E": (7, 2, 0), "N T E": (2, 7, 0), "N E T": (2, 0, 7)}  # 0: features
ATTENTION: dict[str, Any] = {
    **{"embed_dim": st.sampled_from([4, 6]), "num_heads": st.integers(1, 2), "sequence_len": st.integers(1, 5)},
    **{"bias": st.booleans(), "add_bias_kv": st.booleans(), "add_zero_attn": st.booleans()},
    **{"layout": st.sampled_from(list(LAYOUTS)), "returns_mask": st.booleans(), "way": window_ways},
}
ACTIVATIONS = {"relu": nn.functional.relu, "gelu": nn.functional.gelu}


def _attention(kind: Any, embed_dim: int, layout: str, returns_mask: bool, way: str, **options: Any) -> Subject:
    """A module in each of its layouts: tokens, rows, features."""
    axes = {"batch_first": layout != "T N E", "embed_dim_second": layout == "N E T"}
    shape = [size or embed_dim for size in LAYOUTS[layout]]
    return subject(lambda: kind(embed_dim, **options, **axes, forward_returns_attn_mask=returns_mask), *shape, way=way)


@family(**ATTENTION, query_index=st.sampled_from([-1, -2, 0, 1, 2]), single_output_forward=st.booleans())
def single_output_attention(sequence_len: int, query_index: int, **options: Any) -> Subject:
    """`SingleOutputMultiheadAttention`: one query for all keys."""
    _is_a_token(query_index, sequence_len)
    options |= {"sequence_len": sequence_len, "query_index": query_index}
    return _attention(co.SingleOutputMultiheadAttention, **options)


def _is_a_token(query_index: int, sequence_len: int) -> None:
    if not -sequence_len <= query_index < sequence_len:
        raise ValueError("query_index is none of the tokens")


@family(**ATTENTION)
def retroactive_attention(**options: Any) -> Subject:
    """`RetroactiveMultiheadAttention`: all queries for all keys."""
    return _attention(co.RetroactiveMultiheadAttention, **options)


LAYER: dict[str, Any] = {
    **{"num_heads": st.integers(1, 2), "dim_feedforward": st.integers(1, 5), "dropout": st.sampled_from([0.0, 0.1])},
    **{"activation": st.sampled_from(["relu", "relu", "relu", "module", "gelu", "name relu", "name gelu"])},
    **{"layer_norm_eps": st.sampled_from([1e-5, 0.5]), "sequence_len": st.integers(1, 5)},
}


def _named(activation: str) -> Any:
    """A function, a module, or its name."""
    if activation == "module":
        return nn.GELU()
    return activation.removeprefix("name ") if activation.startswith("name ") else ACTIVATIONS[activation]


@family(**LAYER, query_index=st.sampled_from([-1, -2, 0, 1, 2]), single_output_forward=st.booleans(), way=window_ways)
def single_output_layer(
    num_heads: int, activation: str, query_index: int, single_output_forward: bool, way: str, **options: Any
) -> Subject:
    """`SingleOutputTransformerEncoderLayer`: a step stands for the token of its query."""
    _is_a_token(query_index, options["sequence_len"])
    query = {"query_index": query_index, "single_output_forward": single_output_forward}
    made = subject(
        lambda: co.SingleOutputTransformerEncoderLayer(4, num_heads, activation=_named(activation), **options, **query),
        *(2, 4, 7),
        way=way,
    )
    if query_index != -1 and not single_output_forward:
        module: Any = made.modules
        made.clip = lambda x: module.forward(x).narrow(2, query_index % x.shape[2], 1)
    return made


@family(**LAYER, way=window_ways)
def retroactive_layer(num_heads: int, activation: str, way: str, **options: Any) -> Subject:
    """`RetroactiveTransformerEncoderLayer`: a step stands for all tokens."""
    layer = co.RetroactiveTransformerEncoderLayer
    return subject(lambda: layer(4, num_heads, activation=_named(activation), **options), 2, 4, 7, way=way)


def _encoder(num_layers: int, norm: bool, num_heads: int, activation: Any, **options: Any) -> nn.Module:
    layer = co.TransformerEncoderLayerFactory(4, num_heads, activation=activation, **options)
    return co.TransformerEncoder(layer, num_layers=num_layers, norm=nn.LayerNorm(4) if norm else None)


@family(**LAYER, num_layers=st.integers(1, 3), norm=st.booleans(), way=window_ways)
def encoder(activation: str, way: str, **options: Any) -> Subject:
    """`TransformerEncoder` of layers of `TransformerEncoderLayerFactory`, against its own clip mode."""
    return subject(lambda: _encoder(activation=_named(activation), **options), 2, 4, 7, way=way)


TORCHS: dict[str, Any] = {**LAYER, "num_layers": st.integers(1, 2), "norm": st.booleans()}


def _torch_encoder(
    num_heads: int,
    dim_feedforward: int,
    activation: Any,
    layer_norm_eps: float,
    num_layers: int,
    norm: bool,
    dropout: float = 0.0,
    **more: Any,
) -> nn.TransformerEncoder:
    options = {"activation": activation, "layer_norm_eps": layer_norm_eps, "batch_first": True, **more}
    layer = nn.TransformerEncoderLayer(4, num_heads, dim_feedforward, dropout, **options)
    last = nn.LayerNorm(4) if norm else None
    made = nn.TransformerEncoder(layer, num_layers, last, enable_nested_tensor=False).eval()
    for parameter in made.parameters():  # layers of an encoder begin as copies of one
        nn.init.normal_(parameter)
    return made


def _against_torch(stream: nn.Module, original: nn.Module) -> Subject:
    """torch's layout is `(B, T, E)`, the library's `(B, E, T)`."""
    clip = lambda x: original(x.transpose(1, 2)).transpose(1, 2)  # noqa: E731
    return subject(lambda: stream, 2, 4, 7, clip=clip, modules=None, twin=None)


@family(**TORCHS, norm_first=st.booleans(), bias=st.booleans())
def converted_encoder(sequence_len: int, activation: str, **options: Any) -> Subject:
    """torch's encoder, converted by `TransformerEncoder.build_from`, against torch's."""
    original = _torch_encoder(activation=_named(activation), **options)
    return _against_torch(co.TransformerEncoder.build_from(original, sequence_len=sequence_len), original)


@family(**TORCHS)
def encoder_like_torch(sequence_len: int, activation: str, num_layers: int, norm: bool, **options: Any) -> Subject:
    """An encoder that is made with torch's options and weights, against torch's."""
    shared: dict[str, Any] = {**options, "num_layers": num_layers, "norm": norm}
    original = _torch_encoder(activation=_named(activation), **shared)
    donor = _torch_encoder(activation=nn.functional.relu, **shared)
    donor.load_state_dict(original.state_dict())
    stream = _encoder(activation=_named(activation), sequence_len=sequence_len, **shared)
    stream.load_state_dict(co.TransformerEncoder.build_from(donor, sequence_len=sequence_len).state_dict())
    return _against_torch(stream, original)


@family(
    embed_dim=st.sampled_from([4, 6]),
    num_embeds=st.integers(8, 14),
    learned=st.booleans(),
    forward_update_index_steps=st.integers(0, 2),
    way=ways,
)
def positional_encoding(
    embed_dim: int, num_embeds: int, learned: bool, forward_update_index_steps: int, way: str
) -> Subject:
    """`RecyclingPositionalEncoding`, whose clip mode begins where the stream stands: the clip begins anew."""

    def build() -> nn.Module:
        steps = forward_update_index_steps
        return co.RecyclingPositionalEncoding(embed_dim, num_embeds, learned, forward_update_index_steps=steps)

    made = subject(
        build, 2, embed_dim, 7, way=way, padded=False, longest=num_embeds, streams="one at a time", clip_between=False
    )
    module: Any = made.modules

    def clip(x: torch.Tensor) -> torch.Tensor:
        module.clean_state()
        return module.forward(x, update_index_steps=0)

    made.clip = clip
    return made
