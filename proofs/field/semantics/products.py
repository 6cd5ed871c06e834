"""Sums of products: matrix products and convolutions, in torch's own float64 kernels.

A canary watches that those kernels compute plain sums of products: some elements are recomputed with Python's integers.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from coequal.proofs.field.arithmetic import Field, Value
from coequal.proofs.field.errors import NotDecided, NotExact
from coequal.proofs.field.semantics.table import RING, means

Tensor = torch.Tensor
Products = Iterable[tuple[int, int]]
FEW = 1 << 13  # numbers up to which planes are convolved in one call
CANARIES = 64  # dot products that are recomputed, at most, in one draw


def watched(
    f: Field, call: Callable[..., Tensor], a: Value, b: Value, terms: int, products: Callable, *, at_once: bool = False
) -> Value:
    """`f.bilinear`, with one element of the first plane recomputed: `products(x, y, index)` are its factors."""
    result = f.bilinear(call, a, b, terms, at_once=at_once)
    if f.account.canaries < CANARIES and result.planes[0].numel() and not f.undefined:
        chosen = random.Random(f.account.spot_check())
        index = tuple(chosen.randrange(n) for n in result.shape)
        true = sum(x * y for x, y in products(a.planes[0], b.planes[0], index)) % f.primes[0]
        if int(result.planes[(0, *index)]) % f.primes[0] != true:
            raise NotExact(f"the backend's {getattr(call, '__name__', 'product')} is not exact on whole numbers in float64")
    return result


def _row_by_column(x: Tensor, y: Tensor, index: tuple[int, ...]) -> Products:
    *batch, i, j = index
    before: list[Any] = batch
    row, column = x[(*before, i)], y[(*before, slice(None), j)]
    return zip(map(int, row.tolist()), map(int, column.tolist()), strict=True)


@means("mm", "bmm", says="sum_k x[i, k] y[k, j]", keeps=RING)
def mm(f: Field, a: Value, b: Value) -> Value:
    return watched(f, torch.matmul, a, b, a.shape[-1], _row_by_column, at_once=a.dim == b.dim)


@means("addmm", "baddbmm", says="beta c + alpha x y", keeps=RING, masked=True)
def addmm(f: Field, c: Value, a: Value, b: Value, *, beta: float = 1, alpha: float = 1) -> Value:
    if a.masked or b.masked:
        raise NotDecided("minus infinity is multiplied")
    return f.plus(f.scaled(c, beta), f.scaled(mm(f, a, b), alpha))


@means("addbmm", says="beta c + alpha sum_b x[b] y[b]", keeps=RING)
def addbmm(f: Field, c: Value, a: Value, b: Value, *, beta: float = 1, alpha: float = 1) -> Value:
    return f.plus(f.scaled(c, beta), f.scaled(f.sum(mm(f, a, b), [0]), alpha))


@means("mv", says="sum_k x[i, k] y[k]", keeps=RING)
def mv(f: Field, a: Value, b: Value) -> Value:
    product = mm(f, a, Value(b.planes.unsqueeze(-1), b.degree))
    return Value(product.planes.squeeze(-1), product.degree)


@means("addmv", says="beta c + alpha x y", keeps=RING)
def addmv(f: Field, c: Value, a: Value, b: Value, *, beta: float = 1, alpha: float = 1) -> Value:
    return f.plus(f.scaled(c, beta), f.scaled(mv(f, a, b), alpha))


@means("dot", "vdot", says="sum_k x[k] y[k]", keeps=RING)
def dot(f: Field, a: Value, b: Value) -> Value:
    product = mv(f, Value(a.planes.unsqueeze(1), a.degree), b)
    return Value(product.planes.squeeze(1), product.degree)


@means("convolution", "_convolution",
       says="b[o] + sum_{c, k} w[o, c, k] x[c, S t + D k - P], strided, dilated, grouped, transposed",
       keeps=RING)  # fmt: skip
def convolution(
    f: Field,
    x: Value,
    w: Value,
    bias: Value | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    *_: Any,
) -> Value:
    rank = w.dim - 2
    if x.dim != rank + 2:
        raise NotDecided(f"a convolution of {x.dim} axes with a kernel of {w.dim}")
    options = (list(stride), list(padding), list(dilation), transposed, list(output_padding), groups)
    taps = math.prod(w.shape[2:])
    terms = taps * (w.shape[0] // groups if transposed else w.shape[1])

    def call(a: Tensor, b: Tensor) -> Tensor:
        return torch.ops.aten.convolution(a, b, None, *options)

    if transposed:
        y = f.bilinear(call, x, w, terms)
    elif groups == x.shape[1] == w.shape[0] and groups > 1:
        y = _depthwise(f, x, w, stride, padding, dilation)
    else:
        products = _patch(list(stride), list(padding), list(dilation), groups)
        few = x.planes.numel() <= FEW
        y = watched(f, _grouped(options) if few else call, x, w, terms, products, at_once=few)
    if bias is None:
        return y
    shaped = Value(bias.planes.view(bias.planes.shape[0], -1, *[1] * rank), bias.degree)
    return f.plus(y, shaped)


def _grouped(options: tuple) -> Callable[[Tensor, Tensor], Tensor]:
    """The convolution of all planes in one call: those of a plane are groups of their own."""
    *places, groups = options

    def convolved(x: Tensor, w: Tensor) -> Tensor:
        known, rows = x.shape[:2]
        joined = x.transpose(0, 1).reshape(rows, known * x.shape[2], *x.shape[3:])
        kernels = w.reshape(known * w.shape[1], *w.shape[2:])
        y = torch.ops.aten.convolution(joined, kernels, None, *places, known * groups)
        return y.view(rows, known, w.shape[1], *y.shape[2:]).transpose(0, 1).contiguous()

    return convolved


def _patch(stride: list[int], padding: list[int], dilation: list[int], groups: int) -> Callable[..., Products]:
    def products(x: Tensor, w: Tensor, index: tuple[int, ...]) -> Products:
        row, out, *place = index
        first = out // (w.shape[0] // groups) * w.shape[1]
        seen: list[Any] = [row, slice(first, first + w.shape[1])]
        taps: list[Any] = [out, slice(None)]
        for n, k, s, d, p, at in zip(x.shape[2:], w.shape[2:], stride, dilation, padding, place, strict=True):
            inside = [tap for tap in range(k) if 0 <= s * at + d * tap - p < n]
            if not inside:
                return []
            start = s * at - p
            seen.append(slice(start + d * inside[0], start + d * inside[-1] + 1, d))
            taps.append(slice(inside[0], inside[-1] + 1))
        patch, kernel = x[tuple(seen)].flatten().tolist(), w[tuple(taps)].flatten().tolist()
        return zip(map(int, patch), map(int, kernel), strict=True)

    return products


def _depthwise(
    f: Field, x: Value, w: Value, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> Value:
    """One channel each: shifted products added up tap by tap, which torch's float64 kernel would do channel by channel."""
    f.terms(math.prod(w.shape[2:]))
    edges = [side for p in reversed(padding) for side in (p, p)]
    padded = torch.nn.functional.pad(x.planes, edges) if any(edges) else x.planes
    sizes = [
        (n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(padded.shape[3:], dilation, w.shape[2:], stride, strict=True)
    ]
    known = min(padded.shape[0], w.planes.shape[0])
    total = padded.new_zeros((known, *padded.shape[1:3], *sizes))
    for taps in itertools.product(*map(range, w.shape[2:])):
        where: list[Any] = [
            slice(d * k, d * k + s * (n - 1) + 1, s) for d, k, s, n in zip(dilation, taps, stride, sizes, strict=True)
        ]
        tap: Any = (slice(0, known), slice(None), 0, *taps)
        factor = w.planes[tap].view(known, 1, -1, *[1] * len(sizes))
        place: Any = (slice(0, known), slice(None), slice(None), *where)
        total.addcmul_(padded[place], factor)
    return Value(f.reduce(total), x.degree.times(w.degree))
