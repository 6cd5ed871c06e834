"""Complex numbers, as the pairs of real ones that torch stores: each operation by real operations on both parts.

Residues belong to a storage, and its numbers are real, so `view_as_real` and `view_as_complex` are views like others. Primes
are 3 modulo 4: -1 is no square, and pairs are a field as complex numbers are. Fourier transforms are the products with
matrices that they are, of roots of unity that exist modulo each prime; so convolution theorems hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from coequal.proofs.field.arithmetic import Field, Value
from coequal.proofs.field.errors import NotDecided

Tensor = torch.Tensor
Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}
# give complex numbers where there were none
MAKES = {"complex", "polar", "_fft_r2c", "view_as_complex"}
MOST = 64  # of a whole power that is multiplied out


class Parts(NamedTuple):
    """Real and imaginary part; None: it is zero. Numbers of Python stay numbers."""

    re: Any
    im: Any


def parts(x: Any) -> Parts:
    """Of a tensor or a number."""
    if isinstance(x, Tensor) and x.is_complex():
        return Parts(*torch.view_as_real(x.resolve_conj()).unbind(-1))
    if isinstance(x, complex):
        return Parts(x.real, x.imag)
    return Parts(x, None)


def joined(re: Tensor, im: Tensor | float | None) -> Tensor:
    """A complex tensor of both parts, which broadcast."""
    other = im if isinstance(im, Tensor) else torch.full_like(re, im or 0.0)
    return torch.view_as_complex(torch.stack(torch.broadcast_tensors(re, other), -1))


def is_complex(args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether a complex tensor or number is among arguments, in lists, too, or a complex format is asked for."""
    return any(
        isinstance(x, complex)
        or (isinstance(x, Tensor) and x.is_complex())
        or (isinstance(x, torch.dtype) and x.is_complex)
        or (isinstance(x, (list, tuple)) and is_complex(x, {}))
        for x in (*args, *kwargs.values())
    )


def means(*names: str) -> Callable[[Rule], Rule]:
    """Decorator: the rule for these operations where complex numbers are among their arguments or results."""

    def add(rule: Rule) -> Rule:
        for name in names:
            assert name not in RULES, f"two meanings of {name} of complex numbers"
            RULES[name] = rule
        return rule

    return add


