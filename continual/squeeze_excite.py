"""Squeeze-and-excite a frame at a time: the gate of each frame from that frame alone, or from the last N means.

A gate from the whole clip cannot be known before its end: `convert` refuses it without a window.
"""

from __future__ import annotations

import functools

import torch

from coequal.continual import clip_modules
from coequal.continual.streaming import State, Streaming
from coequal.reference.timing import Timing

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
        gate = self.gate(functools.reduce(torch.add, means) / self._count)
        return [frame * gate.reshape(*gate.shape, *[1] * (frame.dim() - 2))], means
