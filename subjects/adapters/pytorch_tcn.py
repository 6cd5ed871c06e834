"""Adapter for pytorch-tcn: `TCN`, `TemporalConv1d` and `TemporalConvTranspose1d`, causal.

`model(x)` is the clip, `model(x, inference=True)` goes on from buffers in the module, which have room for one row, and
`reset_buffers()` begins anew. So streams live one at a time.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import sys
from typing import Any

import torch
from torch import nn

from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE, INSTALLED = "pytorch_tcn", "pytorch-tcn"
NAMES = ("TCN", "TemporalConv1d", "TemporalConvTranspose1d")


def recognises(module: nn.Module) -> bool:
    """Whether a module is one of the package's with buffers of its own."""
    package = sys.modules.get(PACKAGE)
    return package is not None and isinstance(module, tuple(getattr(package, name) for name in NAMES))


class Buffered:
    """The one stream of a module, from reset buffers."""

    def __init__(self, module: Any, time: int) -> None:
        self.module, self.time = module, time
        module.reset_buffers() if hasattr(module, "reset_buffers") else module.reset_buffer()

    def chunk(self, frames: Tensor) -> Tensor:
        """Several frames."""
        return self.module(frames, inference=True)

    def step(self, frame: Tensor) -> list[Tensor]:
        """One frame, and what comes of it."""
        return list(self.chunk(frame.unsqueeze(self.time)).unbind(self.time))


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a causal module on clips (1, C, T); a TCN may be built for (1, T, C)."""
    if not module.causal:
        raise BadSubject(f"{type(module).__name__} with causal=False has no stream: its package refuses inference=True")
    time = 1 if getattr(module, "input_shape", "NCL") == "NLC" else 2
    stride = module.stride[0] if isinstance(module, nn.Conv1d) else 1
    fields: dict[str, Any] = {"clip": module, "stream": lambda: Buffered(module, time), "time": time, "modules": module}
    fields |= {"batches": (1,), "streams": "one at a time", "plan": None if stride == 1 else stride}
    fields["name"] = type(module).__name__
    return Subject(example=example[:1], **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small one, for clips of this shape."""
    import pytorch_tcn

    channels = shape[1] if shape else 2
    if name == "TCN":
        last = shape[-1] if shape and settings.get("input_shape") == "NLC" else channels
        sizes: dict[str, Any] = {"num_inputs": last, "num_channels": [4, 4], "kernel_size": 3, "dropout": 0.0}
    else:
        sizes = {"in_channels": channels, "out_channels": 3, "kernel_size": 3, "causal": True}
        sizes |= {"kernel_size": 4, "stride": 2} if name == "TemporalConvTranspose1d" else {}
    return getattr(pytorch_tcn, name)(**(sizes | settings))


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    first = next(part for part in module.modules() if isinstance(part, (nn.Conv1d, nn.ConvTranspose1d)))
    return (1, 12, first.in_channels) if getattr(module, "input_shape", "NCL") == "NLC" else (1, first.in_channels, 12)
