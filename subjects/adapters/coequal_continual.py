"""Adapter for our own continual modules: `coequal.continual`'s protocol, start / step / flush with explicit state."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from coequal.continual.module import Continual, Stream
from coequal.continual.position import LearnedEncoding, RecyclingEncoding, SinusoidalEncoding
from coequal.subjects.going_on import going_on
from coequal.subjects.subject import Claim, Subject

Tensor = torch.Tensor


def recognises(module: nn.Module) -> bool:
    """Whether a module has the members of the protocol and is one of ours."""
    return isinstance(module, Continual) and type(module).__module__.startswith("coequal.")


def _counts_from_the_start(module: nn.Module) -> bool:
    """Whether positions count on from the first frame of all: no window of such a network is a clip of its own."""
    return any(isinstance(part, (LearnedEncoding, RecyclingEncoding, SinusoidalEncoding)) for part in module.modules())


def subject(module: Any, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a continual module; its clip function is the parent class's forward."""
    time = 2 if module.time is None else module.time
    timing = module.timing
    emits = "frames" if _counts_from_the_start(module) else getattr(module, "emits", "frames")
    window = getattr(module, "window", None) if emits != "frames" else None  # a sliding window of attention is stream-equal
    fields: dict[str, Any] = {"time": time, "window": window, "emits": emits, "name": type(module).__name__}
    if timing is not None and fields["window"] is None:
        delay = None if math.isinf(timing.receptive_field) else timing.delay
        fields["claim"] = Claim(timing.receptive_field, delay, timing.stride)
    fields |= {"clip": module.forward, "stream": lambda: Stream(module), "modules": module}
    fields["clip_state"] = going_on(module)
    return Subject(example=example, **(fields | overrides))
