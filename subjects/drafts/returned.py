"""What comes back from a call: which part is the output, and which is the state that the next call takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from coequal.subjects.drafts.names import OUTPUTS, is_state

Tensor = torch.Tensor


@dataclass(frozen=True)
class Take:
    """What is appended to the returned value for the output, and for each state (none: it is changed in place, or kept)."""

    output: str
    states: tuple[str, ...]
    words: str
    spare: bool = False  # tried only where nothing else fits

    def of(self, value: Any) -> Any:
        """The output in a returned value."""
        return eval(f"value{self.output}", {"value": value})


def takes(value: Any, states: tuple[str, ...], handed: tuple[Any, ...] = ()) -> list[Take]:
    """The ways to read a returned value, the usual one first; `states` are the names of the arguments that take states."""
    if value is None or isinstance(value, Tensor):
        return _one(states, handed)
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        return _several(value, states)
    if isinstance(value, Mapping) and not any(hasattr(value, str(name)) for name in value):
        return _named({name: part for name, part in value.items() if isinstance(name, str)}, states, '["{}"]')
    fields = getattr(value, "_fields", None) or [name for name in getattr(value, "__dict__", ()) if not name.startswith("_")]
    return _named({name: getattr(value, name) for name in fields}, states, ".{}")


def _one(states: tuple[str, ...], handed: tuple[Any, ...]) -> list[Take]:
    if not states:
        return [Take("", (), "the output comes back")]
    if any(one is not None and not isinstance(one, (Tensor, tuple)) for one in handed):
        return [Take("", (), "the output alone comes back: what was handed over as the state is changed in place")]
    return [Take("", ("",), "what comes back is output and state at once", spare=True)] if len(states) == 1 else []


def _several(value: Any, states: tuple[str, ...]) -> list[Take]:
    if not value:
        return []
    if not states:
        return [Take("[0]", (), "the first thing that comes back is the output")]
    found = []
    if len(value) > len(states):
        parts = tuple(f"[{1 + index}]" for index in range(len(states)))
        found.append(Take("[0]", parts, "(output, state) comes back"))
        if len(value) == 2 and len(states) == 1 and isinstance(value[1], Tensor):
            found.append(Take("[1]", ("[0]",), "(state, output) comes back"))
    if len(states) == 1:
        found.append(Take("[0]", ("",), "all that comes back is the state, its first part the output"))
    return found


def _named(parts: dict[str, Any], states: tuple[str, ...], written: str) -> list[Take]:
    tensors = [name for name, part in parts.items() if isinstance(part, Tensor)]
    outputs = [name for name in OUTPUTS if name in tensors] + [name for name in tensors if not is_state(name)]
    kept = [name for name in states if name in parts] or [name for name in parts if is_state(name)]
    if not outputs or len(kept) < len(states):
        return []
    output, chosen = written.format(outputs[0]), tuple(written.format(name) for name in kept[: len(states)])
    shown = f", {', '.join(chosen)} the state" if chosen else ""
    return [Take(output, chosen, f"{output} of what comes back is the output{shown}")]
