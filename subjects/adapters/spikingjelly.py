"""Adapter for spikingjelly: modules that know two modes, `"m"`, all frames at once, and `"s"`, one frame.

`functional.set_step_mode(net, mode)` switches a network, `functional.reset_net(net)` begins anew; time is axis 0. The clip
is the network in mode "m", the stream a copy of it in mode "s".
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import copy
import sys
from typing import Any

import torch
from torch import nn

from coequal.subjects.errors import BadSubject
from coequal.subjects.subject import Subject

Tensor = torch.Tensor
PACKAGE = "spikingjelly"
NAMES = (
    *("IFNode", "LIFNode", "ParametricLIFNode", "QIFNode", "EIFNode", "IzhikevichNode", "KLIFNode", "CUBALIFNode"),
    *("ComplementaryLIFNode", "SlidingPSN"),
)


def recognises(module: nn.Module) -> bool:
    """Whether a module, or a part of it, keeps what it remembers the package's way."""
    base = getattr(sys.modules.get("spikingjelly.activation_based.base"), "StepModule", None)
    return base is not None and any(isinstance(part, base) for part in module.modules())


class Single:
    """A network in mode "s", a copy with the same weights, reset."""

    def __init__(self, module: nn.Module) -> None:
        from spikingjelly.activation_based import functional

        memo = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
        self.module = copy.deepcopy(module, memo)
        functional.set_step_mode(self.module, "s")
        functional.reset_net(self.module)

    def step(self, frame: Tensor) -> Tensor:
        """One frame."""
        return self.module(frame)


def subject(module: nn.Module, example: Tensor, **overrides: Any) -> Subject:
    """A Subject for a network on clips (T, B, ...). BadSubject: a part of it knows one mode alone."""
    from spikingjelly.activation_based import base, functional

    for name, part in module.named_modules():
        known: Any = part.supported_step_mode() if isinstance(part, base.StepModule) else ("s", "m")  # type: ignore[operator]
        if not {"s", "m"} <= set(known):
            raise BadSubject(f"{name or type(part).__name__} knows no mode but {', '.join(known)}")

    def clip(x: Tensor) -> Tensor:
        functional.set_step_mode(module, "m")
        functional.reset_net(module)
        try:
            return module(x)
        finally:
            functional.reset_net(module)

    fields: dict[str, Any] = {"clip": clip, "stream": lambda: Single(module), "time": 0, "batch": 1, "modules": module}
    fields["name"] = type(module).__name__
    return Subject(example=example, **(fields | overrides))


def tiny(name: str, shape: tuple[int, ...] | None, **settings: Any) -> nn.Module:
    """A neuron with the options of its class."""
    from spikingjelly.activation_based import neuron

    return getattr(neuron, name)(**({"k": 3} | settings if name == "SlidingPSN" else settings))


def shape(module: nn.Module) -> tuple[int, ...]:
    """Of a clip that it accepts."""
    return (12, 2, 5)
