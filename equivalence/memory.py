"""The memory of a stream: everything it holds that may change, found by walking its `state`, or the object itself.

A *cell* is a place in that memory: its path, its content, and how to put something else there. Tensors, numbers, flags and
texts are contents; lists, tuples, dictionaries, dataclasses and objects are walked through, and so are buffers and
attributes of modules, and what a function has closed over. A generator cannot be looked into: it makes the memory
unobservable.
"""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

Tensor = torch.Tensor
PLAIN = (int, float, complex, str, bytes, bool, type(None))
FIXED = (type, types.ModuleType, types.BuiltinFunctionType, torch.dtype, torch.device, torch.Size, torch.Generator)
DEEPEST = 12
LIBRARIES = ("builtins", "torch", "collections", "typing", "abc", "coequal", "weakref", "functools", "dataclasses")


class Unobservable(Exception):
    """Something that cannot be looked into; the text says what and where."""


@dataclass
class Cell:
    """One place in a memory."""

    path: str
    content: Any
    put: Callable[[Any], None] | None  # None: it cannot be replaced


def cells(stream: Any) -> list[Cell]:
    """All places in a stream's memory; Unobservable names what hides some."""
    root = stream.state if hasattr(type(stream), "state") or "state" in getattr(stream, "__dict__", {}) else stream
    if isinstance(stream, nn.Module):
        root = stream
    return list(_walk(root, "state" if root is not stream else "stream", None, {}, 0))


def _walk(thing: Any, path: str, put: Callable | None, seen: dict[int, Any], depth: int) -> Iterator[Cell]:
    if isinstance(thing, (Tensor, *PLAIN)):
        yield Cell(path, thing, put)
        return
    if isinstance(thing, FIXED) or id(thing) in seen:
        return
    seen[id(thing)] = thing
    if depth > DEEPEST:
        raise Unobservable(f"{path} is nested too deeply")
    for name, part, place in _parts(thing, path):
        yield from _walk(part, f"{path}{name}", place, seen, depth + 1)


def _parts(thing: Any, path: str) -> Iterator[tuple[str, Any, Callable | None]]:
    """What a thing is made of: name, part, how to replace it."""
    if isinstance(thing, dict):
        yield from ((f"[{key!r}]", value, _into(thing, key)) for key, value in thing.items())
    elif isinstance(thing, (list, deque)):
        yield from ((f"[{i}]", value, _into(thing, i)) for i, value in enumerate(thing))
    elif isinstance(thing, (tuple, set, frozenset)):
        yield from ((f"[{i}]", value, None) for i, value in enumerate(thing))
    elif isinstance(thing, types.MethodType):
        yield ".__self__", thing.__self__, None
    elif isinstance(thing, types.FunctionType):
        yield from ((f"<{i}>", cell.cell_contents, None) for i, cell in enumerate(thing.__closure__ or ()))
    elif isinstance(thing, nn.Module):
        yield from _module_parts(thing)
    elif hasattr(thing, "__dict__") and not isinstance(thing, (types.GeneratorType, Iterator)):
        yield from ((f".{name}", value, _onto(thing, name)) for name, value in vars(thing).items())
        yield from _slots(thing)
        yield from _shared(type(thing))
    elif hasattr(type(thing), "__slots__"):
        yield from _slots(thing)
    elif isinstance(thing, types.GeneratorType) or hasattr(thing, "__next__"):
        raise Unobservable(f"{path} is a generator: what it remembers cannot be seen")


def _slots(thing: Any) -> Iterator[tuple[str, Any, Callable | None]]:
    for kind in type(thing).__mro__:
        names = vars(kind).get("__slots__", ())
        for name in (names,) if isinstance(names, str) else names:
            if hasattr(thing, name) and not name.startswith("__"):
                yield f".{name}", getattr(thing, name), _onto(thing, name)


def _shared(kind: type) -> Iterator[tuple[str, Any, Callable | None]]:
    """What all objects of a user's class share: its own lists and the like, and what its methods have closed over."""
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] in LIBRARIES:
            continue
        for name, value in vars(base).items():
            if isinstance(value, types.FunctionType) or (
                isinstance(value, (list, dict, set, deque, Tensor)) and not name.startswith("__")
            ):
                yield f".{base.__name__}.{name}", value, None


HOOKS = ("_parameters", "_buffers", "_modules", "training")


def _module_parts(module: nn.Module) -> Iterator[tuple[str, Any, Callable | None]]:
    """Buffers, submodules and attributes; parameters are no memory, and hooks are torch's."""
    yield from ((f".{name}", value, _into(module._buffers, name)) for name, value in module._buffers.items())
    yield from ((f".{name}", value, None) for name, value in module._modules.items() if value is not None)
    for name, value in vars(module).items():
        if name not in HOOKS and not name.endswith("_hooks") and "_hooks_" not in name and not name.startswith("_is_"):
            yield f".{name}", value, _onto(module, name)


def _into(container: Any, key: Any) -> Callable[[Any], None]:
    return lambda content: container.__setitem__(key, content)


def _onto(thing: Any, name: str) -> Callable[[Any], None]:
    return lambda content: setattr(thing, name, content)
