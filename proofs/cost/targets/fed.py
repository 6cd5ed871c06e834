"""How the stream of a subject is fed in order to be counted: single frames, or the smallest chunks that its plan allows."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from types import FunctionType, ModuleType
from typing import Any

import torch

from coequal.subjects.chunks import Plan, plan_of
from coequal.subjects.errors import BadSubject
from coequal.subjects.inputs import Tree, called, leaves_of, with_leaves
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
Step = Callable[[Tensor], Any]


@dataclass(frozen=True)
class Calls:
    """What a step is handed: `size` frames with their time axis, `first` of them at first; no size: a frame without one."""

    size: int | None = None
    first: int | None = None

    @property
    def frames(self) -> int:
        """Of a call after the first one."""
        return self.size or 1

    def of(self, clip: Tensor, time: int) -> Iterator[Tensor]:
        """A clip over and over."""
        if self.size is None:
            return itertools.cycle(clip.unbind(time))
        length = clip.shape[time]
        whole = torch.cat([clip] * (math.lcm(length, self.size) // length), time)
        first = () if self.first is None else (whole.narrow(time, 0, self.first),)
        return itertools.chain(first, itertools.cycle(whole.split(self.size, time)))


def calls_of(subject: Subject, stream: Any) -> Calls | str:
    """How this stream is fed; why it cannot be, where frames are handed over again."""
    plan: Plan = plan_of(subject.plan, subject.longest)
    if plan.whole or plan.ahead:
        return "each call is handed frames again"
    size = plan.smallest(1)[0]
    if size == 1 and plan.first in (None, 1) and hasattr(stream, "step"):
        return Calls()
    return Calls(size, plan.first) if hasattr(stream, "chunk") else "it is neither fed frames nor chunks"


@contextlib.contextmanager
def entered(stream: Any) -> Iterator[Any]:
    """What is fed: what a stream that is a context manager yields, or the stream itself."""
    if not (hasattr(stream, "__enter__") and hasattr(stream, "__exit__")):
        yield stream
        return
    with stream as inside:
        yield stream if inside is None else inside


def always(step: Step) -> Callable[[], AbstractContextManager[Step]]:
    """A step that can be made at any time."""
    return lambda: contextlib.nullcontext(step)


class Filled:
    """A stream of several inputs, all but one of which are known."""

    def __init__(self, stream: Any, filled: Callable[[Tensor], Tree]) -> None:
        self.stream = stream
        for name in ("step", "chunk"):
            if (function := getattr(stream, name, None)) is not None:
                setattr(self, name, lambda x, function=function, name=name: called(function, filled(x), name))

    @property
    def state(self) -> Any:
        """Of the stream inside."""
        return getattr(self.stream, "state", vars(self.stream))


def of_one_input(subject: Subject) -> Subject:
    """The same, what does not move with time being the first row of the example. BadSubject: several inputs move."""
    if isinstance(subject.example, Tensor):
        return subject
    example, layout = subject.example, subject.layout
    leaves = leaves_of(example)
    moving = [name for name in leaves if layout.time[name] is not None]
    if len(moving) > 1:
        raise BadSubject("cost: operations of a stream with several inputs are not counted yet: count its modules")
    one = {
        name: leaf if (axis := layout.batch[name]) is None or name in moving else leaf.narrow(axis, 0, 1)
        for name, leaf in leaves.items()
    }
    filled = lambda x: with_leaves(example, one | {moving[0]: x})  # noqa: E731
    return replace(
        subject,
        clip=lambda x: called(subject.clip, filled(x), "clip"),
        stream=lambda: Filled(subject.stream(), filled),
        example=leaves[moving[0]],
        time=layout.time_axis,
        batch=layout.batch[moving[0]],
        output_time=subject.outputs().axis,
        inputs=None,
        positions=None,
        valid=None,
    )


class Kept:
    """What a stream keeps: its `state` or its attributes, what modules of moshi keep while they stream, and buffers.

    Of buffers those that are written: others are constants.
    """

    def __init__(self, stream: Any, modules: torch.nn.Module | None) -> None:
        self.stream = stream
        inside = [value for value in vars(stream).values() if isinstance(value, torch.nn.Module)]
        self.modules = [*inside, *([] if modules is None else [modules])]
        self.before = {id(owner): values for owner, values in self._buffers()}

    def _buffers(self) -> Iterator[tuple[torch.nn.Module, dict[str, Tensor]]]:
        parts = {id(part): part for module in self.modules for part in module.modules()}
        for part in parts.values():
            yield part, {name: value.clone() for name, value in part.named_buffers(recurse=False) if type(value) is Tensor}

    def now(self) -> list[Tensor]:
        """Tensors, some of which may be the same."""
        kept = _inside(getattr(self.stream, "state", vars(self.stream)))
        parts = {id(part): part for module in self.modules for part in module.modules()}
        kept += [tensor for part in parts.values() for tensor in _inside(getattr(part, "_streaming_state", None))]
        for owner, values in self._buffers():
            before = self.before.get(id(owner), {})
            kept += [
                getattr(owner, name)
                for name, value in values.items()
                if name not in before or not torch.equal(before[name], value)
            ]
        return kept


def _inside(value: Any, depth: int = 6) -> list[Tensor]:
    """Tensors that an object holds, and those of the objects that it holds; modules are left out."""
    if isinstance(value, Tensor):
        return [value]
    if depth == 0 or isinstance(value, (torch.nn.Module, type, ModuleType, FunctionType)):
        return []
    inner: Iterable[Any] = value if isinstance(value, (list, tuple, set)) else ()
    inner = value.values() if isinstance(value, Mapping) else inner or getattr(value, "__dict__", {}).values()
    return [tensor for held in inner for tensor in _inside(held, depth - 1)]
