"""Streams that hand a state on from call to call: what most packages ask of their callers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Tensor = torch.Tensor
Call = Callable[..., tuple[Any, Any]]  # (frames, state) -> (output, state)


class Carried:
    """A stream of calls `(frames, state) -> (output, state)`, time axis kept in and out; a step is a call on one frame.

    `begin()` is the state before the first frame, None by default. `output_time` is the time axis of the output.
    """

    def __init__(
        self, call: Call, time: int, begin: Callable[[], Any] = lambda: None, output_time: int | None = None
    ) -> None:
        self.call, self.time = call, time
        self.output_time = time if output_time is None else output_time
        self.state = begin()

    def chunk(self, frames: Tensor) -> Any:
        """Several frames."""
        output, self.state = self.call(frames, self.state)
        return output

    def step(self, frame: Tensor) -> Any:
        """One frame; what comes of it, in order."""
        output = self.chunk(frame.unsqueeze(self.time))
        return list(output.unbind(self.output_time))
