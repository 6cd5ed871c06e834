"""Order statistics: free functions of the multiset of their arguments; the least and the greatest are minimum and maximum.

The k-th of n numbers does not depend on their order. What is kept is that alone: a window that is a ring has the same median
as one that is shifted. Where all members are the same, so is each of them.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import torch

from coequal.proofs.field.arithmetic import Field, Value
from coequal.proofs.field.degree import VARIABLE
from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.numbers import hash as hashing
from coequal.proofs.field.semantics.algebra import neg
from coequal.proofs.field.semantics.maxima import Unknown, over_axes
from coequal.proofs.field.semantics.sets import names_of, widened
from coequal.proofs.field.semantics.table import means

ORDER = "order of the members"


def statistic(f: Field, a: Value, axis: int, k: int) -> Value:
    """The k-th least along an axis of the tensor, k counted from zero; the axis is gone."""
    count = a.shape[axis]
    if k == count - 1:
        return over_axes(f, a, [axis], False)
    if k == 0:
        return neg(f, over_axes(f, neg(f, a), [axis], False))
    f.account.compare(a.degree)
    halves = hashing.digests([a.planes], f.seed)
    sums = [hashing.mix(hashing.mix(half ^ hashing.key(f.seed, "multiset", h)).sum(axis)) for h, half in enumerate(halves)]
    planes = hashing.spread((sums[0], sums[1]), f.primes, f.seed, ("order", k, count))
    known, first = a.planes.shape[0], a.planes.select(axis + 1, 0)
    alike = (a.planes == first.unsqueeze(axis + 1)).all(axis + 1).all(0)
    f.account.apply(count * int(alike.numel()))
    f.account.use("order")
    degree = replace(VARIABLE.plus(a.degree), sign=a.degree.sign, piecewise=True)
    return Value(torch.where(alike, first, planes[:known]), degree)


def _stacked(f: Field, values: list[Value], axis: int) -> Value:
    """Along a new axis."""
    width = max(names_of(f, value).shape[1] for value in values)
    names = torch.stack([widened(names_of(f, value), width) for value in values], axis + 2)
    degree = functools.reduce(lambda one, other: one.beside(other), (value.degree for value in values))
    return Value(torch.stack([value.planes for value in values], axis + 1), degree, names)


def _all(f: Field, a: Value, axis: int, places: list[int]) -> tuple[Value, Unknown]:
    values = _stacked(f, [statistic(f, a, axis, k) for k in places], axis)
    return values, Unknown(values.shape)


@means("sort", "sort.stable", says="its order statistics, minimum and maximum at the ends; its indices may not be used",
       keeps=ORDER)  # fmt: skip
def sort(f: Field, a: Value, dim: int = -1, descending: bool = False, stable: Any = None) -> tuple[Value, Unknown]:
    places = list(range(a.shape[dim % a.dim]))
    return _all(f, a, dim % a.dim, places[::-1] if descending else places)


@means("topk", says="the last order statistics, or the first; its indices may not be used", keeps=ORDER)
def topk(f: Field, a: Value, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Value, Unknown]:
    if not sorted:
        raise NotDecided("topk in no order: torch does not say which")
    count = a.shape[dim % a.dim]
    return _all(f, a, dim % a.dim, [count - 1 - i if largest else i for i in range(k)])


@means("kthvalue", says="one of them; its index may not be used", keeps=ORDER)
def kthvalue(f: Field, a: Value, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Value, Unknown]:
    return _one(f, a, dim, k - 1, keepdim)


@means("median.dim", says="the lower one of the middle; its index may not be used", keeps=ORDER)
def median(f: Field, a: Value, dim: int = -1, keepdim: bool = False) -> tuple[Value, Unknown]:
    return _one(f, a, dim, (a.shape[dim % a.dim] - 1) // 2, keepdim)


@means("median", says="the same of all elements", keeps=ORDER)
def median_of_all(f: Field, a: Value) -> Value:
    flat = Value(a.planes.flatten(1), a.degree)
    return statistic(f, flat, 0, (flat.shape[0] - 1) // 2)


def _one(f: Field, a: Value, dim: int, k: int, keep: bool) -> tuple[Value, Unknown]:
    axis = dim % a.dim
    result = statistic(f, a, axis, k)
    if keep:
        result = _stacked(f, [result], axis)
    return result, Unknown(result.shape)
