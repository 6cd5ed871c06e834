"""Normalisation: shift and scale to mean 0 and variance 1, over different sets of elements.

    y = (x - mean) / sqrt(var + eps) * weight + bias              var = mean of (x - mean)^2, biased
    y = x / sqrt(mean of x^2 + eps) * weight                      RMS norm: no mean, no bias

    norm        mean and var over                     weight, bias     in time
    batch       (running statistics, eval mode)       (C,)             frame by frame
    layer       the last axes `normalized_shape`      that shape       frame by frame
    (channels)  C, at each position of a clip         (C,)             frame by frame
    RMS         the last axes `normalized_shape`      that shape       frame by frame
    group       T, H, W and the channels of a group   (C,)             needs the whole clip
    instance    T, H, W                               (C,)             the whole clip, unless its statistics are running

Shapes: `(B, C, T, H, W)` for batch, channels, group and instance, tokens `(B, T, E)` for layer and RMS.
Sources: Ioffe & Szegedy, ICML 2015 (batch, algorithm 2: inference); Ba, Kiros & Hinton, arXiv 1607.06450 (layer); Wu & He,
ECCV 2018 (group); Ulyanov, Vedaldi & Lempitsky, arXiv 1607.08022 (instance); Zhang & Sennrich, NeurIPS 2019 (RMS).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coequal.reference.layer import Array, Parameters, Shape
from coequal.reference.timing import Timing


def standardize_loops(values: Sequence[Array], eps: float, *, centre: bool = True) -> list[Array]:
    """Naive form: the elements of one set, one at a time; `centre=False` for RMS norm."""
    count = len(values)
    mean = sum(values) / count if centre else 0
    variance = sum((value - mean) * (value - mean) for value in values) / count
    return [(value - mean) / np.sqrt(variance + eps) for value in values]


def standardize(x: Array, axes: tuple[int, ...], eps: float, *, centre: bool = True) -> Array:
    """Vectorised form: over some axes of x; `centre=False` for RMS norm."""
    count = math.prod(x.shape[axis] for axis in axes)
    if centre:
        x = x - np.sum(x, axis=axes, keepdims=True) / count
    return x / np.sqrt(np.sum(x * x, axis=axes, keepdims=True) / count + eps)


def layer_norm(x: Array, weight: Array | None, bias: Array | None, eps: float = 1e-5, axes: int = 1) -> Array:
    """Over the last `axes` axes."""
    return affine(standardize(x, tuple(range(x.ndim - axes, x.ndim)), eps), weight, bias)


def rms_norm(x: Array, weight: Array | None, eps: float, axes: int = 1) -> Array:
    """Over the last `axes` axes, without a mean."""
    return affine(standardize(x, tuple(range(x.ndim - axes, x.ndim)), eps, centre=False), weight, None)


def batch_norm(x: Array, mean: Array, variance: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """With given statistics `(C,)`."""
    y = (x - per_channel(mean, x)) / np.sqrt(per_channel(variance, x) + eps)
    return _channel_affine(y, weight, bias)


def group_norm(x: Array, groups: int, weight: Array | None, bias: Array | None, eps: float) -> Array:
    """Over the channels of each group and everything after them."""
    batch, channels, *rest = x.shape
    grouped = x.reshape(batch, groups, channels // groups, *rest)
    y = standardize(grouped, tuple(range(2, grouped.ndim)), eps).reshape(x.shape)
    return _channel_affine(y, weight, bias)


def affine(x: Array, weight: Array | None, bias: Array | None) -> Array:
    """`x * weight + bias`, where there are any."""
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def per_channel(values: Array, x: Array) -> Array:
    """`(C,)` so that it broadcasts with `(B, C, T, ...)`."""
    return values.reshape(-1, *[1] * (x.ndim - 2))


def _channel_affine(x: Array, weight: Array | None, bias: Array | None) -> Array:
    return affine(x, *(None if v is None else per_channel(v, x) for v in (weight, bias)))


class _ChannelNorm:
    """What the norms over `(B, C, T, ...)` share."""

    channels: int
    affine: bool
    statistics: bool  # running mean and variance among the parameters

    def parameters(self) -> dict[str, Shape]:
        """`weight` and `bias` when affine; `running_mean`, `running_var`, `num_batches_tracked` when it has statistics."""
        shapes: dict[str, Shape] = {name: (self.channels,) for name in ("weight", "bias") if self.affine}
        if self.statistics:
            shapes |= {"running_mean": (self.channels,), "running_var": (self.channels,), "num_batches_tracked": ()}
        return shapes

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError when the channels do not fit."""
        if len(shape) < 2 or shape[1] != self.channels:
            raise ValueError(
                f"{type(self).__name__}: axis 1 (C) of the clip (B, C, T, ...) must have {self.channels} channels,"
                f" got shape {tuple(shape)}"
            )
        return tuple(shape)


