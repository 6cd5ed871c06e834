"""Activations, and softmax."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from coequal.subjects.artefacts.operators.table import Node, only, operator, refuse

Tensor = torch.Tensor


@operator("Relu", "Sigmoid", "Tanh", "HardSwish", "Softsign", "Mish")
def plain(node: Node, x: Tensor) -> Tensor:
    kinds = {"Relu": torch.relu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "HardSwish": F.hardswish, "Mish": F.mish}
    return kinds[node.kind](x) if node.kind in kinds else x / (1 + torch.abs(x))


@operator("LeakyRelu", attributes="alpha")
def leaky_relu(node: Node, x: Tensor) -> Tensor:
    return F.leaky_relu(x, node.get("alpha", 0.01))


@operator("ThresholdedRelu", attributes="alpha")
def thresholded_relu(node: Node, x: Tensor) -> Tensor:
    return F.threshold(x, node.get("alpha", 1.0), 0.0)


@operator("PRelu")
def prelu(node: Node, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, slope * x, x) if slope.numel() > 1 and slope.shape[-1:] == x.shape[-1:] else _prelu(x, slope)


def _prelu(x: Tensor, slope: Tensor) -> Tensor:
    """max(x, 0) - slope max(-x, 0), which is how slopes of channels broadcast."""
    return torch.relu(x) - slope * torch.relu(-x)


@operator("HardSigmoid", attributes="alpha beta")
def hard_sigmoid(node: Node, x: Tensor) -> Tensor:
    return torch.clamp(node.get("alpha", 0.2) * x + node.get("beta", 0.5), 0.0, 1.0)


@operator("Elu", "Celu", attributes="alpha")
def elu(node: Node, x: Tensor) -> Tensor:
    return (F.elu if node.kind == "Elu" else F.celu)(x, node.get("alpha", 1.0))


@operator("Selu", attributes="alpha gamma")
def selu(node: Node, x: Tensor) -> Tensor:
    gamma, alpha = node.get("gamma", 1.05070102214813232421875), node.get("alpha", 1.67326319217681884765625)
    return gamma * F.elu(x, alpha)


@operator("Gelu", attributes="approximate", refused=only(approximate=("none", "tanh")))
def gelu(node: Node, x: Tensor) -> Tensor:
    return F.gelu(x, approximate=node.get("approximate", "none"))


@operator("Swish", attributes="alpha")
def swish(node: Node, x: Tensor) -> Tensor:
    alpha = node.get("alpha", 1.0)
    return F.silu(x) if alpha == 1.0 else x * torch.sigmoid(alpha * x)


@operator("Softplus")
def softplus(node: Node, x: Tensor) -> Tensor:
    return F.softplus(x)


@operator("Softmax", "LogSoftmax", attributes="axis")
def softmax(node: Node, x: Tensor) -> Tensor:
    """Along one axis, the last unless another is named (as it is since opset 13)."""
    return (F.softmax if node.kind == "Softmax" else F.log_softmax)(x, node.get("axis", -1))


@operator("Dropout", attributes="seed")
def dropout(node: Node, x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None) -> tuple[Tensor, Tensor]:
    if training is not None and bool(training):
        raise refuse(node, "it is in training mode: its output is random")
    return x.clone(), torch.ones_like(x, dtype=torch.bool)
