"""Element by element, broadcast as NumPy does."""

from __future__ import annotations

import functools
from typing import Any

import torch

from coequal.subjects.artefacts.operators.table import Node, only, operator

Tensor = torch.Tensor
UNARY: dict[str, Any] = {
    "Neg": torch.neg, "Abs": torch.abs, "Sqrt": torch.sqrt, "Exp": torch.exp, "Log": torch.log,
    "Reciprocal": torch.reciprocal,
    "Floor": torch.floor, "Ceil": torch.ceil, "Round": torch.round, "Sign": torch.sign, "Erf": torch.erf, "Sin": torch.sin,
    "Cos": torch.cos, "Tan": torch.tan, "Asin": torch.asin, "Acos": torch.acos, "Atan": torch.atan, "Sinh": torch.sinh,
    "Cosh": torch.cosh, "Asinh": torch.asinh, "Acosh": torch.acosh, "Atanh": torch.atanh, "IsNaN": torch.isnan,
    "Not": torch.logical_not,
}  # fmt: skip
BINARY: dict[str, Any] = {
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "And": torch.logical_and, "Or": torch.logical_or,
    "Xor": torch.logical_xor, "Equal": torch.eq, "Less": torch.lt, "Greater": torch.gt, "LessOrEqual": torch.le,
    "GreaterOrEqual": torch.ge,
}  # fmt: skip


@operator(*UNARY)
def unary(node: Node, x: Tensor) -> Tensor:
    return UNARY[node.kind](x)


@operator(*BINARY)
def binary(node: Node, a: Tensor, b: Tensor) -> Tensor:
    return BINARY[node.kind](a, b)


@operator("Div")
def div(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Of whole numbers the quotient is cut off."""
    return torch.div(a, b) if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


@operator("Pow")
def power(node: Node, a: Tensor, b: Tensor) -> Tensor:
    if b.numel() == 1 and a.is_floating_point() and float(exponent := b.reshape(()).item()) == exponent:
        result = torch.pow(a, exponent)  # a number that stands in the file: 2, 3, 0.5
        return result.reshape(torch.broadcast_shapes(a.shape, b.shape))
    return torch.pow(a, b).to(a.dtype)


@operator("Mod", attributes="fmod")
def mod(node: Node, a: Tensor, b: Tensor) -> Tensor:
    return torch.fmod(a, b) if node.get("fmod", 0) else torch.remainder(a, b)


@operator("IsInf", attributes="detect_negative detect_positive", refused=only(detect_negative=(1,), detect_positive=(1,)))
def is_inf(node: Node, x: Tensor) -> Tensor:
    return torch.isinf(x)


@operator("Sum", "Max", "Min", "Mean")
def several(node: Node, *tensors: Tensor) -> Tensor:
    pair = {"Max": torch.maximum, "Min": torch.minimum}.get(node.kind, torch.add)
    result = functools.reduce(pair, tensors)
    return result / len(tensors) if node.kind == "Mean" else result


@operator("Clip")
def clip(node: Node, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    bounds = [None if b is None else b.reshape(()).item() for b in (low, high)]
    return x.clone() if bounds == [None, None] else torch.clamp(x, *bounds)


@operator("Where")
def where(node: Node, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(condition, a, b)


@operator("BitShift", attributes="direction", refused=only(direction=("LEFT", "RIGHT")))
def shift(node: Node, a: Tensor, b: Tensor) -> Tensor:
    return torch.bitwise_left_shift(a, b) if node.get("direction") == "LEFT" else torch.bitwise_right_shift(a, b)
