"""From an index equation to a count: the set of indices for which a product (or a term of a sum) is computed.

    y[b, o, j] = sum_{c, k} weight[o, c, k] * x[b, c, j*S + k*D - P]

runs over `b, o, c`, each on its own, and over the pairs `(j, k)` of one window for each axis: the domain is a Cartesian
product of such factors, so its size is the product of theirs. Every factor knows its size in closed form (`count`) and its
elements one by one (`__iter__`), which the tests compare. `padding="nominal"` counts a pair whose x lies in the padding (or
that a mask takes out), as libraries execute it; "effective" does not.
Source of the view: Kuck, "The structure of computers and computations", 1978 (iteration spaces).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import sympy

from coequal.proofs.cost.algebra.counts import Size
from coequal.proofs.cost.algebra.symbols import ceil_div, floor_div, is_number, product


class Factor(Protocol):
    """Indices that run together, independently of all others."""

    def count(self) -> Size:
        """How many, in closed form."""

    def __iter__(self) -> Iterator[Any]:
        """All of them; for sizes that are numbers."""
        ...


@dataclass(frozen=True)
class Range:
    """`0 ... n - 1`."""

    size: Size

    def count(self) -> Size:
        """`n`."""
        return self.size

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.size))


@dataclass(frozen=True)
class Window:
    """Pairs `(j, k)` of output and tap along one axis, where tap k of output j sees `x[j*S + k*D - P]`.

    `effective`: only those that see an element, `0 <= j*S + k*D - P < L`. A letter for `length` stands for an axis at least
    as long as the window.
    """

    length: Size
    outputs: Size
    kernel: int
    stride: int = 1
    dilation: int = 1
    start: int = 0
    effective: bool = False

    def count(self) -> Size:
        """`L' K`, or the sum over the taps of the outputs for which the tap is inside."""
        if not self.effective:
            return self.outputs * self.kernel
        return sum(self._inside(k * self.dilation - self.start) for k in range(self.kernel))

    def _inside(self, offset: int) -> Size:
        """Outputs with `0 <= j*S + offset < L`: from `ceil(-offset / S)` to `floor((L - 1 - offset) / S)`."""
        first = max(0, ceil_div(-offset, self.stride))
        if is_number(self.length):
            return max(0, min(self.outputs - 1, (self.length - 1 - offset) // self.stride) - first + 1)
        last = floor_div(self.length - 1 - offset, self.stride)
        fewer = last - (self.outputs - 1)  # a constant for stride 1; otherwise decided by the offsets alone
        return (last if _not_positive(fewer) else self.outputs - 1) - first + 1

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for j, k in itertools.product(range(self.outputs), range(self.kernel)):
            if not self.effective or 0 <= j * self.stride + k * self.dilation - self.start < self.length:
                yield j, k

    def nonempty(self) -> Size:
        """Outputs that see at least one element; letters: all of them."""
        return self.outputs if not is_number(self.length) or not self.effective else len({j for j, _ in self})


def _not_positive(difference: Size) -> bool:
    """Whether `floor((L + a) / S) - floor((L + b) / S)` is never above 0: floors are monotone, so one value of L decides."""
    if not (free := sympy.sympify(difference).free_symbols):
        return bool(difference <= 0)
    (letter,) = free
    return all(difference.subs(letter, 1000 + i) <= 0 for i in range(64))


@dataclass(frozen=True)
class Pairs:
    """Pairs `(i, j)` of query and key, of `queries` last tokens among `keys`; `effective`: those that the mask lets pass.

    Query i stands at `at = i + keys - queries` and sees `at - window < j <= at`; without a window all up to itself when
    `causal`, otherwise everything.
    """

    queries: Size
    keys: Size
    causal: bool = False
    window: Size | None = None
    effective: bool = False

    def count(self) -> Size:
        """`L S`; causal `L (2 S - L + 1) / 2`; with a window N: that of the first N tokens, and N for each later one."""
        L, S, N = self.queries, self.keys, self.window
        if not self.effective or (N is None and not self.causal):
            return L * S
        if N is None:
            return L * (2 * S - L + 1) // 2 if is_number(L) and is_number(S) else L * (2 * S - L + 1) / 2
        if is_number(L) and is_number(S) and is_number(N):
            early = max(0, min(N, S) - (S - L) - 1)  # queries that see fewer than N tokens
            first = S - L + 1  # what the first query sees
            return early * (2 * first + early - 1) // 2 + (L - early) * min(N, S)
        missing = N - 1 - (S - L)  # letters: a clip longer than the window; the first query lacks this many tokens
        return L * N - missing * (missing + 1) / 2

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for i, j in itertools.product(range(self.queries), range(self.keys)):
            at = i + self.keys - self.queries
            ahead = (self.causal or self.window is not None) and j > at
            behind = self.window is not None and j <= at - self.window
            if not self.effective or not (ahead or behind):
                yield i, j


@dataclass(frozen=True)
class Domain:
    """A Cartesian product of factors."""

    factors: tuple[Factor, ...]

    def count(self) -> Size:
        """Its size, in closed form."""
        return product(factor.count() for factor in self.factors)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return itertools.product(*self.factors)

    def enumerated(self) -> int:
        """Its size by going through it, one index at a time."""
        return sum(1 for _ in self)


def ranges(*sizes: Size) -> tuple[Factor, ...]:
    """Independent indices."""
    return tuple(Range(size) for size in sizes)
