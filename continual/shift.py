"""Temporal shift a frame at a time: channels of the frame before, kept; of the frame after, waited for.

Source: Lin, Gan & Han, "TSM: Temporal shift module for efficient video understanding", ICCV 2019, section 3.4 (online).
"""

from __future__ import annotations

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import plainly
from coequal.continual.streaming import State, Streaming
from coequal.continual.to_torch import makes
from coequal.reference import shift as layers
from coequal.reference.timing import Timing

__all__ = ["TemporalShift"]

Tensor = torch.Tensor


class TemporalShift(Streaming, clip_modules.TemporalShift):
    """`coequal.continual.clip_modules.TemporalShift`: no delay backwards only, one frame in both directions."""

    @property
    def timing(self) -> Timing:
        """One frame back, and one ahead when bidirectional."""
        return Timing(3, 1, 1, 1) if self.bidirectional else Timing(2, 1, 1, 0)

    def begin(self, frame: Tensor) -> State:
        """The two frames before, zeros as yet; the second of them exists when `waiting`."""
        zero = torch.zeros_like(frame)
        return {"before": zero, "now": zero, "waiting": False}

    def push(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """One frame in; shifted backwards at once, in both directions when the next one comes."""
        frame = frame.clone()
        if not self.bidirectional:
            fold = frame.shape[1] // self.fold_div
            output = torch.cat([state["now"][:, :fold], frame[:, fold:]], 1)
            return [output], {**state, "now": frame}
        due = [self._between(state["before"], state["now"], frame)] if state["waiting"] else []
        return due, {"before": state["now"], "now": frame, "waiting": True}

    def _between(self, before: Tensor, now: Tensor, after: Tensor) -> Tensor:
        fold = now.shape[1] // self.fold_div
        return torch.cat([after[:, :fold], before[:, fold : 2 * fold], now[:, 2 * fold :]], 1)

    def finish(self, state: State) -> list[Tensor]:
        """The last frame, with zeros after it."""
        if not self.bidirectional or not state["waiting"]:
            return []
        return [self._between(state["before"], state["now"], torch.zeros_like(state["now"]))]


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

plainly({clip_modules.TemporalShift: TemporalShift})


@makes
def _(layer: layers.TemporalShift) -> nn.Module:
    return clip_modules.TemporalShift(layer.fold_div, layer.bidirectional)
