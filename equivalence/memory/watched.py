"""A frame number that is watched: what a stream does with it decides whether its step is the same for ever.

A stream that counts frames has a state that never repeats. If it uses the count only modulo something, and in comparisons
whose outcome cannot change any more, then its step depends on the count through remainders alone, and repeats with their
common period. A Counter takes the place of such a number and notes what is done with it; anything else (an index, a float,
a text) *escapes*, and nothing is concluded. A TensorCounter does the same for an integer tensor of one element.

Neither is a subclass of what it stands for: C code would read the value without a trace. Both pass for it where Python asks.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import torch

Tensor = torch.Tensor
FAR = 1 << 62
NUMBERS = {int, float, bool, Fraction, *(getattr(np, name) for name in ("int32", "int64", "float32", "float64", "bool_"))}
MOST = 4096  # numbers that the counters of one run may be compared with
MANY = f"what is compared with more than {MOST} numbers"
COMPARISONS: dict[Any, Callable] = {
    **{Tensor.__lt__: operator.lt, Tensor.__le__: operator.le, Tensor.__gt__: operator.gt, Tensor.__ge__: operator.ge},
    **{Tensor.__eq__: operator.eq, Tensor.__ne__: operator.ne},
    **{Tensor.lt: operator.lt, Tensor.le: operator.le, Tensor.gt: operator.gt, Tensor.ge: operator.ge},
    **{Tensor.eq: operator.eq, Tensor.ne: operator.ne},
    **{torch.lt: operator.lt, torch.le: operator.le, torch.gt: operator.gt, torch.ge: operator.ge},
    **{torch.eq: operator.eq, torch.ne: operator.ne},
}


class TooMany(Exception):
    """A counter is compared with more numbers than are noted, as by `n in range(1500, 10**9)`, which tries each."""


@dataclass
class Uses:
    """What was done with the counters of one run."""

    moduli: set[int] = field(default_factory=set)
    misfits: set[str] = field(default_factory=set)  # remainders that do not come back after a period
    escapes: set[str] = field(default_factory=set)
    ahead: set[int] = field(default_factory=set)  # numbers compared with that the counter has not passed yet
    passed: set[int] = field(default_factory=set)  # numbers compared with that it has passed


class Counter:
    """A whole number that grows for ever; no subclass of int, so that no use of it goes unseen."""

    bits = 64  # of the format that it is kept in: one of fewer begins anew while somebody may still be there

    def __init__(self, value: int, uses: Uses, growth: int = 1, each: int = 1) -> None:
        self.value, self.uses, self.growth = value, uses, growth  # growth: in a period
        self.each = each  # steps of the number that was put in place, for one of this: it was divided

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # isinstance(counter, int) is true
        return int

    def __deepcopy__(self, memo: dict) -> Counter:
        return self

    def __reduce__(self) -> tuple:
        return int, (self._escape("pickled"),)

    def __getattr__(self, name: str) -> Any:
        """Whatever else whole numbers can do: `bit_length`, `to_bytes`, `real` ..."""
        return getattr(self._escape(f".{name}"), name)

    # moved by a constant it is a counter still
    def __add__(self, other: Any) -> Any:
        return self._moved(other, operator.add)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if type(other) is type(self) and other.growth == self.growth and min(self.bits, other.bits) == 64:
            return self.value - other.value  # the same for ever
        return self._moved(other, operator.sub)

    def _moved(self, other: Any, by: Callable[[int, int], int]) -> Any:
        if type(other) is int:
            return self._alike(by(self.value, other))
        return by(self._escape("arithmetic"), other)

    def _alike(self, value: int) -> Any:
        counter = type(self)(value, self.uses, self.growth, self.each)
        counter.bits = self.bits
        return counter

    def __floordiv__(self, divisor: Any) -> Any:
        """A counter, too, where a whole number of them passes in a period."""
        if type(divisor) is not int or divisor < 1:
            return self._escape("//") // divisor
        self._comes_back(divisor)
        divided = self._alike(self.value // divisor)
        divided.growth, divided.each = self.growth // divisor, self.each * divisor
        return divided

    def __rshift__(self, bits: Any) -> Any:
        return self // (1 << bits) if type(bits) is int and 0 <= bits < 32 else self._escape(">>") >> bits

    def __divmod__(self, divisor: Any) -> Any:
        return self // divisor, self % divisor

    def _comes_back(self, modulus: int) -> None:
        if self.bits < 64 and (1 << self.bits) % (modulus * self.each):
            self._begins_anew()
        self.uses.moduli.add(modulus * self.each)
        if self.growth % modulus:
            self.uses.misfits.add(f"{modulus}, though it grows by {self.growth} in a period")

    def _begins_anew(self) -> None:
        self.uses.escapes.add(f"a number of {self.bits} bits, which begins anew")

    def __mod__(self, modulus: Any) -> Any:
        if type(modulus) is not int or modulus < 1:
            return self._escape("%") % modulus
        self._comes_back(modulus)
        return self._shown(self.value % modulus)

    def _shown(self, value: Any) -> Any:
        """A number that may be seen, as the program would have it."""
        return value

    def __and__(self, mask: Any) -> Any:
        if type(mask) is int and mask >= 0 and (mask & (mask + 1)) == 0:  # 2^k - 1
            return self % (mask + 1)
        return self._escape("&") & mask

    # comparisons with what has been passed are decided once and for all
    def _compared(self, other: Any, how: Callable[[Any, Any], Any]) -> Any:
        if type(other) in (Counter, TensorCounter):
            if other.growth != self.growth or min(self.bits, other.bits) < 64:
                self.uses.escapes.add("compared with another counter")
            return self._shown(how(self.value, other.value))
        if other is None or type(other) is str:
            return how is operator.ne
        if isinstance(other, Tensor):
            return self._compared_with_tensor(other, how)
        if type(other) not in NUMBERS:  # its own methods would be asked
            return how(self._escape("compared with an object"), other)
        return self._shown(how(self._met(other), other))

    def _compared_with_tensor(self, other: Tensor, how: Callable[[Any, Any], Any]) -> Tensor:
        """Element by element; the greatest of them decides whether all have been passed."""
        if other.numel():
            self._met(other.max().item())
        return how(self.value, other)

    def _met(self, other: Any) -> int:
        """A number that it is compared with is noted: passed, or ahead. There is an end to that."""
        if self.bits < 64:
            self._begins_anew()
        number = (math.floor(other) + 1) * self.each - 1 if math.isfinite(other) else FAR
        (self.uses.ahead if self.value <= other else self.uses.passed).add(number)
        if len(self.uses.ahead) + len(self.uses.passed) > MOST:
            self.uses.escapes.add(MANY)
            raise TooMany(MANY)
        return self.value

    def __lt__(self, other: Any) -> Any:
        return self._compared(other, operator.lt)

    def __le__(self, other: Any) -> Any:
        return self._compared(other, operator.le)

    def __gt__(self, other: Any) -> Any:
        return self._compared(other, operator.gt)

    def __ge__(self, other: Any) -> Any:
        return self._compared(other, operator.ge)

    def __eq__(self, other: object) -> Any:
        return self._compared(other, operator.eq)

    def __ne__(self, other: object) -> Any:
        return self._compared(other, operator.ne)

    def __bool__(self) -> bool:
        return bool(self._met(0) != 0)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Comparisons of tensors with the counter are told like any; all other operations see the number."""
        kwargs = kwargs or {}
        how = COMPARISONS.get(func)
        if how is not None and len(args) == 2 and not kwargs:
            first, second = args
            if type(second) is cls and type(first) is not cls:
                return second._compared(first, lambda a, b: how(b, a))
            if type(first) is cls:
                return first._compared(second, how)
        name = getattr(func, "__name__", str(func))
        return func(*seen(args, name), **{key: seen((x,), name)[0] for key, x in kwargs.items()})

    # anything else shows the number itself
    def _escape(self, how: str) -> Any:
        self.uses.escapes.add(how)
        return self.value

    def __index__(self) -> int:
        return int(self._escape("an index"))

    def __int__(self) -> int:
        return int(self._escape("int()"))

    def __float__(self) -> float:
        return float(self._escape("float()"))

    def __complex__(self) -> complex:
        return complex(self._escape("complex()"))

    def __hash__(self) -> int:
        return hash(self._escape("a key"))

    def __repr__(self) -> str:
        return repr(self._escape("a text"))

    def __rdivmod__(self, other: Any) -> Any:
        return divmod(other, self._escape("divmod"))

    def __format__(self, spec: str) -> str:
        return format(self._escape("a text"), spec)


