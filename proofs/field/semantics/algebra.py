"""Sums, differences, quotients and powers, element by element and along axes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from coequal.proofs.field.arithmetic import Field, Value
from coequal.proofs.field.degree import NONNEGATIVE, POSITIVE
from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.semantics import sets
from coequal.proofs.field.semantics.table import CONGRUENCE, FREE, RATIONAL, RING, means

Axes = Any


def value(f: Field, x: Any, like: Value | None = None) -> Value:
    """A Value, of a number or of a tensor of whole numbers, too."""
    if isinstance(x, torch.Tensor):
        return f.constants(x)
    if isinstance(x, complex):
        raise NotDecided("complex numbers")
    return x if isinstance(x, Value) else f.scalar(x, "cpu" if like is None else like.planes.device)


def pair(f: Field, a: Any, b: Any) -> tuple[Value, Value]:
    """Two Values, of which at least one was one."""
    like = a if isinstance(a, Value) else b
    return value(f, a, like), value(f, b, like)


@means("add", says="x + alpha y", keeps=RING, masked=True)
def add(f: Field, a: Any, b: Any, *, alpha: float = 1) -> Value:
    raised = _is_raised_above_zero(a, b, alpha)
    a, b = pair(f, a, b)
    total = sets.plus(f, a, _scaled(f, b, alpha))
    return replace(total, degree=replace(total.degree, sign=POSITIVE)) if raised else total


def _is_raised_above_zero(a: Any, b: Any, alpha: float) -> bool:
    """Whether a number is added that takes all of the other's possible values above zero, as in `elu(x) + 1`."""
    if isinstance(b, (int, float)):
        return isinstance(a, Value) and a.above is not None and a.above + alpha * b >= 0
    return isinstance(a, (int, float)) and isinstance(b, Value) and alpha == 1 and b.above is not None and b.above + a >= 0


@means("sub", says="x - alpha y", keeps=RING, masked=True)
def sub(f: Field, a: Any, b: Any, *, alpha: float = 1) -> Value:
    a, b = pair(f, a, b)
    return sets.minus(f, a, _scaled(f, b, alpha))


def _scaled(f: Field, a: Value, factor: float) -> Value:
    """By a number, as a set where it is one."""
    if a.names is None or a.masked or factor == 1 or not (f.sets or factor == -1):
        return f.scaled(a, factor)
    if factor == -1:
        return sets.negative(a)
    product = sets.times(f, a, f.scalar(abs(factor), a.planes.device))
    return sets.negative(product) if factor < 0 else product


@means("rsub", says="y - alpha x", keeps=RING, masked=True)
def rsub(f: Field, a: Any, b: Any, alpha: float = 1) -> Value:
    return sub(f, b, a, alpha=alpha)


@means("neg", says="-x", keeps=RING)
def neg(f: Field, a: Value) -> Value:
    return sets.negative(a)


@means("mul", says="x y", keeps=RING, masked=True)
def mul(f: Field, a: Any, b: Any) -> Value:
    factors = [x for x in (a, b) if isinstance(x, (int, float))]
    a, b = pair(f, a, b)
    for one, other in ((a, b), (b, a)):
        if one.masked and other.dim == 0 and not other.masked and other.degree.constant and min(factors, default=1) > 0:
            product = f.times(Value(one.planes, one.degree), other)  # the sign is that of scales: see `scaled`
            product.masked = True
            return product
    if a.masked or b.masked:
        raise NotDecided("minus infinity is multiplied")
    if factors:
        named = a if b.dim == 0 else b
        if named.names is not None and factors[0] != 1:
            return _scaled(f, named, factors[0])
    return square(f, a) if _one_and_the_same(a, b) else sets.times(f, a, b)


def _one_and_the_same(a: Value, b: Value) -> bool:
    """Whether two factors are the same elements of the same tensor."""
    x, y = a.planes, b.planes
    return (x.data_ptr(), x.shape, x.stride()) == (y.data_ptr(), y.shape, y.stride())


@means("div", says="x / y, by the inverse in each field; a zero divisor means: draw again", keeps=RATIONAL, masked=True)
def div(f: Field, a: Any, b: Any, *, rounding_mode: str | None = None) -> Value:
    if rounding_mode is not None:
        raise NotDecided(f"a quotient rounded by {rounding_mode!r}")
    a, b = pair(f, a, b)
    return mul(f, a, f.inverse(b))


@means("reciprocal", says="1 / x", keeps=RATIONAL)
def reciprocal(f: Field, a: Value) -> Value:
    return f.inverse(a)


@means("square", says="x^2", keeps=RING)
def square(f: Field, a: Value) -> Value:
    return f.squared(a)


