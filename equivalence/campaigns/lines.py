"""What became of a configuration as a line of JSON, and back: how workers answer, and what a journal holds."""

from __future__ import annotations

import json
import types
from dataclasses import asdict, is_dataclass
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from coequal.equivalence.campaigns.found import Tried


def line_of(tried: Tried) -> str:
    """One line, without its end."""
    return json.dumps(asdict(tried), default=str)


def tried_of(line: str | bytes) -> Tried:
    """What a line says.

    Raises:
        ValueError: It is no such line.
    """
    try:
        return revived(Tried, json.loads(line))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no configuration: {line[:60]!r}") from error


def revived(kind: Any, value: Any) -> Any:
    """Plain data as what a type hint says that it was; what the hint leaves open stays plain."""
    if value is None:
        return None
    inner = get_args(kind)
    if get_origin(kind) in (Union, types.UnionType):
        classes = [one for one in inner if is_dataclass(one)]
        return revived(classes[0], value) if classes else value
    kept = get_origin(kind)
    if kept is list or (kept is tuple and inner[1:] == (...,)):
        return kept(revived(inner[0], one) for one in value)
    if get_origin(kind) is dict:
        return {name: revived(inner[1], one) for name, one in value.items()}
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: revived(hints[name], one) for name, one in value.items()})  # type: ignore[operator]
    return kind(value) if isinstance(kind, type) and issubclass(kind, Enum) else value
