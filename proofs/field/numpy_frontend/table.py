"""What NumPy's functions are called in torch: the NumPy front end has no meanings of its own.

A name stands here only if the torch operation computes the same function of the same arguments. Anything else refuses with
its name. Arguments arrive as tensors, conditions and indices as tensors of booleans and whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.torch_frontend.overrides import place

Tensor = torch.Tensor
Call = Callable[..., Any]

UFUNCS: dict[str, Call] = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.div,
    "negative": torch.neg,
    "positive": torch.clone,
    "reciprocal": torch.reciprocal,
    "square": torch.square,
    "sqrt": torch.sqrt,
    "power": torch.pow,
    "matmul": torch.matmul,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "absolute": torch.abs,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "arctan": torch.atan,
    "erf (vectorized)": torch.erf,  # reference/activation.py makes it of math.erf
    "isnan": torch.isnan,
    "isinf": torch.isinf,
    "isfinite": torch.isfinite,
}

COMPARED, ROUNDED = "it compares data", "it rounds data"
REFUSED: dict[str, str] = {
    **dict.fromkeys(
        ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "sign", "signbit", "copysign", "heaviside"),
        COMPARED,
    ),
    **dict.fromkeys(("array_equal", "allclose", "isclose", "all", "any", "clip"), COMPARED),
    **dict.fromkeys(("floor", "ceil", "rint", "trunc", "round", "floor_divide", "remainder", "fmod", "modf"), ROUNDED),
    **dict.fromkeys(
        ("argmax", "argmin", "argsort", "sort", "nonzero", "searchsorted", "partition", "median", "unique"),
        "its indices depend on data",
    ),
}


def refusal(name: str, why: str | None = None) -> NotDecided:
    """`numpy.name: why (file.py, line 7)`."""
    return NotDecided(f"numpy.{name}: {why or REFUSED.get(name, 'it has no meaning here yet')}{place()}")


def _sum(x: Tensor, axis: Any = None, *, keepdims: bool = False) -> Tensor:
    return torch.sum(x, _axes(x, axis), keepdim=keepdims)


def _mean(x: Tensor, axis: Any = None, *, keepdims: bool = False) -> Tensor:
    return torch.mean(x, _axes(x, axis), keepdim=keepdims)


def _max(x: Tensor, axis: Any = None, *, keepdims: bool = False) -> Tensor:
    axes = _axes(x, axis)
    return torch.amax(x, axes, keepdim=keepdims) if axes else x.clone()


def _min(x: Tensor, axis: Any = None, *, keepdims: bool = False) -> Tensor:
    axes = _axes(x, axis)
    return torch.amin(x, axes, keepdim=keepdims) if axes else x.clone()


def _axes(x: Tensor, axis: Any) -> tuple[int, ...]:
    """All of them for None, as NumPy has it."""
    if axis is None:
        return tuple(range(x.dim()))
    return (axis,) if isinstance(axis, int) else tuple(axis)


def _concatenate(parts: Sequence[Tensor], axis: int = 0) -> Tensor:
    return torch.cat([_float(part) for part in parts], axis)


def _split(x: Tensor, parts: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    if isinstance(parts, int) and x.shape[axis] % parts:
        raise ValueError("array split does not result in an equal division")  # NumPy's own words
    return list(torch.tensor_split(x, parts if isinstance(parts, int) else list(parts), axis))


def _pad(x: Tensor, widths: Any, mode: str = "constant", *, constant_values: float = 0.0) -> Tensor:
    """Constants around; every other mode picks, axis by axis, the elements that NumPy itself would pick."""
    pairs = np.broadcast_to(np.asarray(widths, dtype=int), (x.dim(), 2)).tolist()
    if mode == "constant":
        return torch.nn.functional.pad(x, [n for pair in reversed(pairs) for n in pair], value=float(constant_values))
    for axis, (before, after) in enumerate(pairs):
        if before or after:
            picked = np.pad(np.arange(x.shape[axis]), (before, after), mode)  # type: ignore[call-overload]
            x = torch.index_select(x, axis, torch.as_tensor(picked))
    return x


def _where(condition: Any, x: Any, y: Any) -> Tensor:
    if isinstance(condition, Tensor) and condition.is_floating_point():
        raise TypeError("its condition depends on data")
    return torch.where(torch.as_tensor(condition), _float(x), _float(y))


def _float(x: Any) -> Tensor:
    """Constants among the arguments, in float64."""
    return torch.as_tensor(x, dtype=torch.float64)


FUNCTIONS: dict[str, Call] = {
    "sum": _sum,
    "mean": _mean,
    "max": _max,
    "amax": _max,
    "min": _min,
    "amin": _min,
    "cumsum": lambda x, axis: torch.cumsum(x, dim=axis),
    "concatenate": _concatenate,
    "stack": lambda parts, axis=0: torch.stack([_float(part) for part in parts], axis),
    "split": _split,
    "swapaxes": torch.swapaxes,
    "moveaxis": torch.movedim,
    "transpose": lambda x, axes=None: x.permute(tuple(reversed(range(x.dim()))) if axes is None else tuple(axes)),
    "reshape": lambda x, shape: x.reshape(tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)),
    "expand_dims": torch.unsqueeze,
    "squeeze": lambda x, axis=None: x.squeeze() if axis is None else x.squeeze(axis),
    "broadcast_to": lambda x, shape: x.expand(tuple(shape)),
    "roll": lambda x, shift, axis=None: torch.roll(x, shift) if axis is None else torch.roll(x, shift, dims=axis),
    "flip": lambda x, axis=None: torch.flip(x, _axes(x, axis)),
    "repeat": lambda x, repeats, axis: torch.repeat_interleave(x, repeats, dim=axis),
    "pad": _pad,
    "where": _where,
    "einsum": torch.einsum,
    "dot": torch.matmul,
    "zeros_like": torch.zeros_like,
    "ones_like": torch.ones_like,
    "full_like": lambda x, value: torch.full_like(x, float(value)),
    "copy": torch.clone,
    "isneginf": torch.isneginf,
}