@means("addcmul", says="x + c y z", keeps=RING)
def addcmul(f: Field, a: Value, b: Value, c: Value, *, value: float = 1) -> Value:
    return f.plus(a, f.scaled(f.times(b, c), value))


@means("addcdiv", says="x + c y / z", keeps=RATIONAL)
def addcdiv(f: Field, a: Value, b: Value, c: Value, *, value: float = 1) -> Value:
    return f.plus(a, f.scaled(f.over(b, c), value))


@means("lerp", says="x + w (y - x)", keeps=RING)
def lerp(f: Field, a: Value, b: Value, weight: Any) -> Value:
    return f.plus(a, f.times(f.minus(b, a), value(f, weight, a)))


@means("rsqrt", says="R(x), a free function, zero nowhere", keeps=CONGRUENCE, source=FREE)
def rsqrt(f: Field, a: Value) -> Value:
    return f.free("rsqrt", a)


@means(
    "sqrt",
    says="1 / R(x), so that sqrt and rsqrt are inverse to one another; squared it is x, where x is known not to be negative",
    keeps=CONGRUENCE,
    source=FREE,
)
def sqrt(f: Field, a: Value) -> Value:
    root = f.inverse(rsqrt(f, a))
    planes = root.planes.masked_fill((a.planes == 0).all(0), 0.0)
    if a.degree.sign >= NONNEGATIVE:
        f.radicands.note(planes[: f.count], a.planes, a.degree)
    return Value(planes, replace(root.degree, sign=a.degree.sign), monomial=root.monomial)


@means("pow", says="whole powers exactly, halves by sqrt and rsqrt, others as free functions, x^-a being 1 / x^a",
       keeps=RATIONAL)  # fmt: skip
def power(f: Field, base: Any, exponent: Any) -> Value:
    if isinstance(base, Value) and not isinstance(exponent, Value):
        if float(exponent).is_integer() and abs(exponent) <= 64:
            return f.power(base, int(exponent))
        if exponent in (0.5, -0.5):
            return (sqrt if exponent > 0 else rsqrt)(f, base)
        power_of = f.free(("pow", abs(float(exponent))), base)
        return f.inverse(power_of) if exponent < 0 else power_of
    base, exponent = pair(f, base, exponent)
    return f.free("pow", base, exponent)


WHOLE = 1 << 14  # greatest whole exponent


def whole(exponent: torch.Tensor) -> torch.Tensor | None:
    """Exponents that are whole and not too large, as integers; None: some are not."""
    numbers = exponent.detach().to(torch.float64)
    if not numbers.numel() or not bool(torch.isfinite(numbers).all()) or bool((numbers.abs() > WHOLE).any()):
        return None
    return numbers.to(torch.int64) if bool((numbers == numbers.round()).all()) else None


def whole_powers(f: Field, base: Value, exponents: torch.Tensor) -> Value:
    """`x^n`, element by element and broadcast, for whole n that are no data."""
    if bool((exponents < 0).any()):
        below = whole_powers(f, f.inverse(base), (-exponents).clamp(min=0))
        return f.times(below, whole_powers(f, base, exponents.clamp(min=0)))
    planes, powers = base.planes, exponents.unsqueeze(0)
    if planes.dim() < powers.dim():
        planes = planes.reshape(planes.shape[0], *[1] * (powers.dim() - planes.dim()), *planes.shape[1:])
    shape = torch.broadcast_shapes(planes.shape[1:], exponents.shape)
    result = planes.new_ones((planes.shape[0], *shape))
    most = int(exponents.max())
    for bit in range(most.bit_length()):
        result = f.reduce(result * torch.where((powers >> bit) & 1 == 1, planes, 1.0))
        planes = f.reduce(planes * planes)
    return Value(result, replace(base.degree.to_the(most), sign=base.degree.sign))


@means("sum", says="the sum over axes", keeps=RING)
def sum_(f: Field, a: Value, dim: Axes = None, keepdim: bool = False, *, dtype: Any = None) -> Value:
    return f.sum(a, _axes(dim), keep=keepdim)


@means("mean", says="the sum over axes, over the count", keeps=RATIONAL)
def mean(f: Field, a: Value, dim: Axes = None, keepdim: bool = False, *, dtype: Any = None) -> Value:
    return f.mean(a, _axes(dim), keep=keepdim)


def _axes(dim: Axes) -> list[int] | None:
    """None and an empty list mean all axes."""
    if dim is None or dim == []:
        return None
    return [dim] if isinstance(dim, int) else list(dim)


@means("cumsum", says="all partial sums along an axis", keeps=RING)
def cumsum(f: Field, a: Value, dim: int, *, dtype: Any = None) -> Value:
    f.terms(a.shape[dim])
    return Value(f.reduce(a.planes.cumsum(_behind(a, dim))), a.degree)


