"""What elementary functions are in terms of exponentials and logarithms, for draws in which exponents add up.

Free functions know nothing of one another: `sigmoid(x)` is not `1 / (1 + exp(-x))`. These are the definitions, exact over
the reals; what torch computes by another rule beyond a threshold (softplus) is not among them.
"""

from __future__ import annotations

from collections.abc import Callable

from coequal.proofs.field.arithmetic import Field, Value


def _one(f: Field, a: Value) -> Value:
    return f.whole(1, a.planes.device)


def _sigmoid(f: Field, a: Value) -> Value:
    e = f.exponential(a)
    return f.over(e, f.plus(e, _one(f, a)))


def _tanh(f: Field, a: Value) -> Value:
    e = f.power(f.exponential(a), 2)
    return f.over(f.minus(e, _one(f, a)), f.plus(e, _one(f, a)))


def _sinh(f: Field, a: Value) -> Value:
    e = f.exponential(a)
    return f.divided(f.minus(e, f.inverse(e)), 2)


def _cosh(f: Field, a: Value) -> Value:
    e = f.exponential(a)
    return f.divided(f.plus(e, f.inverse(e)), 2)


def _expm1(f: Field, a: Value) -> Value:
    return f.minus(f.exponential(a), _one(f, a))


def _log1p(f: Field, a: Value) -> Value:
    return f.logarithm(f.plus(a, _one(f, a)))


def _logit(f: Field, a: Value) -> Value:
    return f.logarithm(f.over(a, f.minus(_one(f, a), a)))


def _softplus(f: Field, a: Value) -> Value:
    return f.logarithm(f.plus(f.exponential(a), _one(f, a)))


EVERYWHERE = ("softplus", "1", "inf")  # log(1 + exp(x)), whatever x is
LOGIT = ("logit", "None")
DEFINITIONS: dict[object, Callable[[Field, Value], Value]] = {
    "sigmoid": _sigmoid,
    "special_expit": _sigmoid,
    "tanh": _tanh,
    "sinh": _sinh,
    "cosh": _cosh,
    "expm1": _expm1,
    "log1p": _log1p,
    LOGIT: _logit,
    EVERYWHERE: _softplus,
}
