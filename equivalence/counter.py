"""A frame number that is watched: what a stream does with it decides whether its step is the same for ever.

A stream that counts frames has a state that never repeats. If it uses the count only modulo something, and in comparisons
whose outcome cannot change any more, then its step depends on the count through remainders alone, and repeats with their
common period. A Counter takes the place of such a number and notes what is done with it; anything else (an index, a float,
a text) *escapes*, and nothing is concluded.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Uses:
    """What was done with the counters of one run."""

    moduli: set[int] = field(default_factory=set)
    misfits: set[str] = field(default_factory=set)  # remainders that do not come back after a period
    escapes: set[str] = field(default_factory=set)
    ahead: set[int] = field(default_factory=set)  # numbers compared with that the counter has not passed yet


class Counter:
    """A whole number that grows for ever; no subclass of int, so that no use of it goes unseen."""

    def __init__(self, value: int, uses: Uses, growth: int = 1) -> None:
        self.value, self.uses, self.growth = value, uses, growth  # growth: in a period

    def __repr__(self) -> str:
        return f"Counter({self.value})"

    # moved by a constant it is a counter still
    def __add__(self, other: Any) -> Any:
        return self._moved(other, operator.add)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, Counter) and other.growth == self.growth:
            return self.value - other.value  # the same for ever
        return self._moved(other, operator.sub)

    def _moved(self, other: Any, by: Callable[[int, int], int]) -> Any:
        if isinstance(other, int) and not isinstance(other, bool):
            return Counter(by(self.value, other), self.uses, self.growth)
        return by(self._escape("arithmetic"), other)

    def __mod__(self, modulus: Any) -> int:
        if not isinstance(modulus, int) or modulus < 1:
            return self._escape("%") % modulus
        self.uses.moduli.add(modulus)
        if self.growth % modulus:
            self.uses.misfits.add(f"{modulus}, though it grows by {self.growth} in a period")
        return self.value % modulus

    def __and__(self, mask: Any) -> int:
        if isinstance(mask, int) and mask >= 0 and (mask & (mask + 1)) == 0:  # 2^k - 1
            return self % (mask + 1)
        return self._escape("&") & mask

    # comparisons with what has been passed are decided once and for all
    def _compared(self, other: Any, how: Callable[[int, int], bool]) -> bool:
        if isinstance(other, Counter):
            if other.growth != self.growth:
                self.uses.escapes.add("compared with another counter")
            return how(self.value, other.value)
        if other is None or isinstance(other, str):
            return how is operator.ne
        if self.value <= other:
            self.uses.ahead.add(math.floor(other) if math.isfinite(other) else 1 << 62)
        return how(self.value, other)

    def __lt__(self, other: Any) -> bool:
        return self._compared(other, operator.lt)

    def __le__(self, other: Any) -> bool:
        return self._compared(other, operator.le)

    def __gt__(self, other: Any) -> bool:
        return self._compared(other, operator.gt)

    def __ge__(self, other: Any) -> bool:
        return self._compared(other, operator.ge)

    def __eq__(self, other: object) -> bool:
        return self._compared(other, operator.eq)

    def __ne__(self, other: object) -> bool:
        return self._compared(other, operator.ne)

    def __bool__(self) -> bool:
        return self._compared(0, operator.ne)

    # anything else shows the number itself
    def _escape(self, how: str) -> int:
        self.uses.escapes.add(how)
        return self.value

    def __index__(self) -> int:
        return self._escape("an index")

    def __int__(self) -> int:
        return self._escape("int()")

    def __float__(self) -> float:
        return float(self._escape("float()"))

    def __hash__(self) -> int:
        return hash(self._escape("a key"))

    def __format__(self, spec: str) -> str:
        return format(self._escape("a text"), spec)

    def __mul__(self, other: Any) -> Any:
        return self._escape("*") * other

    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> Any:
        return other - self._escape("-")

    def __neg__(self) -> int:
        return -self._escape("-")

    def __floordiv__(self, other: Any) -> Any:
        return self._escape("//") // other

    def __truediv__(self, other: Any) -> Any:
        return self._escape("/") / other

    def __divmod__(self, other: Any) -> Any:
        return divmod(self._escape("divmod"), other)
