"""Layers that look at one frame at a time: activations, batch norm in eval mode, layer norm, linear, dropout in eval mode.

Each is the torch.nn class of the same name with the stream's members: a step is the layer on one frame, and nothing is
remembered. `TABLE` says for each what it does to a frame and which axis of its clips is time (None: any).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from coequal.continual import clip_modules
from coequal.continual.conversion import How, always, plainly
from coequal.continual.streaming import State, Streaming
from coequal.continual.to_torch import makes
from coequal.reference import activation, linear, norm, softmax

__all__ = ["BatchNorm", "ChannelLayerNorm", "InstanceNorm"]

Tensor = torch.Tensor


class Framewise(Streaming):
    """Mixin: `on_frame` is the layer on one frame."""

    def on_frame(self, frame: Tensor) -> Tensor:
        """By default the parent's forward: elementwise functions, and those of the last axis, need not know of time."""
        return super().forward(frame)  # type: ignore[misc]

    def push(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """One frame in, one out: never the caller's own, which an in-place layer would overwrite."""
        inplace = getattr(self, "inplace", False)
        output = self.on_frame(frame.clone() if inplace else frame)
        return [output.clone() if output is frame else output], state


def _batch_norm(self: Any, frame: Tensor) -> Tensor:
    return F.batch_norm(frame, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)


def _softmax(self: Any, frame: Tensor) -> Tensor:
    return self._function(frame, self.dim - 1 if self.dim > self.time else self.dim)


def _same(self: Any, frame: Tensor) -> Tensor:
    return frame.clone()


ELEMENTWISE = (
    *(
        "CELU",
        "ELU",
        "GELU",
        "Hardshrink",
        "Hardsigmoid",
        "Hardswish",
        "Hardtanh",
        "LeakyReLU",
        "LogSigmoid",
        "Mish",
        "ReLU",
    ),
    *("ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold"),
)
NORMS = ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]
DROPOUTS = ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"]

# name in torch.nn -> (time axis of its clips, the layer on a frame; None: the parent's forward)
TABLE: dict[str, tuple[int | None, Callable[[Any, Tensor], Tensor] | None]] = {
    **dict.fromkeys(ELEMENTWISE, (None, None)),
    "PReLU": (None, None),
    "RReLU": (None, None),
    **dict.fromkeys(NORMS, (2, _batch_norm)),
    **dict.fromkeys(DROPOUTS, (None, _same)),
    "Identity": (None, _same),
    "LayerNorm": (1, None),
    "RMSNorm": (1, None),
    "Linear": (1, None),
    "Embedding": (1, None),
    "Softmax": (2, _softmax),
    "LogSoftmax": (2, _softmax),
}
FUNCTIONS = {"Softmax": staticmethod(F.softmax), "LogSoftmax": staticmethod(F.log_softmax)}


def _classes() -> dict[str, type]:
    """One class for each of torch.nn's in the table, of the same name."""
    found: dict[str, type] = {}
    for name, (time, on_frame) in TABLE.items():
        members: dict[str, Any] = {"time": time, "__doc__": f"torch.nn.{name}, frame by frame.", "__module__": __name__}
        members |= {} if on_frame is None else {"on_frame": on_frame}
        members |= {"_function": FUNCTIONS[name]} if name in FUNCTIONS else {}
        found[name] = type(name, (Framewise, getattr(nn, name)), members)
    return found


class BatchNorm(Framewise, clip_modules.BatchNorm):
    """`coequal.continual.clip_modules.BatchNorm`, frame by frame."""

    on_frame = _batch_norm


class InstanceNorm(Framewise, clip_modules.InstanceNorm):
    """`coequal.continual.clip_modules.InstanceNorm` with running statistics, frame by frame."""

    on_frame = _batch_norm


class ChannelLayerNorm(Framewise, clip_modules.ChannelLayerNorm):
    """`coequal.continual.clip_modules.ChannelLayerNorm`, frame by frame."""


FRAMEWISE = _classes()
globals().update(FRAMEWISE)


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


def _train_refusal(module: Any, how: How) -> tuple[str, str] | None:
    if module.training and getattr(module, "p", 1.0):
        return "in train mode its output is random", "call .eval() first"
    return None


def _batch_refusal(module: Any, how: How) -> tuple[str, str] | None:
    if module.running_mean is None:
        return "its statistics are those of the whole clip", "track running statistics, and call .eval()"
    if module.training:
        return "in train mode its statistics are those of the whole batch and clip", "call .eval() first"
    return None


def _softmax_refusal(module: Any, how: How) -> tuple[str, str] | None:
    if module.dim is None or module.dim < 0:
        return f"dim {module.dim} may be time", "count the axis from the start of the clip: 1 for channels"
    if module.dim == 2:
        return "softmax over time needs the whole clip", "take it over another axis"
    return None


OTHERS = ["PReLU", "Identity", "LayerNorm", "RMSNorm", "Linear", "Embedding"]
plainly({getattr(nn, name): FRAMEWISE[name] for name in [*ELEMENTWISE, *OTHERS]})
plainly({getattr(nn, name): FRAMEWISE[name] for name in [*DROPOUTS, "RReLU"]}, _train_refusal)
plainly({getattr(nn, name): FRAMEWISE[name] for name in NORMS}, _batch_refusal)
plainly({clip_modules.BatchNorm: BatchNorm, clip_modules.InstanceNorm: InstanceNorm}, _batch_refusal)
plainly({clip_modules.ChannelLayerNorm: ChannelLayerNorm})
plainly({nn.Softmax: FRAMEWISE["Softmax"], nn.LogSoftmax: FRAMEWISE["LogSoftmax"]}, _softmax_refusal)
plainly(
    {nn.GroupNorm: nn.GroupNorm},
    always("its mean and variance are those of the whole clip", "use batch norm, or normalise each frame by itself"),
)


@makes
def _(layer: norm.BatchNorm) -> nn.Module:
    return clip_modules.BatchNorm(layer.num_features, layer.eps, affine=layer.affine).eval()


@makes
def _(layer: norm.ChannelLayerNorm) -> nn.Module:
    return clip_modules.ChannelLayerNorm(layer.num_features, layer.eps)


@makes
def _(layer: norm.GroupNorm) -> nn.Module:
    return nn.GroupNorm(layer.num_groups, layer.num_channels, layer.eps, layer.affine)


@makes
def _(layer: norm.InstanceNorm) -> nn.Module:
    options = {"affine": layer.affine, "track_running_stats": layer.track_running_stats}
    return clip_modules.InstanceNorm(layer.num_features, layer.eps, **options).eval()


def _sizes(shape: int | tuple[int, ...]) -> list[int]:
    return [shape] if isinstance(shape, int) else list(shape)


@makes
def _(layer: norm.LayerNorm) -> nn.Module:
    return nn.LayerNorm(_sizes(layer.normalized_shape), layer.eps, layer.elementwise_affine, layer.bias)


@makes
def _(layer: norm.RMSNorm) -> nn.Module:
    return nn.RMSNorm(_sizes(layer.normalized_shape), layer.eps, layer.elementwise_affine)


@makes
def _(layer: linear.Linear) -> nn.Module:
    return nn.Linear(layer.in_features, layer.out_features, layer.bias)


@makes
def _(layer: linear.Embedding) -> nn.Module:
    return nn.Embedding(layer.num_embeddings, layer.embedding_dim)


@makes
def _(layer: activation.Activation) -> nn.Module:
    return getattr(nn, layer.name)(**dict(layer.options)).eval()


@makes
def _(layer: softmax.Softmax) -> nn.Module:
    return nn.Softmax(layer.axis)
