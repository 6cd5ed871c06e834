"""Normalisation: means and variances are rational, `1 / sqrt(variance + eps)` is the free function R of the table."""

from __future__ import annotations

from typing import Any

from coequal.proofs.field.arithmetic import Field, Value
from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.semantics.algebra import rsqrt, square
from coequal.proofs.field.semantics.table import RATIONAL, means


def standardised(f: Field, a: Value, axes: list[int], eps: float) -> tuple[Value, Value, Value]:
    """`(x - mean) R(variance + eps)` along axes, the mean, and R: axes kept."""
    middle = f.mean(a, axes, keep=True)
    centred = f.minus(a, middle)
    spread = f.mean(square(f, centred), axes, keep=True)
    factor = rsqrt(f, f.plus(spread, f.scalar(eps, a.planes.device)))
    return f.times(centred, factor), middle, factor


def affine(f: Field, y: Value, weight: Value | None, bias: Value | None, shape: tuple[int, ...]) -> Value:
    """`y weight + bias`, both reshaped."""
    for parameter, combine in ((weight, f.times), (bias, f.plus)):
        if parameter is not None:
            y = combine(y, Value(parameter.planes.reshape(parameter.planes.shape[0], *shape), parameter.degree))
    return y


@means("native_layer_norm", says="(x - mean) R(var + eps) w + b over the last axes", keeps=RATIONAL,
       source="Ba, Kiros & Hinton, Layer normalization, 2016")  # fmt: skip
def layer_norm(f: Field, a: Value, shape: Any, weight: Value | None, bias: Value | None, eps: float) -> tuple:
    axes = list(range(a.dim - len(shape), a.dim))
    y, middle, factor = standardised(f, a, axes, eps)
    return affine(f, y, weight, bias, tuple(shape)), middle, factor


@means("native_group_norm", says="the same over the channels of a group and all positions", keeps=RATIONAL,
       source="Wu & He, Group normalization, ECCV 2018")  # fmt: skip
def group_norm(
    f: Field, a: Value, weight: Value | None, bias: Value | None, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple:
    grouped = Value(a.planes.reshape(a.planes.shape[0], N, group, -1), a.degree)
    y, middle, factor = standardised(f, grouped, [2], eps)
    shaped = Value(y.planes.reshape(y.planes.shape[0], *a.shape), y.degree)
    out = affine(f, shaped, weight, bias, (C, *[1] * (a.dim - 2)))
    return out, *(Value(s.planes.reshape(s.planes.shape[0], N, group), s.degree) for s in (middle, factor))


@means("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training", "_batch_norm_no_update",
       "cudnn_batch_norm", by_name=True,
       says="(x - mean) R(var + eps) w + b with running statistics, or with those of the clip", keeps=RATIONAL,
       source="Ioffe & Szegedy, Batch normalization, ICML 2015")  # fmt: skip
def batch_norm(f: Field, operation: Any, a: Value, weight: Value | None, bias: Value | None, *rest: Any) -> tuple:
    name = str(operation)
    mean: Any
    var: Any
    mean, var = (rest[0], rest[1]) if "no_stats" not in name else (None, None)
    eps = rest[-1]
    training = "no_training" not in name and "no_update" not in name and bool(rest[-3])
    shape = (a.shape[1], *[1] * (a.dim - 2))
    if training and mean is not None:
        raise NotDecided("batch norm in train mode changes its running statistics")
    if training or mean is None:
        y, middle, factor = standardised(f, a, [axis for axis in range(a.dim) if axis != 1], eps)
    else:
        middle, factor = mean, rsqrt(f, f.plus(var, f.scalar(eps, a.planes.device)))
        return _by_channel(f, a, middle, factor, weight, bias, shape), middle, factor
    return affine(f, y, weight, bias, shape), middle, factor


def _by_channel(
    f: Field, a: Value, mean: Value, factor: Value, weight: Value | None, bias: Value | None, shape: tuple[int, ...]
) -> Value:
    """`x s + (b - mean s)` with `s = R w`, multiplied out: one pass over the clip."""
    scale = factor if weight is None else f.times(factor, weight)
    shift = f.times(Value(-mean.planes, mean.degree), scale)
    shift = shift if bias is None else f.plus(shift, bias)
    return f.affine(a, _channels(scale, shape), _channels(shift, shape))


def _channels(v: Value, shape: tuple[int, ...]) -> Value:
    return Value(v.planes.reshape(v.planes.shape[0], *shape), v.degree)


@means("_fused_rms_norm", "rms_norm", by_name=True, says="x R(mean of x^2 + eps) w over the last axes", keeps=RATIONAL,
       source="Zhang & Sennrich, Root mean square layer normalization, NeurIPS 2019")  # fmt: skip
def rms_norm(f: Field, operation: Any, a: Value, shape: Any, weight: Value | None = None, eps: float | None = None) -> Any:
    import torch

    axes = list(range(a.dim - len(shape), a.dim))
    small = torch.finfo(torch.float64).eps if eps is None else eps
    factor = rsqrt(f, f.plus(f.mean(square(f, a), axes, keep=True), f.scalar(small, a.planes.device)))
    y = affine(f, f.times(a, factor), weight, None, tuple(shape))
    return (y, factor) if "_fused" in str(operation) else y