def seen(args: tuple, name: str) -> tuple:
    """Counters, also in lists and tuples, as the numbers that they are: escaped."""
    out = []
    for x in args:
        if type(x) in (Counter, TensorCounter):
            out.append(x._escape("an index" if name in ("__getitem__", "__setitem__") else f"an argument of {name}"))
        elif type(x) in (tuple, list):
            out.append(type(x)(seen(tuple(x), name)))
        else:
            out.append(x)
    return tuple(out)


def _shows(how: str, name: str) -> Callable[..., Any]:
    """A method of whole numbers that shows the number."""

    def method(self: Counter, *others: Any) -> Any:
        return getattr(operator, name)(self._escape(how), *others) if name in _BINARY else _ONE[name](self._escape(how))

    return method


def _shows_reflected(how: str, name: str) -> Callable[..., Any]:
    def method(self: Counter, other: Any) -> Any:
        return getattr(operator, name)(other, self._escape(how))

    return method


_BINARY = {
    **{"mul": "*", "truediv": "/", "pow": "**", "or_": "|", "xor": "^", "lshift": "<<"},
    **{"matmul": "@"},
}
_ONE: dict[str, Callable[[Any], Any]] = {
    **{"neg": operator.neg, "pos": operator.pos, "abs": abs, "invert": operator.invert, "round": round},
    **{"trunc": math.trunc, "floor": math.floor, "ceil": math.ceil},
}
for _name, _sign in _BINARY.items():
    _dunder = _name.rstrip("_")
    setattr(Counter, f"__{_dunder}__", _shows(_sign, _name))
    setattr(Counter, f"__r{_dunder}__", _shows_reflected(_sign, _name))
