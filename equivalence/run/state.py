"""What a stream object holds: its state, its modules."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn


def modules_inside(stream: Any, depth: int = 3) -> list[nn.Module]:
    """The outermost modules that a stream object holds in its attributes, lists, tuples and dictionaries."""
    if isinstance(stream, nn.Module):
        return [stream]
    if depth == 0:
        return []
    if isinstance(stream, dict):
        held = list(stream.values())
    elif isinstance(stream, (list, tuple)):
        held = list(stream)
    else:
        held = list(getattr(stream, "__dict__", {}).values())
        held += [getattr(stream, slot, None) for slot in getattr(type(stream), "__slots__", ())]
    found: dict[int, nn.Module] = {}
    for value in held:
        found |= {id(module): module for module in modules_inside(value, depth - 1)}
    return list(found.values())


def snapshot(stream: Any) -> Any:
    """A deep copy of the stream's state."""
    return copy.deepcopy(stream.state)


def restore(stream: Any, state: Any) -> None:
    """Put a state back; AttributeError when it is read-only."""
    stream.state = state
