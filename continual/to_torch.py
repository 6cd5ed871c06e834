"""`regular`: the plain torch module that computes what a reference layer describes, with the same parameter names.

`coequal.continual.convert` makes it continual. The values of the parameters are torch's initial ones; load others with
`load_state_dict`.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import Any

from torch import nn

from coequal.continual import clip_modules, position
from coequal.reference import (
    activation,
    adaptive_pool,
    attention,
    class_token,
    compose,
    conv,
    decoder,
    linear,
    norm,
    pad,
    pathways,
    pool,
    recurrent,
    shift,
    softmax,
    squeeze_excite,
    transformer,
)
from coequal.reference import position as positions
from coequal.reference.layer import Layer


@functools.singledispatch
def regular(layer: Layer) -> nn.Module:
    """The torch twin of a reference layer, or of a tree of them; TypeError for a layer that has none."""
    raise TypeError(f"regular: no torch twin of {type(layer).__name__} is known; register one with regular.register")


def _ranked(name: str, rank: int) -> Any:
    return getattr(nn, f"{name}{rank}d")


@regular.register
def _(layer: conv.Conv) -> nn.Module:
    return _ranked("Conv", len(layer.kernel_size))(
        layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups,
        layer.bias, layer.padding_mode,
    )  # fmt: skip


@regular.register
def _(layer: pool.AvgPool) -> nn.Module:
    rank = len(layer.kernel_size)
    override = {} if rank == 1 else {"divisor_override": layer.divisor_override}
    if rank == 1 and layer.divisor_override:
        raise TypeError("regular: torch.nn.AvgPool1d has no divisor_override; use a rank of 2 or 3")
    return _ranked("AvgPool", rank)(
        layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode, layer.count_include_pad, **override
    )


@regular.register
def _(layer: pool.MaxPool) -> nn.Module:
    build = _ranked("MaxPool", len(layer.kernel_size))
    return build(layer.kernel_size, layer.stride, layer.padding, layer.dilation, ceil_mode=layer.ceil_mode)


@regular.register
def _(layer: adaptive_pool.AdaptiveAvgPool) -> nn.Module:
    return _ranked("AdaptiveAvgPool", len(layer.output_size))(layer.output_size)


@regular.register
def _(layer: adaptive_pool.AdaptiveMaxPool) -> nn.Module:
    return _ranked("AdaptiveMaxPool", len(layer.output_size))(layer.output_size)


@regular.register
def _(layer: adaptive_pool.GlobalAvgPool) -> nn.Module:
    return clip_modules.GlobalPool("mean", layer.window)


@regular.register
def _(layer: adaptive_pool.GlobalMaxPool) -> nn.Module:
    return clip_modules.GlobalPool("max", layer.window)


@regular.register
def _(layer: pad.Pad) -> nn.Module:
    flat = [side for pair in reversed(layer.padding) for side in pair]  # torch counts axes from the last
    rank = len(layer.padding)
    if layer.mode == "constant":
        return _ranked("ConstantPad", rank)(flat, layer.value)
    return _ranked({"replicate": "ReplicationPad", "reflect": "ReflectionPad", "circular": "CircularPad"}[layer.mode], rank)(
        flat
    )


@regular.register
def _(layer: norm.BatchNorm) -> nn.Module:
    return clip_modules.BatchNorm(layer.num_features, layer.eps, affine=layer.affine).eval()


@regular.register
def _(layer: norm.GroupNorm) -> nn.Module:
    return nn.GroupNorm(layer.num_groups, layer.num_channels, layer.eps, layer.affine)


@regular.register
def _(layer: norm.InstanceNorm) -> nn.Module:
    options = {"affine": layer.affine, "track_running_stats": layer.track_running_stats}
    return clip_modules.InstanceNorm(layer.num_features, layer.eps, **options).eval()


def _sizes(shape: int | tuple[int, ...]) -> list[int]:
    return [shape] if isinstance(shape, int) else list(shape)


@regular.register
def _(layer: norm.LayerNorm) -> nn.Module:
    return nn.LayerNorm(_sizes(layer.normalized_shape), layer.eps, layer.elementwise_affine, layer.bias)


@regular.register
def _(layer: norm.RMSNorm) -> nn.Module:
    return nn.RMSNorm(_sizes(layer.normalized_shape), layer.eps, layer.elementwise_affine)


@regular.register
def _(layer: linear.Linear) -> nn.Module:
    return nn.Linear(layer.in_features, layer.out_features, layer.bias)


@regular.register
def _(layer: linear.Embedding) -> nn.Module:
    return nn.Embedding(layer.num_embeddings, layer.embedding_dim)


@regular.register
def _(layer: activation.Activation) -> nn.Module:
    return getattr(nn, layer.name)(**dict(layer.options)).eval()


@regular.register
def _(layer: softmax.Softmax) -> nn.Module:
    return nn.Softmax(layer.axis)


@regular.register
def _(layer: recurrent.RNN) -> nn.Module:
    return _recurrent(clip_modules.RNN, layer, nonlinearity=layer.nonlinearity)


@regular.register
def _(layer: recurrent.LSTM) -> nn.Module:
    return _recurrent(clip_modules.LSTM, layer, proj_size=layer.proj_size)


@regular.register
def _(layer: recurrent.GRU) -> nn.Module:
    return _recurrent(clip_modules.GRU, layer)


def _recurrent(kind: Any, layer: Any, **options: Any) -> nn.Module:
    options |= {"bias": layer.bias, "bidirectional": layer.bidirectional, "batch_first": True}
    return kind(layer.input_size, layer.hidden_size, layer.num_layers, **options)


@regular.register
def _(layer: attention.MultiheadAttention) -> nn.Module:
    size = layer.embed_dim
    if {layer.kdim, layer.vdim} - {None, size}:
        raise TypeError("regular: self-attention of a clip has kdim = vdim = embed_dim")
    return clip_modules.SelfAttention(size, layer.num_heads, layer.bias, layer.mode, layer.window, layer.out_bias)


@regular.register
def _(layer: transformer.TransformerEncoderLayer) -> nn.Module:
    act = layer.activation if isinstance(layer.activation, str) else regular(layer.activation)
    return clip_modules.TransformerEncoderLayer(
        layer.d_model, layer.nhead, layer.dim_feedforward, 0.0, act, layer.layer_norm_eps, norm_first=layer.norm_first,
        bias=layer.bias, mode=layer.mode, window=layer.window, attention_bias=layer.attention_bias,
    )  # fmt: skip


@regular.register
def _(layer: transformer.TransformerEncoder) -> nn.Module:
    inner: Any = regular(layer.layer)
    last = nn.LayerNorm(layer.layer.d_model, layer.layer.layer_norm_eps, bias=layer.layer.bias) if layer.norm else None
    return clip_modules.TransformerEncoder(inner, layer.num_layers, last)


@regular.register
def _(layer: decoder.QueryDecoder) -> nn.Module:
    act: Any = layer.activation if isinstance(layer.activation, str) else regular(layer.activation)
    inner = nn.TransformerDecoderLayer(
        layer.d_model, layer.nhead, layer.dim_feedforward, 0.0, act, layer.layer_norm_eps, batch_first=True
    )
    return clip_modules.QueryDecoder(inner, layer.num_layers, layer.queries, layer.classes)


@regular.register
def _(layer: class_token.AppendToken) -> nn.Module:
    return clip_modules.AppendToken(layer.embed_dim)


@regular.register
def _(layer: positions.SinusoidalEncoding) -> nn.Module:
    return position.SinusoidalEncoding(layer.embed_dim, layer.length)


@regular.register
def _(layer: positions.LearnedEncoding) -> nn.Module:
    return position.LearnedEncoding(layer.embed_dim, layer.length)


@regular.register
def _(layer: positions.RecyclingEncoding) -> nn.Module:
    return position.RecyclingEncoding(layer.embed_dim, layer.num_embeds, layer.learned, layer.offset)


@regular.register
def _(layer: positions.RotaryEncoding) -> nn.Module:
    return position.RotaryEncoding(layer.head_dim, layer.base, layer.interleaved)


@regular.register
def _(layer: squeeze_excite.SqueezeExcite) -> nn.Module:
    return clip_modules.SqueezeExcite(layer.channels, layer.squeeze_channels, layer.scope, layer.window)


@regular.register
def _(layer: shift.TemporalShift) -> nn.Module:
    return clip_modules.TemporalShift(layer.fold_div, layer.bidirectional)


@regular.register
def _(layer: pathways.SelectFrames) -> nn.Module:
    return clip_modules.SelectFrames(layer.alpha)


@regular.register
def _(layer: pathways.Pathways) -> nn.Module:
    return clip_modules.Pathways(layer.alpha, *([regular(child) for child in group] for group in _pathways(layer)))


def _pathways(layer: pathways.Pathways) -> tuple[tuple[Layer, ...], ...]:
    return layer.slow, layer.fast, layer.lateral


@regular.register
def _(layer: compose.Identity) -> nn.Module:
    return nn.Identity()


@regular.register
def _(layer: compose.Sequential) -> nn.Module:
    return nn.Sequential(OrderedDict((str(i), regular(child)) for i, child in enumerate(layer.layers)))


@regular.register
def _(layer: compose.Parallel) -> nn.Module:
    return clip_modules.Parallel(*map(regular, layer.layers), reduce=layer.reduce, channel_axis=_channels(layer))


@regular.register
def _(layer: compose.Residual) -> nn.Module:
    shortcut = None if layer.shortcut is None else regular(layer.shortcut)
    return clip_modules.Residual(regular(layer.main), shortcut, layer.reduce, _channels(layer))


def _channels(layer: Any) -> int:
    return -1 if layer.time == 1 else 1