for _name in _ONE:
    setattr(Counter, f"__{_name}__", _shows("-" if _name in ("neg", "pos", "invert") else f"{_name}()", _name))
for _name, _sign in {"sub": "-", "mod": "%", "and_": "&", "floordiv": "//", "rshift": ">>"}.items():
    setattr(Counter, f"__r{_name.rstrip('_')}__", _shows_reflected(_sign, _name))


class TensorCounter(Counter):
    """An integer tensor of one element that grows for ever."""

    like: Tensor
    _is_param = _is_buffer = False  # what modules ask of everything that is assigned to one of their names

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return Tensor

    @classmethod
    def of(cls, tensor: Tensor, uses: Uses, growth: int) -> TensorCounter:
        """In place of this tensor."""
        counter = cls(int(tensor), uses, growth)
        counter.like, counter.bits = tensor.clone(), torch.iinfo(tensor.dtype).bits
        return counter

    def _alike(self, value: int) -> TensorCounter:
        counter = super()._alike(value)
        counter.like = self.like
        return counter

    def _shown(self, value: Any) -> Tensor:
        return torch.as_tensor(value).expand(self.like.shape).clone()

    def _escape(self, how: str) -> Tensor:
        self.uses.escapes.add(how)
        return torch.full_like(self.like, self.value)

    def item(self) -> Counter:
        """The number, watched further."""
        counter = Counter(self.value, self.uses, self.growth, self.each)
        counter.bits = self.bits
        return counter

    def clone(self) -> TensorCounter:
        """Another one that counts on by itself."""
        return self._alike(self.value)

    def add_(self, other: Any) -> TensorCounter:
        """In place."""
        if type(other) is not int:
            return self._escape("add_").add_(other)  # type: ignore[return-value]
        self.value += other
        return self

    __iadd__ = add_

    def __bool__(self) -> bool:
        return bool(self._met(0) != 0)
