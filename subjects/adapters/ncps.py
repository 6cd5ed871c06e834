"""Adapter for ncps: `CfC` and `LTC`, cells of continuous time, a second apart where no time is given.

`model(x, hx)` returns what it read out and its state. Time between frames is not drawn here: with `timespans` the package
takes one row (FOUND.md), and `docs/subject.md` says how such a subject is written.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

from coequal.subjects.adapters.carried import Carried
from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE = "ncps"
NAMES = ("CfC", "LTC")


def recognises(module: nn.Module) -> bool:
    """Whether a module is a recurrent layer of the package."""
    package = sys.modules.get("ncps.torch")
    return package is not None and isinstance(module, (package.CfC, package.LTC))


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a layer on clips with rows, in the layout that it was built for."""
    if not module.return_sequences:
        raise BadSubject(f"{type(module).__name__} with return_sequences=False reads out once, at the end: it has no stream")
    time = 1 if module.batch_first else 0
    fields: dict[str, Any] = {"clip": lambda x: module(x)[0], "stream": lambda: Carried(module, time), "modules": module}
    fields |= {"time": time, "batch": 1 - time, "clip_state": module.forward, "name": type(module).__name__}
    return Subject(example=example, **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small layer, for clips of this shape."""
    from ncps.torch import LTC, CfC

    sizes = {"input_size": shape[-1] if shape else 3, "units": 5}
    own = {"backbone_units": 6} if name == "CfC" else {"ode_unfolds": 2}
    return {"CfC": CfC, "LTC": LTC}[name](**(sizes | own | settings))


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    return (2, 6, module.input_size) if module.batch_first else (6, 2, module.input_size)
