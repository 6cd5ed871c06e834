"""Adapter for mambapy: `Mamba` and `VMamba`, parallel scans whose `step(x, caches)` takes a frame without a time axis."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import torch
from torch import nn

from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE = "mambapy"
NAMES = ("Mamba", "VMamba")
SMALL = {"n_layers": 1, "d_state": 4, "d_conv": 3}


def recognises(module: nn.Module) -> bool:
    """Whether a module is a stack of the package's blocks."""
    known = [
        getattr(sys.modules.get(f"mambapy.{file}"), name, None) for file, name in (("mamba", "Mamba"), ("vim", "VMamba"))
    ]
    return isinstance(module, tuple(kind for kind in known if kind is not None))


class Steps:
    """A stream through `step`, with the caches that it returns; they begin as the package's own `generate` begins."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.state: Any = None

    def step(self, frame: Tensor) -> Tensor:
        """One frame, (B, D)."""
        if self.state is None:
            config = self.module.config
            begin = frame.new_zeros(frame.shape[0], config.d_inner, config.d_conv - 1)
            self.state = [(None, begin.clone()) for _ in self.module.layers]
        output, self.state = self.module.step(frame, self.state)
        return output


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a stack of blocks on clips (B, T, D)."""
    fields: dict[str, Any] = {
        "clip": module,
        "stream": lambda: Steps(module),
        "time": 1,
        "modules": module,
        "name": type(module).__name__,
    }
    return Subject(example=example, **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small stack, for clips of this shape."""
    file = import_module({"Mamba": "mambapy.mamba", "VMamba": "mambapy.vim"}[name])
    sizes = {"d_model": shape[-1] if shape else 8} | SMALL | settings
    return getattr(file, name)(file.MambaConfig(**sizes))


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    return (2, 7, module.config.d_model)
