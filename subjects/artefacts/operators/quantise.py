"""Whole numbers for floats: a scale and a zero point, for a tensor or along an axis; and sums of products of them.

Sums are exact: whole numbers in 32 bits. What rounds them to 8 bits again (requantisation) is part of the function, and is
computed in single precision, as the standard says it, whatever precision the run is in.
"""

from __future__ import annotations

import torch

from coequal.subjects.artefacts.operators.products import PADS, WINDOW, conv
from coequal.subjects.artefacts.operators.table import Node, only, operator, refuse

Tensor = torch.Tensor


def _along(node: Node, x: Tensor, part: Tensor) -> Tensor:
    """One number for all, one for each place of the axis, or one for each block of places along it."""
    axis, block = node.get("axis", 1) % max(1, x.dim()), node.get("block_size", 0)
    if block and part.dim() == x.dim():
        if (part.shape[axis] - 1) * block >= x.shape[axis] or part.shape[axis] * block < x.shape[axis]:
            raise ValueError(f"{part.shape[axis]} scales of blocks of {block}, for {x.shape[axis]} places")
        return part.repeat_interleave(block, axis).narrow(axis, 0, x.shape[axis])
    if part.numel() == 1:
        return part.reshape(())
    if part.dim() != 1:
        raise refuse(node, "scales of blocks")
    return part.reshape([-1 if i == axis else 1 for i in range(x.dim())])


@operator(
    "QuantizeLinear",
    attributes="axis block_size output_dtype precision saturate",
    refused=only(block_size=(0,), precision=(0,)),
)
def quantise(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """round(x / scale) + zero point, halves to even, cut to what the format holds."""
    kind = torch.uint8 if zero is None else zero.dtype
    if node.get("output_dtype") not in (None, 0, kind) or kind.is_floating_point:
        raise refuse(node, f"to {str(node.get('output_dtype', kind)).removeprefix('torch.')}")
    limits = torch.iinfo(kind)
    level = torch.round(x / _along(node, x, scale))
    level = level if zero is None else level + _along(node, x, zero).to(level.dtype)
    return level.clamp(limits.min, limits.max).to(kind)


@operator("DequantizeLinear", attributes="axis block_size output_dtype")
def dequantise(node: Node, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    """(x - zero point) * scale, in the format that is named, or the scale's."""
    level = x.to(torch.int32) if zero is None else x.to(torch.int32) - _along(node, x, zero).to(torch.int32)
    result = level.to(scale.dtype) * _along(node, x, scale)
    named = node.get("output_dtype")
    return result if named is None else result.to(node.formats.of(named))


@operator("DynamicQuantizeLinear")
def dynamic(node: Node, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """To 8 bits by the least and the greatest number of the whole tensor: its scale looks at all that is in it."""
    low, high = torch.clamp(x.min(), max=0.0), torch.clamp(x.max(), min=0.0)
    scale = torch.where(high == low, torch.ones_like(low), (high - low) / 255)
    zero = torch.round((0 - low) / scale).clamp(0, 255)
    return (torch.round(x / scale) + zero).clamp(0, 255).to(torch.uint8), scale, zero.to(torch.uint8)


def _less(x: Tensor, zero: Tensor | None, axis: int) -> Tensor:
    """Whole numbers less their zero point: one for all, or one for each place of the axis."""
    if zero is None:
        return x.to(torch.int32)
    zero = zero.reshape([-1 if i == axis % x.dim() else 1 for i in range(x.dim())]) if zero.numel() > 1 else zero.reshape(())
    return x.to(torch.int32) - zero.to(torch.int32)


def _product(a: Tensor, zero_a: Tensor | None, b: Tensor, zero_b: Tensor | None) -> Tensor:
    return torch.matmul(_less(a, zero_a, -2), _less(b, zero_b, -1))


def _convolved(node: Node, x: Tensor, zero_x: Tensor | None, weight: Tensor, zero_w: Tensor | None) -> Tensor:
    """Doubles hold every sum of products of 8 bits exactly."""
    y = conv(node, _less(x, zero_x, 0).double(), _less(weight, zero_w, 0).double())
    return y.to(torch.int32)


def _requantised(sums: Tensor, scales: tuple[Tensor, Tensor, Tensor], zero: Tensor, axis: int) -> Tensor:
    """round(sum * a b / y) + zero point, halves to even, cut to what the format holds."""
    a, b, y = (scale.float() for scale in scales)
    factor = a.reshape(()) * b / y.reshape(())
    factor = factor.reshape([-1 if i == axis % sums.dim() else 1 for i in range(sums.dim())]) if b.numel() > 1 else factor
    limits = torch.iinfo(zero.dtype)
    level = torch.round(sums.float() * factor) + zero.reshape(()).float()
    return level.clamp(limits.min, limits.max).to(zero.dtype)


@operator("MatMulInteger")
def matmul_integer(node: Node, a: Tensor, b: Tensor, zero_a: Tensor | None = None, zero_b: Tensor | None = None) -> Tensor:
    """Whole numbers, less their zero points, in 32 bits."""
    return _product(a, zero_a, b, zero_b)


@operator("ConvInteger", attributes=WINDOW, refused=only(auto_pad=PADS))
def conv_integer(
    node: Node, x: Tensor, weight: Tensor, zero_x: Tensor | None = None, zero_w: Tensor | None = None
) -> Tensor:
    """Of whole numbers, less their zero points, in 32 bits; what is padded is the zero point."""
    return _convolved(node, x, zero_x, weight, zero_w)


@operator("QLinearMatMul")
def qlinear_matmul(
    node: Node,
    a: Tensor,
    scale_a: Tensor,
    zero_a: Tensor,
    b: Tensor,
    scale_b: Tensor,
    zero_b: Tensor,
    scale: Tensor,
    zero: Tensor,
) -> Tensor:
    """MatMulInteger, requantised."""
    if scale_a.numel() > 1:
        raise refuse(node, "a scale for each row")
    return _requantised(_product(a, zero_a, b, zero_b), (scale_a, scale_b, scale), zero, -1)


@operator("QLinearConv", attributes=WINDOW, refused=only(auto_pad=PADS))
def qlinear_conv(
    node: Node, x: Tensor, scale_x: Tensor, zero_x: Tensor, weight: Tensor, scale_w: Tensor, zero_w: Tensor,
    scale: Tensor, zero: Tensor, bias: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """ConvInteger plus a bias of whole numbers, requantised; the weight may have a scale for each channel."""
    sums = _convolved(node, x, zero_x, weight, zero_w)
    sums = sums if bias is None else sums + bias.reshape([-1 if i == 1 else 1 for i in range(sums.dim())])
    return _requantised(sums, (scale_x, scale_w, scale), zero, 1)
