"""Functions of one argument, known by congruence alone; exponentials and softmax."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch

from coequal.proofs.field.arithmetic import DIVISORS, INFINITE, OVERFLOW, Field, Value
from coequal.proofs.field.degree import NONNEGATIVE, POSITIVE
from coequal.proofs.field.elementary import EVERYWHERE
from coequal.proofs.field.errors import NotDecided
from coequal.proofs.field.semantics import sets
from coequal.proofs.field.semantics.algebra import cumsum, value
from coequal.proofs.field.semantics.pooling import inverses
from coequal.proofs.field.semantics.products import mm
from coequal.proofs.field.semantics.table import CONGRUENCE, FREE, means

Tensor = torch.Tensor


@dataclass(frozen=True)
class Known:
    """What is known of a function besides: its value at zero, and at minus infinity; None: nothing."""

    at_zero: float | None = None
    at_minus_infinity: float | None = None


UNARY: dict[str, Known] = {
    "relu": Known(0.0, 0.0),
    "sigmoid": Known(0.5, 0.0),
    "tanh": Known(0.0, -1.0),
    "erf": Known(0.0, -1.0),
    "softplus": Known(None, 0.0),
    "elu": Known(0.0),
    "celu": Known(0.0),
    "leaky_relu": Known(0.0),
    "softshrink": Known(0.0),
    "hardshrink": Known(0.0),
    "threshold": Known(),
    "abs": Known(0.0),
    "sin": Known(0.0),
    "cos": Known(1.0),
    "tan": Known(0.0),
    "asin": Known(0.0),
    "acos": Known(),
    "atan": Known(0.0),
    "sinh": Known(0.0),
    "cosh": Known(1.0),
    "asinh": Known(0.0),
    "log": Known(),
    "log2": Known(),
    "log10": Known(),
    "log1p": Known(0.0),
    "exp2": Known(1.0, 0.0),
    "expm1": Known(0.0, -1.0),
    "erfc": Known(1.0),
    "logit": Known(),
    "special_expit": Known(0.5),
}


SOFTPLUS = ("softplus", "1", "20")  # as `unary` names it with torch's default options


@means(*UNARY, says="a free function F of x and of its options; F(0) where the function's value there is known",
       keeps=CONGRUENCE, source=FREE, masked=True, by_name=True)  # fmt: skip
def unary(f: Field, operation: Any, a: Value, *options: Any, **named: Any) -> Any:
    name = operation.overloadpacket.__name__
    known = UNARY[name]
    if name == "log" and not a.masked:
        return f.logarithm(a)
    if name in ("relu", "abs") and a.degree.sign >= NONNEGATIVE and not a.masked:
        return a
    if f.sets and not a.masked and (joined := _as_set(f, name, a, options, named)) is not None:
        return joined
    label = (name, *_complete(operation, options, named)) if len(operation._schema.arguments) > 1 else name
    if a.masked and known.at_minus_infinity is None:
        raise NotDecided(f"{name} of minus infinity")
    plain = Value(a.planes.nan_to_num(0.0), a.degree) if a.masked else a
    if name in ("cos", "sin") and f.reaches_round(plain):
        return f.turned(plain)[name == "sin"]
    result = f.free(label, plain, at_zero=known.at_zero)
    result.above = _above(name, options, named)
    if a.masked:
        number = f.number(known.at_minus_infinity or 0.0, a.planes.device)[: len(result.planes)].view(-1, *[1] * a.dim)
        result.planes = torch.where(a.minus_infinity(), number, result.planes)
    return result


def _above(name: str, options: tuple, named: dict) -> float | None:
    """A number that all values are greater than: -1 of tanh, minus alpha of an elu."""
    if name not in ("elu", "celu"):
        return -1.0 if name in ("tanh", "erf", "expm1") else None
    alpha, scale, input_scale = [*options, 1.0, 1.0, 1.0][:3]
    alpha = named.get("alpha", alpha)
    return -alpha * scale if min(alpha, scale, input_scale) > 0 and not named.keys() - {"alpha"} else None


def _as_set(f: Field, name: str, a: Value, options: tuple, named: dict) -> Value | None:
    """What is the greater of two numbers, in draws that have sets."""
    if name == "relu":
        return sets.relu(f, a)
    if name == "abs" and a.names is None:
        return sets.magnitude(f, a)
    slope = named.get("negative_slope", options[0] if options else 0.01)
    if name == "leaky_relu" and 0 <= slope <= 1 and not (a.lower and a.names is not None):
        return sets.leaky(f, a, slope)
    return None


def _complete(operation: Any, options: tuple, named: dict) -> tuple:
    """All options in the order of the schema, defaults filled in: two spellings of a function have one name."""
    places = operation._schema.arguments[1:]
    given = dict(zip([p.name for p in places], options, strict=False)) | named
    return tuple(repr(given.get(p.name, p.default_value)) for p in places)


@means("silu", says="x sigmoid(x)", keeps=CONGRUENCE, source="Hendrycks & Gimpel, Gaussian error linear units, 2016")
def silu(f: Field, a: Value) -> Value:
    return f.times(a, f.free("sigmoid", a, at_zero=0.5))


@means("gelu", says="x (1 + erf(x / sqrt(2))) / 2; or by tanh, as the original does", keeps=CONGRUENCE,
       source="Hendrycks & Gimpel, Gaussian error linear units, 2016")  # fmt: skip
def gelu(f: Field, a: Value, *, approximate: str = "none") -> Value:
    if approximate == "tanh":
        inner = f.plus(a, f.scaled(f.power(a, 3), 0.044715))
        gate = f.free("tanh", f.scaled(inner, math.sqrt(2 / math.pi)), at_zero=0.0)
    else:
        gate = f.free("erf", f.scaled(a, math.sqrt(0.5)), at_zero=0.0)
    return f.scaled(f.times(a, f.plus(gate, f.whole(1, a.planes.device))), 0.5)


@means("mish", says="x tanh(softplus(x))", keeps=CONGRUENCE, source="Misra, Mish, BMVC 2020")
def mish(f: Field, a: Value) -> Value:
    return f.times(a, f.free("tanh", f.free(SOFTPLUS, a), at_zero=0.0))


@means("log_sigmoid_forward", says="-log(1 + exp(-x)), which softplus is below its threshold", keeps=CONGRUENCE)
def log_sigmoid(f: Field, a: Value) -> tuple[Value, Value]:
    soft = f.free(EVERYWHERE, Value(-a.planes, a.degree.unsigned()))
    return Value(-soft.planes, soft.degree.unsigned()), a


@means("hardsigmoid", says="relu6(x + 3) / 6", keeps=CONGRUENCE, source="Howard et al., MobileNetV3, ICCV 2019")
def hardsigmoid(f: Field, a: Value) -> Value:
    shifted = f.plus(a, f.whole(3, a.planes.device))
    return f.divided(f.free(("clamp", 0.0, 6.0), shifted, at_zero=0.0), 6)


@means("hardswish", says="x relu6(x + 3) / 6", keeps=CONGRUENCE, source="Howard et al., MobileNetV3, ICCV 2019")
def hardswish(f: Field, a: Value) -> Value:
    return f.times(a, hardsigmoid(f, a))


@means("_prelu_kernel", says="a free function of x and of the slope", keeps=CONGRUENCE, source=FREE)
def prelu(f: Field, a: Value, slope: Value) -> Value:
    return f.free("prelu", a, slope, at_zero=None)


@means("glu", says="x[first half] sigmoid(x[second half])", keeps=CONGRUENCE, source=FREE)
def glu(f: Field, a: Value, dim: int = -1) -> Value:
    left, gate = a.planes.chunk(2, dim % a.dim + 1)
    return f.times(Value(left, a.degree), f.free("sigmoid", Value(gate, a.degree), at_zero=0.5))


@means("exp", says="E(x), a free function with E(0) = 1 and E(-inf) = 0; optionally a homomorphism, E(x + y) = E(x) E(y)",
       keeps=CONGRUENCE, source=FREE, masked=True)  # fmt: skip
def exp(f: Field, a: Value) -> Value:
    if not a.degree.constant and DIVISORS not in f.account.assumptions.values():
        f.account.assume("overflow", OVERFLOW)
    return f.exponential(a)


@means(
    "_softmax",
    "_safe_softmax",
    by_name=True,
    masked=True,
    says="E(x_i) / sum_j E(x_j); beyond the reach of chains of primes E(x_i - m) / sum_j E(x_j - m), m the mean of the row",
    keeps="adding, removing, permuting terms",
)
def softmax(f: Field, operation: Any, a: Value, dim: int, *_: Any, **__: Any) -> Value:
    a = _masked_whole(f, a, dim)
    terms = f.exponential(a if f.levels == 1 or f.turns or f.reaches(a) else _centred(f, a, dim))
    total = f.sum(terms, [dim], keep=True)
    empty = (total.planes == 0).all(0)
    if "safe" in str(operation) and bool(empty.any()):
        total.planes = total.planes.masked_fill(empty, 1.0)  # the terms are all zero
    elif a.masked and bool(a.minus_infinity().all(dim).any()):
        raise NotDecided("softmax of a row that is masked out entirely, which is NaN")
    total.degree = replace(total.degree, sign=POSITIVE)
    return f.over(terms, total)


def _masked_whole(f: Field, a: Value, dim: int) -> Value:
    """Rows that one finite mask covers hold one and the same number, which absorbed all else: as good as zeros."""
    whole = a.minus_infinity().all(dim, keepdim=True)
    if not a.masked or INFINITE in f.account.used or not f.account.masks or not bool(whole.any()):
        return a
    if f.mixed or len(f.account.masks) > 1:
        raise NotDecided("a row that is masked out entirely, by masks of different size")
    f.account.assume("whole rows", "a row that is masked out entirely by a finite number is uniform")
    planes = a.planes.masked_fill(whole, 0.0)
    return Value(planes, a.degree.unsigned(), masked=bool(planes[0].isnan().any()))


def _centred(f: Field, a: Value, dim: int) -> Value:
    """Less the mean of what is not masked: the same for scores that differ by a number a row, which free E do not know."""
    finite = Value(a.planes.nan_to_num(0.0), a.degree)
    counts = (~a.minus_infinity()).sum(dim, keepdim=True).clamp_min(1)
    return f.minus(a, f.times(f.sum(finite, [dim], keep=True), inverses(f, counts)))


@means("_log_softmax", says="x_i - log sum_j E(x_j), log a free function", keeps="adding, removing, permuting terms")
def log_softmax(f: Field, a: Value, dim: int, *_: Any) -> Value:
    return f.minus(a, f.logarithm(f.sum(f.exponential(a), [dim], keep=True)))


@means("logsumexp", says="log sum_j E(x_j)", keeps="adding, removing, permuting terms", masked=True)
def logsumexp(f: Field, a: Value, dim: Any, keepdim: bool = False) -> Value:
    axes = [dim] if isinstance(dim, int) else list(dim)
    return f.logarithm(f.sum(f.exponential(a), axes, keep=keepdim))


@means("logaddexp", says="log(E(x) + E(y))", keeps=CONGRUENCE)
def logaddexp(f: Field, a: Value, b: Value) -> Value:
    return f.logarithm(f.plus(f.exponential(a), f.exponential(b)))


@means("logcumsumexp", says="log of all partial sums of E(x_j)", keeps=CONGRUENCE)
def logcumsumexp(f: Field, a: Value, dim: int) -> Value:
    return f.logarithm(cumsum(f, f.exponential(a), dim))


@means("atan2", says="a free function of both arguments, where no zero has a sign", keeps=CONGRUENCE, source=FREE)
def atan2(f: Field, a: Value, b: Value) -> Value:
    if not a.degree.constant and bool((a.planes[: f.count] == 0).all(0).any()):
        f.account.doubt("sign of zero", "the program asks for the sign of a zero that depends on data (atan2)")
    return f.free("atan2", a, b)


@means("isnan", "isinf", "isneginf", "isposinf", "isfinite", by_name=True, masked=True,
       says="numbers are finite; minus infinity is where a mask put it", keeps="all")  # fmt: skip
def classify(f: Field, operation: Any, a: Value) -> Tensor:
    masked = a.minus_infinity() if a.masked else torch.zeros(a.shape, dtype=torch.bool, device=a.planes.device)
    name = operation.overloadpacket.__name__
    return {"isinf": masked, "isneginf": masked, "isfinite": ~masked}.get(name, torch.zeros_like(masked))


@means("nan_to_num", says="x, which is finite", keeps="all")
def nan_to_num(f: Field, a: Value, *_: Any, **__: Any) -> Value:
    return a


def grouped(k: Value, q: Value) -> Value:
    """Keys or values for all heads of the queries, where a group of heads shares them (Ainslie et al., EMNLP 2023)."""
    heads, shared = q.planes.shape[-3], k.planes.shape[-3]
    if heads == shared or q.dim < 4:
        return k
    if heads % shared:
        raise NotDecided(f"{heads} heads of queries for {shared} of keys")
    return Value(k.planes.repeat_interleave(heads // shared, -3), k.degree)


@means("_scaled_dot_product_flash_attention_for_cpu", masked=True,
       says="softmax(scale q k^T + mask) v, scale 1 / sqrt(features) unless given", keeps="adding, removing, permuting keys",
       source="Vaswani et al., Attention is all you need, NeurIPS 2017, equation 1")  # fmt: skip
def attention(
    f: Field,
    q: Value,
    k: Value,
    v: Value,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: Any = None,
    scale: float | None = None,
) -> tuple[Value, Value]:
    if dropout_p:
        raise NotDecided("dropout in attention is random")
    k, v = grouped(k, q), grouped(v, q)
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = f.scaled(mm(f, q, Value(k.planes.transpose(-1, -2), k.degree)), factor)
    if is_causal:
        ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.planes.device).triu(1)
        scores = Value(scores.planes.masked_fill(ahead, torch.nan), scores.degree, masked=True)
    if isinstance(attn_mask, Tensor):
        scores = Value(scores.planes.masked_fill(~attn_mask, torch.nan), scores.degree, masked=True)
    elif attn_mask is not None:
        scores = f.plus(scores, value(f, attn_mask, scores))
    return mm(f, softmax(f, "_safe_softmax", scores, -1), v), logsumexp(f, scores, -1)
