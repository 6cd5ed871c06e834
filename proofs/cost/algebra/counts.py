"""What a computation costs: counts of operations and of numbers moved, each an integer or a sympy expression.

A `Cost` is a sum of items, one for each operator class ("conv", "conv bias", "norm", ...), because conventions differ in
which classes they count (`conventions.py`). Each item holds

    mul, add, div, compare    scalar operations; a sum of n terms has n - 1 additions
    exp                       any transcendental: exp, log, tanh, erf, square root
    reads, weights, writes    numbers that must come in or go out at least once: inputs, parameters, outputs
    state, traffic            numbers a stream keeps from step to step; those of them that a step reads and writes

A multiply-add (MAC) is a multiplication of one of the classes in `PRODUCTS`; its addition comes for free. Signs, absolute
values, selections and moves of data are not operations. Units: operations and numbers, never bytes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import sympy

from coequal.proofs.cost.algebra.conventions import CONVENTIONS, KINDS, PRODUCTS

Size = Any  # int or sympy.Expr


class CostError(ValueError):
    """Something that cannot be counted: what, where, why, and what to do."""


@dataclass(frozen=True)
class Ops:
    """Counts of one operator class."""

    mul: Size = 0
    add: Size = 0
    div: Size = 0
    exp: Size = 0
    compare: Size = 0
    reads: Size = 0
    weights: Size = 0
    writes: Size = 0
    state: Size = 0
    traffic: Size = 0

    def __add__(self, other: Ops) -> Ops:
        return Ops(*map(operator.add, self.values(), other.values()))

    def __mul__(self, times: Size) -> Ops:
        return Ops(*(value * times for value in self.values()))

    def map(self, function: Callable[[Size], Size]) -> Ops:
        """Every count through a function."""
        return Ops(*map(function, self.values()))

    def values(self) -> tuple[Size, ...]:
        """In the order of FIELDS."""
        return VALUES(self)


FIELDS = tuple(field.name for field in fields(Ops))
VALUES: Callable[[Ops], tuple[Size, ...]] = operator.attrgetter(*FIELDS)
NUMBERS = ("macs", "flops", "operations", "params", "bytes")  # what costs are asked for


@dataclass(frozen=True)
class Cost:
    """A sum of items, by operator class; `+` adds, `*` repeats."""

    items: Mapping[str, Ops]

    @classmethod
    def of(cls, kind: str, **counts: Size) -> Cost:
        """One item; CostError for the name of a count or a convention, which is no class of operators."""
        if kind in (*FIELDS, *NUMBERS):
            raise CostError(f"Cost.of({kind!r}): expected a class of operators, like 'conv', and counts, like mul=9")
        return cls({kind: Ops(**counts)})

    @classmethod
    def total(cls, costs: Iterable[Cost]) -> Cost:
        """The sum of any number of costs."""
        items: dict[str, Ops] = {}
        for cost in costs:
            for kind, ops in cost.items.items():
                items[kind] = items[kind] + ops if kind in items else ops
        return cls(items)

    def __add__(self, other: Cost) -> Cost:
        return Cost.total((self, other))

    def __mul__(self, times: Size) -> Cost:
        return self.each(lambda ops: ops * times)

    __rmul__ = __mul__

    def __getattr__(self, name: str) -> Size:
        if name not in FIELDS:
            raise AttributeError(f"Cost has no {name!r}; counts: {', '.join(FIELDS)}")
        return sum(getattr(ops, name) for ops in self.items.values())

    def each(self, function: Callable[[Ops], Ops]) -> Cost:
        """Every item through a function."""
        return Cost({kind: function(ops) for kind, ops in self.items.items()})

    def only(self, *kinds: str) -> Cost:
        """The items of some classes."""
        return Cost({kind: ops for kind, ops in self.items.items() if kind in kinds})

    def macs(self) -> Size:
        """Multiply-adds: multiplications of the classes in PRODUCTS."""
        return sum(ops.mul for kind, ops in self.items.items() if kind in PRODUCTS)

    def flops(self, convention: str = "macs") -> Size:
        """Operations as a convention counts them: a bare number never goes without its convention's name.

        CostError where there is no such convention (it lists those there are), or where it has no rule for one of the items.
        """
        if convention not in CONVENTIONS:
            raise CostError(f"no convention {convention!r}; there are {', '.join(CONVENTIONS)}")
        rules = CONVENTIONS[convention].rules
        unknown = set(self.items) - set(KINDS)
        if unknown:
            raise CostError(f"convention {convention}: no rule says whether {', '.join(sorted(unknown))} counts")
        counts = ((ops, rules.get(kind, {})) for kind, ops in self.items.items())
        return sum(weight * getattr(ops, name) for ops, weights in counts for name, weight in weights.items())

    def moved(self) -> Size:
        """Compulsory traffic, in numbers: inputs, parameters and outputs once each, and the state that a step touches."""
        return self.reads + self.weights + self.writes + self.traffic

    def simplify(self) -> Cost:
        """Expressions multiplied out and collected; integers stay what they are."""
        return self.each(lambda ops: ops.map(simplified))

    def at(self, values: Mapping[Any, int]) -> Cost:
        """With numbers for letters, `{"T": 16}`."""
        return self.each(lambda ops: ops.map(lambda size: evaluated(size, values)))


def simplified(size: Size) -> Size:
    """Multiplied out; a plain integer where nothing symbolic is left."""
    if isinstance(size, int):
        return size
    expanded = sympy.expand(size)
    return int(expanded) if expanded.is_Integer else expanded


def evaluated(size: Size, values: Mapping[Any, int]) -> Size:
    """With numbers for letters; letters are matched by name."""
    if isinstance(size, int):
        return size
    known = {str(name): value for name, value in values.items()}
    return simplified(size.subs({s: known[s.name] for s in size.free_symbols if s.name in known}))


def plain(size: Size) -> str:
    """One line, `864 H T W` or `T^2`; integers with commas."""
    if isinstance(size, int):
        return f"{size:,}"
    return sympy.sstr(size).replace("**", "^").replace("*", " ")


def latex(size: Size) -> str:
    """For a paper."""
    return sympy.latex(sympy.sympify(size))
