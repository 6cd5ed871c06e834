"""The steady step of a continual module as a program of torch.export whose states are arguments and results."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from coequal.continual.captured import Recording
from coequal.subjects.errors import BadSubject
from coequal.subjects.exporting.dependence import Dependence
from coequal.subjects.exporting.program import traced
from coequal.subjects.exporting.steady import Part, Steady, steady

Tensor = torch.Tensor
AGE = "age"  # the state that counts frames, where a layer waits for its first one
ROWS = torch.export.Dim("batch", min=1, max=4096)


@dataclass(frozen=True)
class Exported:
    """A program, the names of its states in order, and what a reader must know: emissions to ignore, the axis of time."""

    program: Any
    states: tuple[str, ...]
    late: int
    time: int

    @property
    def hints(self) -> dict[str, str]:
        """As they stand in the file."""
        return {"coequal.ignore": str(self.late), "coequal.time": str(self.time)}


def exported(module: Any, clip: Tensor) -> Exported:
    """The step of a continual module for frames of this clip, of any number of rows. BadSubject says why there is none."""
    called = type(module).__name__
    if getattr(module, "emits", "frames") != "frames":
        raise BadSubject(f"{called} emits whole windows: a file holds a step that emits a frame")
    time = 2 if module.time is None else module.time
    frame = clip.select(time, 0)
    try:
        before, after = steady(module, frame)
        live = _live(before, frame)
        if _operations(before, live, frame) != _operations(after, live, frame):
            raise BadSubject("two steps in a row are different programs")
        program = _traced(before, live, frame)
    except BadSubject as error:
        raise BadSubject(f"{called} has no step that a file can hold: {error}") from None
    names = [part.name for part in live] + [AGE] * _waits(live)
    return Exported(program, tuple(names), before.late, time)


def _live(found: Steady, frame: Tensor) -> tuple[Part, ...]:
    """The parts of the memory that an emission depends on, sooner or later."""
    given = _given(found, found.parts, frame)
    named = dict(zip(("frame", *(part.name for part in found.parts)), given, strict=False))
    with Dependence(named) as depends:
        first, *rest = _step(found, found.parts)(*given)
    reached, wanted = frozenset[str](), depends.of(first)
    while not wanted <= reached:
        reached |= wanted
        for part, after in zip(found.parts, rest, strict=False):
            if part.name in reached:
                wanted = wanted | depends.of(after)
    return tuple(part for part in found.parts if part.name in reached)


def _operations(found: Steady, live: Sequence[Part], frame: Tensor) -> list[str]:
    """What a step runs, in words."""
    step, given = _step(found, live), _given(found, live, frame)
    weights = [*step.named_parameters(), *step.named_buffers()]
    named = {f"weight {name}": x for name, x in weights} | {f"input {i}": x for i, x in enumerate(given)}
    with Recording(named) as recording:
        step(*given)
    return recording.calls


def _waits(live: Sequence[Part]) -> bool:
    return any(part.begins for part in live)


def _traced(found: Steady, live: Sequence[Part], frame: Tensor) -> Any:
    """The program; BadSubject where torch cannot make one."""
    varies: list[Any] = [{0: ROWS}] + [{} if part.rows is None else {part.rows: ROWS} for part in live]
    return traced(_step(found, live), _given(found, live, frame), [*varies, *[{}] * _waits(live)])


def _given(found: Steady, live: Sequence[Part], frame: Tensor) -> tuple[Tensor, ...]:
    """Two rows of a frame, and states of zeros."""
    states = [torch.zeros(part.shape, dtype=found.leaves[part.place].dtype) for part in live]
    counted = [torch.zeros(1, dtype=torch.int64)] * _waits(live)
    return (frame[:1].expand(2, *frame.shape[1:]).clone(), *states, *counted)


def _step(found: Steady, live: Sequence[Part]) -> nn.Module:
    """A module whose arguments are a frame and states, by their names."""

    def forward(self: Any, frame: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        output, after = _called(self.net, found, live, frame, states)
        if not _waits(live):
            return output, *after
        age = states[-1]
        kept = [
            new if part.begins == 0 else torch.where(age >= part.begins, new, old)
            for part, new, old in zip(live, after, states[:-1], strict=True)
        ]
        return output, *kept, torch.clamp(age + 1, max=max(part.begins for part in live))

    names = ["self", "frame", *(part.name for part in live), *[AGE] * _waits(live)]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    forward.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    step = type("Step", (nn.Module,), {"forward": forward})()
    step.add_module("net", found.module)
    return step


def _called(
    net: Any, found: Steady, live: Sequence[Part], frame: Tensor, states: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """One step of the module from these states: the emission, and the states after it."""
    leaves = list(found.leaves)
    for part in found.parts:  # what nothing depends on is zeros
        shape = list(part.shape)
        if part.rows is not None:
            shape[part.rows] = frame.shape[0]
        leaves[part.place] = frame.new_zeros(shape, dtype=leaves[part.place].dtype)
    for part, state in zip(live, states, strict=False):
        leaves[part.place] = state.clone()
    output, after = net.step(frame, pytree.tree_unflatten(leaves, found.spec))
    made = pytree.tree_leaves(after)
    return output, [made[part.place] for part in live]
