"""Adapter for pocket-tts: `StreamingTransformer`, `StreamingConv1d`, `StreamingConvTranspose1d`, `SEANetEncoder`,
`SEANetDecoder`.

`model(x, None)` is the clip where the package offers one; `model(x, state)` goes on, with `init_states(model, rows,
length)` before the first call and `increment_steps` after each. Modules find their part of the state by names that their
owner stamps on them. A module with a transposed convolution has no clip mode: its clip is a stream in one piece, which is
said in the report.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import math
import sys
from typing import Any

import torch
from torch import nn

from coequal.subjects.chunks import Plan
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE, INSTALLED = "pocket_tts", "pocket-tts"
NAMES = ("SEANetDecoder", "SEANetEncoder", "StreamingConv1d", "StreamingConvTranspose1d", "StreamingTransformer")
LONGEST = 2048  # frames that a cache has room for
FILES = {"SEANetDecoder": "seanet", "SEANetEncoder": "seanet", "StreamingTransformer": "transformer"}
NO_CLIP = (
    "the package has no clip mode for this module: its clip is a stream in one piece, so that pieces are compared with that"
)


def recognises(module: nn.Module) -> bool:
    """Whether a module is one of the package's that is handed a state."""
    if "pocket_tts" not in sys.modules:
        return False
    return any(part.__module__.startswith("pocket_tts.modules.") and part.__name__ in NAMES for part in type(module).__mro__)


class Stated:
    """A stream with a state of its own."""

    def __init__(self, module: Any, time: int) -> None:
        self.module, self.time = module, time
        self.state: Any = None

    def chunk(self, frames: Tensor) -> Tensor:
        """Several frames."""
        from pocket_tts.modules.stateful_module import increment_steps, init_states

        if self.state is None:
            self.state = init_states(self.module, frames.shape[0], LONGEST)
        output = self.module(frames, self.state)
        increment_steps(self.module, self.state, frames.shape[self.time])
        return output

    def step(self, frame: Tensor) -> list[Tensor]:
        """One frame, and what comes of it."""
        return list(self.chunk(frame.unsqueeze(self.time)).unbind(self.time))


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a module on clips (B, T, C), of a transformer, or (B, C, T)."""
    from pocket_tts.modules.conv import StreamingConv1d, StreamingConvTranspose1d
    from pocket_tts.modules.stateful_module import StatefulModule

    for name, part in module.named_modules():
        if isinstance(part, StatefulModule):
            part._module_absolute_name = name
    time = 1 if hasattr(module, "rope") else 2
    convolutions = [part for part in module.modules() if isinstance(part, StreamingConv1d)]
    unit = math.prod(part.conv.stride[0] for part in convolutions)
    back = any(isinstance(part, StreamingConvTranspose1d) for part in module.modules())
    repeats = any(part.pad_mode == "replicate" for part in convolutions)
    least = max((part._effective_kernel_size for part in convolutions), default=1)
    clip = (lambda x: Stated(module, time).chunk(x)) if back else (lambda x: module(x, None))
    fields: dict[str, Any] = {"clip": clip, "stream": lambda: Stated(module, time), "time": time, "modules": module}
    fields |= {"plan": Plan(unit, minimum=unit * least if repeats else None), "longest": LONGEST if time == 1 else None}
    fields |= {"notes": (NO_CLIP,) if back else (), "name": type(module).__name__}
    return Subject(example=example, **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A small one, for clips of this shape."""
    from importlib import import_module

    kind = getattr(import_module(f"pocket_tts.modules.{FILES.get(name, 'conv')}"), name)
    if name == "StreamingTransformer":
        sizes: dict[str, Any] = {
            "d_model": shape[-1] if shape else 16,
            "num_heads": 2,
            "num_layers": 1,
            "dim_feedforward": 24,
        }
    elif name.startswith("SEANet"):
        sizes = {
            "channels": 1,
            "dimension": 8,
            "n_filters": 4,
            "n_residual_layers": 1,
            "ratios": (2, 2),
            "pad_mode": "constant",
        }
        sizes |= {"kernel_size": 3, "last_kernel_size": 3, "residual_kernel_size": 3}
    else:
        sizes = {"in_channels": shape[1] if shape else 2, "out_channels": 3, "kernel_size": 3}
        sizes |= {"kernel_size": 4, "stride": 2} if name == "StreamingConvTranspose1d" else {}
    return kind(**(sizes | settings))


def shape(module: Any) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    if hasattr(module, "rope"):
        return (2, 8, module.layers[0].norm1.weight.shape[0])
    first = next(part for part in module.modules() if isinstance(part, (nn.Conv1d, nn.ConvTranspose1d)))
    return (2, first.in_channels, 24)
