"""Adapters: from a module that a library made to a subject."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch

from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

# each has `recognises(module) -> bool` and `subject(module, example, **overrides) -> Subject`, and imports lazily
ADAPTERS = ("coequal_continual", "continual_inference")


def subject_of(module: torch.nn.Module, example: Any, **overrides: Any) -> Subject:
    """A Subject for a module that an adapter recognises; `overrides` are fields of Subject. BadSubject when none does."""
    if not isinstance(module, torch.nn.Module):
        raise BadSubject(f"subject: expected a torch.nn.Module, got {type(module).__name__}")
    if not isinstance(example, torch.Tensor):
        raise BadSubject(f"subject: {type(module).__name__} needs an example clip, a tensor, got {type(example).__name__}")
    for name in ADAPTERS:
        adapter = import_module(f"coequal.subjects.adapters.{name}")
        if adapter.recognises(module):
            return adapter.subject(module, example, **overrides)
    raise BadSubject(
        f"no adapter recognises {type(module).__module__}.{type(module).__qualname__}; adapters: {', '.join(ADAPTERS)}."
        " Describe it with coequal.Subject(clip=..., stream=..., example=...)"
    )
