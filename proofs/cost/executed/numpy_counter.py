"""An array that counts: it goes through the code of `reference/` in place of numbers and notes what is done to it.

    tally = Tally()
    layer({name: tally.ones(shape) ...}, tally.ones(clip.shape))
    tally.nominal["mul"]

It holds no values, only which elements are there: `present` is False for zeros of a padding and for what a mask takes out.
`nominal` counts every scalar operation that the code asks for, `effective` only those whose operands are all present (a sum
of terms has one addition less than it has present terms). The integer 0 that starts a sum, `0 + x`, is no operation. A
function without a rule raises NoRule: nothing is ever free by accident.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from coequal.proofs.cost.algebra.counts import CostError

# ufunc -> the count it belongs to; None: signs and selections are no operations
UFUNCS: dict[str, str | None] = {
    **dict.fromkeys(("multiply",), "mul"),
    **dict.fromkeys(("add", "subtract"), "add"),
    **dict.fromkeys(("divide", "true_divide"), "div"),
    **dict.fromkeys(("exp", "expm1", "log", "log1p", "tanh", "sqrt", "erf (vectorized)"), "exp"),
    **dict.fromkeys(("maximum", "minimum", "greater", "greater_equal", "less", "less_equal"), "compare"),
    **dict.fromkeys(("negative", "absolute", "sign"), None),
}
MOVES = {"concatenate", "stack", "split", "swapaxes", "moveaxis", "pad", "reshape", "transpose", "expand_dims"}


class NoRule(CostError):
    """The reference uses a function that nobody has said how to count."""


class Tally:
    """What has been done so far, nominal and effective."""

    def __init__(self) -> None:
        self.nominal: Counter[str] = Counter()
        self.effective: Counter[str] = Counter()

    def ones(self, shape: tuple[int, ...]) -> CountingArray:
        """An array of which everything is there."""
        return CountingArray(np.ones(shape, dtype=bool), self)

    def note(self, kind: str | None, nominal: int, effective: int) -> None:
        """So many operations more."""
        if kind is not None:
            self.nominal[kind] += int(nominal)
            self.effective[kind] += int(effective)


class CountingArray(np.lib.mixins.NDArrayOperatorsMixin):
    """Which elements are there, and the tally that every operation is noted in."""

    dtype = np.dtype(float)

    def __init__(self, present: np.ndarray, tally: Tally) -> None:
        self.present, self.tally = present, tally

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise NoRule("a counting array was turned into a NumPy array: its operations would go uncounted")

    shape = property(lambda self: self.present.shape)
    ndim = property(lambda self: self.present.ndim)
    size = property(lambda self: self.present.size)
    T = property(lambda self: self._like(self.present.T))

    def _like(self, present: Any) -> CountingArray:
        return CountingArray(np.asarray(present), self.tally)

    def __len__(self) -> int:
        return len(self.present)

    def __getitem__(self, index: Any) -> CountingArray:
        return self._like(self.present[index])

    def reshape(self, *shape: Any) -> CountingArray:
        """A move."""
        return self._like(self.present.reshape(*shape))

    def sum(self, axis: Any = None, keepdims: bool = False) -> CountingArray:
        """Additions."""
        return self._reduced("add", axis, keepdims)

    def _reduced(self, kind: str, axis: Any, keepdims: bool) -> CountingArray:
        """One operation less than there are terms, for each result."""
        terms = self.present.sum(axis=axis, keepdims=keepdims)
        self.tally.note(kind, self.present.size - np.size(terms), np.sum(np.maximum(terms - 1, 0)))
        return self._like(terms > 0)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> CountingArray:
        if method != "__call__":
            raise NoRule(f"no rule for {ufunc.__name__}.{method}")
        if ufunc is np.matmul:
            return self._matmul(*map(presence, inputs))
        name = ufunc.__name__
        if name not in UFUNCS:
            raise NoRule(f"no rule for the function {name}")
        if name == "add" and any(isinstance(x, int) and x == 0 for x in inputs):
            return next(x for x in inputs if isinstance(x, CountingArray))
        operands = np.broadcast_arrays(*map(presence, inputs))
        together = np.logical_and.reduce(operands)
        self.tally.note(UFUNCS[name], together.size, together.sum())
        product = UFUNCS[name] in ("mul", "div", "exp") or name in ("subtract",)
        return self._like(together if product else np.logical_or.reduce(operands))

    def _matmul(self, a: np.ndarray, b: np.ndarray) -> CountingArray:
        terms = np.matmul(a.astype(np.int64), b.astype(np.int64))
        nominal = terms.size * a.shape[-1]
        self.tally.note("mul", nominal, terms.sum())
        self.tally.note("add", nominal - terms.size, np.maximum(terms - 1, 0).sum())
        return self._like(terms > 0)

    def __array_function__(self, function: Callable, types: Any, args: Any, kwargs: Any) -> Any:
        name = function.__name__
        if name in ("sum", "max", "amax"):
            kind = "add" if name == "sum" else "compare"
            return args[0]._reduced(kind, kwargs.get("axis"), kwargs.get("keepdims", False))
        if name == "where":
            _, *choices = np.broadcast_arrays(*map(presence, args))
            return self._like(np.logical_or.reduce(choices))
        if name in ("zeros_like", "ones_like"):
            return self._like(np.full(args[0].shape, name == "ones_like"))
        if name == "full_like":
            return self._like(np.ones(args[0].shape, dtype=bool))
        if name not in MOVES:
            raise NoRule(f"no rule for the function numpy.{name}")
        if name == "pad" and "constant_values" in kwargs:
            kwargs = kwargs | {"constant_values": kwargs["constant_values"] not in (0, -np.inf)}
        return _wrapped(function(*_presences(args), **kwargs), self)


def presence(x: Any) -> np.ndarray:
    """Which elements are there; of plain numbers all but minus infinity."""
    return x.present if isinstance(x, CountingArray) else ~np.isneginf(np.asarray(x, dtype=float))


def _presences(x: Any) -> Any:
    """In a tree of arguments."""
    if isinstance(x, list | tuple):
        return type(x)(map(_presences, x))
    return x.present if isinstance(x, CountingArray) else x


def _wrapped(x: Any, like: CountingArray) -> Any:
    if isinstance(x, list | tuple):
        return type(x)(_wrapped(item, like) for item in x)
    return like._like(x)


def count(layer: Any, shape: tuple[int, ...], clip: Any = None) -> Tally:
    """What a layer of the reference does to a clip of `shape`."""
    tally = Tally()
    parameters = {name: tally.ones(s) for name, s in layer.parameters().items()}
    layer(parameters, tally.ones(shape) if clip is None else clip)
    return tally
