"""Whether a step is the same program at every length: three steps, one after the other, laid side by side.

A step of a stream with caches that grow has sizes and positions that grow. It is *uniform* where its operations are the same
at all three lengths but for whole numbers that grow evenly, where what goes along a growing axis treats terms alike (moved,
computed element by element, added up, a softmax), and where positions are only shifted, scaled, compared with one another
or with what they have passed, and turned (cosine, sine, exponential). See `proofs/theorems/growth.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from coequal.equivalence.prove.folds import (
    CONSTANT,
    DATA,
    LIKE,
    LINEAR,
    SETTLED,
    TURNED,
    Rule,
    Uniform,
    degree_of,
    part_of,
    seen_to_move,
)
from coequal.equivalence.prove.lookups import Tables
from coequal.equivalence.prove.premises import Fails
from coequal.equivalence.prove.tracing import COUNT, MADE, MEMORY, OUTSIDE, Operation, Ref, Source, Step

Tensor = torch.Tensor
ROUNDS = 4  # until what memory holds of positions is known


def uniform(
    runs: list[list[Step]], slope: int, drawn: frozenset[int] = frozenset(), *, coarse: bool = False
) -> list[Uniform]:
    """Three steps as one, for each phase of a period: of steps that follow one another, three periods long.

    Growing axes grow by `slope` in a period. Each run has other frames. `drawn`: identities of tensors that are variables,
    as frames are. `coarse`: torch casts floats by itself, and casts are exact. Fails where steps are not one program.
    """
    period = len(runs[0]) // 3
    phases = [runs[0][phase::period] for phase in range(period)]
    for steps in phases:
        counts = {len(step.operations) for step in steps}
        if len(counts) > 1:
            raise Fails(f"the step does not do the same at every length: {_list(counts)} operations of torch")
    held = dict[Source, tuple[int, bool]]()  # what memory holds of positions: degree, and whether it was touched
    for _ in range(ROUNDS):
        programs = [_laid_side_by_side(steps, slope, held, drawn, coarse) for steps in phases]
        after = _handed_on(programs, runs[0])
        if after == held:
            break
        held = after
    else:
        raise Fails("positions pile up in what is remembered")
    for phase, found in enumerate(programs):
        _counts_nothing(found, [run[phase::period] for run in runs])
    return programs


def _counts_nothing(found: Uniform, runs: list[list[Step]]) -> None:
    """Fails where a tensor is a position in disguise."""
    steps = runs[0]
    last = {id(tensor): number for number, tensor in enumerate(steps[0].tensors)}
    used = {number for operation in steps[0].operations for number in _refs(operation.given)}
    for number, kind in found.kinds.items():
        if kind == CONSTANT and number in used & {*last.values()}:
            _stays(found, number)
        if kind == DATA and len(runs) > 1 and number not in found.rows:
            _no_count(found, number, [[step.tensors[number] for step in run] for run in runs])


def _laid_side_by_side(
    steps: list[Step], slope: int, held: dict[Source, tuple[int, bool]], drawn: frozenset[int], coarse: bool
) -> Uniform:
    found, tables = Uniform(steps, coarse=coarse), Tables(steps, drawn)
    _sources(found, held)
    for place, operations in enumerate(zip(*(step.operations for step in steps), strict=True)):
        _operation(found, operations, slope, tables)
        again = [step.seen_again.get(place, []) for step in steps]
        if again[0] != again[1] or again[0] != again[2]:
            raise Fails("the step does not do the same at every length: it writes to what other tensors share")
        for before, after in again[0]:
            found.is_written(before, after, operations[0].gives)
    tables.end()
    found.steps_left = tables.steps_left
    return found


def _handed_on(programs: list[Uniform], run: list[Step]) -> dict[Source, tuple[int, bool]]:
    """What each step leaves in each place of the memory: the next step finds the same tensors there."""
    left = dict[Source, tuple[int, bool]]()
    for found, first, second in zip(programs, run, run[1:], strict=False):
        numbers = {id(tensor): number for number, tensor in enumerate(first.tensors)}
        worst = max(found.degrees.values(), default=0), bool(found.touched)
        for number, source in second.sources.items():
            if source.kind == MEMORY:
                where = numbers.get(id(second.tensors[number]))
                holds = worst if where is None else (found.degrees.get(where, 0), where in found.touched)
                before = left.get(source, (0, False))
                left[source] = max(before[0], holds[0]), before[1] or holds[1]
    return {source: holds for source, holds in left.items() if any(holds)}


def _stays(found: Uniform, number: int) -> None:
    """What depends on no frame and on no position is the same each time, whoever wrote it."""
    axis, tensors = found.axis(number), [step.tensors[number] for step in found.steps]
    if tensors[0].is_meta or not tensors[0].numel():
        return
    size = min(t.shape[axis] for t in tensors) if axis is not None else 0
    for end in (0, -1) if axis is not None else (0,):
        first, *others = (part_of(t, axis, size, end) for t in tensors)
        if not all(torch.allclose(first, other, rtol=0, atol=0, equal_nan=True) for other in others):
            raise Fails("a tensor that depends on no frame and on no position holds something else each time")


def _no_count(found: Uniform, number: int, runs: list[list[Tensor]]) -> None:
    """What frames have touched and still do not change, as a sum of ones, is a position in disguise."""
    axis = found.axis(number)
    if runs[0][0].dtype == torch.bool or not runs[0][0].numel():
        return
    size = min(t.shape[axis] for run in runs for t in run) if axis is not None else 0
    ends = (0, -1) if axis is not None else (0,)
    for end in ends:
        cut = [[part_of(t, axis, size, end) for t in run] for run in runs]
        whole = torch.stack([torch.stack(run) for run in cut])  # runs, steps, ...
        room = 1e-9 * whole.abs().amax((0, 1))
        fixed = ((whole - whole[:1]).abs() <= 1e-9 * whole.abs().amax(0)).all(0).all(0) & (room > 0)
        moves = ((whole - whole[:, :1]).abs() > room).any(0).any(0)
        hidden = (whole == _least(runs[0][0])).all(0).all(0)  # by a mask, whatever is added to it
        if bool((fixed & (moves if not found.degrees.get(number) else ~hidden)).any()):
            raise Fails("a number that frames do not change grows with the cache, and is computed with as if it were data")


def _least(tensor: Tensor) -> float:
    """Of a format: it stands for minus infinity."""
    return torch.finfo(tensor.dtype).min if tensor.is_floating_point() else float("nan")


def _list(counts: set[int]) -> str:
    return " or ".join(map(str, sorted(counts)))


def _sources(found: Uniform, held: dict[Source, tuple[int, bool]]) -> None:
    """What was there before the step: frames and memory, and weights, which stay the same tensors."""
    first, *others = (step.sources for step in found.steps)
    if any(first != other for other in others):
        strange = {source for other in others for source in set(first.values()) ^ set(other.values())}
        names = ", ".join(sorted({f"{source.kind} {source.name}" for source in strange})[:2])
        raise Fails(f"the step reads a tensor that is neither memory nor weight ({names})")
    written = [source.name for source in first.values() if source.written]
    if written:
        raise Fails(f"the step reads a tensor that is no memory, and is written to ({written[0]})")
    kinds = {OUTSIDE: CONSTANT, COUNT: LINEAR}
    for number, source in first.items():
        found.kinds[number] = _made(found, number) if source.kind == MADE else kinds.get(source.kind, DATA)
        found.degrees[number], touched = held.get(source, (0, False))
        found.touched |= {number} if touched else set()


def _made(found: Uniform, number: int) -> str:
    """Of a tensor that Python made of numbers: the same each time, or positions."""
    a, b, c = (step.tensors[number].detach() for step in found.steps)
    if a.shape == b.shape == c.shape and a.dtype == b.dtype == c.dtype:
        if torch.equal(a, b) and torch.equal(b, c):
            return CONSTANT
        if a.dtype == torch.int64 and torch.equal(b - a, c - b):
            return LINEAR
    raise Fails("a tensor of numbers that do not grow evenly")


def _refs(thing: Any) -> Iterator[int]:
    if isinstance(thing, Ref):
        yield thing.number
    elif isinstance(thing, tuple):
        for part in thing:
            yield from _refs(part)


def _operation(found: Uniform, operations: tuple[Operation, ...], slope: int, tables: Tables) -> None:
    """Laid side by side; then by the rules of its kind."""
    first = operations[0]
    name = first.name.removeprefix("aten.").removesuffix("_")
    moving = _even(name, *(operation.given for operation in operations))
    if any(operation.name != first.name or operation.gives != first.gives for operation in operations):
        raise Fails(f"the step does not do the same at every length: {', '.join(sorted({o.name for o in operations}))}")
    given = list(_refs(first.given))
    axes = {n: found.axis(n) for n in (*given, *first.gives)}
    for number, axis in axes.items():
        if axis is not None:
            a, b, c = (step.shapes[number][axis] for step in found.steps)
            if (b - a, c - b) != (slope, slope):
                raise Fails(f"{first.name}: an axis does not grow evenly ({a}, {b}, {c})")
    positions = {n for n in given if found.kind(n) in (LINEAR, TURNED)}
    if tables.looks_up(name, operations, moving=moving, positions=positions):
        found.reads(first.gives)
        return
    kinds = [found.kind(n) for n in given]
    grows = any(axis is not None for axis in axes.values())
    if grows or moving or {LINEAR, TURNED, SETTLED} & set(kinds):
        kind = Rule(found, name, operations, given, axes, moving).kind()
    else:
        kind = DATA if DATA in kinds and name not in LIKE else CONSTANT
    for number in first.gives:
        found.kinds[number] = kind
        if kind in (LINEAR, TURNED):
            seen_to_move(found, number)
    met = found.meets(name, given, moving=moving)
    found.weigh(name, given, first.gives)
    found.touch(name, first, given, met)
    degree = degree_of(found, name, first, given, met)
    for number in first.gives:
        found.degrees[number] = degree if kind == DATA else 0
    found.comes_of_rows(given, first.gives)


def _even(name: str, a: Any, b: Any, c: Any) -> bool:
    """Whether whole numbers in what an operation is given grow; Fails where anything else differs."""
    if isinstance(a, Ref) or isinstance(b, Ref):
        if not a == b == c:
            raise Fails(f"the step does not do the same at every length: aten.{name} is given other tensors")
        return False
    if type(a) is tuple:
        if not (type(b) is type(c) is tuple and len(a) == len(b) == len(c)):
            raise Fails(f"the step does not do the same at every length: aten.{name} is given more")
        grows = [_even(name, *parts) for parts in zip(a, b, c, strict=True)]
        return any(grows)
    if type(a) is type(b) is type(c) and (a == b == c or (a != a and b != b and c != c)):  # noqa: PLR0124
        return False
    if type(a) is type(b) is type(c) is int and b - a == c - b:
        return True
    raise Fails(f"the step does not do the same at every length: aten.{name} is given {a}, then {b}, then {c}")
