"""Normalisations: (x - mean) / sqrt(variance + epsilon), times a scale, plus a bias."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from coequal.subjects.artefacts.operators.table import Node, operator

Tensor = torch.Tensor


@operator(
    "BatchNormalization",
    attributes="epsilon momentum training_mode",
    refused=lambda node: "it is in training mode: rows would depend on one another" if node.get("training_mode") else None,
)
def batch_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    return F.batch_norm(x, mean, var, scale, bias, False, 0.0, node.get("epsilon", 1e-5))


@operator("LayerNormalization", attributes="axis epsilon stash_type")
def layer_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    shape = x.shape[node.get("axis", -1) % x.dim() :]
    if tuple(scale.shape) == tuple(shape):
        return F.layer_norm(x, shape, scale, bias, node.get("epsilon", 1e-5))
    normed = F.layer_norm(x, shape, None, None, node.get("epsilon", 1e-5)) * scale
    return normed if bias is None else normed + bias


@operator("RMSNormalization", attributes="axis epsilon stash_type")
def rms_norm(node: Node, x: Tensor, scale: Tensor) -> Tensor:
    axes = tuple(range(node.get("axis", -1) % x.dim(), x.dim()))
    return x * torch.rsqrt((x * x).mean(axes, keepdim=True) + node.get("epsilon", 1e-5)) * scale


@operator("InstanceNormalization", attributes="epsilon")
def instance_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return F.group_norm(x, x.shape[1], scale, bias, node.get("epsilon", 1e-5))


@operator("GroupNormalization", attributes="epsilon num_groups stash_type")
def group_norm(node: Node, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    groups = node.get("num_groups")
    if node.opset < 21:  # a scale for each group
        scale, bias = (part.repeat_interleave(x.shape[1] // groups) for part in (scale, bias))
    return F.group_norm(x, groups, scale, bias, node.get("epsilon", 1e-5))


@operator("LpNormalization", attributes="axis p")
def lp_norm(node: Node, x: Tensor) -> Tensor:
    """Zeros, whose norm is zero, stay zeros."""
    norm = torch.linalg.vector_norm(x, node.get("p", 2), node.get("axis", -1), keepdim=True)
    return torch.where(norm == 0, torch.zeros_like(x), x / norm)
