"""Squeeze-and-excite a frame at a time: the gate of each frame from that frame alone, or from the last N means.

A gate from the whole clip cannot be known before its end: `convert` refuses it without a window.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import How, converted, needed, register, twin
from coequal.continual.streaming import State, Streaming
from coequal.continual.to_torch import makes
from coequal.reference import squeeze_excite as layers
from coequal.reference.timing import Timing

__all__ = ["SqueezeExcite"]

Tensor = torch.Tensor


class SqueezeExcite(Streaming, clip_modules.SqueezeExcite):
    """`coequal.continual.clip_modules.SqueezeExcite` with scope "frame" or "window"."""

    @property
    def timing(self) -> Timing:
        """The frames of the scope, zeros before the clip."""
        return Timing(self._count, pad_start=self._count - 1)

    @property
    def _count(self) -> int:
        return self.frames if self.scope == "window" and self.frames is not None else 1

    def begin(self, frame: Tensor) -> State:
        """The means of the last frames."""
        return []

    def push(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """One frame in, the same times its gate out."""
        means = [*state, frame.flatten(2).mean(-1) if frame.dim() > 2 else frame.clone()][-self._count :]
        total = functools.reduce(torch.add, means)
        gate = self.gate(total if self._count == 1 else total / self._count)
        return [frame * gate.reshape(*gate.shape, *[1] * (frame.dim() - 2))], means


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


@register(clip_modules.SqueezeExcite)
def _(module: clip_modules.SqueezeExcite, how: How) -> Any:
    children = {name: converted(child, how.at(name)) for name, child in module.named_children()}
    if module.scope != "clip":
        return twin(module, SqueezeExcite, _modules=children)
    frames = needed(module, how, "its gates come from the whole clip")
    return twin(module, SqueezeExcite, _modules=children, scope="window", frames=frames)


@makes
def _(layer: layers.SqueezeExcite) -> nn.Module:
    return clip_modules.SqueezeExcite(layer.channels, layer.squeeze_channels, layer.scope, layer.window)