def _plus(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a + b


def _minus(a: Any, b: Any) -> Any:
    return a if b is None else -b if a is None else a - b


def _times(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a * b


def _product(a: Parts, b: Parts) -> Parts:
    return Parts(_minus(_times(a.re, b.re), _times(a.im, b.im)), _plus(_times(a.re, b.im), _times(a.im, b.re)))


def _squared(a: Parts) -> Any:
    return a.re * a.re if a.im is None else a.re * a.re + a.im * a.im


def _tensor(a: Parts) -> Tensor:
    return joined(a.re, a.im)


# -- moves and sums: each part by itself --------------------------------------------------------------------------------

PARTWISE = (
    *("clone", "cat", "stack", "index", "index_select", "gather", "flip", "roll", "repeat"),
    *("slice_scatter", "select_scatter", "index_put", "tril", "triu", "_unsafe_view", "lift_fresh_copy", "unfold_backward"),
    *("sum", "mean", "cumsum", "neg"),
)
VALUES = {"cat", "stack", "index_put"}  # of whose tensors of whole numbers some may be numbers, and not places


def partwise(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """An operation that takes each part by itself: of what is real, the imaginary part is zero."""

    def part(x: Any, i: int) -> Any:
        if isinstance(x, Tensor) and (x.is_complex() or x.is_floating_point()):
            found = parts(x)[i]
            return torch.zeros_like(x) if found is None else found
        return type(x)(part(y, i) for y in x) if type(x) in (list, tuple) else x

    kept = {key: x for key, x in kwargs.items() if not (isinstance(x, torch.dtype) and x.is_complex)}
    re, im = (operation(*(part(x, i) for x in args), **{key: part(x, i) for key, x in kept.items()}) for i in range(2))
    return joined(re, im)


def _whole_values(name: str, args: tuple[Any, ...]) -> bool:
    """Whether whole numbers are put beside complex ones."""
    values = args[2:] if name == "index_put" else args[0]
    return any(isinstance(x, Tensor) and not (x.is_complex() or x.is_floating_point()) for x in values)


@means("where")
def where(condition: Tensor, a: Any, b: Any) -> Tensor:
    x, y = parts(a), parts(b)
    re = torch.where(condition, x.re, y.re)
    if x.im is None and y.im is None:
        return joined(re, None)
    return joined(re, torch.where(condition, _or_zero(x), _or_zero(y)))


def _or_zero(a: Parts) -> Any:
    if a.im is not None:
        return a.im
    return torch.zeros_like(a.re) if isinstance(a.re, Tensor) else 0.0


@means("masked_fill")
def masked_fill(x: Tensor, mask: Tensor, value: Any) -> Tensor:
    (re, im), filled = parts(x), parts(value)
    im = torch.zeros_like(re) if im is None else im
    return joined(re.masked_fill(mask, filled.re), im.masked_fill(mask, _or_zero(filled)))


@means("constant_pad_nd")
def constant_pad_nd(x: Tensor, pad: Sequence[int], value: Any = 0) -> Tensor:
    (re, im), filled = parts(x), parts(value)
    pad = list(pad)
    return joined(torch.constant_pad_nd(re, pad, filled.re), torch.constant_pad_nd(im, pad, filled.im or 0.0))


@means("_conj", "_conj_physical")
def conj(x: Tensor) -> Tensor:
    """A copy: torch's own is a view with a mark on it."""
    re, im = parts(x)
    return joined(re, -im)


@means("_to_copy")
def to_copy(x: Tensor, *, dtype: torch.dtype | None = None, **named: Any) -> Tensor:
    """Formats count as exact; what is real gets an imaginary part of zero."""
    kind = x.dtype if dtype is None else dtype
    if not kind.is_complex:
        raise NotDecided("the imaginary part is thrown away")
    real = {torch.complex128: torch.float64, torch.complex64: torch.float32}.get(kind)
    if real is None:
        raise NotDecided(f"complex numbers of {kind}")
    re, im = parts(x)
    named.pop("memory_format", None)
    return joined(re.to(real, **named), None if im is None else im.to(real, **named))


@means("complex")
def complex_of(re: Tensor, im: Tensor) -> Tensor:
    return joined(re, im)


@means("polar")
def polar(radius: Tensor, angle: Tensor) -> Tensor:
    return joined(radius * torch.cos(angle), radius * torch.sin(angle))


# -- arithmetic ---------------------------------------------------------------------------------------------------------


@means("add")
def add(a: Any, b: Any, *, alpha: Any = 1) -> Tensor:
    x, y = parts(a), parts(b)
    y = y if alpha == 1 else _product(y, parts(alpha))
    return _tensor(Parts(_plus(x.re, y.re), _plus(x.im, y.im)))


@means("sub")
def sub(a: Any, b: Any, *, alpha: Any = 1) -> Tensor:
    x, y = parts(a), parts(b)
    y = y if alpha == 1 else _product(y, parts(alpha))
    return _tensor(Parts(_minus(x.re, y.re), _minus(x.im, y.im)))


@means("rsub")
def rsub(a: Any, b: Any, *, alpha: Any = 1) -> Tensor:
    x, y = parts(a), parts(b)
    x = x if alpha == 1 else _product(x, parts(alpha))
    return _tensor(Parts(_minus(y.re, x.re), _minus(y.im, x.im)))


@means("mul")
def mul(a: Any, b: Any) -> Tensor:
    return _tensor(_product(parts(a), parts(b)))


@means("div")
def div(a: Any, b: Any) -> Tensor:
    """Times the conjugate, over the square of the magnitude."""
    x, y = parts(a), parts(b)
    if y.im is None:
        return _tensor(Parts(x.re / y.re, None if x.im is None else x.im / y.re))
    size = _squared(y)
    top = _product(x, Parts(y.re, -y.im))
    return _tensor(Parts(top.re / size, top.im / size))


@means("reciprocal")
def reciprocal(x: Tensor) -> Tensor:
    a = parts(x)
    size = _squared(a)
    return joined(a.re / size, -a.im / size)


@means("pow")
def power(x: Any, exponent: Any) -> Tensor:
    """Whole powers, multiplied out."""
    if not isinstance(exponent, (int, float)) or exponent != int(exponent) or abs(exponent) > MOST or not _is_tensor(x):
        raise NotDecided("a power of complex numbers that is not whole, or too high")
    base, result = parts(x), Parts(torch.ones_like(parts(x).re), None)
    for _ in range(abs(int(exponent))):
        result = _product(result, base)
    return reciprocal(_tensor(result)) if exponent < 0 else _tensor(result)


def _is_tensor(x: Any) -> bool:
    return isinstance(x, Tensor)


@means("addcmul")
def addcmul(a: Tensor, b: Tensor, c: Tensor, *, value: Any = 1) -> Tensor:
    return add(a, mul(mul(b, c), value))


@means("exp")
def exp(x: Tensor) -> Tensor:
    """`e^re (cos im + i sin im)`."""
    re, im = parts(x)
    size = torch.exp(re)
    return joined(size * torch.cos(im), size * torch.sin(im))


@means("abs")
def magnitude(x: Tensor) -> Tensor:
    return torch.sqrt(_squared(parts(x)))


@means("angle")
def angle(x: Tensor) -> Tensor:
    re, im = parts(x)
    return torch.atan2(im, re)


# -- products of matrices -----------------------------------------------------------------------------------------------


def _matrices(call: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> Tensor:
    x, y = parts(a), parts(b)

    def of(one: Tensor | None, other: Tensor | None) -> Tensor | None:
        return None if one is None or other is None else call(one, other)

    return _tensor(Parts(_minus(of(x.re, y.re), of(x.im, y.im)), _plus(of(x.re, y.im), of(x.im, y.re))))


@means("mm")
def mm(a: Tensor, b: Tensor) -> Tensor:
    return _matrices(torch.mm, a, b)


@means("bmm")
def bmm(a: Tensor, b: Tensor) -> Tensor:
    return _matrices(torch.bmm, a, b)


@means("mv")
def mv(a: Tensor, b: Tensor) -> Tensor:
    return _matrices(torch.mv, a, b)


@means("dot")
def dot(a: Tensor, b: Tensor) -> Tensor:
    return _matrices(torch.dot, a, b)


@means("vdot")
def vdot(a: Tensor, b: Tensor) -> Tensor:
    return dot(conj(a), b)


@means("addmm", "baddbmm")
def addmm(c: Tensor, a: Tensor, b: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    return add(mul(c, beta), mul(_matrices(torch.matmul, a, b), alpha))


# -- Fourier transforms -------------------------------------------------------------------------------------------------


def waves(field: Field, rows: int, columns: int, order: int) -> tuple[Value, Value]:
    """`cos(2 pi j k / order)` and its sine, `(rows, columns)`."""
    where = torch.outer(torch.arange(rows), torch.arange(columns)) % order
    cosine, sine = field.circle_of(order)
    return Value(cosine.planes[:, where], cosine.degree), Value(sine.planes[:, where], sine.degree)


Waves = Callable[[int, int, int, Tensor], tuple[Tensor, Tensor]]  # the last: whose format and place they have


def _along(x: Tensor, axis: int, matrix: Tensor) -> Tensor:
    return torch.movedim(torch.matmul(torch.movedim(x, axis, -1), matrix), -1, axis)


def _scaled(x: Tensor, n: int, normalization: int) -> Tensor:
    """By nothing, `1 / sqrt(n)`, or `1 / n`, as torch numbers it."""
    return x if normalization == 0 else x / (math.sqrt(n) if normalization == 1 else n)


def c2c(waves_of: Waves, x: Tensor, axes: Sequence[int], normalization: int, forward: bool) -> Tensor:
    """`sum_j x_j (cos - i sin)(2 pi j k / n)`, backwards with plus, along each axis in turn."""
    re, im = parts(x)
    im = torch.zeros_like(re) if im is None else im
    count = math.prod(re.shape[axis] for axis in axes)
    for axis in axes:
        n = re.shape[axis]
        cosine, sine = waves_of(n, n, n, re)
        sine = sine if forward else -sine
        re, im = (
            _along(re, axis, cosine) + _along(im, axis, sine),
            _along(im, axis, cosine) - _along(re, axis, sine),
        )
    return joined(_scaled(re, count, normalization), _scaled(im, count, normalization))


def r2c(waves_of: Waves, x: Tensor, axes: Sequence[int], normalization: int, onesided: bool) -> Tensor:
    """Of real numbers, of which half the frequencies say all: along the last of the axes those, then along the others."""
    axis, count = axes[-1], math.prod(x.shape[axis] for axis in axes)
    n = x.shape[axis]
    waves = waves_of(n, n // 2 + 1 if onesided else n, n, x)
    re, im = (_scaled(_along(x, axis, wave), count, normalization) for wave in waves)
    half = joined(re, -im)
    return c2c(waves_of, half, axes[:-1], 0, True) if len(axes) > 1 else half


def c2r(waves_of: Waves, x: Tensor, axes: Sequence[int], normalization: int, last: int) -> Tensor:
    """Back to `last` real numbers along the last of the axes, the other half of the frequencies being conjugate.

    Imaginary parts at frequency zero, and at the middle one of an even length, are not looked at.
    """
    axis = axes[-1]
    re, im = parts(c2c(waves_of, x, axes[:-1], 0, False) if len(axes) > 1 else x)
    half = last // 2 + 1
    twice = torch.full((half, 1), 2.0, dtype=re.dtype)
    twice[0] = 1.0
    if last % 2 == 0:
        twice[-1] = 1.0
    cosine, sine = waves_of(half, last, last, re)
    re, im = re.narrow(axis, 0, half), im.narrow(axis, 0, half)
    real = _along(re, axis, cosine * twice) - _along(im, axis, sine * twice)
    count = last * math.prod(x.shape[a] for a in axes[:-1])
    return _scaled(real, count, normalization)


FOURIER = {"_fft_c2c": c2c, "_fft_r2c": r2c, "_fft_c2r": c2r}


def evaluated(operation: Any, name: str, waves_of: Waves, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """An operation on complex numbers, or one that makes them; NotDecided where it has no rule."""
    if name in FOURIER:
        return FOURIER[name](waves_of, *args, **kwargs)
    if name in PARTWISE and not (name in VALUES and _whole_values(name, args)):
        return partwise(operation, args, kwargs)
    if name not in RULES:
        raise NotDecided("it has no meaning for complex numbers here yet")
    return RULES[name](*args, **kwargs)


def write(target: Tensor, value: Any) -> None:
    """A tensor or a number into a complex tensor, in place."""
    if not target.is_complex() or target.is_conj():
        raise NotDecided("complex numbers are written into real ones, or into a conjugate view")
    (re, im), places = parts(value), torch.view_as_real(target)
    for place, part in ((places.select(-1, 0), re), (places.select(-1, 1), 0.0 if im is None else im)):
        if isinstance(part, Tensor):
            place.copy_(part)
        else:
            place.fill_(part)
