"""Resize: nearest or linear, axis by axis, at the places that the coordinate transformation names.

Where the nearest element is another one in single precision than in double, runtimes differ: that is refused. So is a scale
that leaves as many elements as there were: by the standard it moves them, and onnxruntime does not apply it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from coequal.subjects.artefacts.operators.table import Node, only, operator, refuse, whole

Tensor = torch.Tensor


@operator(
    "Resize",
    attributes="antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value"
    " keep_aspect_ratio_policy mode nearest_mode",
    refused=only(
        mode=("nearest", "linear"),
        antialias=(0,),
        exclude_outside=(0,),
        keep_aspect_ratio_policy=("stretch",),
        coordinate_transformation_mode=("asymmetric", "align_corners", "half_pixel", "pytorch_half_pixel"),
        nearest_mode=("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
    ),
)
def resize(
    node: Node, x: Tensor, roi: Tensor | None = None, scales: Tensor | None = None, sizes: Tensor | None = None
) -> Tensor:
    mode = node.get("mode", "nearest")
    axes = [a % x.dim() for a in node.get("axes") or range(x.dim())]
    if sizes is not None and sizes.numel():
        wanted = whole(sizes)
        factors = [n / x.shape[a] for n, a in zip(wanted, axes, strict=True)]
    else:
        assert scales is not None
        factors = [float(s) for s in scales.reshape(-1).tolist()]
        wanted = [math.floor(x.shape[a] * s) for s, a in zip(factors, axes, strict=True)]
    for axis, size, factor in zip(axes, wanted, factors, strict=True):
        if size == x.shape[axis] and factor != 1:
            raise refuse(node, f"a scale of {factor:g} that leaves {size} elements: a runtime may take it for none")
        if size != x.shape[axis]:
            x = _along(node, x, axis, size, factor, mode)
    return x


def _along(node: Node, x: Tensor, axis: int, size: int, scale: float, mode: str) -> Tensor:
    places, last = [_place(node, i, size, x.shape[axis], scale) for i in range(size)], x.shape[axis] - 1
    if mode == "nearest":
        single = [float(_place(node, np.float32(i), size, x.shape[axis], np.float32(scale))) for i in range(size)]
        nearest = [_nearest(node, p) for p in places]
        if nearest != [_nearest(node, p) for p in single]:
            raise refuse(
                node, f"nearest_mode {node.get('nearest_mode')!r} where rounding decides: scale {scale:g} of {last + 1}"
            )
        return x.index_select(axis, _indices([min(max(n, 0), last) for n in nearest], x))
    low = [math.floor(p) for p in places]
    share = torch.tensor([p - n for p, n in zip(places, low, strict=True)], dtype=x.dtype, device=x.device)
    share = share.reshape([-1 if i == axis else 1 for i in range(x.dim())])
    before, after = ([min(max(n + d, 0), last) for n in low] for d in (0, 1))
    return x.index_select(axis, _indices(before, x)) * (1 - share) + x.index_select(axis, _indices(after, x)) * share


def _indices(places: list[int], x: Tensor) -> Tensor:
    return torch.tensor(places, dtype=torch.int64, device=x.device)


def _place(node: Node, i: Any, size: int, before: int, scale: Any) -> Any:
    """Where an element of the result stands in the original."""
    how = node.get("coordinate_transformation_mode", "half_pixel")
    if how == "asymmetric":
        return i / scale
    if how == "align_corners":
        return i * (before - 1) / (size - 1) if size > 1 else 0.0
    half = type(scale)(0.5)
    return (i + half) / scale - half if how == "half_pixel" or size > 1 else 0.0


def _nearest(node: Node, place: float) -> int:
    how = node.get("nearest_mode", "round_prefer_floor")
    if how == "round_prefer_floor":
        return math.ceil(place - 0.5)
    if how == "round_prefer_ceil":
        return math.floor(place + 0.5)
    return math.floor(place) if how == "floor" else math.ceil(place)
