"""The Python of a way is run on the example, on a copy of the module."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from coequal.subjects.drafts.code import Way, clip_source, stream_source

Tensor = torch.Tensor


class Raised(Exception):
    """The user's code did, after so many calls."""

    def __init__(self, error: BaseException, calls: int) -> None:
        lines = str(error).strip().splitlines()
        super().__init__(f"{type(error).__name__}: {lines[0][:100] if lines else '(no message)'}")
        self.calls = calls


def made(
    module: nn.Module, way: Way, dtype: torch.dtype | None = None, *, off: bool = True
) -> tuple[dict[str, Any], Tensor]:
    """The names that the Python of a way makes, on a copy of the module; and the example. `off`: see `clip_source`."""
    try:
        twin = copy.deepcopy(module)
    except Exception:  # what cannot be copied is used as it is
        twin = module
    x = way.layout.example()
    if dtype is not None and twin is not module:
        twin, x = twin.to(dtype), x.to(dtype) if x.is_floating_point() else x
    names = {"torch": torch, "copy": copy, "module": twin, **dict(way.start.names)}
    exec(f"{clip_source(module, way, off=off)}\n{stream_source(way)}", names)
    return names, x


def guarded(call: Callable[..., Any], calls: int, *arguments: Any) -> Any:
    """What the user's code gives; Raised, where it raises in that call."""
    try:
        with torch.no_grad():
            return call(*arguments)
    except (Exception, SystemExit) as error:
        raise Raised(error, calls) from error


def clip_on(names: dict[str, Any], x: Tensor) -> Tensor:
    """The output of the clip function."""
    output = guarded(names["clip"], 1, x.clone())
    if not isinstance(output, Tensor):
        raise Raised(TypeError(f"the clip gives {type(output).__name__}"), 1)
    return output


def pieces(way: Way, x: Tensor, *, single: bool) -> list[Tensor]:
    """The example as it is fed: frame by frame, or several at once."""
    time = way.layout.time
    if not way.chunked:
        return list(x.unbind(time))
    return list(x.split(1 if single else max(x.shape[time] // 2 - 1, 2), time))


def played(names: dict[str, Any], way: Way, x: Tensor, *, single: bool) -> list[Tensor]:
    """The frames that a fresh stream emits; `names["last"]` is then what it remembers."""
    stream, frames = guarded(names["Stream"], 1), list[Tensor]()
    for index, piece in enumerate(pieces(way, x, single=single)):
        output = guarded(getattr(stream, "chunk" if way.chunked else "step"), index + 1, piece.clone())
        if output is not None and not isinstance(output, Tensor):
            raise Raised(TypeError(f"the stream gives {type(output).__name__}"), 1)
        if output is not None and output.numel():
            frames += frames_of(output.clone(), way) if way.chunked else [output.clone()]
    names["last"] = [getattr(stream, one.name, None) for one in way.entry.roles.states]
    return frames


def frames_of(output: Tensor, way: Way) -> list[Tensor]:
    """A clip's output, or a chunk's, taken apart along time."""
    if output.dim() <= way.output_time:
        raise Raised(ValueError(f"a tensor of shape {tuple(output.shape)} has no time axis {way.output_time}"), 1)
    return list(output.unbind(way.output_time))