@means("cumprod", "prod.dim_int", says="all partial products along an axis; or the whole one", keeps=RING, by_name=True)
def cumprod(f: Field, operation: Any, a: Value, dim: int, keepdim: bool = False, *, dtype: Any = None) -> Value:
    axis, parts = _behind(a, dim), list[Value]()
    for plane in a.planes.unbind(axis):
        now = Value(plane, a.degree)
        parts.append(f.times(parts[-1], now) if parts else now)
    if "cumprod" in str(operation):
        return Value(torch.stack([p.planes for p in parts], axis), parts[-1].degree)
    last = parts[-1].planes
    return Value(last.unsqueeze(axis) if keepdim else last, parts[-1].degree)


def _behind(a: Value, dim: int) -> int:
    """An axis of the tensor, counted among those of its planes."""
    return dim % max(1, a.dim) + 1


@means("var.correction", "var_mean.correction", "std.correction", "std_mean.correction", by_name=True,
       says="sum of (x - mean)^2 over n - correction; its root by sqrt", keeps=RATIONAL)  # fmt: skip
def variance(
    f: Field, operation: Any, a: Value, dim: Axes = None, *, correction: float | None = 1, keepdim: bool = False
) -> Any:
    axes = _axes(dim)
    middle = f.mean(a, axes, keep=True)
    count = a.planes[0].numel() // max(1, middle.planes[0].numel())
    spread = f.sum(square(f, f.minus(a, middle)), axes, keep=keepdim)
    result = f.divided(spread, count - int(1 if correction is None else correction))
    name = str(operation)
    result = sqrt(f, result) if "std" in name else result
    return (result, f.mean(a, axes, keep=keepdim)) if "_mean" in name else result


@means("hypot", says="sqrt of the sum of squares", keeps=RATIONAL)
def hypot(f: Field, a: Value, b: Value) -> Value:
    return sqrt(f, f.plus(square(f, a), square(f, b)))


@means("_euclidean_dist", "_cdist_forward", by_name=True, keeps=RATIONAL,
       says="sqrt of the sum of squared differences, of all pairs of rows")  # fmt: skip
def distances(f: Field, operation: Any, a: Value, b: Value, p: float = 2, *_: Any) -> Value:
    if p != 2:
        raise NotDecided(f"distances of order {p}")
    apart = f.minus(Value(a.planes.unsqueeze(-2), a.degree), Value(b.planes.unsqueeze(-3), b.degree))
    return sqrt(f, f.sum(square(f, apart), [-1]))


@means("linalg_solve_triangular", says="substitution, row by row; pivots are divisors", keeps=RATIONAL)
def solve_triangular(f: Field, a: Value, b: Value, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Value:
    if not left:
        turned = (Value(v.planes.transpose(-1, -2), v.degree) for v in (a, b))
        solved = solve_triangular(f, *turned, upper=not upper, unitriangular=unitriangular)
        return Value(solved.planes.transpose(-1, -2), solved.degree)
    size, rows = a.shape[-1], dict[int, Value]()
    for i in range(size - 1, -1, -1) if upper else range(size):
        row = Value(b.planes[..., i, :], b.degree)
        for j, known in rows.items():
            row = f.minus(row, f.times(Value(a.planes[..., i, j, None], a.degree), known))
        rows[i] = row if unitriangular else f.over(row, Value(a.planes[..., i, i, None], a.degree))
    degree = rows[0].degree
    for v in rows.values():
        degree = degree.beside(v.degree)
    return Value(torch.stack([rows[i].planes for i in range(size)], -2), degree)


@means("scatter_add", "index_add", by_name=True, says="what falls on the same place is added up", keeps=RING)
def scatter_add(
    f: Field, operation: Any, a: Value, dim: int, index: torch.Tensor, source: Value, *, alpha: float = 1
) -> Value:
    source = f.scaled(source, alpha)
    f.terms(index.numel())
    planes = [operation(x, dim, index, y) for x, y in zip(a.planes.unbind(0), source.planes.unbind(0), strict=False)]
    return Value(f.reduce(torch.stack(planes)), a.degree.plus(source.degree))


@means("linalg_vector_norm", says="sqrt of the sum of squares; of order 1, the sum of magnitudes", keeps=RATIONAL)
def vector_norm(f: Field, a: Value, ord: float = 2, dim: Axes = None, keepdim: bool = False, *, dtype: Any = None) -> Value:
    if ord == 1:
        return f.sum(f.free("abs", a, at_zero=0.0), _axes(dim), keep=keepdim)
    if ord != 2:
        raise NotDecided(f"a norm of order {ord}")
    return sqrt(f, f.sum(square(f, a), _axes(dim), keep=keepdim))
