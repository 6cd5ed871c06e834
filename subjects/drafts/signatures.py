"""Which argument of a method is the input, which are states, switches, positions, and which are something else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

from coequal.subjects.drafts.names import POSITIONS, ROWS, SWITCHES, asks_for_state, is_state


@dataclass(frozen=True)
class Roles:
    """The arguments of a method, by what they are taken for."""

    states: tuple[Parameter, ...] = ()
    switches: tuple[Parameter, ...] = ()  # True: the module streams
    returning: tuple[Parameter, ...] = ()  # True: the state is returned
    positions: tuple[str, ...] = ()  # the number of frames so far; only where the method cannot do without
    others: tuple[str, ...] = ()  # needed, and not guessed


def roles(method: Callable[..., Any]) -> Roles:
    """What each argument is taken for. The first is the input, whatever it is called."""
    states, switches, returning = list[Parameter](), list[Parameter](), list[Parameter]()
    positions, others = list[str](), list[str]()
    names = {one.name for one in parameters(method)}
    for one in parameters(method)[1:]:
        if asks_for_state(one.name):
            returning.append(one)
        elif one.name in SWITCHES and _either(one):
            switches.append(one)
        elif is_state(one.name) and not isinstance(one.default, bool) and (one.name != "c" or "h" in names):
            states.append(one)
        elif one.default is one.empty:
            (positions if one.name in POSITIONS else others).append(one.name)
    return Roles(tuple(states), tuple(switches), tuple(returning), tuple(positions), tuple(others))


def parameters(method: Callable[..., Any]) -> list[Parameter]:
    """Those that can be named one by one; none where Python cannot tell."""
    try:
        found = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return []
    return [one for one in found if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]


def needed(method: Callable[..., Any]) -> list[str]:
    """The names of the arguments that have no default."""
    return [one.name for one in parameters(method) if one.default is one.empty]


def with_rows(method: Callable[..., Any]) -> str | None:
    """The arguments of a method that needs nothing, or the number of rows (`{rows}`); None where it needs more."""
    names = needed(method)
    if not names:
        return ""
    return "{rows}" if len(names) == 1 and names[0] in ROWS else None


def _either(one: Parameter) -> bool:
    return isinstance(one.default, bool) or one.default is None or one.default is one.empty
