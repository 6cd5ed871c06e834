"""What continual modules are made of: pieces that take one frame and give any number, and the step that gives at most one.

Inside a network a layer may owe several frames at once (start padding, a reflected beginning), and the next layer should
have them at once: pieces speak in lists. `begin`, `push` and `finish` are the list forms of `start`, `step` and `flush`;
`Streaming` makes the public step out of them, which holds what is too much and gives it back one frame a step.
"""

from __future__ import annotations

from typing import Any

import torch

from coequal.reference.timing import Timing

Tensor = torch.Tensor
State = Any


class Streaming:
    """Mixin before a torch.nn class: `start`, `step` and `flush` from `begin`, `push` and `finish`."""

    time: int | None = 2

    @property
    def timing(self) -> Timing:
        """Frame by frame, unless overridden."""
        return Timing()

    def begin(self, frame: Tensor) -> State:
        """State before the first frame; None where nothing is remembered."""
        return None

    def push(self, frame: Any, state: State) -> tuple[list[Tensor], State]:
        """One frame in, all output frames that are due."""
        raise NotImplementedError

    def finish(self, state: State) -> list[Tensor]:
        """The end: what is still owed."""
        return []

    def settled(self, state: State) -> State:
        """The same memory, once it has its final form, with rings whose position is on the device; as it is, by default."""
        return state

    def start(self, frame: Tensor) -> State:
        """State of a stream that has seen nothing; `frame` gives batch size, space, dtype and device only."""
        return {"inner": self.begin(frame), "held": []}

    def step(self, frame: Tensor, state: State) -> tuple[Tensor | None, State]:
        """Feed one frame (a clip without its time axis); the output frame, or None while none is due."""
        due, state["inner"] = self.push(frame, state["inner"])
        held = state["held"]
        if not held:
            if not due:
                return None, state
            state["held"] = due[1:]
            return due[0], state
        held += due
        return held.pop(0), state

    def flush(self, state: State) -> list[Tensor]:
        """End of the stream: the frames still owed, in order; the state is spent."""
        return state["held"] + self.finish(state["inner"])


def settled(module: Any, state: State) -> State:
    """The memory of any continual module with rings that stay where they are (`continual/ring.py`)."""
    if isinstance(module, Streaming) and isinstance(state, dict) and state.keys() == {"inner", "held"}:
        return {**state, "inner": module.settled(state["inner"])}
    return module.settled(state) if hasattr(module, "settled") else state


def begin(module: Any, frame: Tensor) -> State:
    """The list form of any continual module's `start`."""
    return module.begin(frame) if isinstance(module, Streaming) else module.start(frame)


def push(module: Any, frame: Any, state: State) -> tuple[list[Tensor], State]:
    """The list form of any continual module's `step`."""
    if isinstance(module, Streaming):
        return module.push(frame, state)
    output, state = module.step(frame, state)
    return ([] if output is None else [output]), state


def finish(module: Any, state: State) -> list[Tensor]:
    """The list form of any continual module's `flush`."""
    return module.finish(state) if isinstance(module, Streaming) else module.flush(state)
