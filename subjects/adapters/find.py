"""Adapters: from a module that a library made to a subject."""

from __future__ import annotations

from typing import Any

import torch

from coequal.subjects import adapters
from coequal.subjects.errors import BadSubject
from coequal.subjects.listing import installed, modules_of
from coequal.subjects.subject import Subject

GROUP = "coequal.adapters"  # entry points of other packages


def all_adapters() -> dict[str, Any]:
    """Those of this folder, then those of other packages: each has `recognises` and `subject`, and imports lazily."""
    return modules_of(adapters, "recognises") | installed(GROUP)


def subject_of(module: torch.nn.Module, example: Any, **overrides: Any) -> Subject:
    """A Subject for a module that an adapter recognises; `overrides` are fields of Subject. BadSubject when none does."""
    if not isinstance(module, torch.nn.Module):
        raise BadSubject(f"subject: expected a torch.nn.Module, got {type(module).__name__}")
    if not isinstance(example, torch.Tensor):
        raise BadSubject(f"subject: {type(module).__name__} needs an example clip, a tensor, got {type(example).__name__}")
    found = all_adapters()
    for adapter in found.values():
        if adapter.recognises(module):
            return adapter.subject(module, example, **overrides)
    raise BadSubject(
        f"no adapter recognises {type(module).__module__}.{type(module).__qualname__}; adapters: {', '.join(found)}."
        " Describe it with coequal.Subject(clip=..., stream=..., example=...)"
    )
