"""Whether a clip function is itself a loop over the stream: then it is equal to it whatever both compute.

The clip function is watched while it runs. What belongs to the stream are the methods of its class under any name, and the
functions that the object holds, but for the clip function itself: one function may serve both modes. Modules may share
helpers with their steps, so a function counts that is a step by its name, or is called at least once a frame, and more
often in a longer clip: a network may be deeper than a clip is long.
"""

from __future__ import annotations

import contextlib
import cProfile
import functools
import sys
from collections import Counter
from collections.abc import Iterator
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any

from torch import nn

from coequal.equivalence.run.state import modules_inside

STEPS = ("step", "chunk", "forward_step", "forward_steps", "push")
LIBRARIES = ("torch", "builtins", "abc", "typing", "collections", "functools")
CLIP_MODE = ("forward", "__call__", "_call_impl", "_wrapped_call_impl", "__getattr__")


def functions_of(stream: Any, clip: Any) -> dict[CodeType, str]:
    """The code of a stream's own functions, by how a report calls them; without what is the clip function itself."""
    found: dict[CodeType, str] = {}
    for owner in (stream, *(part for module in modules_inside(stream) for part in module.modules())):
        for kind in type(owner).__mro__:
            if kind.__module__.partition(".")[0] not in LIBRARIES:
                found |= {c: f"{kind.__name__}.{name}" for name, v in vars(kind).items() for c in _codes(v) if _counts(name)}
    for name, value in getattr(stream, "__dict__", {}).items():
        if not isinstance(value, nn.Module):
            found |= dict.fromkeys(_codes(value), str(name))
    both = set(_codes(clip))
    return {code: name for code, name in found.items() if code not in both}


def _counts(name: str) -> bool:
    return name not in CLIP_MODE and not (name.startswith("__") and name.endswith("__"))


def _codes(value: Any) -> Iterator[CodeType]:
    """The code of a function, also behind decorators, methods and partials."""
    if isinstance(value, functools.partial):
        yield from _codes(value.func)
    elif isinstance(value, (MethodType, staticmethod, classmethod)):
        yield from _codes(value.__func__)
    elif isinstance(value, FunctionType):
        yield value.__code__
        if hasattr(value, "__wrapped__"):
            yield from _codes(value.__wrapped__)


@contextlib.contextmanager
def counting(codes: dict[CodeType, str]) -> Iterator[Counter[CodeType]]:
    """Inside, calls of these functions are counted."""
    calls: Counter[CodeType] = Counter()

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code in codes:
            calls[frame.f_code] += 1

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield calls
    finally:
        if isinstance(before, cProfile.Profile):  # written in C: not a function that could be set again
            before.enable()
        else:
            sys.setprofile(before)


def steps_called(codes: dict[CodeType, str], calls: Counter[CodeType]) -> str:
    """The name of a step that the clip function called; "" if there is none."""
    return min((codes[code] for code in calls if codes[code].rpartition(".")[2] in STEPS), default="")


def called_each_frame(codes: dict[CodeType, str], calls: Counter[CodeType], frames: int) -> list[CodeType]:
    """The functions that were called at least once a frame, by the names of a report."""
    return sorted((code for code, count in calls.items() if count >= frames > 1), key=lambda code: codes[code])
