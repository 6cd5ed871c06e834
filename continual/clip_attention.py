"""Attention inside clips, a frame at a time: over space nothing is remembered, over time the last keys and values.

Over the whole clip it cannot be streamed: `convert` refuses it without a window.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import How, needed, register, twin
from coequal.continual.streaming import State, Streaming
from coequal.continual.to_torch import makes
from coequal.reference import clip_attention as layers
from coequal.reference.timing import Timing

__all__ = ["ClipAttention"]

Tensor = torch.Tensor


class ClipAttention(Streaming, clip_modules.ClipAttention):
    """`coequal.continual.clip_modules.ClipAttention` over space, or over time with a window."""

    @property
    def timing(self) -> Timing:
        """The frames of the window."""
        return Timing(self._count, pad_start=self._count - 1)

    @property
    def _count(self) -> int:
        return 1 if self.over == "space" or self.frames is None else self.frames

    def begin(self, frame: Tensor) -> State:
        """Keys and values of the last frames, `(B, P, A, 1, D)` each."""
        return []

    def push(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """One frame in, one out."""
        clip = frame.unsqueeze(2)
        if self.over == "space":
            return [self(clip).squeeze(2)], state
        q, k, v = self.projected(clip)
        kept = [*state, (k, v)][-self._count :]
        keys, values = (torch.cat(each, 3) for each in zip(*kept, strict=True))
        return [self.mixed(q, keys, values, None, clip.shape).squeeze(2)], kept


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------


@register(clip_modules.ClipAttention)
def _(module: clip_modules.ClipAttention, how: How) -> Any:
    if module.over == "space" or module.frames is not None:
        return twin(module, ClipAttention)
    return twin(module, ClipAttention, frames=needed(module, how, "it attends to every frame of the clip"))


@makes
def _(layer: layers.ClipAttention) -> nn.Module:
    return clip_modules.ClipAttention(layer.channels, layer.heads, layer.over, layer.window, layer.scale_of)
