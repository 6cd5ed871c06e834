"""What `coequal cost` counts of somebody's torch code: a clip function and, where there is one, a stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

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
    step: Callable[[torch.Tensor], Any] | None = None
    stream: torch.nn.Module | None = None  # of the step
    state: Callable[[], Any] = lambda: None
    window: bool = False
    notes: list[str] = field(default_factory=list)


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
    stream, modules = subject.stream(), subject.modules
    clip = subject.example
    if not isinstance(clip, torch.Tensor):
        raise BadSubject("cost: operations of a stream with several inputs are not counted yet: count its modules")
    if modules is not None and _library(modules) and type(stream).__module__.endswith("adapters.continual_inference"):
        return _of_library(modules, clip)  # without the second session, which lags behind for the flush
    if not hasattr(stream, "step"):
        notes = ["no step: its stream is a context, or takes chunks alone"]
        return Side(subject.clip, clip, subject.layout.time_axis, modules, notes=notes)
    side = Side(subject.clip, clip, subject.layout.time_axis, modules, stream.step, modules)
    return replace(side, state=lambda: getattr(stream, "state", vars(stream)), window=subject.window is not None)


def _of_library(module: Any, clip: torch.Tensor) -> Side:
    """continual-inference: `forward_step` itself, with the state in the module."""
    module.clean_state()
    subject = subject_of(module, clip)
    side = Side(subject.clip, clip, subject.layout.time_axis, module, module.forward_step, module)
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
    return Side(module, clip, time, module, stream.step, twin, lambda: stream.state, windowed, notes)
