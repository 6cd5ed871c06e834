"""Maxima: a free function of the set of its arguments, kept as that set while only maxima and moves follow.

The greatest of `max(a, b)` and `b` is the greatest of a and b: order, grouping and overlap do not matter. So each element
carries the digests of the members it is the greatest of. Its residues, which anything but a maximum or a move sees, are a
hash of the set: of its members sorted, each once. A set of one member has that member's residues.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from coequal.proofs.field.arithmetic import Field, Value, aligned
from coequal.proofs.field.degree import NONNEGATIVE
from coequal.proofs.field.semantics.algebra import neg, pair
from coequal.proofs.field.semantics.sets import absent, greatest, names_of, relu, widened
from coequal.proofs.field.semantics.table import means

Tensor = torch.Tensor
SET = "order, grouping and overlap of maxima"


class Unknown:
    """Indices of maxima: nothing may be done with them."""

    def __init__(self, shape: torch.Size) -> None:
        self.shape = shape


def over_axes(f: Field, a: Value, axes: list[int], keep: bool) -> Value:
    """The greatest along axes of the tensor."""
    f.account.compare(a.degree)
    kept = [axis for axis in range(a.dim) if axis not in axes]
    count, held = a.planes.shape[0], names_of(f, a)
    width = held.shape[1]
    order = [*axes, *kept]
    names = held.permute(0, 1, *[axis + 2 for axis in order]).flatten(1, 1 + len(axes))
    planes = a.planes.permute(0, *[axis + 1 for axis in order]).flatten(1, len(axes))
    planes = planes.unsqueeze(1).expand(-1, width, *[-1] * (planes.dim() - 1)).reshape(count, -1, *planes.shape[2:])
    result = greatest(f, names, planes, a.degree)
    if keep:
        shape = [1 if axis in axes else n for axis, n in enumerate(a.shape)]
        result.planes = result.planes.view(result.planes.shape[0], *shape)
        result.names = None if result.names is None else result.names.view(*result.names.shape[:2], *shape)
    return result


@means("amax", says="the set of all elements along axes", keeps=SET, masked=True)
def amax(f: Field, a: Value, dim: Any = (), keepdim: bool = False) -> Value:
    axes = [dim] if isinstance(dim, int) else list(dim)
    return over_axes(f, a, [axis % a.dim for axis in axes] or list(range(a.dim)), keepdim)


@means("max.dim", says="the same; its indices may not be used", keeps=SET, masked=True)
def max_dim(f: Field, a: Value, dim: int, keepdim: bool = False) -> tuple[Value, Unknown]:
    result = over_axes(f, a, [dim % a.dim], keepdim)
    return result, Unknown(result.shape)


@means("max", says="the set of all elements", keeps=SET, masked=True)
def max_all(f: Field, a: Value) -> Value:
    return over_axes(f, a, list(range(a.dim)), False)


@means("amin", says="-max(-x)", keeps="order of minima")
def amin(f: Field, a: Value, dim: Any = (), keepdim: bool = False) -> Value:
    return neg(f, amax(f, neg(f, a), dim, keepdim))


@means("maximum", "max.other", "fmax", says="the union of two sets; of zero and x: relu", keeps=SET,
       masked=True)  # fmt: skip
def maximum(f: Field, a: Value, b: Value) -> Value:
    a, b = pair(f, a, b)
    for one, other in ((a, b), (b, a)):
        if not f.sets and one.degree.excess == 0 and not one.masked and bool((one.planes == 0).all()) and not other.masked:
            return f.free(
                "relu", Value(torch.broadcast_tensors(*aligned(other.planes, one.planes))[0], other.degree), at_zero=0.0
            )
    f.account.compare(a.degree, b.degree)
    planes = torch.broadcast_tensors(*aligned(a.planes, b.planes))
    shape = planes[0].shape[1:]
    held = [names_of(f, v) for v in (a, b)]
    names = [n.reshape(*n.shape[:2], *[1] * (len(shape) - n.dim() + 2), *n.shape[2:]).expand(-1, -1, *shape) for n in held]
    members = [p.unsqueeze(1).expand(-1, n.shape[1], *shape) for p, n in zip(planes, names, strict=True)]
    return greatest(f, torch.cat(names, 1), torch.cat(members, 1), a.degree.plus(b.degree))


@means("minimum", "min.other", "fmin", says="-max(-x, -y)", keeps="order of minima")
def minimum(f: Field, a: Value, b: Value) -> Value:
    return neg(f, maximum(f, neg(f, a), neg(f, b)))


@means("cummax", says="the sets of all elements so far along an axis; its indices may not be used", keeps=SET, masked=True)
def cummax(f: Field, a: Value, dim: int) -> tuple[Value, Unknown]:
    axis, results = dim % a.dim, list[Value]()
    held = names_of(f, a)
    for i in range(a.shape[axis]):
        now = Value(a.planes.select(axis + 1, i), a.degree, held.select(axis + 2, i), a.masked)
        results.append(maximum(f, results[-1], now) if results else now)
    width = max(names_of(f, r).shape[1] for r in results)
    names = torch.stack([widened(names_of(f, r), width) for r in results], axis + 2)
    planes = torch.stack([r.planes for r in results], axis + 1)
    return Value(planes, results[-1].degree, names, any(r.masked for r in results)), Unknown(a.shape)


@means("cummin", says="-cummax(-x)", keeps="order of minima")
def cummin(f: Field, a: Value, dim: int) -> tuple[Value, Unknown]:
    result, where = cummax(f, neg(f, a), dim)
    return neg(f, result), where


@means("max_pool1d_with_indices", "max_pool2d_with_indices", "max_pool3d_with_indices", by_name=True,
       says="the set of each window, padded with minus infinity; its indices may not be used", keeps=SET,
       masked=True)  # fmt: skip
def max_pool(
    f: Field,
    operation: Any,
    a: Value,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> tuple[Value, Unknown]:
    rank = int(str(operation).partition("pool")[2][0])
    kernel, padding, dilation = (_each(x, rank) for x in (kernel, padding, dilation))
    stride = _each(stride, rank) if stride else kernel
    where = windows(
        a.shape[-rank:],
        kernel,
        stride,
        padding,
        dilation,
        ceil_mode,
        _sizes(operation, a, kernel, stride, padding, dilation, ceil_mode),
    )
    f.account.compare(a.degree)
    held = names_of(f, a)
    outside, index = where < 0, where.clamp_min(0).to(a.planes.device)
    width, taps, flat = held.shape[1], where.shape[0], a.planes.flatten(-rank)
    planes = flat[..., index]  # (r, lead, taps, *out)
    names = held.flatten(-rank)[..., index].masked_fill(outside.to(a.planes.device), absent(f))
    lead = planes.dim() - index.dim() - 1
    names = names.movedim(2 + lead, 2).flatten(1, 2)
    planes = planes.movedim(1 + lead, 1).unsqueeze(1).expand(-1, width, taps, *[-1] * (lead + rank)).flatten(1, 2)
    result = greatest(f, names, planes, a.degree)
    return result, Unknown(result.shape)


def _each(x: Any, rank: int) -> list[int]:
    x = [x] if isinstance(x, int) else list(x)
    return x * rank if len(x) == 1 else x


def _sizes(operation: Any, a: Value, *options: Any) -> list[int]:
    """Output sizes, from torch's own rule, on zeros."""
    rank = len(options[0])
    return list(operation(a.planes.new_zeros((1, 1, *a.shape[-rank:])), *options)[0].shape[2:])


