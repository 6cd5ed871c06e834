"""Average pooling: window sums are exact in float64, the count of each window is divided by exactly."""

from __future__ import annotations

from typing import Any

import torch

from coequal.proofs.field.arithmetic import Field, Value
from coequal.proofs.field.semantics.table import RATIONAL, means

Tensor = torch.Tensor


@means("avg_pool1d", "avg_pool2d", "avg_pool3d", by_name=True,
       says="the sum of each window over its count, padding counted as torch does",
       keeps=RATIONAL)  # fmt: skip
def avg_pool(
    f: Field,
    operation: Any,
    a: Value,
    kernel: Any,
    stride: Any = (),
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Value:
    rank = int(str(operation).partition("pool")[2][0])
    options = [kernel, stride or kernel, padding, ceil_mode, count_include_pad]
    if rank == 1:  # torch sums in one dimension by way of two
        wide = [[1, *_list(x)] for x in (kernel, stride or kernel)] + [[0, *_list(padding)], ceil_mode, count_include_pad]
        flat = Value(a.planes.unsqueeze(-2), a.degree)
        pooled = _pool(f, torch.ops.aten.avg_pool2d, flat, wide, None, 2)
        return Value(pooled.planes.squeeze(-2), pooled.degree)
    return _pool(f, operation, a, options, divisor_override, rank)


def _list(x: Any) -> list[int]:
    return [x] if isinstance(x, int) else list(x)


def _pool(f: Field, call: Any, a: Value, options: list, divisor: int | None, rank: int) -> Value:
    f.terms(torch.Size([max(_list(k)) ** rank for k in [options[0]]]).numel())
    sums = torch.stack([call(plane, *options, 1) for plane in a.planes])
    total = Value(f.reduce(sums), a.degree)
    if divisor is not None:
        return f.divided(total, divisor)
    ones = a.planes.new_ones((1, 1, *a.shape[-rank:]))
    counts = (call(ones, *options, 1) / call(ones, *options)).round()[0, 0]  # how many each window was divided by
    return f.times(total, inverses(f, counts))


def inverses(f: Field, counts: Tensor) -> Value:
    """`1 / n` for small whole numbers n."""
    distinct, where = counts.unique(return_inverse=True)
    table = [f.whole(int(n), counts.device, inverse=True) for n in distinct.tolist()]
    return Value(torch.stack([v.planes for v in table], 1)[:, where], table[0].degree)


@means("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_avg_pool1d", says="the mean of each region", keeps=RATIONAL)
def adaptive_avg_pool(f: Field, a: Value, size: Any) -> Value:
    for axis, count in zip(range(a.dim - len(size), a.dim), size, strict=True):
        a = _regions(f, a, axis, count)
    return a


def _regions(f: Field, a: Value, axis: int, count: int) -> Value:
    """Along one axis: regions `floor(i n / m) ... ceil((i + 1) n / m)`; the mean of a box is the mean of means."""
    n, parts = a.shape[axis], []
    for i in range(count):
        first, last = i * n // count, -(-(i + 1) * n // count)
        parts.append(f.mean(Value(a.planes.narrow(axis + 1, first, last - first), a.degree), [axis], keep=True))
    return Value(torch.cat([p.planes for p in parts], axis + 1), parts[0].degree)
