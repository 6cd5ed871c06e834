"""Conversions: what `continual` makes of torch's modules, against those; and `forward_stepping`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from torch import nn

from coequal.equivalence.campaigns.families import family
from coequal.equivalence.suites.continual_inference.library import co
from coequal.equivalence.suites.continual_inference.ways import subject, ways, window_ways
from coequal.subjects.subject import Subject


def _converted(original: nn.Module, *shape: int, way: str, **options: Any) -> Subject:
    """The stream of what a module is converted to, against the module in eval mode."""
    original = original.eval()
    before = copy.deepcopy(original)

    def build() -> nn.Module:
        again = copy.deepcopy(before)
        return _continual(again, **options)

    def clip(x: Any) -> Any:
        output = original(x)
        return output[0] if isinstance(output, tuple) else output

    return subject(build, *shape, way=way, clip=clip, modules=None, twin=None)


def _continual(module: nn.Module, **options: Any) -> nn.Module:
    """With options, those of the class that it is registered for."""
    if options:
        return getattr(co, type(module).__name__).build_from(module, **options)
    return co.continual(module)


ELEMENTWISE: dict[str, Callable[[], nn.Module]] = {
    **{name: getattr(nn, name) for name in ("ReLU", "RReLU", "Hardtanh", "ReLU6", "Sigmoid", "Hardsigmoid", "Tanh", "SiLU")},
    **{name: getattr(nn, name) for name in ("Hardswish", "ELU", "CELU", "SELU", "GELU", "Hardshrink", "LeakyReLU", "Mish")},
    **{name: getattr(nn, name) for name in ("LogSigmoid", "Softplus", "Softshrink", "Softsign", "Tanhshrink", "Identity")},
    **{name: getattr(nn, name) for name in ("Dropout", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")},
    "Threshold": lambda: nn.Threshold(0.1, 2.0),
    "PReLU": lambda: nn.PReLU(4),
    "Softmax2d": nn.Softmax2d,
}


@family(module=st.sampled_from(list(ELEMENTWISE)), axes=st.integers(0, 2), way=ways)
def converted_activation(module: str, axes: int, way: str) -> Subject:
    """Activations and dropout."""
    return _converted(ELEMENTWISE[module](), 2, 4, 8, *(3,) * axes, way=way)


@family(
    module=st.sampled_from(["Softmax", "Softmin", "LogSoftmax", "GLU"]),
    dim=st.sampled_from([1, 3, -1]),
    axes=st.integers(1, 2),
    way=ways,
)
def converted_softmax(module: str, dim: int, axes: int, way: str) -> Subject:
    """What is computed along an axis: channels or space, not time."""
    return _converted(getattr(nn, module)(dim), 2, 4, 8, *(4,) * axes, way=way)


NORMS: dict[str, Callable[[int, bool], nn.Module]] = {
    "BatchNorm": lambda rank, affine: getattr(nn, f"BatchNorm{rank}d")(4, affine=affine),
    "InstanceNorm": lambda rank, affine: getattr(nn, f"InstanceNorm{rank}d")(4, affine=affine, track_running_stats=True),
    "LayerNorm": lambda rank, affine: nn.LayerNorm([3] * max(rank - 1, 1), elementwise_affine=affine),
    "GroupNorm": lambda rank, affine: nn.GroupNorm(2, 4, affine=affine),
    "RMSNorm": lambda rank, affine: nn.RMSNorm([3] * max(rank - 1, 1), elementwise_affine=affine),
}


@family(norm=st.sampled_from(list(NORMS)), rank=st.integers(1, 3), affine=st.booleans(), way=ways)
def converted_norm(norm: str, rank: int, affine: bool, way: str) -> Subject:
    """Normalisation in eval mode; that of layers is over space."""
    space = max(rank - 1, norm in ("LayerNorm", "RMSNorm"))
    return _converted(NORMS[norm](rank, affine), 2, 4, 8, *(3,) * space, way=way)


@family(
    rank=st.integers(1, 3),
    kernel_size=st.integers(1, 4),
    stride=st.integers(1, 2),
    padding=st.sampled_from([0, 1, 2, 0, 1, 2, "valid", "same"]),
    dilation=st.sampled_from([1, 1, 1, 1, 1, 2]),
    groups=st.integers(1, 2),
    bias=st.booleans(),
    padding_mode=st.sampled_from(["zeros", "zeros", "replicate", "replicate", "reflect", "circular"]),
    transposed=st.sampled_from([False] * 6 + [True]),
    way=ways,
)
def converted_conv(rank: int, transposed: bool, way: str, kernel_size: int, **options: Any) -> Subject:
    """Convolutions, transposed ones too."""
    kind = getattr(nn, f"Conv{'Transpose' * transposed}{rank}d")
    return _converted(kind(2, 2, kernel_size, **options), 2, 2, 10, *(5,) * (rank - 1), way=way)


@family(
    kind=st.sampled_from(["Avg", "Max", "Avg", "Max", "LP"]),
    rank=st.integers(1, 3),
    kernel_size=st.integers(1, 3),
    stride=st.sampled_from([None, 1, 2]),
    padding=st.integers(0, 1),
    dilation=st.integers(1, 2),
    ceil_mode=st.booleans(),
    count_include_pad=st.booleans(),
    divisor_override=st.sampled_from([None, 3]),
    return_indices=st.sampled_from([False, False, True]),
    way=ways,
)
def converted_pool(
    kind: str,
    rank: int,
    kernel_size: int,
    stride: int | None,
    padding: int,
    dilation: int,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    return_indices: bool,
    way: str,
) -> Subject:
    """Pooling: each kind with the options that it has."""
    options: dict[str, Any] = {"stride": stride, "ceil_mode": ceil_mode}
    if kind == "LP":
        return _converted(getattr(nn, f"LPPool{rank}d")(2, kernel_size, **options), 2, 2, 10, *(4,) * (rank - 1), way=way)
    options["padding"] = padding
    if kind == "Avg":
        options |= {"count_include_pad": count_include_pad}
        options |= {"divisor_override": divisor_override} if divisor_override and rank > 1 else {}
    else:
        options |= {"dilation": dilation, "return_indices": return_indices}
    return _converted(getattr(nn, f"{kind}Pool{rank}d")(kernel_size, **options), 2, 2, 10, *(4,) * (rank - 1), way=way)


@family(
    kind=st.sampled_from(["Avg", "Max"]),
    rank=st.sampled_from([2, 3, 2, 3, 1]),
    output_size=st.integers(1, 2),
    kernel_size=st.sampled_from([1, 2, 3, None]),
    way=window_ways,
)
def converted_adaptive_pool(kind: str, rank: int, output_size: int, kernel_size: int | None, way: str) -> Subject:
    """Adaptive pooling, with the frames that a step pools over and without."""
    original = getattr(nn, f"Adaptive{kind}Pool{rank}d")((1, *(output_size,) * (rank - 1)))
    options = {} if kernel_size is None else {"kernel_size": kernel_size}
    return _converted(original, 2, 2, 8, *(4,) * (rank - 1), way=way, **options)


@family(
    kind=st.sampled_from(["RNN", "LSTM", "GRU"]),
    num_layers=st.integers(1, 2),
    bias=st.booleans(),
    batch_first=st.booleans(),
    bidirectional=st.sampled_from([False, False, True]),
    relu=st.sampled_from([False, False, True]),
    proj_size=st.sampled_from([0, 0, 1]),
    way=ways,
)
def converted_recurrent(
    kind: str, num_layers: int, bias: bool, batch_first: bool, bidirectional: bool, relu: bool, proj_size: int, way: str
) -> Subject:
    """Recurrences: torch's layouts are `(T, B, C)` and `(B, T, C)`, the library's is `(B, C, T)`."""
    options: dict[str, Any] = {"num_layers": num_layers, "bias": bias, "batch_first": batch_first}
    options |= {"bidirectional": True} if bidirectional else {}
    options |= {"nonlinearity": "relu"} if relu else {}
    options |= {"proj_size": proj_size} if proj_size else {}
    original = getattr(nn, kind)(3, 6, **options).eval()
    moved = (0, 2, 1) if batch_first else (2, 0, 1)
    back = (0, 2, 1) if batch_first else (1, 2, 0)
    clip = lambda x: original(x.permute(moved))[0].permute(back)  # noqa: E731
    return subject(lambda: co.continual(copy.deepcopy(original)), 2, 3, 8, way=way, clip=clip, modules=None, twin=None)


@family(bias=st.booleans(), channel_dim=st.sampled_from([-1, 1]), way=ways)
def converted_linear(bias: bool, channel_dim: int, way: str) -> Subject:
    """Linear layers: torch's takes the last axis."""
    original = nn.Linear(4, 3, bias).eval()
    if channel_dim == -1:
        return _converted(original, 2, 2, 8, 4, way=way)
    build = lambda: co.Linear.build_from(copy.deepcopy(original), channel_dim=1)  # noqa: E731
    clip = lambda x: original(x.movedim(1, -1)).movedim(-1, 1)  # noqa: E731
    return subject(build, 2, 4, 8, 3, way=way, clip=clip, modules=None, twin=None)


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "conv": lambda: nn.Conv2d(3, 3, 3, padding=1),
    "strided": lambda: nn.Conv2d(3, 3, 3, stride=(2, 1), padding=1),
    "norm": lambda: nn.BatchNorm2d(3),
    "activation": nn.ReLU,
    "pool": lambda: nn.AvgPool2d(3, 1),
    "maximum": lambda: nn.MaxPool2d(3, 1, padding=1),
    "flatten": lambda: nn.Flatten(1),
    "dropout": nn.Dropout,
    "nested": lambda: nn.Sequential(nn.Conv2d(3, 3, (3, 1)), nn.ReLU()),
}


