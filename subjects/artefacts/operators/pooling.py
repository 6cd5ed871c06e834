"""Means and maxima of windows."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from coequal.subjects.artefacts.operators.products import PADS, padded, windows
from coequal.subjects.artefacts.operators.table import Node, only, operator

Tensor = torch.Tensor


@operator("GlobalAveragePool", "GlobalMaxPool")
def whole_pool(node: Node, x: Tensor) -> Tensor:
    axes = list(range(2, x.dim()))
    return x.mean(axes, keepdim=True) if node.kind == "GlobalAveragePool" else torch.amax(x, axes, keepdim=True)


def _unmeant(node: Node) -> str | None:
    if node.kind == "AveragePool" and any(d != 1 for d in node.get("dilations") or ()):
        return f"dilations {node.get('dilations')} have no meaning here"
    if node.kind == "MaxPool" and any(node.outputs[1:]):
        return "indices of maxima have no meaning here"
    return only(ceil_mode=(0,), auto_pad=PADS)(node)


@operator(
    "AveragePool",
    attributes="auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides",
    refused=_unmeant,
)
def average_pool(node: Node, x: Tensor) -> Tensor:
    """The sum of each window over its number of elements, padding not counted unless `count_include_pad` says so."""
    kernel = list(node.get("kernel_shape"))
    strides, _, before, after = windows(node, list(x.shape[2:]), kernel)
    function: Any = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(kernel) - 1]
    if not any(before + after):
        return function(x, kernel, strides)
    total = function(padded(x, before, after), kernel, strides)
    if node.get("count_include_pad", 0):
        return total
    ones = torch.ones((1, 1, *x.shape[2:]), dtype=x.dtype, device=x.device)
    return total / function(padded(ones, before, after), kernel, strides)


@operator("MaxPool", attributes="auto_pad ceil_mode dilations kernel_shape pads storage_order strides", refused=_unmeant)
def max_pool(node: Node, x: Tensor) -> Tensor:
    kernel = list(node.get("kernel_shape"))
    strides, dilations, before, after = windows(node, list(x.shape[2:]), kernel)
    function: Any = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(kernel) - 1]
    if before == after and all(2 * p <= k for p, k in zip(before, kernel, strict=True)):
        return function(x, kernel, strides, before, dilations)
    return function(padded(x, before, after, -torch.inf), kernel, strides, 0, dilations)
