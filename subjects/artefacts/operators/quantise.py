"""Whole numbers for floats: a scale and a zero point, for a tensor or along an axis."""

from __future__ import annotations

import torch

from coequal.subjects.artefacts.operators.table import Node, only, operator, refuse

Tensor = torch.Tensor


def _along(node: Node, x: Tensor, part: Tensor) -> Tensor:
    """One number for all, or one for each place of the axis."""
    if part.numel() == 1:
        return part.reshape(())
    if part.dim() != 1:
        raise refuse(node, "scales of blocks")
    axis = node.get("axis", 1) % x.dim()
    return part.reshape([-1 if i == axis else 1 for i in range(x.dim())])


@operator("QuantizeLinear", attributes="axis block_size output_dtype precision saturate", refused=only(block_size=(0,)))
def quantise(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """round(x / scale) + zero point, halves to even, cut to what the format holds."""
    kind = torch.uint8 if zero is None else zero.dtype
    if node.get("output_dtype") not in (None, 0, kind) or kind.is_floating_point:
        raise refuse(node, f"to {str(node.get('output_dtype', kind)).removeprefix('torch.')}")
    limits = torch.iinfo(kind)
    level = torch.round(x / _along(node, x, scale))
    level = level if zero is None else level + _along(node, x, zero).to(level.dtype)
    return level.clamp(limits.min, limits.max).to(kind)


@operator("DequantizeLinear", attributes="axis block_size output_dtype", refused=only(block_size=(0,)))
def dequantise(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """(x - zero point) * scale."""
    level = x.to(torch.int32) if zero is None else x.to(torch.int32) - _along(node, x, zero).to(torch.int32)
    return level.to(scale.dtype) * _along(node, x, scale)


@operator("DynamicQuantizeLinear")
def dynamic(node: Node, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """To 8 bits by the least and the greatest number of the whole tensor: its scale looks at all that is in it."""
    low, high = torch.clamp(x.min(), max=0.0), torch.clamp(x.max(), min=0.0)
    scale = (high - low) / 255
    zero = torch.round((0 - low) / scale).clamp(0, 255)
    return (torch.round(x / scale) + zero).clamp(0, 255).to(torch.uint8), scale, zero.to(torch.uint8)
