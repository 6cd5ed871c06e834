"""What `coequal cost` counts of somebody's torch code: a clip function and, where there is one, a stream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from coequal.proofs.cost.targets.fed import Calls, Kept, Step, always, calls_of, entered, of_one_input
from coequal.subjects.adapters.find import all_adapters, subject_of
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject


@dataclass
class Side:
    """What is counted: a clip function of an example, a stream's step, the modules whose parts are named, and notes."""

    clip: Callable[[torch.Tensor], Any]
    example: torch.Tensor
    time: int
    module: torch.nn.Module | None  # of the clip
    step: Callable[[], AbstractContextManager[Step]] | None = None  # within which a step can be made
    stream: torch.nn.Module | None = None  # of the step
    state: Callable[[], Any] = lambda: None
    window: bool = False
    notes: list[str] = field(default_factory=list)
    batch: int | None = 0  # axis of rows
    rows: int = 1  # that a step is handed
    calls: Calls = field(default_factory=Calls)

    def of_rows(self, count: int) -> torch.Tensor:
        """The first rows of the example."""
        return self.example if self.batch is None else self.example.narrow(self.batch, 0, count)


def side_of(target: str, value: Any, clip: torch.Tensor | None, window: int | None = None) -> Side:
    """A Subject, a module, or a module with its clip; BadSubject for anything else. `window` is for attention."""
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], torch.nn.Module):
        value, clip = value[0], value[1] if clip is None else clip
    if isinstance(value, Subject):
        return _of_subject(value if clip is None else replace(value, example=clip))
    if not isinstance(value, torch.nn.Module):
        raise BadSubject(
            f"{target} is of type {type(value).__name__}; expected a coequal.Subject, a torch.nn.Module, or a function"
            " without arguments that returns one"
        )
    if clip is None:
        raise BadSubject(
            f"{target} is the module {type(value).__name__}, which needs the shape of a clip: add --example SHAPE"
            " (like --example 1,3,16,32,32), or let a function return (module, example)"
        )
    value.eval()
    if _library(value):
        return _of_library(value, clip)
    if _recognised(value):
        return _of_subject(subject_of(value, clip))
    return _of_regular(value, clip, window)


def _recognised(module: torch.nn.Module) -> bool:
    return any(adapter.recognises(module) for adapter in all_adapters().values())


def _library(module: torch.nn.Module) -> bool:
    from coequal.subjects.adapters import continual_inference

    return continual_inference.recognises(module)


def _of_subject(subject: Subject) -> Side:
    modules = subject.modules
    if modules is not None and _library(modules) and type(subject.stream()).__module__.endswith("continual_inference"):
        clip = subject.example
        assert isinstance(clip, torch.Tensor)  # its clips are
        return _of_library(modules, clip)  # without the second session, which lags behind for the flush
    subject = of_one_input(subject)
    clip, layout = subject.example, subject.layout
    assert isinstance(clip, torch.Tensor)  # of one input
    batch = layout.batch[layout.lead]
    side = Side(subject.clip, clip, layout.time_axis, modules, batch=batch)
    with entered(subject.stream()) as stream:
        calls = calls_of(subject, stream)
    if isinstance(calls, str):
        return replace(side, notes=[f"no step: {calls}"])
    rows = 1 if batch is None or subject.batches is None else min(subject.batches)
    notes = [f"a step is a call on {calls.frames} frames, of which it is one"] if calls.frames > 1 else []
    notes += [f"a step is that of {rows} rows, of which it is one"] if rows > 1 else []
    kept: list[Kept] = []

    @contextlib.contextmanager
    def step() -> Iterator[Step]:
        with entered(subject.stream()) as stream:
            kept[:] = [Kept(stream, modules)]
            yield stream.step if calls.size is None else stream.chunk

    side = replace(side, step=step, stream=modules, window=subject.window is not None)
    return replace(side, state=lambda: [one.now() for one in kept], notes=notes, rows=rows, calls=calls)


def _of_library(module: Any, clip: torch.Tensor) -> Side:
    """continual-inference: `forward_step` itself, with the state in the module."""
    module.clean_state()
    subject = subject_of(module, clip)
    side = Side(subject.clip, clip, subject.layout.time_axis, module, always(module.forward_step), module)
    return replace(side, state=lambda: _kept(module), window=subject.window is not None)


def _kept(module: Any) -> list[Any]:
    return [part.get_state() for part in module.modules() if hasattr(part, "get_state")]


def _of_regular(module: torch.nn.Module, clip: torch.Tensor, window: int | None) -> Side:
    """A module without a stream: its step is that of the continual twin, where there is one."""
    from coequal.continual.conversion import NotStreamable, convert
    from coequal.continual.module import Stream

    try:
        twin = convert(module, window=window)
        stream = Stream(twin)
        time = 2 if twin.time is None else twin.time
    except (NotStreamable, ValueError) as error:
        return Side(module, clip, 2 if clip.dim() != 3 else 1, module, notes=[f"no step: {error}"])
    notes = ["the step is that of its continual twin, coequal.continual.convert"]
    windowed = getattr(twin, "emits", "frames") != "frames"
    return Side(module, clip, time, module, always(stream.step), twin, lambda: stream.state, windowed, notes)
