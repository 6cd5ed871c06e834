"""How the state of a stream begins: as the argument's default says, as a method makes it, as None, as zeros."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

import torch
from torch import nn

from coequal.subjects.drafts.names import BEGINS
from coequal.subjects.drafts.signatures import needed, with_rows

LITERALS = (type(None), int, float, str, bool)
CELLS = (nn.RNNCellBase, nn.RNNBase)
HIDDEN = ("hidden_size", "hidden_dim", "state_size", "d_model", "dim")


@dataclass(frozen=True)
class Start:
    """Python for each state (`{rows}` stands for the number of rows), and what it is in words."""

    sources: tuple[str, ...]
    words: str
    names: tuple[tuple[str, Any], ...] = ()  # what the source speaks of besides `module` and `torch`
    spare: bool = False  # tried only where nothing else fits

    @property
    def lazy(self) -> bool:
        """Whether the number of rows has to be known."""
        return any("{rows}" in source for source in self.sources)


def starts(module: nn.Module, method: Callable[..., Any], states: tuple[Parameter, ...]) -> list[Start]:
    """The argument's default first, then what the module makes, then what is usual."""
    if not states:
        return [Start((), "")]
    found = [*_defaults(states), *_made(module, states), *_annotated(method, states)]
    if not any(set(start.sources) == {"None"} for start in found):
        found.append(Start(("None",) * len(states), "None"))
    if len(states) == 1:
        found += _zeros(module) if states[0].default is Parameter.empty else []
        found += [Start((empty,), f"{empty}, to be filled in place", spare=True) for empty in ("{}", "[]")]
    return found


def _defaults(states: tuple[Parameter, ...]) -> list[Start]:
    if not all(isinstance(one.default, LITERALS) or _empty(one.default) for one in states):
        return []
    sources = tuple(repr(one.default) for one in states)
    shown = ", ".join(f"{one.name}={one.default!r}" for one in states)
    return [Start(sources, f"{_same(sources)}, the argument's own default ({shown}), as if absent")]


def _empty(value: Any) -> bool:
    return type(value) in (tuple, list, dict) and not value


def _same(sources: tuple[str, ...]) -> str:
    return sources[0] if len(set(sources)) == 1 else ", ".join(sources)


def _made(module: nn.Module, states: tuple[Parameter, ...]) -> list[Start]:
    found = []
    for name in BEGINS:
        method = getattr(module, name, None)
        arguments = with_rows(method) if callable(method) else None
        if arguments is not None:
            source = f"module.{name}({arguments})"
            each = [source] if len(states) == 1 else [f"{source}[{index}]" for index in range(len(states))]
            found.append(Start(tuple(each), f"{source.replace('{rows}', 'rows')}, a method of the module"))
    return found


def _annotated(method: Callable[..., Any], states: tuple[Parameter, ...]) -> list[Start]:
    """An empty object of the class that the argument is annotated with."""
    kind = _kind(method, states[0])
    if len(states) > 1 or not isinstance(kind, type) or kind is Parameter.empty or issubclass(kind, torch.Tensor):
        return []
    if kind in (tuple, int, float, str, bool, object) or needed(kind):
        return []
    return [Start((f"{kind.__name__}()",), f"{kind.__name__}(), the class of the argument", ((kind.__name__, kind),))]


def _kind(method: Callable[..., Any], state: Parameter) -> Any:
    """The class that an argument is annotated with, None and subscripts left out: `Cache | None`, `dict[str, Tensor]`."""
    try:
        kind = typing.get_type_hints(method).get(state.name)
    except Exception:  # names that cannot be resolved here
        return None
    kinds = [each for each in typing.get_args(kind) if each is not type(None)]
    if typing.get_origin(kind) in (typing.Union, types.UnionType) and len(kinds) == 1:
        kind = kinds[0]
    return typing.get_origin(kind) or kind


def _zeros(module: nn.Module) -> list[Start]:
    """Zeros of the hidden size that a layer has, where the argument has no default to begin with."""
    layers = [module, *(layer for layer in module.modules() if isinstance(layer, CELLS))]
    found = [(layer, name) for layer in layers for name in HIDDEN if isinstance(getattr(layer, name, None), int)]
    sizes = dict.fromkeys((getattr(layer, name), f"{name} of {type(layer).__name__}") for layer, name in found)
    shapes = [("({rows}, %d)", "(rows, %d)"), ("(1, {rows}, %d)", "(1, rows, %d)")]
    return [
        Start((f"{zeros(module)}{source % size}",), f"zeros of shape {words % size} ({read})")
        for size, read in sizes
        for source, words in shapes
    ]


def zeros(module: nn.Module) -> str:
    """What makes zeros in the format of the module."""
    return "next(module.parameters()).new_zeros" if next(module.parameters(), None) is not None else "torch.zeros"


def zeros_like(module: nn.Module, state: Any) -> str | None:
    """Zeros of the shapes of a state; None where it holds anything but tensors and None."""
    if isinstance(state, torch.Tensor) and state.is_floating_point():
        return f"{zeros(module)}({', '.join(map(str, state.shape))})"
    if type(state) in (tuple, list):
        parts = [zeros_like(module, part) for part in state]
        if None in parts or not parts:
            return None
        inside = "".join(f"{part}, " for part in parts)
        return f"({inside.rstrip()})" if type(state) is tuple else f"[{inside.rstrip(', ')}]"
    return None