@dataclass(frozen=True)
class BatchNorm(_ChannelNorm):
    """Batch norm in eval mode: with the running statistics, frame by frame; names as in torch.nn.BatchNorm3d.

    Without `track_running_stats` it would use those of the batch, which is not a function of one clip: refused.
    """

    num_features: int
    eps: float = 1e-5
    affine: bool = True
    track_running_stats: bool = True
    time: int = 2

    def __post_init__(self) -> None:
        if not self.track_running_stats:
            raise ValueError("BatchNorm: without running statistics the output depends on the rest of the batch: track them")

    @property
    def channels(self) -> int:  # type: ignore[override]
        """C."""
        return self.num_features

    @property
    def statistics(self) -> bool:  # type: ignore[override]
        """Always: this is eval mode."""
        return True

    @property
    def timing(self) -> Timing:
        """Frame by frame."""
        return Timing()

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The normalised clip."""
        self.output_shape(clip.shape)
        statistics = parameters["running_mean"], parameters["running_var"]
        return batch_norm(clip, *statistics, parameters.get("weight"), parameters.get("bias"), self.eps)


@dataclass(frozen=True)
class GroupNorm(_ChannelNorm):
    """Over time, space and the channels of a group, so it needs the whole clip; names as in torch.nn.GroupNorm."""

    num_groups: int
    num_channels: int
    eps: float = 1e-5
    affine: bool = True
    time: int = 2
    timing = None
    statistics = False

    def __post_init__(self) -> None:
        if self.num_groups < 1 or self.num_channels % self.num_groups:
            raise ValueError(f"GroupNorm: {self.num_channels} channels do not divide into {self.num_groups} groups")

    @property
    def channels(self) -> int:  # type: ignore[override]
        """C."""
        return self.num_channels

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The normalised clip."""
        self.output_shape(clip.shape)
        return group_norm(clip, self.num_groups, parameters.get("weight"), parameters.get("bias"), self.eps)


@dataclass(frozen=True)
class InstanceNorm(_ChannelNorm):
    """Over time and space, so it needs the whole clip, unless it keeps running statistics; as torch.nn.InstanceNorm3d."""

    num_features: int
    eps: float = 1e-5
    affine: bool = False
    track_running_stats: bool = False
    time: int = 2

    @property
    def channels(self) -> int:  # type: ignore[override]
        """C."""
        return self.num_features

    @property
    def statistics(self) -> bool:  # type: ignore[override]
        """Running mean and variance, used in eval mode."""
        return self.track_running_stats

    @property
    def timing(self) -> Timing | None:
        """Frame by frame with running statistics; None without."""
        return Timing() if self.track_running_stats else None

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The normalised clip."""
        self.output_shape(clip.shape)
        weight, bias = parameters.get("weight"), parameters.get("bias")
        if self.track_running_stats:
            return batch_norm(clip, parameters["running_mean"], parameters["running_var"], weight, bias, self.eps)
        return group_norm(clip, self.num_features, weight, bias, self.eps)


class _TokenNorm:
    """What layer and RMS norm share: the last axes, which must be `normalized_shape`, not time."""

    normalized_shape: Shape
    elementwise_affine: bool

    @property
    def timing(self) -> Timing:
        """Frame by frame."""
        return Timing()

    def output_shape(self, shape: Shape) -> Shape:
        """The shape itself; ValueError when the last axes do not fit."""
        count = len(self.normalized_shape)
        if tuple(shape[-count:]) != self.normalized_shape or len(shape) < count + 2:
            raise ValueError(
                f"{type(self).__name__}: expected (B, T, ...) ending in {self.normalized_shape}, got shape {tuple(shape)}"
            )
        return tuple(shape)


@dataclass(frozen=True)
class LayerNorm(_TokenNorm):
    """Over the last axes, token by token; names as in torch.nn.LayerNorm."""

    normalized_shape: int | Shape  # type: ignore[assignment]
    eps: float = 1e-5
    elementwise_affine: bool = True
    bias: bool = True
    time: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "normalized_shape", _shape(self.normalized_shape))

    def parameters(self) -> dict[str, Shape]:
        """`weight` and, with bias, `bias`, when affine."""
        names = ("weight", "bias")[: self.elementwise_affine * (1 + self.bias)]
        return dict.fromkeys(names, _shape(self.normalized_shape))

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The normalised clip."""
        self.output_shape(clip.shape)
        axes = len(_shape(self.normalized_shape))
        return layer_norm(clip, parameters.get("weight"), parameters.get("bias"), self.eps, axes)


@dataclass(frozen=True)
class ChannelLayerNorm(_ChannelNorm):
    """Layer norm over the channels of each position of clips `(B, C, T, ...)`: the last axis of tokens, moved to axis 1."""

    num_features: int
    eps: float = 1e-5
    time: int = 2
    affine = True
    statistics = False

    @property
    def channels(self) -> int:  # type: ignore[override]
        """C."""
        return self.num_features

    @property
    def timing(self) -> Timing:
        """Frame by frame."""
        return Timing()

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The normalised clip."""
        self.output_shape(clip.shape)
        return _channel_affine(standardize(clip, (1,), self.eps), parameters["weight"], parameters["bias"])


@dataclass(frozen=True)
class RMSNorm(_TokenNorm):
    """Over the last axes, token by token, without mean and bias; names as in torch.nn.RMSNorm.

    `eps` None is the machine epsilon of the clip's dtype, as in torch.
    """

    normalized_shape: int | Shape  # type: ignore[assignment]
    eps: float | None = None
    elementwise_affine: bool = True
    time: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "normalized_shape", _shape(self.normalized_shape))

    def parameters(self) -> dict[str, Shape]:
        """`weight` when affine."""
        return {"weight": _shape(self.normalized_shape)} if self.elementwise_affine else {}

    def __call__(self, parameters: Parameters, clip: Array) -> Array:
        """The normalised clip."""
        self.output_shape(clip.shape)
        eps = float(np.finfo(clip.dtype).eps) if self.eps is None else self.eps
        return rms_norm(clip, parameters.get("weight"), eps, len(_shape(self.normalized_shape)))


def _shape(normalized_shape: int | Shape) -> Shape:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
