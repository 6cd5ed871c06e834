"""What looks like a stream in a module: a method that steps, an argument that takes a state, a switch, a context manager."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from coequal.subjects.drafts import documented
from coequal.subjects.drafts.names import CHUNKED, CONTEXTS, RESETS, STEPS
from coequal.subjects.drafts.signatures import Roles, needed, roles, with_rows


@dataclass(frozen=True)
class Entry:
    """A way into the stream of a module."""

    method: str  # "" is the module's own call
    roles: Roles
    words: str
    context: str = ""  # Python after `module.` that gives a context manager
    forever: bool = False  # it needs not be entered
    keeps_state: bool = False  # forward is the stream: a clip is a call of a copy that has seen nothing

    def of(self, module: nn.Module) -> Any:
        """The method itself."""
        return getattr(module, self.method or "forward")

    @property
    def several(self) -> bool:
        """Whether the method takes several frames at once."""
        return self.method in ("", *CHUNKED)


def entries(module: nn.Module) -> list[Entry]:
    """All that looks like a stream: methods of their own first, as whoever wrote them meant them for it."""
    return [*_methods(module), *_of_forward(module), *_contexts(module)] or _kept(module)


def _methods(module: nn.Module) -> Iterator[Entry]:
    for name in STEPS:
        method = getattr(module, name, None)
        if callable(method) and not isinstance(method, nn.Module):
            yield Entry(name, roles(method), f"the method {name}")


def _of_forward(module: nn.Module) -> Iterator[Entry]:
    found = roles(module.forward)
    if found.states and found.switches and _resets(module) and all(one.default is None for one in found.states):
        named = ", ".join(one.name for one in found.switches)
        yield Entry("", replace(found, states=()), f"forward with {named}, without {found.states[0].name}")
    named = ", ".join(one.name for one in (*found.states, *found.switches, *found.returning))
    if found.states or found.switches:
        yield Entry("", found, f"forward with {named}")


def _contexts(module: nn.Module) -> Iterator[Entry]:
    for name in ("streaming_forever", *CONTEXTS):
        method = getattr(module, name, None)
        arguments = with_rows(method) if callable(method) else None
        if arguments is not None:
            words = f"forward after {name}()" if name == "streaming_forever" else f"forward inside `with {name}()`"
            yield Entry("", Roles(), words, f"{name}({arguments})", name == "streaming_forever")


def _kept(module: nn.Module) -> list[Entry]:
    """A module that can be reset, and has no other way in, keeps a state in its forward."""
    words = "forward, call after call: the module can be reset, so it is taken to keep a state"
    return [Entry("", Roles(), words, keeps_state=True)] if _resets(module) else []


def frames_keep_time(module: nn.Module, entry: Entry, rank: int) -> list[bool]:
    """Whether a frame is handed over with its time axis: what is to be tried, in order.

    `forward` takes clips, so a frame is a clip of one frame. Other methods go by their documentation, then by their
    names. torch's recurrent layers take a frame without time axis for a clip without rows, and say nothing: with one of them
    inside, the time axis is kept first, which raises where the method adds it itself.
    """
    if not entry.method:
        return [True]
    said = documented.of_frames(documented.axes(entry.of(module)), rank)
    recurrent = any(isinstance(layer, nn.RNNBase) for layer in module.modules())
    first = said if said is not None else entry.method in CHUNKED or recurrent
    return [first, not first]


@dataclass(frozen=True)
class Fresh:
    """How a module that keeps the state itself is made to forget: Python with `{module}` and `{rows}`."""

    source: str
    words: str
    copied: bool = False


def fresh(module: nn.Module, entry: Entry) -> list[Fresh]:
    """The module's own resets, in order of their names; a copy of the module as it came where it has none."""
    if entry.roles.states:
        return [Fresh("", "")]
    if entry.context:
        return [Fresh("", "each stream is a copy of the module, which is switched to streaming for good", True)]
    return _resets(module) or [Fresh("", "nothing in it resets it: each stream is a copy of the module as it came", True)]


def _resets(module: nn.Module) -> list[Fresh]:
    found = []
    for name in RESETS:
        if callable(method := getattr(module, name, None)):
            if (arguments := with_rows(method)) is not None:
                found.append(Fresh(f"module.{name}({arguments})", f"{name}() of the module makes it forget"))
        elif any(callable(getattr(part, name, None)) and not needed(getattr(part, name)) for part in module.modules()):
            each = f'for part in module.modules():\n    if hasattr(part, "{name}"):\n        part.{name}()'
            found.append(Fresh(each, f"{name}() of its parts makes it forget"))
    return found
