"""Functions of the reference that the NumPy front end takes as primitive: as a whole, not formula by formula.

Their formulas are right for reasons that free functions do not know: they shift exponentials so that nothing overflows,
or go by cases. Each becomes the torch function of the same name, and whoever uses it says so. How each is known to be that
function:

    softmax                                 torch.softmax            proof: with a homomorphic exponential the shift by the
                                                                     maximum cancels (`exact_campaign.shift_cancels`)
    sigmoid of recurrent layers and gates   torch.sigmoid            comparison in floating point
    activation of a name, prelu             the module of torch.nn   comparison in floating point
    numpy.sin, cos of constant angles       torch.sin, cos           comparison in floating point: the libraries differ in
                                                                     the last place

Activations that the table of meanings can evaluate as they are written (`WRITTEN`) are not primitive.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch

from coequal.proofs.field.numpy_frontend.array import FieldArray
from coequal.reference import activation, attention, position, recurrent, softmax, squeeze_excite

Array = Any
Original = Callable[..., Any]
WRITTEN = ("ReLU", "Softsign", "Tanh", "Tanhshrink")
SOFTMAX = "softmax"


@dataclass(frozen=True)
class Primitive:
    """A function by its name in the modules that use it; `by(original, *arguments)` is what stands for it over a field."""

    name: str
    owners: tuple[ModuleType, ...]
    by: Callable[..., Any]
    called: Callable[..., str | None]  # what it is called with these arguments; None: as it is written


def _wrapped(x: FieldArray, call: Callable[..., torch.Tensor], *others: FieldArray) -> FieldArray:
    return x._call(call.__name__, call, [x.tensor, *(o.tensor for o in others)], {})


def _softmax(x: FieldArray, axis: int = -1) -> Array:
    return _wrapped(x, functools.wraps(torch.softmax)(lambda tensor: torch.softmax(tensor, axis)))


def _sigmoid(x: FieldArray) -> Array:
    return _wrapped(x, torch.sigmoid)


def _activation(name: str, x: FieldArray, **options: Any) -> Array:
    module = getattr(torch.nn, name)(**options).eval()
    return x._call(name, module, [x.tensor], {})


def _prelu(x: FieldArray, weight: FieldArray) -> Array:
    return _wrapped(x, torch.nn.functional.prelu, weight)


PRIMITIVES = (
    Primitive("softmax", (softmax, attention), _softmax, lambda x, axis=-1: SOFTMAX),
    Primitive("sigmoid", (recurrent, squeeze_excite), _sigmoid, lambda x: "sigmoid"),
    Primitive("activation", (activation,), _activation, lambda name, x, **options: None if name in WRITTEN else name),
    Primitive("prelu", (activation,), _prelu, lambda x, weight: "PReLU"),
)


class _Trigonometry:
    """NumPy for `reference/position.py`: sines and cosines of constants as torch computes them."""

    def __init__(self, used: set[str]) -> None:
        self._used = used

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def sin(self, x: Array) -> Array:
        """Of constant angles."""
        return self._constant("sin", x)

    def cos(self, x: Array) -> Array:
        """Of constant angles."""
        return self._constant("cos", x)

    def _constant(self, name: str, x: Array) -> Array:
        if isinstance(x, FieldArray):
            return getattr(np, name)(x)
        self._used.add(f"{name} of constants")
        return getattr(torch, name)(torch.as_tensor(x)).numpy()


@contextlib.contextmanager
def taken() -> Iterator[set[str]]:
    """Inside, the reference's primitives are torch's functions where they meet a `FieldArray`; yields those used."""
    used: set[str] = set()
    places = [(owner, primitive) for primitive in PRIMITIVES for owner in primitive.owners]
    kept = [(owner, primitive.name, getattr(owner, primitive.name)) for owner, primitive in places]
    try:
        for (owner, primitive), (_, name, original) in zip(places, kept, strict=True):
            setattr(owner, name, _instead(primitive, original, used))
        position.np = _Trigonometry(used)  # type: ignore[assignment]
        yield used
    finally:
        position.np = np
        for owner, name, original in kept:
            setattr(owner, name, original)


def _instead(primitive: Primitive, original: Original, used: set[str]) -> Original:
    @functools.wraps(original)
    def call(*args: Any, **options: Any) -> Any:
        name = primitive.called(*args, **options) if any(isinstance(a, FieldArray) for a in args) else None
        if name is None:
            return original(*args, **options)
        used.add(name)
        return primitive.by(*args, **options)

    return call
