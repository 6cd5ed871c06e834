"""Sums of products: matrices and convolutions."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from coequal.subjects.artefacts.operators.table import Node, only, operator, refuse

Tensor = torch.Tensor
WINDOW = "auto_pad dilations group kernel_shape pads strides"
PADS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


@operator("MatMul")
def matmul(node: Node, a: Tensor, b: Tensor) -> Tensor:
    return torch.matmul(a, b)


@operator("Gemm", attributes="alpha beta transA transB")
def gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """alpha a b + beta c."""
    a, b = (a.T if node.get("transA", 0) else a), (b.T if node.get("transB", 0) else b)
    product, alpha, beta = torch.matmul(a, b), node.get("alpha", 1.0), node.get("beta", 1.0)
    product = product if alpha == 1 else product * alpha
    return product if c is None else product + (c if beta == 1 else c * beta)


@operator("Einsum", attributes="equation")
def einsum(node: Node, *tensors: Tensor) -> Tensor:
    return torch.einsum(node.get("equation"), *tensors)


def windows(node: Node, sizes: list[int], kernel: list[int]) -> tuple[list[int], list[int], list[int], list[int]]:
    """Strides, dilations, padding at starts and at ends, of a window over axes of these sizes."""
    axes = len(kernel)
    strides, dilations = node.get("strides") or [1] * axes, node.get("dilations") or [1] * axes
    pads, how = node.get("pads") or [0] * 2 * axes, node.get("auto_pad", "NOTSET")
    if how == "VALID":
        pads = [0] * 2 * axes
    elif how != "NOTSET":
        steps = zip(sizes, kernel, strides, dilations, strict=True)
        whole = [max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n) for n, k, s, d in steps]
        small, large = [n // 2 for n in whole], [n - n // 2 for n in whole]
        pads = [*small, *large] if how == "SAME_UPPER" else [*large, *small]
    return list(strides), list(dilations), list(pads[:axes]), list(pads[axes:])


def padded(x: Tensor, before: list[int], after: list[int], value: float = 0.0) -> Tensor:
    """The last axes of x, with so many elements more at both ends."""
    both = [n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair]
    return F.pad(x, both, value=value) if any(both) else x


def _checked(node: Node, weight: Tensor) -> list[int]:
    kernel, axes = list(weight.shape[2:]), weight.dim() - 2
    if node.get("kernel_shape") not in (None, kernel):
        raise refuse(node, f"kernel_shape {node.get('kernel_shape')} is not the weight's {kernel}")
    if axes not in (1, 2, 3):
        raise refuse(node, f"a convolution over {axes} axes")
    return kernel


@operator("Conv", attributes=WINDOW, refused=only(auto_pad=PADS))
def conv(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y[o, t] = sum_{c, k} w[o, c, k] x[c, s t + d k - p] + b[o]."""
    kernel = _checked(node, weight)
    strides, dilations, before, after = windows(node, list(x.shape[2:]), kernel)
    function: Any = (F.conv1d, F.conv2d, F.conv3d)[len(kernel) - 1]
    pads, x = (before, x) if before == after else (0, padded(x, before, after))
    return function(x, weight, bias, strides, pads, dilations, node.get("group", 1))


@operator(
    "ConvTranspose",
    attributes=f"{WINDOW} output_padding output_shape",
    refused=only(auto_pad=("NOTSET", "VALID"), output_shape=()),
)
def conv_transpose(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The transpose of a convolution; what `pads` names is cut off both ends."""
    kernel = _checked(node, weight)
    axes = len(kernel)
    strides, dilations, before, after = windows(node, list(x.shape[2:]), kernel)
    more = list(node.get("output_padding") or [0] * axes)
    function: Any = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[axes - 1]
    if before == after:
        return function(x, weight, bias, strides, before, more, node.get("group", 1), dilations)
    whole = function(x, weight, bias, strides, 0, more, node.get("group", 1), dilations)
    for axis, (a, b) in enumerate(zip(before, after, strict=True), 2):
        whole = whole.narrow(axis, a, whole.shape[axis] - a - b)
    return whole
