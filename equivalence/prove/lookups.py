"""Learned positions: a table of weights, of which each step reads the rows behind those that the step before it read.

Weights are variables of their own, so a row that no other step reads is as good as part of the frames. That holds for a
parameter of the subject's modules alone: what a table of numbers holds further on is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from coequal.equivalence.prove.premises import Fails
from coequal.equivalence.prove.tracing import OUTSIDE, Operation, Ref, Step

LOOKUPS = {"embedding", "index_select", "index", "select", "slice"}
SAME = {"alias", "detach", "clone", "_to_copy", "lift_fresh", "slice", "expand"}  # that leave rows where they are
END = 2**63 - 1  # of a slice that has none


@dataclass(frozen=True)
class Read:
    """Rows of a table along one of its axes, at three steps."""

    axis: int
    rows: tuple[tuple[int, ...], ...]
    size: int

    @property
    def steps_left(self) -> int:
        """After the first of them, until the table ends."""
        first = self.rows[0]
        return (self.size - first[-1] - 1) // len(first)


class Tables:
    """Parameters that steps may read row by row, and what they read of them."""

    def __init__(self, steps: list[Step], drawn: frozenset[int]) -> None:
        step = steps[0]
        self.steps = steps
        self.roots = {n: n for n, s in step.sources.items() if s.kind == OUTSIDE and id(step.tensors[n]) in drawn}
        self.read = dict[int, Read]()
        self.otherwise = set[int]()  # tables that other operations read

    @property
    def steps_left(self) -> int | None:
        """After the first of the steps, until one of the tables ends; None: nothing is read."""
        return min((read.steps_left for read in self.read.values()), default=None)

    def looks_up(self, name: str, operations: tuple[Operation, ...], *, moving: bool, positions: set[int]) -> bool:
        """Whether an operation reads rows at positions; `positions`: tensors that hold some. Fails where it reads others."""
        first = operations[0]
        table = first.given[0].number if first.given and isinstance(first.given[0], Ref) else None
        if table not in self.roots or not (moving or positions) or name not in LOOKUPS:
            self._is_used(name, operations)
            return False
        found = [
            self._rows(name, step, operation, positions) for step, operation in zip(self.steps, operations, strict=True)
        ]
        axis, rows = found[0][0], tuple(rows for _, rows in found)
        count, starts = len(rows[0]), [r[0] for r in rows if r]
        whole = all(list(r) == list(range(r[0], r[0] + count)) for r in rows if r)
        if not count or len(starts) < 3 or not whole or [starts[0] + count, starts[1] + count] != starts[1:]:
            raise Fails(f"aten.{name}: rows of a table that are not those behind the rows of the step before")
        read = Read(axis, rows, self.steps[0].shapes[table][axis])
        if self.read.setdefault(self.roots[table], read) != read:
            raise Fails(f"aten.{name}: a step reads different rows of one table")
        return True

    def end(self) -> None:
        """All operations were seen: Fails where a table is used otherwise, too, so that its rows are no variables."""
        if self.otherwise & self.read.keys():
            raise Fails("a table of positions is used otherwise, too")

    def _is_used(self, name: str, operations: tuple[Operation, ...]) -> None:
        """What is the table still, but for rows that are repeated; else it is used otherwise."""
        first = operations[0]
        inputs = {n for n in _numbers(first.given) if n in self.roots}
        for number in inputs:
            shapes = [self.steps[0].shapes[n] for n in (number, *first.gives)]
            if name in SAME and len(shapes) == 2 and (shapes[0] == shapes[1] or name == "expand"):
                self.roots[first.gives[0]] = self.roots[number]
            else:
                self.otherwise.add(self.roots[number])

    def _rows(self, name: str, step: Step, operation: Operation, positions: set[int]) -> tuple[int, tuple[int, ...]]:
        """The axis along which rows are taken, and which."""
        given, shape = operation.given, step.shapes[operation.given[0].number]
        if name == "embedding":
            return 0, _whole(step, given[1], positions)
        if name == "index_select":
            return given[1] % len(shape), _whole(step, given[2], positions)
        if name == "index":
            places = [i for i, x in enumerate(given[1]) if x is not None]
            if len(places) == 1:
                return places[0], _whole(step, given[1][places[0]], positions)
        elif not positions and name == "select":
            return given[1] % len(shape), (given[2],)
        elif not positions and len(given) > 3 and given[4:] in ((), (1,)) and type(given[2]) is type(given[3]) is int:
            axis = given[1] % len(shape)
            return axis, tuple(range(given[2], min(given[3], shape[axis])))
        raise Fails(f"aten.{name}: a place in a table that moves on")


def _whole(step: Step, index: Any, positions: set[int]) -> tuple[int, ...]:
    """Whole numbers of a tensor of positions, each once."""
    if isinstance(index, Ref) and index.number in positions and step.values[index.number].dtype == torch.int64:
        return tuple(step.values[index.number].unique().tolist())
    raise Fails("a place in a table that moves on")


def _numbers(thing: Any) -> list[int]:
    if isinstance(thing, Ref):
        return [thing.number]
    return [n for part in thing for n in _numbers(part)] if isinstance(thing, tuple) else []
