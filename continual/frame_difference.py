"""The next frame less this one, a frame at a time: a delay of one frame, and zero at the end of the stream.

Source: Li, Ji, Shi, Zhang, Kang & Wang, "TEA: Temporal excitation and aggregation for action recognition", CVPR 2020,
section 3.1.
"""

from __future__ import annotations

import torch
from torch import nn

from coequal.continual import clip_modules
from coequal.continual.conversion import plainly
from coequal.continual.streaming import State, Streaming
from coequal.continual.to_torch import makes
from coequal.reference import frame_difference as layers
from coequal.reference.timing import Timing

__all__ = ["FrameDifference"]

Tensor = torch.Tensor


class FrameDifference(Streaming, clip_modules.FrameDifference):
    """`coequal.continual.clip_modules.FrameDifference`: what is subtracted waits for the next frame."""

    @property
    def timing(self) -> Timing:
        """Two frames, the later of which comes a frame later."""
        return Timing(2, 1, 0, 1)

    def begin(self, frame: Tensor) -> State:
        """No frame yet."""
        return {"before": torch.zeros_like(frame[:, self.channels :]), "waiting": False}

    def push(self, frame: Tensor, state: State) -> tuple[list[Tensor], State]:
        """One frame in; the difference to the one before it comes out."""
        due = [frame[:, : self.channels] - state["before"]] if state["waiting"] else []
        return due, {"before": frame[:, self.channels :].clone(), "waiting": True}

    def finish(self, state: State) -> list[Tensor]:
        """Zero for the last frame."""
        return [torch.zeros_like(state["before"])] if state["waiting"] else []


# -- how torch modules become these, and layers of the reference torch modules ----------------------------------------

plainly({clip_modules.FrameDifference: FrameDifference})


@makes
def _(layer: layers.FrameDifference) -> nn.Module:
    return clip_modules.FrameDifference(layer.channels)