@family(layers=st.lists(st.sampled_from(list(LAYERS)), min_size=1, max_size=4), way=ways)
def converted_network(layers: list[str], way: str) -> Subject:
    """`nn.Sequential` of layers."""
    return _converted(nn.Sequential(*(LAYERS[name]() for name in layers)), 2, 3, 12, 6, way=way)


STEPPING: dict[str, Callable[[], nn.Module]] = {
    "Conv3d": lambda: nn.Conv3d(4, 3, 1),
    "BatchNorm3d": lambda: nn.BatchNorm3d(4),
    "Hardswish": nn.Hardswish,
    "Upsample": lambda: nn.Upsample(scale_factor=(1, 2, 2)),
    "Mish": nn.Mish,
    "AvgPool3d": lambda: nn.AvgPool3d((1, 2, 2)),
    "Sequential": lambda: nn.Sequential(nn.Conv3d(4, 3, 1), nn.ReLU()),
}


@family(module=st.sampled_from(list(STEPPING)), dim=st.sampled_from([2, None]), nested=st.booleans())
def forward_stepping(module: str, dim: int | None, nested: bool) -> Subject:
    """`forward_stepping` of modules without memory, by themselves and in a `Sequential`."""
    options = {} if dim is None else {"dim": dim}
    original = STEPPING[module]().eval()
    made = co.forward_stepping(copy.deepcopy(original), **options)
    stepping = co.Sequential(made, co.Identity()) if nested else co.Sequential(made)
    return subject(lambda: stepping, 2, 4, 8, 2, 2, clip=original, modules=None, twin=None)