def windows(
    sizes: torch.Size,
    kernel: list[int],
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    ceil: bool,
    out: list[int],
) -> Tensor:
    """Flat index of each tap of each window, -1 in the padding: `(taps, *out)`."""
    flat = torch.zeros((1,) * (2 * len(kernel)), dtype=torch.int64)
    inside = torch.ones_like(flat, dtype=torch.bool)
    rank = len(kernel)
    for axis, (n, k, s, p, d, o) in enumerate(zip(sizes, kernel, stride, padding, dilation, out, strict=True)):
        at = (torch.arange(o) * s - p)[None] + (torch.arange(k) * d)[:, None]  # (k, o)
        shape = [1] * (2 * rank)
        shape[axis], shape[rank + axis] = k, o
        flat = flat * n + at.view(shape)
        inside = inside & ((at >= 0) & (at < n)).view(shape)
    return torch.where(inside, flat, -1).flatten(0, rank - 1)


@means("adaptive_max_pool2d", "adaptive_max_pool3d", by_name=True,
       says="the set of each region; its indices may not be used", keeps=SET, masked=True)  # fmt: skip
def adaptive_max_pool(f: Field, operation: Any, a: Value, size: Any) -> tuple[Value, Unknown]:
    rank = len(size)
    parts = a
    for axis, n in zip(range(a.dim - rank, a.dim), size, strict=True):
        parts = _regions(f, parts, axis, n)
    return parts, Unknown(parts.shape)


def _regions(f: Field, a: Value, axis: int, count: int) -> Value:
    """Along one axis: regions `floor(i n / m) ... ceil((i + 1) n / m)`."""
    n, held = a.shape[axis], names_of(f, a)
    pieces = []
    for i in range(count):
        first, last = i * n // count, -(-(i + 1) * n // count)
        part = Value(
            a.planes.narrow(axis + 1, first, last - first), a.degree, held.narrow(axis + 2, first, last - first), a.masked
        )
        pieces.append(over_axes(f, part, [axis], True))
    width = max(names_of(f, p).shape[1] for p in pieces)
    names = torch.cat([widened(names_of(f, p), width) for p in pieces], axis + 2)
    return Value(torch.cat([p.planes for p in pieces], axis + 1), pieces[0].degree, names, any(p.masked for p in pieces))


def _between(f: Field, a: Value, low: Any, high: Any) -> Value:
    """Bounds that are tensors: the greater of one, the less of the other."""
    a = a if low is None else maximum(f, a, low)
    return a if high is None else minimum(f, a, high)


@means("clamp", "clamp_min", "clamp_max", "hardtanh", by_name=True,
       says="relu where the bounds are those of relu, else a free function",
       keeps="same argument and bounds, same value")  # fmt: skip
def clamp(f: Field, operation: Any, a: Value, low: Any = None, high: Any = None, **named: Any) -> Value:
    name = str(operation)
    low, high = named.get("min", low), named.get("max", high)
    if "clamp_max" in name:
        low, high = None, low
    if "hardtanh" in name:
        low, high = (-1.0 if low is None else low), (1.0 if high is None else high)
    if isinstance(low, Value) or isinstance(high, Value):
        return _between(f, a, low, high)
    high = None if high == math.inf else high
    low = None if low == -math.inf or (low is not None and low <= 0 and a.degree.sign >= NONNEGATIVE) else low
    if low is None and high is None:
        return a
    if high is None and low == 0:
        return relu(f, a) if f.sets and not a.masked else f.free("relu", a, at_zero=0.0)
    if low is not None and high is None and f.sets and not a.masked:
        return maximum(f, a, f.scalar(low, a.planes.device))
    bounds = (None if low is None else float(low), None if high is None else float(high))
    at_zero = 0.0 if (low is None or low <= 0) and (high is None or high >= 0) else None
    return f.free(("clamp", *bounds), a, at_zero=at_zero)
