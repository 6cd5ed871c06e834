"""Relational self-attention a frame at a time: queries that wait, keys and values of the last frames, zero before and after.

Source: Kim, Kwon, Wang, Kwak & Cho, "Relational self-attention", NeurIPS 2021, section 4.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import plainly
from coequal.continual.streaming import State, Streaming
from coequal.continual.to_torch import makes
from coequal.reference import relational as layers
from coequal.reference.timing import Timing

__all__ = ["RelationalSelfAttention"]

Tensor = torch.Tensor


class RelationalSelfAttention(Streaming, clip_modules.RelationalSelfAttention):
    """`coequal.continual.clip_modules.RelationalSelfAttention`: half a window waits."""

    @property
    def timing(self) -> Timing:
        """The frames of the window, half of them to come."""
        return Timing(self.frames, 1, self.frames // 2, self.frames // 2)

    def begin(self, frame: Tensor) -> State:
        """No frame yet."""
        return {"queries": [], "seen": []}

    def push(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """One frame in; the output of the middle of its window comes out."""
        q, k, v = self.projected(frame.unsqueeze(2))
        state["queries"].append(q)
        if not state["seen"]:
            state["seen"] = [(torch.zeros_like(k), torch.zeros_like(v))] * (self.frames // 2)
        return self._next((k, v), state), state

    def finish(self, state: State) -> list[Tensor]:
        """The windows that the end of the clip cuts off."""
        due: list[Tensor] = []
        while state["queries"]:
            k, v = state["seen"][-1]
            due += self._next((torch.zeros_like(k), torch.zeros_like(v)), state)
        return due

    def _next(self, newest: tuple[Tensor, Tensor], state: Any) -> list[Tensor]:
        """The output of the window that the newest frame completes."""
        state["seen"] = [*state["seen"], newest][-self.frames :]
        if len(state["seen"]) < self.frames:
            return []
        keys, values = (torch.cat(each, 2) for each in zip(*state["seen"], strict=True))
        return [self.related(state["queries"].pop(0), keys, values, 0).squeeze(2)]


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

plainly({clip_modules.RelationalSelfAttention: RelationalSelfAttention})


@makes
def _(layer: layers.RelationalSelfAttention) -> nn.Module:
    return clip_modules.RelationalSelfAttention(layer.channels, layer.heads, layer.frames, layer.side)
