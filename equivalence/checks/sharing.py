"""What streams have in common that changes while one of them runs, by name: where memory is shared."""

from __future__ import annotations

from typing import Any

import torch

from coequal.equivalence.compare.difference import alike
from coequal.equivalence.memory.cell import Unobservable
from coequal.equivalence.memory.walk import cells
from coequal.equivalence.run.player import StreamRaised
from coequal.equivalence.run.session import Session

Tensor = torch.Tensor
TORCHS = ("_parameters", "_modules", "training")  # and hooks: no memory of a stream


def shared(session: Session) -> str:
    """`streams share memory: attribute `past` of module `blocks.0``, or that it was not found."""
    places = shared_places(session)
    if not places:
        return "streams share memory that was not found (globals, closures, the library's own)"
    return f"streams share memory: {', '.join(places[:3])}"


def shared_places(session: Session) -> list[str]:
    """Attributes of the subject's modules, else places that another stream holds, which change while a stream is fed."""
    x = session.inputs(session.plan.legal(session.facts.reach + 3), session.batch, session.seed + 77)
    try:
        bystander, busy = session.player().stream, session.player()
        before = (_attributes(session.subject.modules), _held(bystander))
        busy.feed(x, session.plan_chunks(x))
        after = (_attributes(session.subject.modules), _held(bystander))
    except StreamRaised:
        return []
    named, held = (_changed(old, new) for old, new in zip(before, after, strict=True))
    return named or held


def _attributes(root: torch.nn.Module | None) -> dict[str, Any]:
    """Attributes and buffers of all submodules, by what a report calls them."""
    found: dict[str, Any] = {}
    for name, module in () if root is None else root.named_modules():
        where = f"of module `{name}`" if name else "of the module itself"
        own = {key: value for key, value in vars(module).items() if key not in TORCHS and "hooks" not in key}
        for key, value in {**own, **own.pop("_buffers", {})}.items():
            if not isinstance(value, torch.nn.Module):
                found[f"attribute `{key}` {where}"] = _frozen(value)
    return found


def _held(stream: Any) -> dict[str, Any]:
    """Everything that a stream holds, by its path."""
    try:
        return {f"`{cell.path}`": _frozen(cell.content) for cell in cells(stream)}
    except Unobservable:
        return {}


def _frozen(value: Any) -> Any:
    """What it is now, comparable later."""
    if isinstance(value, Tensor):
        return ("tensor", value.dtype, tuple(value.shape), value.detach().clone())
    if isinstance(value, dict):
        return {repr(key): _frozen(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)) or type(value).__name__ == "deque":
        return [_frozen(part) for part in value]
    return value if isinstance(value, (int, float, str, bool, type(None))) else id(value)


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [name for name, value in after.items() if name not in before or not _equal(before[name], value)]


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, tuple) and isinstance(b, tuple) and a[:1] == b[:1] == ("tensor",):
        return a[1:3] == b[1:3] and bool(alike(a[3], b[3]).all())
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a is b or (type(a) is type(b) and a == b))
